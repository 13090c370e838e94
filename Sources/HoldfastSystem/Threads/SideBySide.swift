internal import Synchronization

/// Requests, or other blocking work, that run at the same time.
package enum SideBySide {
  /// Calls `body` for every number below `count`, on this thread and on others.
  /// - Parameter threads: the most threads, this one included.
  /// - Throws: one of the errors of `body`; then it may not have been called for all numbers.
  package static func run(_ count: Int, threads: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let shared = Shared(count)
    let others = (1..<max(1, min(threads, count))).map { _ in WorkerThread.start { shared.work(body) } }
    shared.work(body)
    for thread in others { thread?.join() }
    if let failure = shared.failure { throw failure }
  }

  private final class Shared: Sendable {
    private let count: Int
    private let next = Atomic(0)
    private let first = Mutex<(any Error)?>(nil)

    init(_ count: Int) { self.count = count }

    var failure: (any Error)? { first.withLock { $0 } }

    func work(_ body: (Int) throws -> Void) {
      while failure == nil {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < count else { return }
        do { try body(index) } catch { first.withLock { $0 = $0 ?? error } }
      }
    }
  }
}
