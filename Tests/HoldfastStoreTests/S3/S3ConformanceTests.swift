import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// S3 keeps what every store promises (StoreConformance.swift), against a real server.
@Suite(.timeLimit(.minutes(30)), .requires(.seaweedFS)) struct S3ConformanceTests {
  @Test(arguments: StoreConformance.allCases)
  func seaweedFSKeeps(_ promise: StoreConformance) throws {
    try promise.check(SeaweedFS.shared.store())
  }

  /// As commands use it: with retries, reading ahead and a cache.
  @Test(arguments: StoreConformance.allCases)
  func seaweedFSBehindAllLayersKeeps(_ promise: StoreConformance) throws {
    let host = TestShop.host()
    let store = ReadAheadStore(RetryingStore(SeaweedFS.shared.store(host: host), Retrier(host: host)))
    try promise.check(CachingStore(store) { _ in false })
  }
}
