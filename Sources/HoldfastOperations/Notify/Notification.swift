internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

/// The contents of a notification about a run, or about all runs of `holdfast run`.
struct Notification: Sendable {
  typealias Event = NotificationSettings.Event

  /// The end of a run.
  struct End: Sendable {
    let time: Timestamp
    let duration: TimeSpan
    let status: ExitStatus
    let warningCount: UInt64
    let parts: [RunRecord.Part]
  }

  private static let linesMax = 20
  private static let lineBytesMax = 500

  let event: Event
  /// True if it is about no run, and only tries the way to its receiver.
  private(set) var isTest = false
  let command: String
  let host: String
  let repository: String?
  /// The sources of the run; empty when it ended before they were known.
  let sources: [SourceName]
  let began: Timestamp
  /// `nil` for a beginning.
  let end: End?
  /// For `holdfast run`: what it came to on each source.
  let results: [DigestResult]
  /// The last messages of the run, with the reason of its failure at the end; for `holdfast run` the results of all
  /// sources, with those that failed first.
  let lines: [String]

  /// - Parameter sources: the sources of the run that are known.
  init(_ beginning: RunBeginning, sources: [SourceName]) {
    event = .start
    self.sources = sources
    command = beginning.command.text
    host = beginning.host
    repository = nil
    began = beginning.began
    end = nil
    results = []
    lines = []
  }

  /// Makes the notification of the beginning of `holdfast run`.
  init(digestBegan began: Timestamp, on host: String, source: SourceName) {
    (event, command, self.host, repository, sources) = (.start, "run", host, nil, [source])
    (self.began, end, results, lines) = (began, nil, [], [])
  }

  /// Makes the notification of the end of `holdfast run`.
  /// - Parameter repository: the location of the repository, if all sources have the same.
  init(
    digestBegan began: Timestamp, on host: String, end: End, results: [DigestResult], repository: String?
  ) {
    let failed = results.filter(\.isFailed)
    let incomplete = results.filter(\.isIncomplete)
    event = !failed.isEmpty ? .failure : !incomplete.isEmpty ? .incomplete : .success
    (command, self.host, self.repository, sources) = ("run", host, repository, results.map(\.source))
    (self.began, self.end) = (began, end)
    self.results = failed + incomplete + results.filter { $0.problems.isEmpty }
    lines = self.results.flatMap(\.lines).map(Self.shortened)
  }

  /// Makes the notification of a `holdfast run` that has failed before its first step.
  init(digestBegan began: Timestamp, on host: String, failure: any OperatorError, ended: Timestamp) {
    (event, command, self.host, repository, sources) = (.failure, "run", host, nil, [])
    (self.began, results) = (began, [])
    end = End(time: ended, duration: max(.zero, ended - began), status: failure.exitStatus, warningCount: 0, parts: [])
    lines = ([failure.message] + (failure.hint.map { ["HINT: \($0)"] } ?? [])).map(Self.shortened)
  }

  /// A notification that tries the way to a receiver.
  init(testOn host: String, at now: Timestamp) {
    (event, isTest, command, self.host, began) = (.start, true, "check", host, now)
    (repository, sources, end, results, lines) = (nil, [], nil, [], [])
  }

  /// The name of the event, as receivers see it.
  var eventName: String { isTest ? "test" : event.rawValue }

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
    end = End(
      time: record.ended, duration: record.duration, status: record.status, warningCount: record.warningCount,
      parts: record.parts)
    results = []
    let said = record.warnings + record.parts.flatMap(\.findings) + (record.failure.map { [$0] } ?? [])
    lines = said.suffix(Self.linesMax).map { Self.shortened($0) }
  }

  private static func shortened(_ line: String) -> String {
    guard line.utf8.count > lineBytesMax else { return line }
    return String(decoding: line.utf8.prefix(lineBytesMax), as: UTF8.self) + "…"
  }

  /// The number of bytes that the run read, verified or restored.
  var bytes: UInt64 {
    end?.parts.reduce(0) { $0 &+ ($1.readBytes ?? $1.provedBytes ?? $1.restoredBytes ?? 0) } ?? 0
  }

  var storedBytes: UInt64 { end?.parts.reduce(0) { $0 &+ ($1.storedBytes ?? 0) } ?? 0 }

  /// The subject line for people.
  var subject: String {
    if isTest { return "holdfast check on \(host) tries this notification; nothing has happened" }
    guard results.isEmpty else { return "holdfast \(command) on \(host): \(DigestResult.summary(results))" }
    let status = end.map { " ended with status \($0.status.rawValue): \($0.status.meaning)" } ?? " begins"
    return "holdfast \(command) on \(host)\(status)"
  }

  /// Returns the text for people.
  /// - Parameter bytesMax: the greatest length. What is left out is the least important: the first messages of one run,
  ///   the last sources of several.
  func text(bytesMax: Int) -> String {
    let bytes = Array((([subject] + lines).joined(separator: "\n") + "\n").utf8)
    return String(decoding: results.isEmpty ? bytes.suffix(bytesMax) : bytes.prefix(bytesMax), as: UTF8.self)
  }

  /// The environment of a command. It prevents a notification by a holdfast that the command runs.
  var environment: [String: String] {
    var variables = [
      "HOLDFAST_EVENT": eventName, "HOLDFAST_COMMAND": command, "HOLDFAST_SUBJECT": subject,
      "HOLDFAST_SOURCE": sources.map(\.text).joined(separator: " "), "HOLDFAST_BEGAN": TimeText.utc(began),
      "HOLDFAST_NOTIFY_COMMAND": "", "HOLDFAST_PING_URL": "", "HOLDFAST_PING_URL_FILE": "", "HOLDFAST_WEBHOOK_URL": "",
      "HOLDFAST_WEBHOOK_URL_FILE": "",
    ]
    if let repository { variables["HOLDFAST_REPOSITORY"] = repository }
    if let end {
      variables["HOLDFAST_EXIT_STATUS"] = String(end.status.rawValue)
      variables["HOLDFAST_ENDED"] = TimeText.utc(end.time)
      variables["HOLDFAST_BYTES"] = String(bytes)
      variables["HOLDFAST_WARNINGS"] = String(end.warningCount)
      if let snapshot = end.parts.last?.snapshot { variables["HOLDFAST_SNAPSHOT"] = snapshot.description }
    }
    return variables
  }

  func json() -> [UInt8] {
    (try? JSONText.line(NotificationJSON(self))).map { Array($0.utf8) } ?? []
  }
}
