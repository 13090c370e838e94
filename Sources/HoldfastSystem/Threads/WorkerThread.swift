internal import Glibc

/// A thread of the operating system. Blocking work never runs on Swift's cooperative pool.
package struct WorkerThread: @unchecked Sendable {
  // pthread_t is a number here; Swift does not know that it may cross threads.
  private let handle: pthread_t

  private final class Work {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Starts a thread; `nil` if the system cannot make another one.
  package static func start(_ body: @escaping @Sendable () -> Void) -> WorkerThread? {
    var handle = pthread_t()
    let work = Unmanaged.passRetained(Work(body))
    let status = pthread_create(
      &handle, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
        return nil
      }, work.toOpaque())
    guard status == 0 else {
      work.release()
      return nil
    }
    return WorkerThread(handle: handle)
  }

  /// Starts a thread that is not waited for.
  /// - Returns: false if the system cannot make another thread.
  @discardableResult
  package static func detach(_ body: @escaping @Sendable () -> Void) -> Bool {
    guard let thread = start(body) else { return false }
    pthread_detach(thread.handle)
    return true
  }

  package func join() {
    pthread_join(handle, nil)
  }
}
