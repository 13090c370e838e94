import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Every store passes the one suite (StoreConformance.swift).
@Suite(.timeLimit(.minutes(30))) struct ConformanceTests {
  private let directory = TemporaryDirectory()

  @Test(arguments: StoreConformance.allCases)
  func aLocalDirectoryKeeps(_ promise: StoreConformance) throws {
    try promise.check(LocalStore(directory: directory.appending("new"), host: TestHost.make()))
  }

  @Test(arguments: StoreConformance.allCases)
  func memoryKeeps(_ promise: StoreConformance) throws {
    try promise.check(MemoryStore())
  }

  /// As S3 is: objects go in parts, and listings come in pages.
  @Test(arguments: StoreConformance.allCases)
  func aStoreOfPartsAndPagesKeeps(_ promise: StoreConformance) throws {
    var traits = MemoryStore.Traits()
    (traits.partBytes, traits.pageMax, traits.connections) = (1000, 2, 3)
    try promise.check(MemoryStore(traits))
  }

  @Test(arguments: StoreConformance.allCases)
  func aStoreWhoseListingsLagKeeps(_ promise: StoreConformance) throws {
    var traits = MemoryStore.Traits()
    (traits.lag, traits.listsLengths) = (3, false)
    try promise.check(MemoryStore(traits))
  }

  @Test(arguments: StoreConformance.allCases)
  func aStoreWithALimitKeeps(_ promise: StoreConformance) throws {
    let rate = try #require(ByteRate("1G"))
    let limit = RateLimit(rate, clock: .system, cancellation: Cancellation()) { _ in }
    try promise.check(RateLimitedStore(MemoryStore(), reading: limit, writing: limit))
  }
}
