import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// A verify needs no lease. What a prune removes under it is not damage.
@Suite struct VerifyRaceTests {
  private let pushes = WALSample()
  private let log = WALSample.log()
  private let memory = MemoryStore()

  /// Does something before an object is opened for the first time.
  private final class HookedReads: StoreLayer {
    let base: any Store
    private let hook: Mutex<(part: String, action: @Sendable () throws -> Void)?>

    init(_ store: any Store, before part: String, _ action: @escaping @Sendable () throws -> Void) {
      base = store
      hook = Mutex((part, action))
    }

    func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
      let action = hook.withLock { hook -> (@Sendable () throws -> Void)? in
        guard let known = hook, key.contains(known.part) else { return nil }
        hook = nil
        return known.action
      }
      try action?()
      return try base.open(key, length: length)
    }
  }

  /// The repository below the layers of a remote store.
  private func open(_ store: any Store, _ shop: TestShop) throws -> Repository {
    let layered = ListedStore(
      CachingStore(store) { Keys.isManifest($0) || Keys.isBody($0) }, folders: { Keys.listedFolders($0) })
    return try Repository.open(layered, host: shop.host, memory: shop.memory)
  }

  private func pushedShop() throws -> TestShop {
    let shop = try TestShop(store: memory)
    for segment in log.segments { _ = try pushes.push(segment.name.text, segment.bytes, shop) }
    return shop
  }

  /// The manifest goes first, as a prune does it.
  private func remove(_ part: String, withManifest: Bool) {
    for key in memory.contents.keys where key.contains(part) && (withManifest || !key.hasSuffix(".json")) {
      memory.contents[key] = nil
    }
  }

  @Test(arguments: [false, true]) func logThatAPruneRemovesMeanwhileIsNotMissing(readsData: Bool) throws {
    let shop = try pushedShop()
    let first = log.segments[0].name.text
    let store = HookedReads(memory, before: first + "-") { remove(first, withManifest: true) }
    let report = try shop.verify(in: open(store, shop)) { $0.readsData = readsData }
    #expect(report.logs.flatMap(\.findings).map(\.message) == [])
    #expect(report.logs.map(\.files) == [UInt64(log.segments.count - 1)])
    #expect(report.logs.map(\.soundFiles) == report.logs.map(\.files))
    #expect(report.exitStatus == .done)
  }

  @Test func logThatIsMissingThoughItsManifestIsThereIsDataLoss() throws {
    let shop = try pushedShop()
    let first = log.segments[0].name.text
    let store = HookedReads(memory, before: first + "-") { remove(first, withManifest: false) }
    #expect(try shop.verify(in: open(store, shop)).exitStatus == .dataLoss)
  }

  @Test func aSnapshotThatAPruneRemovesMeanwhileIsNotDamaged() throws {
    let shop = try TestShop(store: memory)
    try shop.fill([.full, .full])
    let store = HookedReads(memory, before: "sources/source/0000000001/body-") { try shop.prune(graceDays: 0) }
    let report = try shop.verify(in: open(store, shop))
    #expect(report.snapshots.map(\.snapshot.sequence) == [2])
    #expect(report.exitStatus == .done)
  }

  @Test func aSnapshotThatNobodyRemovedIsDamaged() throws {
    let shop = try TestShop(store: memory)
    try shop.fill([.full, .full])
    let store = HookedReads(memory, before: "sources/source/0000000001/body-") {
      remove("sources/source/0000000001/body-", withManifest: false)
    }
    let report = try shop.verify(in: open(store, shop))
    #expect(report.snapshots.map(\.isSound) == [false, true])
    #expect(report.exitStatus == .dataLoss)
  }
}
