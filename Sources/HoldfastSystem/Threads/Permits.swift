internal import Glibc

/// A number of permits. A thread that takes one when none is left waits until another one is given back.
package final class Permits: @unchecked Sendable {
  // Many threads may use a semaphore. Swift does not know that of a pointer to one.
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  package init(_ count: Int) { sem_init(semaphore, 0, UInt32(max(1, count))) }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  package func take() {
    while sem_wait(semaphore) != 0 {}
  }

  package func giveBack() { sem_post(semaphore) }
}
