internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

/// The contents of a notification about a run.
struct Notification: Sendable {
  typealias Event = NotificationSettings.Event

  private static let linesMax = 20
  private static let lineBytesMax = 500

  let event: Event
  let command: String
  let host: String
  let repository: String?
  /// The sources of the run; empty when it ended before they were known.
  let sources: [SourceName]
  let began: Timestamp
  /// The record of a run that is over.
  let record: RunRecord?
  /// The last messages of the run, with the reason of its failure at the end.
  let lines: [String]

  /// - Parameter sources: the sources of the run that are known.
  init(_ beginning: RunBeginning, sources: [SourceName]) {
    event = .start
    self.sources = sources
    command = beginning.command.text
    host = beginning.host
    repository = nil
    began = beginning.began
    record = nil
    lines = []
  }

  /// - Parameter repository: the location of the repository, if the run got that far.
  /// - Returns: `nil` for a run that found another one at work: that other one is reported.
  init?(_ record: RunRecord, repository: String?) {
    switch record.status {
    case .done: event = .success
    case .incomplete: event = .incomplete
    case .locked: return nil
    default: event = .failure
    }
    command = record.command.text
    host = record.host
    self.repository = repository
    sources = record.parts.map(\.source)
    began = record.began
    self.record = record
    let said = record.warnings + record.parts.flatMap(\.findings) + (record.failure.map { [$0] } ?? [])
    lines = said.suffix(Self.linesMax).map { Self.shortened($0) }
  }

  private static func shortened(_ line: String) -> String {
    guard line.utf8.count > lineBytesMax else { return line }
    return String(decoding: line.utf8.prefix(lineBytesMax), as: UTF8.self) + "…"
  }

  /// The number of bytes that the run read, verified or restored.
  var bytes: UInt64 {
    record?.parts.reduce(0) { $0 &+ ($1.readBytes ?? $1.provedBytes ?? $1.restoredBytes ?? 0) } ?? 0
  }

  var storedBytes: UInt64 { record?.parts.reduce(0) { $0 &+ ($1.storedBytes ?? 0) } ?? 0 }

  /// The text for people.
  var text: String {
    let status = record.map { " ended with status \($0.status.rawValue): \($0.status.meaning)" } ?? " begins"
    return (["holdfast \(command) on \(host)\(status)"] + lines).joined(separator: "\n") + "\n"
  }

  /// The environment of a command. It prevents a notification by a holdfast that the command runs.
  var environment: [String: String] {
    var variables = [
      "HOLDFAST_EVENT": event.rawValue, "HOLDFAST_COMMAND": command,
      "HOLDFAST_SOURCE": sources.map(\.text).joined(separator: " "), "HOLDFAST_BEGAN": TimeText.utc(began),
      "HOLDFAST_NOTIFY_COMMAND": "", "HOLDFAST_PING_URL": "", "HOLDFAST_PING_URL_FILE": "", "HOLDFAST_WEBHOOK_URL": "",
      "HOLDFAST_WEBHOOK_URL_FILE": "",
    ]
    if let repository { variables["HOLDFAST_REPOSITORY"] = repository }
    if let record {
      variables["HOLDFAST_EXIT_STATUS"] = String(record.status.rawValue)
      variables["HOLDFAST_ENDED"] = TimeText.utc(record.ended)
      variables["HOLDFAST_BYTES"] = String(bytes)
      variables["HOLDFAST_WARNINGS"] = String(record.warningCount)
      if let snapshot = record.parts.last?.snapshot { variables["HOLDFAST_SNAPSHOT"] = snapshot.description }
    }
    return variables
  }

  func json() -> [UInt8] {
    (try? JSONText.line(NotificationJSON(self))).map { Array($0.utf8) } ?? []
  }
}

/// A notification as a webhook and a command receive it.
private struct NotificationJSON: Encodable {
  struct Source: Encodable {
    let name: String
    let snapshot: String?
    let kind: String?
  }

  let event: String
  let command: String
  let host: String
  let repository: String?
  /// Set when there is only one source.
  let source: String?
  let sources: [Source]
  let began: String
  let ended: String?
  let seconds: TimeSpan?
  let exitStatus: Int32?
  let outcome: String?
  let bytes: UInt64
  let storedBytes: UInt64
  let warnings: UInt64
  let lines: [String]
  let program: String

  init(_ notification: Notification) {
    let record = notification.record
    event = notification.event.rawValue
    command = notification.command
    host = notification.host
    repository = notification.repository
    source = notification.sources.count == 1 ? notification.sources[0].text : nil
    sources = (record?.parts ?? []).map {
      Source(name: $0.source.text, snapshot: $0.snapshot?.description, kind: $0.kind?.rawValue)
    }
    began = TimeText.utc(notification.began)
    ended = record.map { TimeText.utc($0.ended) }
    seconds = record.map(\.duration)
    exitStatus = record.map(\.status.rawValue)
    outcome = record.map(\.status.meaning)
    bytes = notification.bytes
    storedBytes = notification.storedBytes
    warnings = record.map(\.warningCount) ?? 0
    lines = notification.lines
    program = Program.nameAndVersion
  }
}
