import HoldfastEngine
import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A check of a store says if this host could remove something, by what that was refused, and what is free.
@Suite struct RemovalTrialTests {
  private func trial(_ change: (inout StoreCapabilities) -> Void) -> RemovalTrial {
    var found = StoreCapabilities()
    change(&found)
    return RemovalTrial(found, at: Timestamp(seconds: 86_400 * 10 + 1, nanoseconds: 0))
  }

  @Test func whatRefusedItIsNamed() {
    #expect(trial { _ in }.outcome == .removed)
    #expect(trial { $0.removes = false }.outcome == .appendOnly)
    // A bucket with object lock takes a removal, and keeps the version.
    let locked = trial { $0.objectLock = ObjectLock(.compliance, days: 30) }
    #expect(locked.outcome == .objectLock)
    #expect(locked.lockedUntil == Timestamp(seconds: 86_400 * 41, nanoseconds: 0))
  }

  @Test func aDirectoryTellsWhatIsFree() throws {
    let shop = try TestShop()
    let check = try StoreCheck.run(
      LocalStore(directory: shop.directory.path, host: shop.host), host: shop.host)
    #expect(try #require(check.availableBytes) > 0)
    #expect(check.removal.outcome == .removed)
    #expect(try StoreCheck.run(MemoryStore(), host: shop.host).availableBytes == nil)
  }
}
