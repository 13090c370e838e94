import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A push that has ended well has its file in the archive, whoever collects leftovers at the same time, and nobody
/// keeps a push from ending.
@Suite(.timeLimit(.minutes(30))) struct WALCollectorTests {
  private let pushes = WALPushTests()
  private let log = WALPushTests.log()
  private var name: String { log.segments[0].name.text }

  private func place(_ shop: TestShop) -> Path {
    shop.repositoryPath.appending("wal/orders/\(log.system)/0000000100000000")
  }

  /// As where a lock keeps out nobody on another machine.
  @Test func anObjectThatAnotherMachineTookForALeftoverIsMadeOnceMore() throws {
    let directory = TemporaryDirectory()
    let local = LocalStore(directory: directory.appending("repository"), host: TestShop.host())
    let store = HookedStore(local)
    let shop = try TestShop(store: store)
    let other = try Repository.open(local, host: shop.host)
    let next = log.segments[1]
    store.beforeNext("\(name).json") {
      let objects = {
        TestFiles.allFiles(in: directory.appending("repository/wal")).filter { $0.text.contains(name + "-") }
      }
      try #require(objects().count == 1)
      _ = try pushes.push(next.name.text, next.bytes, shop, in: other)
      try #require(objects().isEmpty)
    }
    let report = try pushes.push(name, log.segments[0].bytes, shop)
    #expect(!report.isRepeated)
    #expect(try pushes.fetch(name, shop) == log.segments[0].bytes)
    #expect(try pushes.push(name, log.segments[0].bytes, shop).isRepeated)
    try shop.expectSound()
  }

  private func withLock(_ path: Path, _ body: () throws -> Void) throws {
    let descriptor = open(path.text, O_RDONLY)
    defer { close(descriptor) }
    try #require(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    try body()
  }

  @Test func whoeverMayReadTheArchiveDelaysNobody() throws {
    let shop = try TestShop()
    _ = try pushes.push(name, log.segments[0].bytes, shop)
    try withLock(place(shop)) {
      let begun = Clock.system.uptime()
      _ = try pushes.push(log.segments[1].name.text, log.segments[1].bytes, shop)
      #expect(Clock.system.uptime() - begun < .seconds(2))
    }
  }

  /// Whoever may write to the repository can hold the lock: that costs a moment, and leftovers stay.
  @Test func aLockThatIsNeverFreedKeepsNobodyFromPushing() throws {
    let shop = try TestShop()
    _ = try pushes.push(name, log.segments[0].bytes, shop)
    let leftover = place(shop).appending("\(name)-0123456789abcdef0123456789abcdef")
    TestFiles.write("x", to: leftover)
    let lock = shop.repositoryPath.appending("locks/wal/orders/\(log.system).lock")
    try withLock(lock) {
      _ = try pushes.push(log.segments[1].name.text, log.segments[1].bytes, shop)
      #expect(TestFiles.exists(leftover))
      // A signal ends the wait.
      let begun = Clock.system.uptime()
      shop.host.cancellation.raise()
      #expect(throws: Interrupted.self) { try pushes.push(log.segments[2].name.text, log.segments[2].bytes, shop) }
      #expect(Clock.system.uptime() - begun < .seconds(2))
    }
  }
}
