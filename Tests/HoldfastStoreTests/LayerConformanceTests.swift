import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Every layer keeps what the store below it keeps, over memory as over a directory; and under a layer that tries
/// again, so does a store that is slow, fails, loses answers and lags.
@Suite(.timeLimit(.minutes(30))) struct LayerConformanceTests {
  /// Stores below the layers: near ones, and one as it is far away.
  enum Base: CaseIterable { case directory, memory, faraway }

  private let directory = TemporaryDirectory()
  private let time = TimelessRetry()

  private func store(_ base: Base) -> any Store {
    switch base {
    case .directory: return LocalStore(directory: directory.appending("new"), host: TestHost.make())
    case .memory: return MemoryStore()
    case .faraway:
      var traits = MemoryStore.Traits()
      (traits.partBytes, traits.pageMax, traits.connections, traits.lag) = (1000, 2, 3, 2)
      return MemoryStore(traits)
    }
  }

  @Test(arguments: StoreConformance.allCases, Base.allCases)
  func retryingKeeps(_ promise: StoreConformance, over base: Base) throws {
    try promise.check(RetryingStore(store(base), time.retrier()))
  }

  @Test(arguments: StoreConformance.allCases, Base.allCases)
  func readingAheadKeeps(_ promise: StoreConformance, over base: Base) throws {
    try promise.check(ReadAheadStore(store(base), bytesMax: 100_000))
  }

  @Test(arguments: StoreConformance.allCases, Base.allCases)
  func cachingKeeps(_ promise: StoreConformance, over base: Base) throws {
    try promise.check(CachingStore(store(base), bytesMax: 10_000) { _ in true })
  }

  @Test(arguments: StoreConformance.allCases, Base.allCases)
  func limitingKeeps(_ promise: StoreConformance, over base: Base) throws {
    let rate = try #require(ByteRate("1G"))
    let limit = RateLimit(rate, clock: .system, cancellation: Cancellation()) { _ in }
    try promise.check(RateLimitedStore(store(base), reading: limit, writing: limit))
  }

  @Test(arguments: StoreConformance.allCases, Base.allCases)
  func tryingAgainMakesAnUnreliableStoreOneThatKeeps(_ promise: StoreConformance, over base: Base) throws {
    for seed in UInt64(0)..<4 {
      var faults = FaultyStore.Faults()
      faults.delay = seed == 0 ? .milliseconds(1) : .zero
      let directory = TemporaryDirectory()
      let below: any Store =
        base == .directory
        ? LocalStore(directory: directory.appending("new"), host: TestHost.make()) : store(base)
      let faulty = FaultyStore(below, faults, seed: seed)
      do {
        try promise.check(RetryingStore(faulty, time.retrier()))
      } catch {
        Issue.record("seed \(seed): \(error)")
      }
    }
  }

  /// As a location far away is opened: all of them, one over the other.
  @Test(arguments: StoreConformance.allCases)
  func theWholeStackKeeps(_ promise: StoreConformance) throws {
    let faulty = FaultyStore(store(.faraway), seed: 9)
    try promise.check(
      CachingStore(ReadAheadStore(RetryingStore(faulty, time.retrier()), bytesMax: 100_000)) { _ in true })
  }
}
