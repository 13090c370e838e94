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
  func send(_ sources: [SourceName]) {
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

  /// - Returns: `nil` when nothing was done for these sources.
  private func notification(_ results: [DigestResult]) -> Notification? {
    let steps = results.flatMap { collected[$0.source]?.steps ?? [] }.filter { $0.record.status != .locked }
    guard !steps.isEmpty else { return nil }
    let records = steps.map(\.record)
    let locations = Set(results.compactMap { collected[$0.source]?.repository?.location })
    let end = Notification.End(
      time: machine.host.clock.now(), duration: machine.host.clock.uptime() - begun,
      status: .worst(of: results.map(\.status)),
      warningCount: records.reduce(0) { $0.saturatingAdding($1.warningCount) }, parts: records.flatMap(\.parts))
    return Notification(
      digestBegan: began, on: machine.environment.hostName, end: end, results: results,
      repository: locations.count == 1 ? locations.first : nil)
  }

  private func result(of source: SourceName, isInterrupted: Bool) -> DigestResult {
    let steps = collected[source]?.steps.filter { $0.record.status != .locked } ?? []
    guard let worst = steps.max(by: { $0.record.status < $1.record.status }) else {
      guard isInterrupted, collected[source] == nil else {
        var result = DigestResult(source, .done)
        result.summary = collected[source] == nil ? "nothing was due" : "left to another run"
        return result
      }
      var result = DigestResult(source, .interrupted)
      result.cause = "the run was interrupted before anything was done for it"
      result.next = "holdfast run \(source)"
      return result
    }
    var result = DigestResult(source, worst.record.status)
    guard worst.record.status != .done else {
      result.summary = "done: " + steps.map(\.record.command.text).joined(separator: ", ")
      return result
    }
    result.cause = "\(worst.record.command) \(result.isFailed ? "failed" : "is incomplete"): \(worst.cause)"
    result.hint = worst.hint
    result.next = Self.next(worst.record, source)
    result.lastGood = lastGood(of: source)
    return result
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

  /// Returns the newest snapshot that is complete, not known to be damaged, and does not look wrong.
  private func lastGood(of source: SourceName) -> DigestResult.LastGood {
    guard let repository = collected[source]?.repository else { return .unknown("the repository was not opened") }
    do {
      guard try repository.catalog.isKnown(source) else { return .none }
      let notes = try repository.notes.read(source).notes
      let good = try repository.catalog.allSnapshots(of: source, onDamage: { _ in }).filter { snapshot in
        let note = notes[snapshot]
        let looksWrong = !(snapshot.envelope.comparison?.anomalies.isEmpty ?? true) && note.accepted == nil
        return snapshot.envelope.incomplete == 0 && note.damaged == nil && !looksWrong
      }
      guard let newest = good.max(by: Snapshot.isOlder) else { return .none }
      let age = machine.host.clock.now() - newest.envelope.started
      return .snapshot(newest.id, started: newest.envelope.started, age: age)
    } catch {
      return .unknown(describe(error).message)
    }
  }
}
