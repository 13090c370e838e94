internal import HoldfastModel
internal import HoldfastSystem

/// The result of `holdfast run` on one source, as its notification tells it.
struct DigestResult {
  /// The newest snapshot that is complete, not known to be damaged, and does not look wrong.
  enum LastGood {
    case snapshot(Identifier, started: Timestamp, age: TimeSpan)
    case none
    /// - Parameter reason: says why it is not known.
    case unknown(String)

    var text: String {
      switch self {
      case .snapshot(let id, let started, let age):
        "last good snapshot: \(Amount.age(age)) ago (\(id.short), \(TimeText.local(started)))"
      case .none: "last good snapshot: there is none"
      case .unknown(let reason): "last good snapshot: unknown, because \(reason)"
      }
    }
  }

  let source: SourceName
  /// The worst status of its steps.
  let status: ExitStatus
  /// The text for a source with which all is well.
  var summary = "done"
  /// The step that failed, and why; `nil` when all is well.
  var cause: String?
  var hint: String?
  /// The command to run next.
  var next: String?
  var lastGood: LastGood?

  init(_ source: SourceName, _ status: ExitStatus) { (self.source, self.status) = (source, status) }

  /// True if a step failed, or found damage. An incomplete snapshot is none of these.
  var isFailed: Bool { ![.done, .incomplete].contains(status) }

  /// The lines for people.
  var lines: [String] {
    guard let cause else { return ["\(source): \(summary)"] }
    return ["\(source): \(cause)"] + (lastGood.map { ["  \($0.text)"] } ?? []) + (hint.map { ["  HINT: \($0)"] } ?? [])
      + (next.map { ["  next: \($0)"] } ?? [])
  }

  /// Returns how many of the sources failed, in words.
  static func summary(_ results: [DigestResult]) -> String {
    let failed = results.count(where: \.isFailed)
    let incomplete = results.count { $0.status == .incomplete }
    let all = Amount.count(UInt64(results.count), "source")
    let parts =
      (failed > 0 ? ["\(failed) of \(all) failed"] : []) + (incomplete > 0 ? ["\(incomplete) incomplete"] : [])
    guard !parts.isEmpty else { return results.count == 1 ? "\(all) done" : "all \(all) done" }
    return failed > 0 ? parts.joined(separator: ", ") : "\(incomplete) of \(all) incomplete"
  }
}
