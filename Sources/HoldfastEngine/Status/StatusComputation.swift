package import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository
package import HoldfastStore
internal import HoldfastSystem

/// Computes the status of a source from its snapshots, its journal, its objectives and the time. It reads nothing.
package struct StatusComputation {
  /// The known facts about a source.
  package struct Facts: Sendable {
    package var name: SourceName
    /// The snapshots whose manifests can be read, by ascending sequence.
    package var snapshots: [Snapshot]
    package var damage: [String]
    /// The IDs of the snapshots with anomalies that nobody has accepted.
    package var suspicious: Set<Identifier> = []
    /// The IDs of the snapshots that the notes call damaged, without removed ones.
    package var notedDamage: [Identifier] = []
    /// The entries of the journal, the oldest first.
    package var journal: [JournalEntry]
    package var journalDamage: [String]
    /// The number of drills whose evidence is not signed by a writer of the sealed repository. In `journal` they have
    /// none.
    package var unsignedDrills = 0
    /// The newest number of the source's lease; `nil` if there is none.
    package var lease: LeaseRecord?
    /// The newest role in the notes; `nil` if no host was ever announced.
    package var notedRole: ServingRole?
    /// The IDs of the snapshots that were under way when another host took over. They are not among `snapshots`.
    package var diverged: [Identifier] = []
    /// The newest archived file of the log of a PostgreSQL source, and the time at which it was archived.
    package var newestLog: (file: WALFileName, archived: Timestamp)?

    package init(
      _ name: SourceName, snapshots: [Snapshot], damage: [String] = [], journal: [JournalEntry] = [],
      journalDamage: [String] = []
    ) {
      self.name = name
      self.snapshots = snapshots
      self.damage = damage
      self.journal = journal
      self.journalDamage = journalDamage
    }
  }

  /// The most by which the clocks of two machines may differ: a time that is less ahead counts as now.
  static let skew = TimeSpan.minutes(1)
  /// The time for which verifies and growth count, unless an objective says otherwise.
  package static let standardWindow = TimeSpan.days(30)

  let facts: Facts
  let objectives: Objectives
  let now: Timestamp
  let history: StatusHistory
  let journal: StatusJournal

  package init(_ facts: Facts, _ objectives: Objectives, now: Timestamp) {
    self.facts = facts
    self.objectives = objectives
    self.now = now
    history = StatusHistory(facts.snapshots)
    journal = StatusJournal(facts.journal, now: now)
  }

  package func run() -> SourceStatus {
    var status = SourceStatus(facts.name)
    status.objectives = objectives
    status.damage = facts.damage
    status.notedDamage = facts.notedDamage
    status.journalDamage = facts.journalDamage
    status.log = facts.newestLog.map { LogStatus(newest: $0.file, archived: $0.archived, lag: age(of: $0.archived)) }
    status.watch = facts.lease.flatMap { WatchStatus($0) { age(of: $0) } }
    let standing = ServingStanding(number: 0, reading: facts.lease?.serving ?? .none, noted: facts.notedRole)
    (status.serving, status.diverged) = (standing.role, facts.diverged)
    status.suspicions = facts.snapshots.filter { facts.suspicious.contains($0.id) }.sorted { Snapshot.isOlder($1, $0) }
      .map {
        SourceStatus.Suspicion(
          id: $0.id, text: ($0.envelope.comparison?.anomalies ?? []).map(\.description).joined(separator: ", "))
      }
    describeSnapshots(&status)
    describeRuns(&status)
    status.provedWindow = objectives.proveWithin ?? Self.standardWindow
    status.provedShare = provedShare(
      of: facts.snapshots, since: status.provedWindow, oldest: facts.snapshots.map(\.madeAt).min())
    let newest = facts.snapshots.max(by: Snapshot.isOlder)
    status.chain = (newest.flatMap { history.chain(to: $0) } ?? []).map { link in
      let share = provedShare(of: [link], since: status.provedWindow, oldest: link.madeAt)
      return SourceStatus.ChainLink(madeAt: link.madeAt, provedShare: share ?? 0)
    }
    describeRestore(&status)
    status.availability = availability(&status)
    status.missed = missed(status)
    status.concerns = concerns(status)
    return status
  }

  /// Returns the time since then; `nil` if the time is later than now.
  func age(of time: Timestamp) -> TimeSpan? {
    let age = now - time
    return age < -Self.skew ? nil : max(.zero, age)
  }

  // MARK: Snapshots

  private func describeSnapshots(_ status: inout SourceStatus) {
    status.snapshots = facts.snapshots.count
    status.restorable = history.restorable.count
    status.backupDegree = facts.snapshots.count { $0.envelope.kind == .full }
    status.storedBytes = facts.snapshots.reduce(0) { $0.saturatingAdding($1.envelope.storedBytes) }
    status.parityBytes = facts.snapshots.reduce(0) { $0.saturatingAdding($1.envelope.parity?.bytes ?? 0) }
    status.growthPerDay = growthPerDay
    guard let newest = facts.snapshots.max(by: Snapshot.isOlder) else { return }
    // One repository is one copy. Parity inside it repairs damage, and is no copy.
    status.redundancyDegree = 1
    let envelope = newest.envelope
    let chain = history.chain(to: newest)
    status.newest = SourceStatus.Newest(
      id: newest.id, sequence: newest.sequence, kind: envelope.kind, started: envelope.started,
      age: age(of: envelope.started), consistency: envelope.consistency, incomplete: envelope.incomplete,
      stateBytes: envelope.state.bytes, stateFiles: envelope.state.files, chainLength: chain?.count,
      chainBytes: chain?.reduce(0) { $0.saturatingAdding($1.envelope.storedBytes) })
    let complete = facts.snapshots.filter {
      $0.isComplete && history.restorable.contains($0.id) && age(of: $0.envelope.started) != nil
    }.max(by: Snapshot.isOlder)
    status.completeStarted = complete?.envelope.started
    status.completeAge = status.completeStarted.flatMap { age(of: $0) }
    let good = Snapshot.lastGood(
      of: facts.snapshots, history, suspicious: facts.suspicious, damaged: Set(facts.notedDamage)
    ) { age(of: $0.envelope.started) != nil }
    status.lastGoodAge = good.flatMap { age(of: $0.envelope.started) }
  }

  /// The bytes per day. The oldest snapshot does not count as growth: it is the beginning of the source, or the rest
  /// after a prune.
  private var growthPerDay: Double? {
    let made = facts.snapshots.map { (time: $0.madeAt, bytes: $0.envelope.storedBytes) }.sorted { $0.time < $1.time }
    guard let oldest = made.first?.time, let known = age(of: oldest) else { return nil }
    let window = min(known, Self.standardWindow)
    guard window >= .hours(1) else { return nil }
    let stored = made.dropFirst().filter { age(of: $0.time).map { $0 <= window } ?? false }
    return stored.reduce(0) { $0 + Double($1.bytes) } * TimeSpan.days(1).seconds / window.seconds
  }

  // MARK: Runs

  private func describeRuns(_ status: inout SourceStatus) {
    status.runs = journal.counted.count
    status.failedRuns = journal.counted.count { $0.hasFailed }
    status.remembered = journal.oldest.flatMap { age(of: $0) }
    let backups = journal.counted.filter { $0.command == .backup }
    status.lastBackup = backups.last.map { run($0) }
    status.failedBackups = backups.reversed().prefix { $0.hasFailed }.count
    status.lastVerify = journal.counted.last { $0.command == .verify }.map { run($0) }
    status.standingDamage = journal.standingDamage.map { run($0) }
    status.drills = DrillStatus(journal.counted, unsigned: facts.unsignedDrills) { run($0) }
  }

  private func run(_ entry: JournalEntry) -> SourceStatus.Run {
    SourceStatus.Run(
      command: entry.command, ended: entry.ended, age: age(of: entry.ended), status: entry.status,
      text: entry.texts?.first,
      share: entry.share, snapshot: entry.command == .verify ? entry.snapshot : nil)
  }

  // MARK: Verified

  /// Returns the share of the snapshots' stored bytes that was verified within `window`; `nil` if the journal does not
  /// tell.
  ///
  /// A verify covers the bytes that were stored before it began. A verify of a random share reads each byte with that
  /// probability, independent of others: the result is the expected share. The shares that `holdfast run` verifies
  /// follow each other and add up.
  /// - Parameters:
  ///   - window: the time before now that counts.
  ///   - oldest: the time at which the first snapshot was made.
  func provedShare(of snapshots: [Snapshot], since window: TimeSpan, oldest: Timestamp?) -> Double? {
    let total = snapshots.reduce(0.0) { $0 + Double($1.envelope.storedBytes) }
    guard total > 0 else { return nil }
    let verifies = journal.verifies.filter { entry in
      age(of: entry.began).map { $0 <= window } ?? false
    }.map {
      Verified(began: $0.began, read: ReadShare($0), chain: history.members(of: $0.snapshot))
    }
    if verifies.isEmpty {
      // There may have been verifies before the journal begins.
      guard let begin = journal.oldest, let oldest else { return nil }
      let looksFarEnough = age(of: begin).map { $0 >= window } ?? false
      return looksFarEnough || begin <= oldest ? 0 : nil
    }
    let proved = snapshots.reduce(0.0) { sum, snapshot in
      let made = snapshot.madeAt
      let covering = verifies.filter { made <= $0.began && ($0.chain?.contains(snapshot.id) ?? true) }
      return sum + Double(snapshot.envelope.storedBytes) * ReadShare.union(of: covering.map(\.read))
    }
    return min(1, proved / total)
  }

  /// A verify that read data.
  private struct Verified {
    let began: Timestamp
    let read: ReadShare
    let chain: Set<Identifier>?
  }

  // MARK: Restore

  private static let speedRuns = 5

  private func describeRestore(_ status: inout SourceStatus) {
    let restores = journal.restores.suffix(Self.speedRuns)
    let verifies = journal.verifies.filter { ($0.provedBytes ?? 0) > 0 && $0.took > .zero }.suffix(Self.speedRuns)
    if !restores.isEmpty {
      status.speed = speed(restores, .restores) { $0.restoredBytes }
      status.restoreDuration = status.newest.flatMap { newest in
        status.speed.map { .seconds(Double(newest.stateBytes) / $0.bytesPerSecond) }
      }
    } else if !verifies.isEmpty {
      status.speed = speed(verifies, .verifies) { $0.provedBytes }
      status.restoreDuration = status.newest?.chainBytes.flatMap { bytes in
        status.speed.map { .seconds(Double(bytes) / $0.bytesPerSecond) }
      }
    }
  }

  private func speed(
    _ runs: ArraySlice<JournalEntry>, _ basis: SourceStatus.Speed.Basis, bytes: (JournalEntry) -> UInt64?
  ) -> SourceStatus.Speed {
    let all = runs.reduce(0.0) { $0 + Double(bytes($1) ?? 0) }
    let duration = runs.reduce(.zero) { $0 + $1.took }
    return SourceStatus.Speed(basis: basis, runs: runs.count, bytesPerSecond: all / duration.seconds)
  }

  // MARK: Availability

  /// Returns the share of the journal's time in which a complete snapshot was no older than the objective. A snapshot
  /// counts from its commit until it is older than that.
  private func availability(_ status: inout SourceStatus) -> Double? {
    guard let maxAge = objectives.maxAge, let begin = journal.oldest, let window = age(of: begin), window > .zero else {
      return nil
    }
    let taken = journal.counted.filter { $0.command == .backup && $0.snapshot != nil && $0.incomplete == 0 }.map {
      (from: $0.ended, started: $0.began)
    }
    let there = facts.snapshots.filter(\.isComplete).map { (from: $0.finishedAt, started: $0.envelope.started) }
    // Spans of time since the journal begins.
    let spans = (taken + there).compactMap { span -> (from: TimeSpan, to: TimeSpan)? in
      guard age(of: span.started) != nil else { return nil }
      let from = max(.zero, span.from - begin)
      let to = min(window, span.started - begin + maxAge)
      return from < to ? (from, to) : nil
    }.sorted { $0.from < $1.from }
    var (covered, end) = (TimeSpan.zero, TimeSpan.zero)
    for span in spans where span.to > end {
      covered += span.to - max(span.from, end)
      end = span.to
    }
    return min(1, covered / window)
  }
}
