package import HoldfastModel
internal import Synchronization

/// The record of what has happened at one target.
package struct TargetOutcome: Sendable {
  /// The reason why a target is behind in a folder. It does not get the objects that follow.
  package struct Lag: Sendable {
    /// The first object that it did not get.
    package let key: String
    package let cause: any OperatorError
  }

  /// An answer that was not the bytes of an object, which another target has.
  package struct BadAnswer: Sendable {
    package let key: String
    package let cause: any OperatorError
  }

  package let target: String
  /// The lags by folder. A folder in which the target is in step has none.
  package fileprivate(set) var behind: [String: Lag] = [:]
  package fileprivate(set) var bytesSent: UInt64 = 0
  /// The first bad answers, at most 100.
  package fileprivate(set) var badAnswers: [BadAnswer] = []
  package fileprivate(set) var badAnswerCount: UInt64 = 0
  /// The number of times that another target was asked because this one had not answered soon.
  package fileprivate(set) var lateAnswerCount: UInt64 = 0

  fileprivate init(_ target: String) { self.target = target }
}

/// The record of what has happened at the targets of a repository since they were opened. For all threads.
package final class TargetOutcomes: Sendable {
  private static let badAnswersKept = 100
  private let state: Mutex<[TargetOutcome]>
  /// Is told of the first bad answer of each target.
  private let onBadAnswer: @Sendable (_ target: String, TargetOutcome.BadAnswer) -> Void

  init(
    _ targets: [Target],
    onBadAnswer: @escaping @Sendable (_ target: String, TargetOutcome.BadAnswer) -> Void = { _, _ in }
  ) {
    state = Mutex(targets.map { TargetOutcome($0.name) })
    self.onBadAnswer = onBadAnswer
  }

  /// The outcomes of all targets, home first.
  package var all: [TargetOutcome] { state.withLock { $0 } }

  /// Returns the names of the targets that are in step in a folder, home first.
  package func inStep(_ folder: String) -> [String] { all.filter { $0.behind[folder] == nil }.map(\.target) }

  // MARK: Notes, by the number of the target

  /// - Returns: false if it was behind already.
  @discardableResult
  func noteBehind(_ target: Int, in folder: String, since key: String, _ cause: any Error) -> Bool {
    state.withLock { outcomes in
      guard outcomes[target].behind[folder] == nil else { return false }
      outcomes[target].behind[folder] = TargetOutcome.Lag(key: key, cause: describe(cause))
      return true
    }
  }

  func noteSent(_ count: Int, to target: Int) { state.withLock { $0[target].bytesSent += UInt64(count) } }

  func noteBad(_ target: Int, _ key: String, _ cause: any Error) {
    let answer = TargetOutcome.BadAnswer(key: key, cause: describe(cause))
    let first = state.withLock { outcomes in
      outcomes[target].badAnswerCount += 1
      if outcomes[target].badAnswers.count < Self.badAnswersKept { outcomes[target].badAnswers.append(answer) }
      return outcomes[target].badAnswerCount == 1 ? outcomes[target].target : nil
    }
    if let first { onBadAnswer(first, answer) }
  }

  func noteLate(_ target: Int) { state.withLock { $0[target].lateAnswerCount += 1 } }
}
