internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

/// A notification as a webhook and a command receive it.
struct NotificationJSON: Encodable {
  struct Source: Encodable {
    let name: String
    var snapshot: String?
    var kind: String?
    /// For `holdfast run` alone, as everything below.
    var exitStatus: Int32?
    /// The step that failed, and why; absent when all is well. Of several steps, the worst, as in `hint` and `next`.
    var cause: String?
    var hint: String?
    /// The command to run next.
    var next: String?
    /// All steps that did not end well, the worst first; absent when all is well.
    var problems: [Problem]?
    var lastGood: LastGood?
  }

  struct Problem: Encodable {
    let step: String
    let exitStatus: Int32
    let cause: String
    let hint: String?
    let next: String?
  }

  /// The newest snapshot that is complete, not known to be damaged, and does not look wrong.
  struct LastGood: Encodable {
    let snapshot: String
    let started: String
    let seconds: TimeSpan
  }

  let event: String
  let command: String
  let subject: String
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
    let end = notification.end
    event = notification.eventName
    command = notification.command
    subject = notification.subject
    host = notification.host
    repository = notification.repository
    source = notification.sources.count == 1 ? notification.sources[0].text : nil
    let parts = end?.parts ?? []
    sources =
      notification.results.isEmpty
      ? parts.map { Source(name: $0.source.text, snapshot: $0.snapshot?.description, kind: $0.kind?.rawValue) }
      : notification.results.map { Source($0, parts) }
    began = TimeText.utc(notification.began)
    ended = end.map { TimeText.utc($0.time) }
    seconds = end.map(\.duration)
    exitStatus = end.map(\.status.rawValue)
    outcome = end.map(\.status.meaning)
    bytes = notification.bytes
    storedBytes = notification.storedBytes
    warnings = end.map(\.warningCount) ?? 0
    lines = notification.lines
    program = Program.nameAndVersion
  }
}

extension NotificationJSON.Source {
  /// - Parameter parts: the results of all steps, of all sources.
  fileprivate init(_ result: DigestResult, _ parts: [RunRecord.Part]) {
    let taken = parts.last { $0.source == result.source && $0.kind != nil }
    self.init(name: result.source.text, snapshot: taken?.snapshot?.description, kind: taken?.kind?.rawValue)
    exitStatus = result.status.rawValue
    if let first = result.problems.first {
      (cause, hint, next) = (first.cause, first.hint, first.next)
      problems = result.problems.map {
        NotificationJSON.Problem(
          step: $0.step, exitStatus: $0.status.rawValue, cause: $0.cause, hint: $0.hint, next: $0.next)
      }
    }
    if case .snapshot(let id, let started, let age) = result.lastGood {
      lastGood = NotificationJSON.LastGood(snapshot: id.description, started: TimeText.utc(started), seconds: age)
    }
  }
}
