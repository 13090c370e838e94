import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// S3 keeps what every store promises (StoreConformance.swift), against a real server and a strict one.
@Suite(.timeLimit(.minutes(30))) struct S3ConformanceTests {
  /// What Amazon's documents permit: a conflict where two create one object (409), a failure within a success (200), a
  /// refusal of whoever comes too fast (503), keys that are percent-encoded in listings, pages of any length.
  @Test func aServerThatDoesWhatTheDocumentsPermitKeeps() {
    let server = PretendS3(isStrict: true)
    for (number, promise) in StoreConformance.allCases.enumerated() {
      do {
        let store = RetryingStore(server.store(prefix: "shop \(number)/"), TimelessRetry().retrier())
        try promise.check(store)
      } catch {
        Issue.record(error)
      }
    }
  }

  @Test(.requires(.seaweedFS), arguments: StoreConformance.allCases)
  func seaweedFSKeeps(_ promise: StoreConformance) throws {
    try promise.check(SeaweedFS.shared.store())
  }

  /// Pages are removed while the rest is still to be listed, and the folders that are emptied with them.
  @Test(.requires(.seaweedFS)) func aRemovalOfSeveralPagesLeavesNothing() throws {
    let store = SeaweedFS.shared.store()
    try SideBySide.run(1_100, threads: 8) { index in
      let writer = try store.create("a/\(index % 11)/\(index)/x")
      try writer.commit()
    }
    #expect(try store.list("a/", .everything, after: nil, max: 2000).entries.count == 1_100)
    try store.removeAll(below: "a/")
    #expect(try store.names(below: "").isEmpty && store.names(below: "a/").isEmpty)
  }

  /// As commands use it: with retries, reading ahead and a cache.
  @Test(.requires(.seaweedFS), arguments: StoreConformance.allCases)
  func seaweedFSBehindAllLayersKeeps(_ promise: StoreConformance) throws {
    let host = TestHost.make()
    let store = ReadAheadStore(RetryingStore(SeaweedFS.shared.store(host: host), Retrier(host: host)))
    try promise.check(CachingStore(store) { _ in false })
  }
}
