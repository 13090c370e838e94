internal import CLinux
internal import Glibc
internal import HoldfastModel
internal import Synchronization

/// A flag that a signal raises. Long work checks it between two steps and stops by throwing `Interrupted`.
package final class Cancellation: Sendable {
  private let raised = Atomic(false)
  private let above: Cancellation?

  /// - Parameter above: a flag that stops the same work and more. This one is raised with it, and not the other way
  ///   round.
  package init(below above: Cancellation? = nil) { self.above = above }

  package var isRaised: Bool { raised.load(ordering: .relaxed) || above?.isRaised == true }

  package func raise() { raised.store(true, ordering: .relaxed) }

  package func check() throws {
    if isRaised { throw Interrupted() }
  }

  /// Waits until there is something to read, or the other end is closed.
  ///
  /// A separate thread handles signals, so they interrupt no system call: every wait for people or programs must use
  /// this function.
  /// - Parameter isOverdue: returns true to stop waiting. It is called again and again.
  /// - Returns: false if it stopped waiting because `isOverdue` returned true.
  @discardableResult
  package func awaitInput(_ descriptor: Int32, unless isOverdue: () -> Bool = { false }) throws -> Bool {
    let lookMilliseconds: Int32 = 50
    var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    repeat {
      try check()
      if isOverdue() { return false }
    } while poll(&watched, 1, lookMilliseconds) == 0
    try check()
    return true
  }

  /// Makes SIGINT, SIGTERM and SIGHUP raise this flag, and SIGPIPE an EPIPE error. Signals that are already ignored
  /// (nohup) stay ignored. The second signal ends the process at once, which harms nothing that is committed.
  ///
  /// It must be called once, before any other thread exists, because threads inherit the signal mask.
  package func raiseOnSignals() {
    signal(SIGPIPE, SIG_IGN)
    var signals = sigset_t()
    sigemptyset(&signals)
    let taken = [SIGINT, SIGTERM, SIGHUP].filter { !Self.isIgnored($0) }
    for number in taken { sigaddset(&signals, number) }
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    let waited = signals
    WorkerThread.detach { [self] in
      for number in taken { holdfast_take_signal(number) }
      var waited = waited
      var received: Int32 = 0
      sigwait(&waited, &received)
      raise()
      sigwait(&waited, &received)
      _exit(ExitStatus.interrupted.rawValue)
    }
  }

  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    sigaction(number, nil, &action)
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
