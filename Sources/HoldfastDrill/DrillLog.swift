internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The log of a drill: what was done, and what a server said. It is kept when the data is removed.
struct DrillLog {
  static let serverLinesMax = 200
  let text: String

  /// - Parameters:
  ///   - notMade: the reason why the drill could not be made; `nil` if it came to a result.
  ///   - warnings: those of the restore.
  ///   - server: the last lines of the server.
  init(
    _ report: Drill.Report, notMade: (any OperatorError)?, at time: Timestamp, warnings: [String], server: [String]
  ) {
    let envelope = report.snapshot.envelope
    var lines = [
      "\(Program.nameAndVersion): drill of \(envelope.source.name), ended \(TimeText.local(time))",
      "snapshot \(envelope.snapshot), taken \(TimeText.local(envelope.started))",
    ]
    lines += report.phases.map { "\($0.phase.rawValue): \(Amount.duration($0.duration)): \($0.text)" }
    lines.append(notMade.map { "the drill could not be made: \($0)" } ?? report.verdict)
    if let hint = report.failure?.error.hint { lines.append("HINT: \(hint)") }
    if !warnings.isEmpty { lines += ["", "What the restore warned of:"] + warnings }
    if !server.isEmpty { lines += ["", "The last lines of the server:"] + server }
    text = lines.joined(separator: "\n") + "\n"
  }
}

/// The progress of the restore in a drill. Its warnings are for somebody who goes on with the restored data, such as
/// that a cluster has no configuration of its own: they are kept for the log.
final class RestoreProgress: ProgressObserver {
  private let shown: any ProgressObserver
  private(set) var warnings: [String] = []

  init(_ shown: any ProgressObserver) { self.shown = shown }

  func begin(phase: String, totalBytes: UInt64?) { shown.begin(phase: phase, totalBytes: totalBytes) }
  func advance(bytes: UInt64, files: UInt64) { shown.advance(bytes: bytes, files: files) }
  func skip(bytes: UInt64) { shown.skip(bytes: bytes) }
  func note(_ message: String) { warnings.append(message) }
  func warn(_ message: String) { warnings.append(message) }
}
