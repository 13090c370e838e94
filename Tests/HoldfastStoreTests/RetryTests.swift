import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// What fails for now is tried again, within bounds; nothing else is.
@Suite struct RetryTests {
  private let time = TimelessRetry()

  /// A store whose first requests for a listing fail so.
  private final class FailingStore: StoreLayer {
    let base: any Store = MemoryStore()
    private let left: Mutex<Int>
    private let error: any Error
    private let calls = Mutex(0)
    var count: Int { calls.withLock { $0 } }

    init(_ error: any Error, times: Int) {
      self.error = error
      left = Mutex(times)
    }

    func fail(times: Int) { left.withLock { $0 = times } }

    func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
      calls.withLock { $0 += 1 }
      let fails = left.withLock { left in
        left -= 1
        return left >= 0
      }
      if fails { throw error }
      return .empty
    }
  }

  private static let unavailable = StoreError.unavailable(location: "far", reason: "timed out")

  @Test func whatFailsForNowIsTriedAgainAtGrowingDistances() throws {
    let failing = FailingStore(Self.unavailable, times: 4)
    #expect(try RetryingStore(failing, time.retrier()).names(below: "") == [])
    #expect(failing.count == 5)
    // Between half and all of 0.1 + 0.2 + 0.4 + 0.8.
    #expect(time.waited > .milliseconds(740) && time.waited < .milliseconds(1510))
  }

  /// A server that asks to be left alone is; but nobody waits beyond the deadline for it.
  @Test func aServerIsLeftAloneAsLongAsItAsksTo() throws {
    let busy = StoreError.unavailable(location: "far", reason: "status 503", retryAfter: .seconds(30))
    let failing = FailingStore(busy, times: 2)
    #expect(try RetryingStore(failing, time.retrier()).names(below: "") == [])
    #expect(time.waited >= .minutes(1) && time.waited < .seconds(61))
    let closed = FailingStore(
      StoreError.unavailable(location: "far", reason: "status 503", retryAfter: .hours(1)), times: 1)
    #expect(throws: StoreError.self) { try RetryingStore(closed, TimelessRetry().retrier()).names(below: "") }
    #expect(closed.count == 1)
  }

  @Test func theDeadlineEndsIt() {
    let failing = FailingStore(Self.unavailable, times: .max)
    #expect(throws: Self.unavailable) { try RetryingStore(failing, time.retrier()).names(below: "") }
    #expect(time.waited > .minutes(1) && time.waited <= .minutes(2))
    #expect(failing.count < 30)
  }

  /// Nobody looks at a silent terminal for two minutes.
  @Test func theOperatorIsToldOnceWhatIsWaitedFor() throws {
    let told = Mutex<[String]>([])
    let failing = FailingStore(Self.unavailable, times: 5)
    let store = RetryingStore(failing, time.retrier { text in told.withLock { $0.append(text) } })
    #expect(try store.names(below: "") == [])
    #expect(time.waited < .seconds(5) && told.withLock { $0 } == [], "it was told of a short failure")
    failing.fail(times: 10)
    let begun = time.clock.clock.now()
    #expect(try store.names(below: "") == [])
    // The time of day of this clock stands still during short waits.
    let texts = (110...120).map { (seconds: Int64) -> String in
      let end = Timestamp(seconds: begun.seconds + seconds, nanoseconds: 0)
      return "far does not answer: timed out; trying again until \(TimeText.localClock(end))"
    }
    #expect(told.withLock { $0 }.count == 1 && texts.contains(told.withLock { $0 }[0]))
    // After an answer, the next failure is another one.
    failing.fail(times: .max)
    #expect(throws: Self.unavailable) { try store.names(below: "") }
    #expect(told.withLock { $0 }.count == 2)
  }

  /// A run that gives up does a few things more: they do not take as long again.
  @Test func afterOneWasGivenUpOthersAreTriedBriefly() throws {
    let failing = FailingStore(Self.unavailable, times: .max)
    let store = RetryingStore(failing, time.retrier())
    #expect(throws: Self.unavailable) { try store.names(below: "") }
    let waited = time.waited
    #expect(throws: Self.unavailable) { try store.names(below: "") }
    #expect(time.waited - waited < .seconds(6))
    failing.fail(times: 0)
    _ = try store.names(below: "")
    // The store is there again: at least half of 0.1 + 0.2 + … + 12.8.
    failing.fail(times: 8)
    _ = try store.names(below: "")
    #expect(time.waited - waited > .seconds(12))
  }

  /// A server that says nothing holds each try for half a minute, and whoever reads has thousands of requests.
  @Test func soonAfterOneWasGivenUpNothingIsTried() throws {
    let failing = FailingStore(Self.unavailable, times: .max)
    let store = RetryingStore(failing, time.retrier())
    #expect(throws: Self.unavailable) { try store.names(below: "") }
    time.clock.advance(.seconds(30))
    let (count, waited) = (failing.count, time.waited)
    for _ in 1...1000 { #expect(throws: Self.unavailable) { try store.names(below: "") } }
    #expect(failing.count == count && time.waited == waited)
    // Whoever asks later may find the store there again.
    time.clock.advance(.minutes(1))
    failing.fail(times: 3)
    _ = try store.names(below: "")
    #expect(failing.count == count + 4)
    failing.fail(times: 1)
    _ = try store.names(below: "")
  }

  @Test(arguments: [
    StoreError.notFound(key: "k", location: "far"), .alreadyExists(key: "k", location: "far"),
    .removalRefused(key: "k", location: "far"), .foreign(key: "k", location: "far"), .invalidKey("k"),
  ])
  func whatStaysAsItIsIsNotTriedAgain(_ error: StoreError) {
    let failing = FailingStore(error, times: .max)
    #expect(throws: error) { try RetryingStore(failing, time.retrier()).names(below: "") }
    #expect(failing.count == 1)
  }

  @Test func aSignalEndsTheWait() {
    let failing = FailingStore(Self.unavailable, times: .max)
    time.cancellation.raise()
    #expect(throws: Interrupted.self) { try RetryingStore(failing, time.retrier()).names(below: "") }
    #expect(failing.count == 1)
    #expect(time.waited == .zero)
  }

  /// The bytes of a part are held until it has arrived: who writes gives them once.
  @Test func aPartIsSentAgainWithoutItsSource() throws {
    var traits = MemoryStore.Traits()
    (traits.partBytes, traits.connections) = (1000, 3)
    let memory = MemoryStore(traits)
    let faulty = FaultyStore(memory, seed: 5)
    var random = SeededRandom(seed: 6)
    let bytes = random.bytes(100_500)
    let writer = try RetryingStore(faulty, time.retrier()).create("a")
    #expect(writer.heldBytesMax == 4000)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
    #expect(memory.contents == ["a": bytes])
    #expect(faulty.failures > 10)
    #expect(memory.counts.sends > 101, "parts that had arrived were sent again")
  }

  /// A part that does not arrive is told of, and no object without it appears.
  @Test func anObjectThatLacksAPartIsNotCommitted() throws {
    var traits = MemoryStore.Traits()
    traits.partBytes = 1000
    let memory = MemoryStore(traits)
    var faults = FaultyStore.Faults()
    (faults.refused, faults.unanswered) = (30, 0)
    let writer = try #require(
      (0..<20).lazy.compactMap { try? FaultyStore(memory, faults, seed: $0).create("a") }.first)
    let bytes = [UInt8](repeating: 1, count: 50_000)
    #expect(throws: StoreError.self) {
      try bytes.withUnsafeBytes { try writer.append($0) }
      try writer.commit()
    }
    #expect(throws: StoreError.self) { try writer.commit() }
    #expect(memory.contents == [:])
  }
}
