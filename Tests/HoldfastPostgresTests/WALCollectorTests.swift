import Glibc
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

/// A push that has ended well has its file in the archive, whoever collects leftovers at the same time, and nobody
/// keeps a push from ending.
@Suite(.timeLimit(.minutes(30))) struct WALCollectorTests {
  private let pushes = WALSample()
  private let log = WALSample.log()
  private var name: String { log.segments[0].name.text }

  private func place(_ shop: TestShop) -> Path {
    shop.repositoryPath.appending("wal/orders/\(log.system)/0000000100000000")
  }

  /// As where a lock keeps out nobody on another machine.
  @Test func anObjectThatAnotherMachineTookForALeftoverIsMadeOnceMore() throws {
    let directory = TemporaryDirectory()
    let local = LocalStore(directory: directory.appending("repository"), host: TestHost.make())
    let store = HookedStore(local)
    let clock = TestClock("2026-11-22T14:00:00Z")
    let shop = try TestShop(store: store, clock: clock.clock)
    let other = try Repository.open(local, host: shop.host, memory: shop.memory)
    let next = log.segments[1]
    store.beforeNext("\(name).json") {
      let objects = {
        TestFiles.allFiles(in: directory.appending("repository/wal")).filter { $0.text.contains(name + "-") }
      }
      // It is taken for one only when it has been known for ten minutes: this push sleeps.
      for minutes in [0.0, 9.9] {
        clock.advance(.minutes(minutes))
        _ = try pushes.push(next.name.text, next.bytes, shop, in: other)
        try #require(objects().count == 1)
      }
      clock.advance(.minutes(0.1))
      _ = try pushes.push(next.name.text, next.bytes, shop, in: other)
      try #require(objects().isEmpty)
    }
    let report = try pushes.push(name, log.segments[0].bytes, shop)
    #expect(!report.isRepeated)
    #expect(try pushes.fetch(name, shop) == log.segments[0].bytes)
    #expect(try pushes.push(name, log.segments[0].bytes, shop).isRepeated)
    try shop.expectSound()
  }

  /// A collector that does not see the pushes, and is slow: just before it removes an object, or looks again at what is
  /// there, the push of that object ends well.
  private final class SlowCollector: StoreLayer {
    let base: any Store
    private let object: String
    private let endPush: @Sendable () -> Void

    init(_ store: any Store, of object: String, _ endPush: @escaping @Sendable () -> Void) {
      (base, self.object, self.endPush) = (store, object, endPush)
    }

    func refresh() {
      endPush()
      base.refresh()
    }

    func remove(_ key: String) throws {
      if key.contains(object) { endPush() }
      try base.remove(key)
    }
  }

  /// Whether the object is new to the collector, or has been known to it for long.
  @Test(arguments: [false, true]) func aSegmentThatWasAcknowledgedStays(isOld: Bool) throws {
    let directory = TemporaryDirectory()
    let local = LocalStore(directory: directory.appending("repository"), host: TestHost.make())
    let clock = TestClock("2026-11-22T14:00:00Z")
    let shop = try TestShop(store: local, clock: clock.clock)
    _ = try pushes.push(name, log.segments[0].bytes, shop)
    // The push has stored its object, and not yet the manifest.
    let manifest = directory.appending("repository/wal/orders/\(log.system)/0000000100000000/\(name).json")
    let bytes = try #require(TestFiles.read(manifest))
    TestFiles.remove(manifest)
    let next = log.segments[1]
    if isOld {
      _ = try pushes.push(next.name.text, next.bytes, shop)
      clock.advance(.minutes(10))
    }
    let slow = SlowCollector(local, of: name + "-") { TestFiles.write(bytes, to: manifest) }
    _ = try pushes.push(
      next.name.text, next.bytes, shop, in: Repository.open(slow, host: shop.host, memory: shop.memory))
    TestFiles.write(bytes, to: manifest)
    #expect(try pushes.fetch(name, shop) == log.segments[0].bytes)
  }

  /// Notes for how many directories the lock was taken.
  private final class CountingStore: StoreLayer {
    let base: any Store
    let holds = Atomic(0)

    init(_ store: any Store) { base = store }

    func hold(_ name: String, exclusively: Bool, cancellation: Cancellation) throws -> (any StoreLock)? {
      if exclusively { holds.wrappingAdd(1, ordering: .relaxed) }
      return try base.hold(name, exclusively: exclusively, cancellation: cancellation)
    }
  }

  /// A push waits for the lock only for seconds, so a prune gives it back after each directory.
  @Test func aPruneHoldsTheLockForOneDirectoryAtATime() throws {
    let directory = TemporaryDirectory()
    let store = CountingStore(LocalStore(directory: directory.appending("repository"), host: TestHost.make()))
    let shop = try TestShop(store: store)
    _ = try pushes.push(name, log.segments[0].bytes, shop)
    let system = directory.appending("repository/wal/orders/\(log.system)")
    for number in 1...3 { TestFiles.makeDirectory(system.appending("000000010000000\(number)")) }
    TestFiles.write("no cluster", to: shop.source.appending("file"))
    try shop.backup(.full) { $0.name = pushes.source }
    store.holds.store(0, ordering: .relaxed)
    try shop.prune(graceDays: 0, in: Repository.open(store, host: shop.host, memory: shop.memory))
    #expect(store.holds.load(ordering: .relaxed) == 4)
  }

  private func withLock(_ path: Path, _ body: () throws -> Void) throws {
    let descriptor = open(path.text, O_RDONLY)
    defer { close(descriptor) }
    try #require(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    try body()
  }

  /// How often each lock was tried: once, where nothing is waited for.
  private func tries(_ probe: FaultProbe) -> [String: Int] {
    Dictionary(grouping: probe.log) { String(decoding: $0.path.lastComponent, as: UTF8.self) }.mapValues(\.count)
  }

  /// Everybody who may read a directory can lock it, so no directory of the archive is locked.
  @Test func whoeverMayReadTheArchiveDelaysNobody() throws {
    let shop = try TestShop()
    _ = try pushes.push(name, log.segments[0].bytes, shop)
    let next = log.segments[1]
    let probe = FaultProbe(of: [.lock])
    try withLock(place(shop)) {
      _ = try pushes.push(next.name.text, next.bytes, shop, in: shop.repository(probe: probe))
    }
    // Before the push, and exclusively after it.
    #expect(tries(probe)["\(log.system).lock"] == 2)
    #expect(tries(probe)["0000000100000000"] == nil)
  }

  /// Whoever may write to the repository can hold the lock: that costs a moment, and leftovers stay.
  @Test func aLockThatIsNeverFreedKeepsNobodyFromPushing() throws {
    let shop = try TestShop()
    _ = try pushes.push(name, log.segments[0].bytes, shop)
    let leftover = place(shop).appending(".unfinished-0123456789abcdef0123456789abcdef")
    TestFiles.write("x", to: leftover)
    let lock = shop.repositoryPath.appending("locks/wal/orders/\(log.system).lock")
    try withLock(lock) {
      _ = try pushes.push(log.segments[1].name.text, log.segments[1].bytes, shop)
      #expect(TestFiles.exists(leftover))
      // A signal ends the wait, in which it would be tried sixty times.
      let probe = FaultProbe(of: [.lock])
      let repository = try shop.repository(probe: probe)
      repository.host.cancellation.raise()
      let last = log.segments[2]
      #expect(throws: Interrupted.self) { try pushes.push(last.name.text, last.bytes, shop, in: repository) }
      #expect(try #require(tries(probe)["\(log.system).lock"]) <= 2)
    }
  }
}
