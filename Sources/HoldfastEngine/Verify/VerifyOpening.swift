internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The opened objects of a snapshot that is to be verified. In a remote repository they are opened while the snapshot
/// before is being read.
struct VerifyOpening: Sendable {
  /// A success if the objects are sealed to exactly the recipients of its keyring.
  let recipients: Result<Void, any Error>
  /// The body; `nil` if it is not needed.
  let body: Result<ContainerReader, any Error>?

  /// - Parameters:
  ///   - snapshot: the snapshot with its archives.
  ///   - isClosed: true if no identity opens it here.
  ///   - needsBody: true if the body will be read.
  static func begin(
    _ snapshot: Snapshot, in repository: Repository, isClosed: Bool, needsBody: Bool
  ) -> Future<VerifyOpening> {
    let store = repository.store
    return store.meanwhile {
      let recipients = store.meanwhile { try checkRecipients(of: snapshot, in: repository) }
      var containers = repository.containers
      containers.isClosed = isClosed
      // A near store does nothing meanwhile: there, the recipients are checked first.
      if store.capabilities.isNear { _ = try? recipients.value() }
      let body = needsBody ? Result { try containers.openBody(of: snapshot, isReadWhole: true) } : nil
      return VerifyOpening(recipients: Result { try recipients.value() }, body: body)
    }
  }

  /// Checks that a snapshot's objects have slots for exactly the recipients of its keyring.
  private static func checkRecipients(of snapshot: Snapshot, in repository: Repository) throws {
    guard let sealed = repository.keyring.sealed else { return }
    let recipients = Set(try sealed.revision(of: snapshot).recipients.map(\.id))
    let closed = repository.containers.closed
    func check(_ container: ContainerReader) throws {
      guard container.recipients.count == recipients.count, Set(container.recipients) == recipients else {
        throw DamageError(container.name, "it is not sealed to the recipients of its keyring")
      }
    }
    try check(closed.openBody(of: snapshot))
    for archive in snapshot.envelope.archives {
      try check(closed.openArchive(archive, of: snapshot.sourceName))
    }
  }
}
