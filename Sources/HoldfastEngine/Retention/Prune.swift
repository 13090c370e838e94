package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Removes what a policy does not keep: first a note says that a snapshot is removed, and it is hidden; when that has been known on this machine for
/// the grace period, another note says that it is collected, and then its objects go, the manifest first.
package struct Prune {
  package struct Options: Sendable {
    package var policy: RetentionPolicy
    /// Seconds; 0: removed and collected at once.
    package var grace: Double = 7 * 86_400
    package var source: SourceName?
    package var isDryRun = false
    /// Whether to wait where another run holds the lock of a source.
    package var waitsForLock = false

    package init(policy: RetentionPolicy) { self.policy = policy }
  }

  /// What becomes of a snapshot.
  package enum Action: Hashable, Sendable {
    case kept([RetentionReason])
    /// Removed now.
    case removed
    /// Removed earlier, and to be called back until so many seconds have passed; `nil`: this machine cannot tell.
    case waiting(seconds: Double?)
    case collected
  }

  package struct Line: Sendable {
    package let snapshot: Snapshot
    package internal(set) var action: Action
    /// What its objects take; of one that goes, what no other snapshot needs.
    package let bytes: UInt64
  }

  package struct SourceReport: Sendable {
    package let name: SourceName
    /// By ascending sequence.
    package internal(set) var lines: [Line] = []
    /// Of archived logs, what no snapshot that is left can use.
    package internal(set) var logs: [LogReport] = []
    /// Why nothing was removed, where that is so.
    package internal(set) var refusal: Refusal?
    /// What should not be as it is, and is in nobody's way.
    package internal(set) var warnings: [String] = []

    /// What a restore can still begin with, called back or not.
    var left: [Snapshot] { lines.filter { $0.action != .collected }.map(\.snapshot) }
  }

  package struct Refusal: Sendable, Hashable {
    package let message: String
    package let hint: String?
    package let exitStatus: ExitStatus
  }

  package struct Report: Sendable {
    package internal(set) var sources: [SourceReport] = []
    /// Why this machine cannot tell when a grace period is over.
    package internal(set) var memoryProblem: String?
    package let isDryRun: Bool

    package var exitStatus: ExitStatus { .worst(of: sources.compactMap { $0.refusal?.exitStatus }) }
  }

  private let repository: Repository
  private let options: Options
  private var host: Host { repository.host }

  package init(repository: Repository, options: Options) {
    self.repository = repository
    self.options = options
  }

  /// - Throws: `EngineError` where the policy is empty: it would keep next to nothing.
  package func run() throws -> Report {
    guard !options.policy.isEmpty else {
      throw EngineError(
        "no rule says what to keep",
        hint: "Say at least one of --keep-last, --keep-daily and the like; --dry-run shows what would go.",
        exitStatus: .usage)
    }
    if !options.isDryRun { try repository.sealed?.checkMayPrune() }
    let names = try repository.knownSources(options.source)
    var report = Report(isDryRun: options.isDryRun)
    for name in names {
      try host.cancellation.check()
      report.sources.append(try run(name, &report))
    }
    return report
  }

  private func run(_ name: SourceName, _ report: inout Report) throws -> SourceReport {
    if options.isDryRun {
      let reading = try repository.notes.read(name)
      let survey = try survey(name, reading)
      if let refusal = survey.refusal { return SourceReport(name: name, refusal: refusal) }
      var notes = reading.notes
      _ = survey.removeByPlan(in: &notes, now: host.clock.now())
      let waited = wait(survey.waitingItems(notes), name, &report)
      let going = survey.collectable(notes) { isGraceOver($0, waited) }
      let end = Collection(survey: survey, notes: notes, going: going)
      return try withLogs(self.report(end, since: survey, waited), under: nil)
    }
    let lease = try Lease.take(name.text, in: repository.store, host: host, waits: options.waitsForLock)
    defer { withExtendedLifetime(lease) {} }
    guard let lease else {
      let refusal = Refusal(
        message: "another run works on \(name): nothing of it was removed", hint: "Wait for it, or say --wait.",
        exitStatus: .locked)
      return SourceReport(name: name, refusal: refusal)
    }
    return try removeAndCollect(name, under: lease, &report)
  }

  private func removeAndCollect(
    _ name: SourceName, under lease: Lease, _ report: inout Report
  ) throws -> SourceReport {
    var latest: PruneSurvey?
    let notes = try repository.notes.change(name) { notes, reading in
      try lease.checkHeld()
      let survey = try survey(name, reading)
      latest = survey
      return survey.refusal == nil && survey.removeByPlan(in: &notes, now: host.clock.now())
    }
    guard let survey = latest, survey.refusal == nil else { return SourceReport(name: name, refusal: latest?.refusal) }
    let waited = wait(survey.waitingItems(notes), name, &report)
    let end = try collect(Collection(survey: survey, notes: notes), waited, under: lease)
    // What cannot be read any more, since the first look, is no leftover.
    if let refusal = end.survey.refusal { return SourceReport(name: name, refusal: refusal) }
    let left = end.survey.sharedKeys(butOf: Set(end.going.map(\.id)))
    // What killed runs left, and what an earlier collection that was cut off has not removed yet. What is above the newest may be a snapshot that is being
    // taken where locks keep nobody out; the next backup removes it.
    for sequence in try repository.sequences(of: name) where end.survey.isLeftover(sequence) {
      guard try !repository.store.children(of: Keys.snapshot(name, sequence)).contains(Keys.manifestName) else {
        continue
      }
      try lease.checkHeld()
      try repository.removeObjects(of: name, sequence, butThose: left)
    }
    for snapshot in end.going.reversed() {
      try host.cancellation.check()
      try lease.checkHeld()
      try repository.removeObjects(of: name, snapshot.sequence, butThose: left)
    }
    return try withLogs(self.report(end, since: survey, waited), under: lease)
  }

  /// What is beyond recall, and by which notes.
  private struct Collection {
    var survey: PruneSurvey
    var notes: SourceNotes
    var going: [Snapshot] = []
  }

  private func collect(
    _ found: Collection, _ waited: [WaitingRecord.Item: Double], under lease: Lease
  ) throws -> Collection {
    var end = found
    guard !found.survey.collectable(found.notes, isGraceOver: { isGraceOver($0, waited) }).isEmpty else { return end }
    end.notes = try repository.notes.change(found.survey.name) { notes, reading in
      try lease.checkHeld()
      // Somebody without this lease may have called one back since, or have begun to build on it.
      end.survey = try survey(found.survey.name, reading)
      end.going = end.survey.refusal == nil ? end.survey.collectable(notes) { isGraceOver($0, waited) } : []
      end.survey.collect(end.going, in: &notes)
      return notes != reading.notes
    }
    return end
  }

  private func survey(_ name: SourceName, _ reading: NotesReading) throws -> PruneSurvey {
    try PruneSurvey(name, in: repository, policy: options.policy, reading: reading)
  }

  /// - Parameter first: what was found first: what was removed since then was removed now.
  private func report(
    _ end: Collection, since first: PruneSurvey, _ waited: [WaitingRecord.Item: Double]
  ) -> SourceReport {
    let lines = end.survey.lines(end.notes, since: first.next, collected: Set(end.going.map(\.id))) { item in
      waited[item].map { max(0, options.grace - $0) }
    }
    return SourceReport(name: end.survey.name, lines: lines, warnings: first.warnings)
  }

  /// Removes what no snapshot that is left can use of archived logs.
  /// - Parameter lease: on the source; `nil` for a dry run.
  private func withLogs(_ report: SourceReport, under lease: Lease?) throws -> SourceReport {
    var report = report
    report.logs = try WALPrune(
      repository: repository, source: report.name, snapshots: report.left, lease: lease
    ).run()
    return report
  }

  // MARK: Grace

  private func isGraceOver(_ item: WaitingRecord.Item, _ waited: [WaitingRecord.Item: Double]) -> Bool {
    options.grace <= 0 || (waited[item] ?? 0) >= options.grace
  }

  /// For how long this machine has known of each removal.
  private func wait(
    _ items: Set<WaitingRecord.Item>, _ name: SourceName, _ report: inout Report
  ) -> [WaitingRecord.Item: Double] {
    let machine = repository.machine
    if options.isDryRun {
      var record = machine.load(WaitingRecord.self, of: repository)
      pass(items, of: name, &record)
      return record.all
    }
    var result: [WaitingRecord.Item: Double] = [:]
    do {
      try machine.change(WaitingRecord.self, of: repository) { record in
        pass(items, of: name, &record)
        result = record.all
      }
    } catch {
      // What cannot be remembered is not waited for: nothing is collected the sooner for it.
      if !items.isEmpty { report.memoryProblem = describe(error).message }
      return [:]
    }
    return result
  }

  private func pass(_ items: Set<WaitingRecord.Item>, of name: SourceName, _ record: inout WaitingRecord) {
    record.update(
      items, of: name.text, grace: options.grace, boot: host.bootID, uptime: host.clock.uptime(),
      now: host.clock.now())
  }
}

extension Repository {
  /// Removes what lies under a number: the manifest first, so that what is left at any moment is either a snapshot or nothing that counts.
  /// - Parameter needed: keys of archives that other snapshots consist of.
  fileprivate func removeObjects(of source: SourceName, _ sequence: UInt64, butThose needed: Set<String>) throws {
    let folder = Keys.snapshot(source, sequence)
    try store.remove(Keys.manifest(source, sequence))
    let names = try store.children(of: folder)
    guard names.contains(where: { needed.contains(folder + $0) }) else { return try store.removeAll(below: folder) }
    for name in names where !needed.contains(folder + name) { try store.remove(folder + name) }
  }
}
