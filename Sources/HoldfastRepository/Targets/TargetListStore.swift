package import HoldfastArchive
internal import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem

/// Reads and publishes the list of targets of a repository, and tells the numbers that the opened target gives. The
/// list is read when it is first needed.
package struct TargetListStore: Sendable {
  package let store: RevisionStore<TargetList>
  /// The name of the target that was opened; `nil` if it is found by its location.
  private let name: String?

  init(_ store: any Store, _ descriptor: Descriptor, _ keyring: KeyringStore, as name: String?, host: Host) {
    (self.store, self.name) = (RevisionStore(store, descriptor, keyring, host: host), name)
  }

  /// Returns all revisions, in ascending order; empty when the repository has no list of targets.
  /// - Throws: `DamageError` when a revision is missing or not valid, or the signer of the newest may not write.
  package func revisions() throws -> [TargetListRevision] { try store.revisions() }

  /// Returns the newest list; `nil` when the repository has none.
  package func newest() throws -> TargetList? { try revisions().last?.list }

  /// Returns the newest list, read anew from the store.
  package func newestAnew() throws -> TargetList? {
    store.forget()
    return try newest()
  }

  // MARK: Numbers

  /// Returns the target that was opened; `nil` when there is no list, or when the list does not have it.
  package func member() throws -> TargetList.Member? {
    guard let list = try newest() else { return nil }
    if let name { return list.member(name) }
    let places = store.store.places + [store.store.location]
    return list.targets.first { places.contains($0.location) }
  }

  /// Returns the name of the target that was opened; `nil` when nothing tells it.
  package func ownName() throws -> String? { try name ?? member()?.name }

  /// Returns the numbers that the opened target gives to snapshots and to revisions of notes.
  /// - Throws: `EngineError` when there is a list, and it does not have this target.
  package func ownNumbers() throws -> OwnNumbers {
    guard let list = try newest() else { return .all }
    guard let member = try member() else {
      throw EngineError(
        .usage,
        "the list of targets (revision \(list.revision)) does not have \(name.map { "the target \($0)" } ?? store.store.location), so no number can be given there",
        hint:
          "It has \(list.targets.map(\.name).joined(separator: ", ")): name the repository as it is configured, with its targets; a new target is added by `holdfast target add NAME`."
      )
    }
    return list.ownNumbers(of: member)
  }
}
