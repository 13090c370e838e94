package import HoldfastModel
internal import HoldfastSystem

/// The result of `holdfast run` on one source, as its notification tells it.
package struct DigestResult {
  /// The newest snapshot that is complete, not known to be damaged, and does not look wrong.
  package enum LastGood {
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

  /// A step that did not end well, or the reason why there was none.
  package struct Problem {
    /// The command of the step: `backup`.
    package let step: String
    let status: ExitStatus
    let cause: String
    var hint: String?
    /// The command to run next.
    var next: String?

    package init(_ step: String, _ status: ExitStatus, cause: String, hint: String? = nil, next: String? = nil) {
      (self.step, self.status, self.cause, self.hint, self.next) = (step, status, cause, hint, next)
    }

    /// True if it failed, or found damage. An incomplete snapshot is none of these, and neither is another run at work.
    package var isFailed: Bool { ![.done, .incomplete, .locked].contains(status) }
  }

  let source: SourceName
  /// One for each step that did not end well, those that failed first.
  package let problems: [Problem]
  /// True if nothing was done because another run was at work.
  let isNotRun: Bool
  /// The text for a source with which all is well.
  let summary: String
  let lastGood: LastGood?

  /// A source with which all is well.
  init(_ source: SourceName, summary: String, isNotRun: Bool = false) {
    (self.source, self.summary, self.isNotRun) = (source, summary, isNotRun)
    (problems, lastGood) = ([], nil)
  }

  /// - Parameter problems: at least one.
  package init(_ source: SourceName, _ problems: [Problem], lastGood: LastGood? = nil) {
    self.source = source
    self.problems = problems.sorted { ($0.isFailed ? 1 : 0, $0.status) > ($1.isFailed ? 1 : 0, $1.status) }
    (isNotRun, summary, self.lastGood) = (false, "", lastGood)
  }

  /// The worst status of its steps.
  var status: ExitStatus { isNotRun ? .locked : .worst(of: problems.map(\.status)) }
  /// True if any of its steps failed, or found damage.
  package var isFailed: Bool { problems.contains(where: \.isFailed) }
  /// True if no step failed, and one did not end well.
  package var isIncomplete: Bool { !problems.isEmpty && !isFailed }

  /// The lines for people.
  var lines: [String] {
    guard let first = problems.first else { return ["\(source): \(summary)"] }
    return lines(of: first, lastGood) + problems.dropFirst().flatMap { lines(of: $0, nil) }
  }

  private func lines(of problem: Problem, _ lastGood: LastGood?) -> [String] {
    ["\(source): \(problem.cause)"] + (lastGood.map { ["  \($0.text)"] } ?? [])
      + (problem.hint.map { ["  HINT: \($0)"] } ?? []) + (problem.next.map { ["  next: \($0)"] } ?? [])
  }

  /// Returns how many of the sources failed, in words.
  package static func summary(_ results: [DigestResult]) -> String {
    let failed = results.count(where: \.isFailed)
    let incomplete = results.count(where: \.isIncomplete)
    let notRun = results.count(where: \.isNotRun)
    let all = Amount.count(UInt64(results.count), "source")
    guard failed + incomplete + notRun > 0 else { return results.count == 1 ? "\(all) done" : "all \(all) done" }
    let counts = [(failed, "failed"), (incomplete, "incomplete")].filter { $0.0 > 0 }
    let known = counts.isEmpty ? [(results.count - notRun, "done")] : counts
    let parts = known + (notRun > 0 ? [(notRun, "not run")] : [])
    return parts.enumerated().map { index, part in
      index == 0 ? "\(part.0) of \(all) \(part.1)" : "\(part.0) \(part.1)"
    }.joined(separator: ", ")
  }
}
