internal import Synchronization

/// A result that is needed later. Another thread computes it meanwhile; or, if that gains nothing, the thread that
/// needs it computes it then.
package final class Future<Value: Sendable>: Sendable {
  private enum State {
    case waiting(@Sendable () throws -> Value)
    case underWay
    case done(Result<Value, any Error>)
  }

  private let state: Mutex<State>
  private let isDone = Latch()

  /// - Parameter beginsNow: true to begin on another thread at once. If the system has no thread left, the work begins
  ///   when the result is needed.
  package init(beginsNow: Bool, _ work: @escaping @Sendable () throws -> Value) {
    state = Mutex(.waiting(work))
    if beginsNow { WorkerThread.detach { [self] in workOut() } }
  }

  /// Returns the result, or throws the error of the work. It may be called several times.
  package func value() throws -> Value {
    workOut()
    isDone.wait()
    guard case .done(let result) = state.withLock({ $0 }) else { preconditionFailure("the latch is open") }
    return try result.get()
  }

  /// Does the work, unless another thread has begun.
  private func workOut() {
    let work: (@Sendable () throws -> Value)? = state.withLock { state in
      guard case .waiting(let work) = state else { return nil }
      state = .underWay
      return work
    }
    guard let work else { return }
    let result = Result(catching: work)
    state.withLock { $0 = .done(result) }
    isDone.open()
  }
}
