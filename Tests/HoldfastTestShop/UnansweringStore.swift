package import HoldfastModel
package import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// Another store, of which chosen calls fail: they are counted, so that a test can let each of them fail once.
package final class UnansweringStore: RequestLayer {
  package enum Failure: Hashable, CaseIterable {
    /// One call gets no answer, and nothing is done.
    case once
    /// From one call on nothing is answered.
    case fromThenOn
    /// One call is done, and its answer is lost.
    case lostAnswer
  }

  private struct Plan {
    var count = 0
    var failing: Int?
    var failure = Failure.once
    var error: any OperatorError = StoreError.unavailable(location: "memory", reason: "it timed out")
  }

  package let base: any Store
  private let plan = Mutex(Plan())

  package init(_ store: any Store) { base = store }

  /// How many calls there were since this was last said.
  package var count: Int { plan.withLock(\.count) }

  /// Whether the call that was to fail has come.
  package var hasFailed: Bool { plan.withLock { plan in plan.failing.map { plan.count >= $0 } ?? false } }

  /// - Parameter number: which of the following calls fails, from 1; `nil`: none.
  package func fail(at number: Int?, _ failure: Failure = .once, with error: (any OperatorError)? = nil) {
    plan.withLock {
      $0 = Plan(failing: number, failure: failure)
      if let error { $0.error = error }
    }
  }

  package func request<Value>(_ body: () throws -> Value) throws -> Value {
    let (error, isDone) = plan.withLock { plan -> ((any OperatorError)?, Bool) in
      plan.count += 1
      guard let failing = plan.failing else { return (nil, true) }
      let fails = plan.failure == .fromThenOn ? plan.count >= failing : plan.count == failing
      return (fails ? plan.error : nil, !fails || plan.failure == .lostAnswer)
    }
    let value = try isDone ? body() : nil
    if let error { throw error }
    guard let value else { throw StoreError.unavailable(location: location, reason: "no answer") }
    return value
  }
}
