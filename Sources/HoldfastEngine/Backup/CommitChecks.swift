internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The checks just before a snapshot is committed, because the run may have taken long: its objects are still there,
/// its keyring is still the newest, its lease is still held. The notes of its source are read too. A remote store is
/// asked for all of it together.
struct CommitChecks: Sendable {
  /// The age from which the checks are made again. It is as long as a lease counts as just held.
  private static let ageMax = TimeSpan.seconds(10)

  private let repository: Repository
  private let holder: LeaseHolder
  private let begun: TimeSpan
  private let presence: Future<Void>
  private let keyring: Future<Void>
  private let lease: Future<Void>
  private let notes: Future<NotesReading>

  /// - Parameter objects: the objects that were stored some time ago. Another host that shares the repository but not
  ///   its locks may have taken them for leftovers.
  init(of objects: [RecordedObject], of source: SourceName, in repository: Repository, under lease: Lease) {
    let store = repository.store
    (self.repository, holder) = (repository, lease.holder)
    begun = repository.host.clock.uptime()
    store.refresh()
    presence = store.meanwhile { try repository.containers.checkPresence(of: objects) }
    keyring = store.meanwhile { try repository.keyring.checkIsNewest() }
    self.lease = store.meanwhile { [holder = lease.holder] in try holder.checkHeld() }
    notes = store.meanwhile { try repository.notes.read(source) }
  }

  /// True if the lease was just held and the checks are recent: nobody else can have changed what they found.
  var areRecent: Bool { holder.wasJustHeld && repository.host.clock.uptime() - begun < Self.ageMax }

  /// Waits for all checks.
  /// - Returns: the notes on the source.
  /// - Throws: the error of the first check that fails.
  func pass() throws -> NotesReading {
    try presence.value()
    try keyring.value()
    try lease.value()
    return try notes.value()
  }
}
