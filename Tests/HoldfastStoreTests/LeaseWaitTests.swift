import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A run that was killed keeps its lease until its time is over. Whoever waits for that knows why.
@Suite struct LeaseWaitTests {
  /// Each listing takes a second.
  private final class SlowStore: StoreLayer {
    let base: any Store
    private let clock: TestClock

    init(_ base: any Store, _ clock: TestClock) { (self.base, self.clock) = (base, clock) }

    func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
      clock.advance(.seconds(1))
      return try base.list(prefix, depth, after: name, max: max)
    }
  }

  /// The run that held it may have been killed. Nobody looks at a silent terminal for two minutes.
  @Test func whoeverWaitsForADeadHolderIsToldOnce() throws {
    let store = DistantStore(latency: .zero)
    let terms = LeaseTerms(duration: .minutes(2), look: .milliseconds(1))
    let time = TestClock("2026-05-01T12:00:00Z")
    let dead = LeaseRecord(
      holder: Randomness.system.identifier(), term: terms.duration, locked: false, host: "shop", process: 7,
      time: RecordedTime(text: "2026-05-01T12:00:00.000Z"))
    let numbers = LeaseNumbers(store: store, name: "orders")
    #expect(try LeaseHolder(numbers, dead, clock: time.clock, terms: terms).ask(for: 1))
    var told: [TimeSpan] = []
    let begun = time.clock.uptime()
    let lease = try Lease.take(
      "orders", in: SlowStore(store, time), host: TestHost.make(clock: time.clock),
      terms: terms, waits: false,
      onWait: { told.append(time.clock.uptime() - begun) })
    #expect(lease?.number == 2)
    #expect(told == [.seconds(5)])
  }

  /// Neither another run of this process nor one of another process meets the lock of a run that has ended.
  @Test func theLockIsReleasedWhenTheErrandIsDone() throws {
    let directory = TemporaryDirectory()
    let store = LocalStore(directory: directory.appending("shop"), host: TestHost.make())
    let errands = Errands()
    for round in 1...200 {
      let lease = try Lease.take("orders", in: store, host: TestHost.make(), waits: false, givenBackBy: errands)
      #expect(lease != nil, "round \(round)")
      lease?.end()
      errands.wait()
      #expect(try store.lock("orders", wait: false, cancellation: Cancellation()) != nil, "round \(round)")
    }
  }
}
