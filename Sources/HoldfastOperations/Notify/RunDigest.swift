internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// Collects what the steps of `holdfast run` come to, and sends each receiver one notification about all its sources
/// when the run is over. A receiver that wants to know of beginnings gets one, with the first step on one of its
/// sources.
final class RunDigest {
  private let machine: MachineContext
  /// `nil` when there is no receiver.
  private let messenger: Messenger?
  private let began: Timestamp
  private let begun: TimeSpan
  private let notices: any NoticeObserver
  private var collected: [SourceName: Collected] = [:]
  /// The notifications of the beginning, by the index of their receiver.
  private var beginnings: [Int: Delivery] = [:]

  /// The steps of one source.
  private struct Collected {
    var steps: [EndedStep] = []
    var repository: Repository?
  }

  /// A step that is over.
  private struct EndedStep {
    let record: RunRecord
    /// The messages that were told while it went on.
    let notices: [Notice]
    /// The error with which it failed.
    var error: (any OperatorError)?

    /// The reason why not all is well, in the words of what failed.
    var cause: String {
      if let failure = record.failure { return failure }
      for kinds: Set<Notice.Kind> in [[.refusal, .damage], [.incomplete, .anomaly], [.warning]] {
        let told = notices.filter { kinds.contains($0.kind) }.map(\.text)
        guard let first = told.first else { continue }
        return told.count == 1 ? first : "\(first), and \(told.count - 1) more"
      }
      return record.parts.flatMap(\.findings).first ?? record.warnings.first ?? record.status.meaning
    }

    var hint: String? { error?.hint ?? notices.first { $0.kind == .hint }?.text }
  }

  init(_ machine: MachineContext, _ history: NotificationHistory, notices: any NoticeObserver) {
    self.machine = machine
    self.notices = notices
    messenger = Messenger(NotificationTargets(machine), history, notices: notices)
    (began, begun) = (machine.host.clock.now(), machine.host.clock.uptime())
  }

  /// Makes the watch of one step on a source, which this digest observes.
  func watch(_ command: RunCommand, _ source: SourceName) -> RunWatch {
    let step = Step(digest: self, source: source)
    let watch = RunWatch(command, machine, notices: step)
    watch.add(step)
    return watch
  }

  /// Adds the error with which the last step on a source failed, for its hint.
  func failed(_ source: SourceName, _ error: any OperatorError) {
    guard let last = collected[source]?.steps.indices.last else { return }
    collected[source]?.steps[last].error = error
  }

  /// Observes a step, and passes on what is told meanwhile.
  private final class Step: RunObserver, NoticeObserver {
    private static let noticesMax = 1000
    private let digest: RunDigest
    private let source: SourceName
    private var notices: [Notice] = []

    init(digest: RunDigest, source: SourceName) { (self.digest, self.source) = (digest, source) }

    func tell(_ notice: Notice) {
      if notices.count < Self.noticesMax { notices.append(notice) }
      digest.notices.tell(notice)
    }
    func makeProgress() -> any RunProgress { digest.notices.makeProgress() }

    func began(_ beginning: RunBeginning) { digest.began(source) }
    func opened(_ repository: Repository, sources: [SourceName]) {
      digest.collected[source, default: Collected()].repository = repository
    }
    func ended(_ record: RunRecord) {
      digest.collected[source, default: Collected()].steps.append(
        EndedStep(record: record, notices: notices, error: nil))
    }
  }

  private func began(_ source: SourceName) {
    guard let messenger else { return }
    let notification = Notification(
      digestBegan: began, on: machine.environment.hostName, source: source)
    for (index, target) in messenger.targets.enumerated() where beginnings[index] == nil {
      beginnings[index] = messenger.deliver(notification, to: target)
    }
  }

  // MARK: The end

  /// Sends the notifications, when the run is over.
  /// - Parameter sources: all sources of the run.
  func send(_ sources: [SourceSettings]) {
    guard let messenger, !collected.isEmpty else { return }
    let isInterrupted = collected.values.contains { $0.steps.contains { $0.record.status == .interrupted } }
    let results = sources.map { result(of: $0, isInterrupted: isInterrupted) }
    // The end must not arrive before the beginning.
    var failures = messenger.failures(of: Array(beginnings.values))
    let deliveries = messenger.targets.compactMap { target -> Delivery? in
      let wanted = results.filter { target.sources?.contains($0.source) ?? true }
      return notification(wanted).flatMap { messenger.deliver($0, to: target) }
    }
    failures += messenger.failures(of: deliveries)
    messenger.warn(failures, isFailed: false)
  }

