package import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// Reads and publishes the list of targets of a repository, and tells the numbers that the opened target gives. The
/// list is read when it is first needed.
package final class TargetListStore: Sendable {
  private let store: any Store
  private let descriptor: Descriptor
  private let keyring: KeyringStore
  private let host: Host
  /// The name of the target that was opened; `nil` if it is found by its location.
  private let name: String?
  private let known = Mutex<[TargetListRevision]?>(nil)

  init(_ store: any Store, _ descriptor: Descriptor, _ keyring: KeyringStore, as name: String?, host: Host) {
    (self.store, self.descriptor, self.keyring, self.name, self.host) = (store, descriptor, keyring, name, host)
  }

  /// Returns all revisions, in ascending order; empty when the repository has no list of targets.
  /// - Throws: `DamageError` when a revision is missing or not valid, or the signer of the newest may not write.
  package func revisions() throws -> [TargetListRevision] {
    try known.withLock { known in
      if let known { return known }
      let read = try read()
      known = read
      return read
    }
  }

  /// Returns the newest list; `nil` when the repository has none.
  package func newest() throws -> TargetList? { try revisions().last?.list }

  /// Returns the newest list, read anew from the store.
  package func newestAnew() throws -> TargetList? {
    store.refresh()
    known.withLock { $0 = nil }
    return try newest()
  }

  private func read() throws -> [TargetListRevision] {
    let names = try store.children(of: Keys.targets)
    guard names.count <= Limits.revisionsMax else {
      throw DamageError(Keys.targetList(1), "there are too many revisions")
    }
    store.prefetch(names.map { (Keys.targets + $0, nil) })
    var revisions: [TargetListRevision] = []
    for (index, name) in names.enumerated() {
      let key = Keys.targetList(UInt64(index) + 1)
      guard Keys.targets + name == key else { throw DamageError(key, "it is missing, and \(name) is there") }
      revisions.append(
        try store.object(key).firstSound {
          try TargetListRevision(
            parsing: $0.contents(max: Limits.envelopeBytesMax), after: revisions.last, of: descriptor, name: key)
        })
    }
    if let newest = revisions.last { try checkSigner(of: newest) }
    return revisions
  }

  /// Returns the revision with these bytes.
  /// - Throws: `DamageError` or `FormatError` when it is not valid, or when its signer may not write.
  package func revision(_ bytes: [UInt8], after previous: TargetListRevision?) throws -> TargetListRevision {
    let key = Keys.targetList((previous?.list.revision ?? 0) + 1)
    let revision = try TargetListRevision(parsing: bytes, after: previous, of: descriptor, name: key)
    try checkSigner(of: revision)
    return revision
  }

  private func checkSigner(of revision: TargetListRevision) throws {
    guard let signer = revision.list.signature?.key,
      let refusal = keyring.sealed?.keyring.refusal(of: signer, digest: revision.digest)
    else { return }
    throw DamageError(Keys.targetList(revision.list.revision), refusal)
  }

  // MARK: Numbers

  /// Returns the target that was opened; `nil` when there is no list, or when the list does not have it.
  package func member() throws -> TargetList.Member? {
    guard let list = try newest() else { return nil }
    if let name { return list.member(name) }
    let places = store.places + [store.location]
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
        "the list of targets (revision \(list.revision)) does not have \(name.map { "the target \($0)" } ?? store.location), so no number can be given there",
        hint:
          "It has \(list.targets.map(\.name).joined(separator: ", ")): name the repository as it is configured, with its targets; a new target is added by `holdfast target add NAME`."
      )
    }
    return list.ownNumbers(of: member)
  }

  // MARK: The next revision

  /// Makes the next revision durable.
  /// - Parameter next: the list. This call sets its number, the digest before, the time, the program and the signature.
  /// - Throws: `EngineError` when another run has made it meanwhile.
  @discardableResult
  package func publish(_ next: TargetList) throws -> TargetListRevision {
    let revisions = try revisions()
    var next = next
    next.revision = UInt64(revisions.count) + 1
    next.previous = revisions.last?.digest
    next.time = RecordedTime(host.clock.now())
    next.program = Program.nameAndVersion
    let key = Keys.targetList(next.revision)
    let bytes = try next.serialized(signedBy: keyring.writer()?.signing)
    try keyring.checkIsNewest(after: "the list of targets was changed")
    let revision = try TargetListRevision(parsing: bytes, after: revisions.last, of: descriptor, name: key)
    do {
      try store.put(bytes, at: key)
    } catch StoreError.alreadyExists {
      guard try store.openAnew(key).contents(max: Limits.envelopeBytesMax) == bytes else {
        throw EngineError(
          .transient, "the list of targets was changed by another run meanwhile", hint: "Run the same command again.")
      }
    }
    known.withLock { $0 = revisions + [revision] }
    return revision
  }

  /// Returns the digests of the revisions that a writer has signed.
  package func digests(signedBy key: PublicKey) throws -> [Digest] {
    try revisions().filter { $0.list.signature?.key == key }.map(\.digest)
  }
}
