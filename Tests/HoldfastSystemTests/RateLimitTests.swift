import HoldfastModel
import HoldfastSystem
import Synchronization
import Testing

/// A rate holds over all threads, without a clock of the machine's: time passes only when somebody waits.
@Suite struct RateLimitTests {
  /// Time that is moved by those who wait.
  private final class VirtualTime: Sendable {
    private let uptime = Mutex(TimeSpan.seconds(100))
    var now: Double { uptime.withLock { $0.seconds } }
    func pass(_ span: TimeSpan) { uptime.withLock { $0 += span } }
    var clock: Clock { Clock(now: Clock.system.now, uptime: { .seconds(self.now) }) }
  }

  private let time = VirtualTime()

  private func limit(_ text: String, cancellation: Cancellation = Cancellation()) throws -> RateLimit {
    let time = time
    return RateLimit(try #require(ByteRate(text)), clock: time.clock, cancellation: cancellation) { time.pass($0) }
  }

  @Test func bytesPassAtTheRateAndTheFirstDoNotWait() throws {
    let limit = try limit("1M")
    limit.take(256 << 10)
    #expect(time.now == 100)
    for _ in 0..<39 { limit.take(256 << 10) }
    // 40 quarters of a MiB: the last begins when 39 have had their time.
    #expect(abs(time.now - 100 - 39 * 0.25) < 0.001)
  }

  @Test func onlyASecondOfWhatWasNotUsedIsKept() throws {
    let limit = try limit("1M")
    limit.take(1)
    time.pass(.hours(1))
    let then = time.now
    for _ in 0..<5 { limit.take(1 << 20) }
    #expect(abs(time.now - then - 3) < 0.001, "one from before, one at once, three that wait")
  }

  @Test func aStretchLongerThanASecondIsPaidByWhoComesNext() throws {
    let limit = try limit("1000")
    limit.take(10_000)
    #expect(time.now == 100)
    limit.take(1)
    #expect(abs(time.now - 110) < 0.001)
  }

  @Test func aSignalEndsTheWaitSoon() throws {
    let cancellation = Cancellation()
    let time = time
    let limit = RateLimit(try #require(ByteRate("1")), clock: time.clock, cancellation: cancellation) {
      time.pass($0)
      if time.now > 105 { cancellation.raise() }
    }
    limit.take(1 << 30)
    limit.take(1 << 30)
    #expect(time.now < 105.1)
  }

  @Test func threadsShareIt() throws {
    let limit = try limit("1M")
    let threads = (0..<4).compactMap { _ in
      WorkerThread.start { for _ in 0..<10 { limit.take(64 << 10) } }
    }
    for thread in threads { thread.join() }
    // 40 stretches of a sixteenth of a second: no thread may begin before the 39 others have had theirs.
    #expect(time.now - 100 > 39.0 / 16 - 0.001)
  }
}
