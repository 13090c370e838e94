import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// The history and the journal of a source, made by hand, as they are at noon.
struct StatusSample {
  private static let hour = 3600.0
  let now: Timestamp
  let name: SourceName
  var snapshots: [Snapshot] = []
  var journal: [JournalEntry] = []
  var damage: [String] = []
  var journalDamage: [String] = []
  var suspicious: Set<Identifier> = []
  var notedDamage: [Identifier] = []
  private var random = SeededRandom(seed: 7)

  init() throws {
    now = try #require(TimeText.parse("2026-11-22T12:00:00.000Z"))
    name = try #require(SourceName("orders"))
  }

  func time(_ hoursAgo: Double) -> Timestamp {
    Timestamp(milliseconds: now.milliseconds - Int64((hoursAgo * Self.hour * 1000).rounded()))
  }

  /// A snapshot that took a second and builds on the one with this index.
  /// - Parameter bytes: that it stored.
  @discardableResult
  mutating func take(
    _ hoursAgo: Double, on parent: Int? = nil, bytes: UInt64 = 1000, sequence: UInt64? = nil,
    _ change: (inout Envelope) -> Void = { _ in }
  ) throws -> Int {
    let id = try #require(Identifier(bytes: random.bytes(16)))
    let digest = try #require(Digest(bytes: [UInt8](repeating: 9, count: 32)))
    var finished = time(hoursAgo)
    finished.seconds += 1
    var envelope = Envelope(
      repository: id, snapshot: id, source: Envelope.Source(name: name, path: "/srv/orders"),
      sequence: sequence ?? (snapshots.last?.sequence ?? 0) + 1, kind: parent == nil ? .full : .incremental,
      parent: parent.map { snapshots[$0].asParent },
      time: Envelope.Time(started: RecordedTime(time(hoursAgo)), finished: RecordedTime(finished)), archives: [],
      body: ObjectReference(id: id, length: bytes, digest: digest),
      state: Envelope.State(root: digest, entries: 2, files: 1, bytes: 1_000_000), changes: Envelope.Changes(),
      consistency: .stable, incomplete: 0, program: "holdfast")
    change(&envelope)
    snapshots.append(try Snapshot(parsing: envelope.serialized(), name: "manifest.json"))
    return snapshots.count - 1
  }

  /// A full that stands for the snapshot with this index, made later.
  mutating func merge(_ index: Int, _ hoursAgo: Double, bytes: UInt64 = 1000) throws {
    let original = snapshots[index]
    let made = RecordedTime(time(hoursAgo))
    try take(hoursAgo, bytes: bytes) {
      $0.time = original.envelope.time
      $0.merged = Envelope.Merge(
        snapshot: original.id, sequence: original.sequence, digest: original.digest, time: made)
    }
  }

  /// A run that took a second.
  mutating func run(
    _ command: RunCommand, _ hoursAgo: Double, _ status: HoldfastModel.ExitStatus = .done,
    _ change: (inout JournalEntry) -> Void = { _ in }
  ) {
    let began = time(hoursAgo)
    var entry = JournalEntry(
      command: command, host: "shop-1", began: began, ended: Timestamp(milliseconds: began.milliseconds + 1000),
      took: .seconds(1), status: status.rawValue)
    change(&entry)
    journal.append(entry)
  }

  mutating func verify(
    _ hoursAgo: Double, share: Double = 1, _ status: HoldfastModel.ExitStatus = .done, of index: Int? = nil
  ) {
    let id = index.map { snapshots[$0].id }
    run(.verify, hoursAgo, status) {
      $0.share = share
      $0.provedBytes = 4_000
      $0.snapshot = id
    }
  }

  func status(maxAge hours: Double? = nil, maxChain: Int? = nil, proveWithin proof: Double? = nil) -> SourceStatus {
    var objectives = Objectives()
    objectives.maxAge = hours.map { .hours($0) }
    objectives.maxChain = maxChain
    objectives.proveWithin = proof.map { .hours($0) }
    var facts = StatusComputation.Facts(
      name, snapshots: snapshots, damage: damage, journal: journal, journalDamage: journalDamage)
    (facts.suspicious, facts.notedDamage) = (suspicious, notedDamage)
    return StatusComputation(facts, objectives, now: now).run()
  }
}
