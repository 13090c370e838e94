internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// What is looked at just before a snapshot is committed, because the run may have taken long: whether its objects are
/// still there, whether its keyring is still the newest, whether its lease is still held, and what is noted by now. A
/// remote store is asked for all of it together.
struct CommitChecks: Sendable {
  /// Older ones are made again: as long as a lease counts as just held.
  private static let ageMax = TimeSpan.seconds(10)

  private let repository: Repository
  private let holder: LeaseHolder
  private let begun: TimeSpan
  private let presence: Future<Void>
  private let keyring: Future<Void>
  private let lease: Future<Void>
  private let notes: Future<NotesReading>

  /// - Parameter objects: what was stored some time ago. Another host that shares the repository but not its locks may
  ///   have taken it for leftovers.
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

  /// Whether so little time has passed since they began that nobody else can have used it.
  var areRecent: Bool { holder.wasJustHeld && repository.host.clock.uptime() - begun < Self.ageMax }

  /// Returns when all are made.
  /// - Returns: the notes on the source.
  /// - Throws: what the first of them finds.
  func pass() throws -> NotesReading {
    try presence.value()
    try keyring.value()
    try lease.value()
    return try notes.value()
  }
}
