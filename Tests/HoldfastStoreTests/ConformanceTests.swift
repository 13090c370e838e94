import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Every store passes the one suite (StoreConformance.swift).
@Suite(.timeLimit(.minutes(10))) struct ConformanceTests {
  private let directory = TemporaryDirectory()

  @Test(arguments: StoreConformance.allCases)
  func aLocalDirectoryKeeps(_ promise: StoreConformance) throws {
    try promise.check(LocalStore(directory: directory.appending("new"), host: TestShop.host()))
  }

  @Test(arguments: StoreConformance.allCases)
  func memoryKeeps(_ promise: StoreConformance) throws {
    try promise.check(MemoryStore())
  }

  @Test(arguments: StoreConformance.allCases)
  func aStoreWithALimitKeeps(_ promise: StoreConformance) throws {
    let rate = try #require(ByteRate("1G"))
    let limit = RateLimit(rate, clock: .system, cancellation: Cancellation()) { _ in }
    try promise.check(RateLimitedStore(MemoryStore(), limit))
  }
}
