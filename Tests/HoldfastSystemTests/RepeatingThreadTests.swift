import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// What is repeated goes on until it is stopped, and then not once more.
@Suite struct RepeatingThreadTests {
  private final class Count: Sendable {
    let value = Mutex(0)
  }

  @Test func itGoesOnUntilItIsStopped() throws {
    let count = Count()
    let thread = try #require(
      RepeatingThread.start(every: .milliseconds(1)) {
        count.value.withLock { $0 += 1 }
        return true
      })
    while count.value.withLock({ $0 }) < 3 { Pause.briefly() }
    thread.stop()
    let last = count.value.withLock { $0 }
    Pause.briefly()
    #expect(count.value.withLock { $0 } == last)
  }

  /// A pause of an hour ends at once.
  @Test func toStopItTakesNoPause() throws {
    let count = Count()
    let thread = try #require(
      RepeatingThread.start(every: .hours(1)) {
        count.value.withLock { $0 += 1 }
        return true
      })
    thread.stop()
    #expect(count.value.withLock { $0 } == 0)
  }

  @Test func itEndsItself() throws {
    let count = Count()
    let thread = try #require(
      RepeatingThread.start(every: .milliseconds(1)) {
        count.value.withLock { $0 += 1 }
        return false
      })
    while count.value.withLock({ $0 }) < 1 { Pause.briefly() }
    thread.stop()
    #expect(count.value.withLock { $0 } == 1)
  }
}
