import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Whoever waits for a change gets it, or is told that the time was over.
@Suite(.timeLimit(.minutes(5))) struct MonitorTests {
  @Test func aChangeEndsTheWait() {
    let monitor = Monitor(0)
    let thread = WorkerThread.start { for _ in 0..<100 { monitor.withLock { $0 += 1 } } }
    #expect(monitor.wait { $0 == 100 ? "there" : nil } == "there")
    thread?.join()
  }

  @Test func whatHoldsAlreadyIsNotWaitedFor() {
    #expect(Monitor(1).wait(.zero) { $0 == 1 ? true : nil } == true)
  }

  @Test func theTimeEndsTheWait() {
    #expect(Monitor(0).wait(.milliseconds(1)) { $0 == 1 ? true : nil } == nil)
  }
}
