internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
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
  let host: Host

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
  /// - Parameter each: gets how each ended, at once.
  /// - Returns: how all ended.
  func forEach(
    _ sources: [SourceSettings], _ work: (SourceSettings) throws -> SourceOutcome, each: (SourceOutcome) -> Void
  ) -> [SourceOutcome] {
    var outcomes: [SourceOutcome] = []
    for source in sources {
      let outcome = run(source, work)
      outcomes.append(outcome)
      each(outcome)
      if outcome.status == .interrupted { break }
    }
    return outcomes
  }

  /// Every run of a configured source goes through here: what is to be told to others of it, and what is to be noted of it, belongs around `work`.
  func run(_ source: SourceSettings, _ work: (SourceSettings) throws -> SourceOutcome) -> SourceOutcome {
    ConfiguredRepository.use(settings.repository(source.repository))
    do {
      return try work(source)
    } catch {
      let known = error as? any OperatorError ?? EngineError("\(error)", hint: nil)
      return SourceOutcome(
        source: source.name, status: known.exitStatus, summary: "failed: \(known.message)", error: known)
    }
  }

  /// Where a source is backed up to.
  func repository(of source: SourceSettings) -> Path {
    settings.repository(source.repository)?.path ?? Path(source.repository)
  }

  /// The status of all: the worst of any.
  static func status(of outcomes: [SourceOutcome]) -> ExitStatus {
    let order: [ExitStatus] = [
      .done, .repairableDamage, .incomplete, .locked, .usage, .wrongKey, .noRepository, .failed, .fetchFailed,
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
  func note(_ message: String) { console.note("\(source): \(message)") }
  func warn(_ message: String) { console.warn("\(source): \(message)") }
}
