internal import Glibc
package import HoldfastModel

/// State that several threads share, with a way to wait for its changes.
package final class Monitor<State>: @unchecked Sendable {
  // `state` is guarded by `mutex`.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var state: State

  package init(_ state: sending State) {
    self.state = state
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(changed, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  /// Reads or changes the state. Waiting threads look at it again.
  package func withLock<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer {
      pthread_cond_broadcast(changed)
      pthread_mutex_unlock(mutex)
    }
    return try body(&state)
  }

  /// Looks at the state now and after each change, until there is a result.
  /// - Parameters:
  ///   - limit: the longest wait, at most a day; `nil` for no limit.
  ///   - look: may change the state, but wakes no other thread by that.
  /// - Returns: `nil` if there was no result in time.
  package func wait<Result>(_ limit: TimeSpan? = nil, until look: (inout State) throws -> Result?) rethrows -> Result? {
    let end = limit.map(Self.end)
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let result = try look(&state) { return result }
      if isOver(end) { return try look(&state) }
    }
  }

  /// The same, which a signal ends.
  /// - Throws: `Interrupted` after a signal.
  package func wait<Result>(
    _ limit: TimeSpan, unless cancellation: Cancellation, until look: (inout State) throws -> Result?
  ) throws -> Result? {
    let slice = TimeSpan.milliseconds(50)
    var left = limit
    while true {
      try cancellation.check()
      if let result = try wait(min(slice, left), until: look) { return result }
      left = left - slice
      guard left > .zero else { return nil }
    }
  }

  /// Waits for a change.
  /// - Returns: true if the time was over first.
  private func isOver(_ end: timespec?) -> Bool {
    guard var end else {
      pthread_cond_wait(changed, mutex)
      return false
    }
    return pthread_cond_timedwait(changed, mutex, &end) == ETIMEDOUT
  }

  private static func end(after span: TimeSpan) -> timespec {
    var end = timespec()
    clock_gettime(CLOCK_MONOTONIC, &end)
    let seconds = max(0, min(span.seconds, 86_400))
    let whole = seconds.rounded(.down)
    end.tv_sec += Int(whole)
    end.tv_nsec += Int((seconds - whole) * 1e9)
    if end.tv_nsec >= 1_000_000_000 { (end.tv_sec, end.tv_nsec) = (end.tv_sec + 1, end.tv_nsec - 1_000_000_000) }
    return end
  }
}
