internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

/// How the run of one source ended.
struct SourceOutcome {
  let source: SourceName
  var status = ExitStatus.done
  /// What was done, in a line.
  var summary: String
  /// Why it failed, where it did.
  var error: (any OperatorError)?
}

/// Runs over configured sources, one after the other: a source that fails does not stop the others.
struct ConfiguredRun {
  let settings: Settings
  let machine: MachineContext

  /// - Parameter names: of which sources; none for all.
  func sources(_ names: [SourceName]) throws -> [SourceSettings] {
    guard !settings.sources.isEmpty else {
      throw EngineError(
        "no source is configured in \(settings.files.map(\.description).joined(separator: ", "))",
        hint: "Name one below sources: `orders: {path: /srv/orders}`.", exitStatus: .usage)
    }
    guard !names.isEmpty else { return settings.sources }
    return try names.map { name in
      guard let known = settings.source(name.text) else {
        throw EngineError(
          "no source \(name) is configured",
          hint: "There can be \(settings.sources.map(\.name.text).joined(separator: ", ")).",
          exitStatus: .usage)
      }
      return known
    }
  }

  /// Goes through all of them, unless a signal ends it.
  /// - Returns: how all ended.
  func forEach(_ sources: [SourceSettings], _ run: (SourceSettings) -> SourceOutcome) -> [SourceOutcome] {
    var outcomes: [SourceOutcome] = []
    for source in sources {
      let outcome = run(source)
      outcomes.append(outcome)
      if outcome.status == .interrupted { break }
    }
    return outcomes
  }

  /// Every run of a command on a configured source goes through here: whoever is to be told of it is added to its watch.
  func run(
    _ command: RunCommand, _ source: SourceSettings, isDryRun: Bool,
    _ work: (RunWatch) throws -> SourceOutcome
  ) -> SourceOutcome {
    let watch = RunWatch(command, machine, isDryRun: isDryRun)
    var done: SourceOutcome?
    do {
      try watch.run {
        let outcome = try work(watch)
        done = outcome
        try Outcome.end(outcome.status)
      }
    } catch let error where !(error is Outcome) {
      let known = error as? any OperatorError ?? EngineError("\(error)", hint: nil)
      return SourceOutcome(
        source: source.name, status: known.exitStatus, summary: "failed: \(known.message)", error: known)
    } catch {}
    return done ?? SourceOutcome(source: source.name, status: .failed, summary: "failed")
  }

  /// The status of all: the worst of any.
  static func status(of outcomes: [SourceOutcome]) -> ExitStatus {
    let order: [ExitStatus] = [
      .done, .repairableDamage, .incomplete, .objectiveMissed, .locked, .usage, .wrongKey, .noRepository, .failed,
      .fetchFailed,
      .dataLoss,
      .interrupted,
    ]
    return order.last { status in outcomes.contains { $0.status == status } } ?? .done
  }

  static func report(_ outcome: SourceOutcome) {
    if let error = outcome.error { Console.error("holdfast: \(outcome.source): \(error)") }
  }
}

/// Says of which source something is, where there are several.
final class SourceProgress: ProgressObserver {
  private let source: SourceName
  private let console: ConsoleProgress

  init(_ source: SourceName, _ console: ConsoleProgress) { (self.source, self.console) = (source, console) }

  func begin(phase: String, totalBytes: UInt64?) { console.begin(phase: "\(source): \(phase)", totalBytes: totalBytes) }
  func advance(bytes: UInt64, files: UInt64) { console.advance(bytes: bytes, files: files) }
  func skip(bytes: UInt64) { console.skip(bytes: bytes) }
  func note(_ message: String) { console.note("\(source): \(message)") }
  func warn(_ message: String) { console.warn("\(source): \(message)") }
}
