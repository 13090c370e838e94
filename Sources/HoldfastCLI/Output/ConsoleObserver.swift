internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastSystem

/// Prints what runs report: notices and progress on standard error, and the results of steps on standard output unless
/// that is for JSON.
final class ConsoleObserver: SourceRunObserver {
  private let output: OutputOptions
  private let clock: Clock

  init(_ output: OutputOptions, clock: Clock) { (self.output, self.clock) = (output, clock) }

  func tell(_ notice: Notice) {
    let source = notice.source.map { "\($0): " } ?? ""
    switch notice.kind {
    case .warning: Console.error("holdfast: \(source)WARNING: \(notice.text)", .yellow)
    case .incomplete: Console.error("holdfast: \(source)INCOMPLETE: \(notice.text)", .yellow)
    case .anomaly: Console.error("holdfast: \(source)ANOMALY: \(notice.text)", .yellow)
    case .damage: Console.error("holdfast: \(source)DAMAGED: \(notice.text)", .red)
    case .refusal: Console.error("holdfast: \(source)\(notice.text)", .red)
    case .hint: Console.hint(notice.text)
    }
  }

  func makeProgress() -> any RunProgress {
    ConsoleProgress(isQuiet: output.quiet, isTerminal: Console.isErrorTerminal, clock: clock)
  }

  func planned(_ report: SourceRun.Report, isDryRun: Bool) {
    if isDryRun {
      for line in report.plan?.lines ?? [] { say("\(report.source): \(StepText.words(line.step)): \(line.reason)") }
    }
    if let failure = report.failure { tellWhy(failure) }
    if let idle = report.plan?.idleReason { say("\(report.source): no snapshot: \(idle)") }
  }

  func ended(_ step: SourceRun.Done, of source: SourceName) {
    let outcome = step.outcome
    guard outcome.status != .locked else {
      return say("\(source): left to another run: \(outcome.error?.message ?? outcome.summary)")
    }
    tellWhy(outcome)
    say("\(source): \(outcome.summary) (\(step.line.reason))")
  }

  /// Prints the reason why something failed, if it did.
  func tellWhy(_ outcome: SourceOutcome) {
    if let error = outcome.error { Console.error("holdfast: \(outcome.source): \(error)", .red) }
  }

  /// Prints a line of the result, for people.
  func say(_ text: String) { if !output.json, !output.quiet { Console.output(text) } }
}

extension OutputOptions {
  func observer(_ machine: MachineContext) -> ConsoleObserver { ConsoleObserver(self, clock: machine.host.clock) }

  /// Makes the watch of a command that makes a single run.
  func watch(_ command: RunCommand, _ machine: MachineContext, isDryRun: Bool = false) -> RunWatch {
    RunWatch(
      command, machine, notices: observer(machine), isDryRun: isDryRun, notifying: NotificationHistory())
  }
}

extension Outcome {
  /// Prints damage, and ends the command if there is any; otherwise returns normally.
  static func end(_ damage: [DamageError], hint: String) throws {
    guard !damage.isEmpty else { return }
    for finding in damage { Console.error("holdfast: \(finding.message)", .red) }
    Console.hint(hint)
    throw Outcome(status: .dataLoss)
  }
}
