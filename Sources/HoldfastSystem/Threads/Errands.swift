internal import Synchronization

/// Work for the end of a run, each piece on a thread of its own. It may go on while the run does other things. It is
/// over when `wait` returns.
package final class Errands: Sendable {
  private let underWay = Mutex<[Future<Void>]>([])

  package init() {}

  deinit { wait() }

  /// Begins work that reports its problems itself.
  package func begin(_ work: @escaping @Sendable () -> Void) {
    let future = Future(beginsNow: true) { work() }
    underWay.withLock { $0.append(future) }
  }

  package func wait() {
    let begun = underWay.withLock { underWay in
      defer { underWay = [] }
      return underWay
    }
    for future in begun { try? future.value() }
  }
}
