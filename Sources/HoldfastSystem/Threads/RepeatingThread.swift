internal import Glibc
package import HoldfastModel

/// Calls a function repeatedly on a thread of its own, until it is stopped.
package final class RepeatingThread: @unchecked Sendable {
  // `mutex` guards `isStopping`.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let stopping = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var isStopping = false
  private var thread: WorkerThread?

  /// - Parameters:
  ///   - interval: the time before the first call, and between the end of one call and the next.
  ///   - body: returns false to end the thread.
  /// - Returns: `nil` if the system has no thread left.
  package static func start(every interval: TimeSpan, _ body: @escaping @Sendable () -> Bool) -> RepeatingThread? {
    let result = RepeatingThread()
    result.thread = WorkerThread.start { [result] in
      while result.pause(interval) {
        guard body() else { return }
      }
    }
    return result.thread == nil ? nil : result
  }

  private init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(stopping, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(stopping)
    pthread_mutex_destroy(mutex)
    stopping.deallocate()
    mutex.deallocate()
  }

  /// - Returns: false as soon as the thread is to stop.
  private func pause(_ interval: TimeSpan) -> Bool {
    var end = timespec()
    clock_gettime(CLOCK_MONOTONIC, &end)
    let seconds = max(0, min(interval.seconds, 86_400))
    let whole = seconds.rounded(.down)
    end.tv_sec += Int(whole)
    end.tv_nsec += Int((seconds - whole) * 1e9)
    if end.tv_nsec >= 1_000_000_000 { (end.tv_sec, end.tv_nsec) = (end.tv_sec + 1, end.tv_nsec - 1_000_000_000) }
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !isStopping {
      if pthread_cond_timedwait(stopping, mutex, &end) == ETIMEDOUT { break }
    }
    return !isStopping
  }

  /// Stops the thread, and returns when the last call has ended. Call it once, and from another thread.
  package func stop() {
    pthread_mutex_lock(mutex)
    isStopping = true
    pthread_cond_broadcast(stopping)
    pthread_mutex_unlock(mutex)
    thread?.join()
    thread = nil
  }
}
