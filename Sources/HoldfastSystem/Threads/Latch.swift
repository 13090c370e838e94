internal import Glibc

/// An event that happens once. Threads wait until it has happened. After that, `wait` returns at once.
package final class Latch: @unchecked Sendable {
  // `isOpen` is guarded by `mutex`.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let opened = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var isOpen = false

  package init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(opened, nil)
  }

  deinit {
    mutex.deallocate()
    opened.deallocate()
  }

  package func open() {
    pthread_mutex_lock(mutex)
    isOpen = true
    pthread_cond_broadcast(opened)
    pthread_mutex_unlock(mutex)
  }

  /// Returns when the latch is open.
  package func wait() {
    pthread_mutex_lock(mutex)
    while !isOpen { pthread_cond_wait(opened, mutex) }
    pthread_mutex_unlock(mutex)
  }
}