  /// The steps of a source that were begun. One that found another run at work was not.
  private func steps(of source: SourceName) -> [EndedStep] {
    collected[source]?.steps.filter { $0.record.status != .locked } ?? []
  }

  /// - Returns: `nil` when nothing was done for these sources, and nothing is wrong with them.
  private func notification(_ results: [DigestResult]) -> Notification? {
    let records = results.flatMap { steps(of: $0.source) }.map(\.record)
    let unwell = results.filter { !$0.problems.isEmpty }
    guard !records.isEmpty || !unwell.isEmpty else { return nil }
    let locations = Set(results.compactMap { collected[$0.source]?.repository?.location })
    let end = Notification.End(
      time: machine.host.clock.now(), duration: machine.host.clock.uptime() - begun,
      status: .worst(of: unwell.map(\.status)),
      warningCount: records.reduce(0) { $0.saturatingAdding($1.warningCount) }, parts: records.flatMap(\.parts))
    return Notification(
      digestBegan: began, on: machine.environment.hostName, end: end, results: results,
      repository: locations.count == 1 ? locations.first : nil)
  }

  private func result(of settings: SourceSettings, isInterrupted: Bool) -> DigestResult {
    let source = settings.name
    guard collected[source] != nil else {
      guard isInterrupted else { return DigestResult(source, summary: "nothing was due") }
      return DigestResult(
        source,
        [
          DigestResult.Problem(
            "run", .interrupted, cause: "the run was interrupted before anything was done for it",
            next: "holdfast run \(source)")
        ])
    }
    let steps = steps(of: source)
    guard steps.isEmpty else {
      let problems = steps.filter { $0.record.status != .done }.map { Self.problem($0, source) }
      guard problems.isEmpty else { return DigestResult(source, problems, lastGood: lastGood(of: source)) }
      return DigestResult(source, summary: "done: " + steps.map(\.record.command.text).joined(separator: ", "))
    }
    return notRun(settings)
  }

  private static func problem(_ step: EndedStep, _ source: SourceName) -> DigestResult.Problem {
    let record = step.record
    let end = record.status == .incomplete ? "is incomplete" : "failed"
    return DigestResult.Problem(
      record.command.text, record.status, cause: "\(record.command) \(end): \(step.cause)",
      hint: step.hint, next: next(record, source))
  }

  /// Returns the result for a source on which another run is at work. That is no error, unless its newest snapshot has
  /// become too old meanwhile: a run that hangs holds its lock for ever.
  private func notRun(_ settings: SourceSettings) -> DigestResult {
    let text = "not run: another run holds its lock"
    let lastGood = lastGood(of: settings.name)
    guard let limit = settings.ageLimit, case .snapshot(_, _, let age) = lastGood, age > limit.age else {
      return DigestResult(settings.name, summary: text, isNotRun: true)
    }
    return DigestResult(
      settings.name,
      [
        DigestResult.Problem(
          "run", .locked,
          cause: "\(text); its last good snapshot is \(Amount.age(age)) old, and \(limit.reason)",
          hint: "See whether that run still works, and end it if it hangs.",
          next: "holdfast status --source \(settings.name)")
      ], lastGood: lastGood)
  }

  /// Returns the command that shows more, or tries the failed step again.
  private static func next(_ record: RunRecord, _ source: SourceName) -> String {
    switch record.command {
    case .verify where record.failure == nil: "holdfast verify --data --name \(source)"
    case .drill: "holdfast drill \(source)"
    case .prune: "holdfast prune --name \(source) --dry-run"
    case .merge: "holdfast merge --name \(source)"
    default: record.status == .incomplete ? "holdfast status --source \(source)" : "holdfast run \(source)"
    }
  }

  /// Returns the newest snapshot that can be relied on, as reports have it.
  private func lastGood(of source: SourceName) -> DigestResult.LastGood {
    guard let repository = collected[source]?.repository else { return .unknown("the repository was not opened") }
    do {
      let source = try repository.names.source(source)
      guard try repository.catalog.isKnown(source) else { return .none }
      let notes = try repository.notes.read(source).notes
      let snapshots = try repository.catalog.allSnapshots(of: source, onDamage: { _ in })
      guard let newest = Snapshot.lastGood(of: snapshots, notes) else { return .none }
      let age = machine.host.clock.now() - newest.envelope.started
      return .snapshot(newest.id, started: newest.envelope.started, age: age)
    } catch {
      return .unknown(describe(error).message)
    }
  }
}
