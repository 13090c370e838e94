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

/// A run writes to home and to every target that is in step, and whoever is not gets nothing of it: wherever a pass
/// stops, a target has only what restores, and a sync brings it up.
@Suite(.timeLimit(.minutes(10))) struct TargetPassTests {
  private static let folder = "sources/source/"

  private func makeShop(isSealed: Bool = false) throws -> TargetShop {
    let shop = try TargetShop(isSealed: isSealed)
    write(1, shop)
    return shop
  }

  private func write(_ number: Int, _ shop: TargetShop) {
    var random = SeededRandom(seed: UInt64(number))
    TestFiles.write(random.bytes(60_000), to: shop.shop.source.appending("order \(number)"))
  }

  private func lag(_ lags: [String: any OperatorError]) -> BehindReason? { lags["barn"] as? BehindReason }

  // MARK: In step

  @Test(arguments: [false, true]) func everyTargetGetsWhatHomeGetsAndNothingIsReadAgain(isSealed: Bool) throws {
    let shop = try makeShop(isSealed: isSealed)
    for number in 1...3 {
      write(number, shop)
      shop.home.forgetRequests()
      #expect(try shop.backupInOnePass(number == 1 ? .full : nil).isEmpty)
      #expect(!shop.home.fetched.contains { Keys.isArchive($0) }, "what goes to the target does not come from home")
      shop.expectSame("after \(number)")
    }
    try shop.inOnePass { try shop.shop.merge(in: $0) }
    shop.expectSame("after the merge")
    #expect(try shop.expectSoundAtTarget() == [1, 2, 3, 4])
    #expect(!shop.target.contents.keys.contains { $0.hasPrefix(LeaseNumbers.prefix) && $0.hasSuffix("1") })
  }

  @Test func aTargetThatLacksASnapshotGetsNothingAndASyncBringsItUp() throws {
    let shop = try makeShop()
    try shop.shop.backup(.full)
    write(2, shop)
    let before = TargetShop.lasting(shop.target)
    let lags = try shop.backupInOnePass()
    #expect(lag(lags) == .wasBehind)
    #expect(lag(lags)?.message == "it was behind when the run began")
    #expect(lag(lags)?.hint == "Run `holdfast sync` to bring it up.")
    #expect(TargetShop.lasting(shop.target) == before)
    #expect(try shop.sync().isInStep)
    shop.expectSame()
    write(3, shop)
    #expect(try shop.backupInOnePass().isEmpty)
    shop.expectSame()
  }

  /// Notes are small, and come with the next sync.
  @Test func aTagAtHomePutsNobodyBehind() throws {
    let shop = try makeShop()
    try shop.backupInOnePass(.full)
    _ = try shop.shop.open().notes.tag(shop.shop.snapshot(), add: [try #require(Tag("before"))], remove: [])
    write(2, shop)
    #expect(try shop.backupInOnePass { $0.tags = [try #require(Tag("after"))] }.isEmpty)
    #expect(try shop.expectSoundAtTarget() == [1, 2])
    #expect(try shop.sync().isInStep)
    shop.expectSame()
  }

  // MARK: Leases

  @Test func aTargetOnWhichAnotherRunWorksGetsNothing() throws {
    let shop = try makeShop()
    try shop.backupInOnePass(.full)
    let other = try #require(
      try Lease.take("source", in: shop.target, host: shop.shop.host, waits: false, outlasts: false))
    write(2, shop)
    let lags = try shop.backupInOnePass()
    #expect(lag(lags) == .busy(name: "source", location: "memory"))
    #expect(lag(lags)?.message == "another run works on source in memory")
    #expect(try shop.expectSoundAtTarget() == [1])
    withExtendedLifetime(other) {}
  }

  /// Its manifest would lie beside what the other run does.
  @Test func aTargetWhoseLeaseIsTakenMeanwhileGetsNoManifest() throws {
    let shop = try makeShop()
    try shop.backupInOnePass(.full)
    write(2, shop)
    let target = shop.target
    let taken = WatchedArchives(target) { target.contents["leases/source/0000009999"] = Array("{}".utf8) }
    let lags = try shop.backupInOnePass(to: taken)
    #expect(lags["barn"] is LeaseError)
    #expect(
      lags["barn"]?.message
        == "another run has taken over source in memory, because this one was out of reach for too long; nothing was committed"
    )
    #expect(try shop.expectSoundAtTarget() == [1])
    #expect(shop.home.contents[Self.folder + "0000000002/manifest.json"] != nil)
  }

  // MARK: Away

  @Test func aTargetThatDoesNotAnswerHoldsTheRunForASetTime() throws {
    let shop = try makeShop()
    let hanging = HangingStore(shop.target)
    var policy = TargetPolicy()
    policy.lookMax = .milliseconds(60)
    let lags = try shop.backupInOnePass(.full, to: hanging, policy)
    #expect(lag(lags) == .noAnswer(waited: .milliseconds(60)))
    #expect(BehindReason.noAnswer(waited: .seconds(10)).message == "it did not answer within 10s")
    hanging.goOn()
    #expect(try shop.expectSoundAtTarget() == [])
  }

  @Test func itIsToldWhoIsWaitedFor() throws {
    let shop = try makeShop()
    let end = Latch()
    let hanging = WatchedArchives(shop.target) { end.wait() }
    var policy = TargetPolicy()
    (policy.silenceMax, policy.linger) = (.milliseconds(5), .milliseconds(60))
    let told = Mutex<[[String]]>([])
    let lags = try shop.inOnePass(to: hanging, policy) { repository in
      _ = try shop.shop.backup(.full, in: repository)
    } onWait: { names in
      told.withLock { $0.append(names) }
    }
    #expect(told.withLock { $0 } == [["barn"]])
    #expect(lag(lags) == .tooSlow(waited: .milliseconds(60)))
    end.open()
  }

  @Test func aPlaceOfAnotherRepositoryGetsNothing() throws {
    let shop = try makeShop()
    let other = try TestShop(store: MemoryStore())
    let lags = try shop.backupInOnePass(.full, to: other.open().store)
    #expect(lags["barn"] as? TargetError == .otherRepository(target: "memory", home: "memory"))
  }

  // MARK: Stops

  @Test(arguments: UnansweringStore.Failure.allCases)
  func theTargetMayFailAtAnyRequest(failure: UnansweringStore.Failure) throws {
    func run(_ plan: Int?) throws -> (TargetShop, Int) {
      let shop = try makeShop()
      try shop.backupInOnePass(.full)
      write(2, shop)
      let failing = UnansweringStore(shop.target)
      failing.fail(at: plan, failure)
      let lags = try shop.backupInOnePass(to: failing)
      let count = failing.count
      #expect(plan != nil || lags.isEmpty)
      let there = try shop.expectSoundAtTarget("\(failure) at \(plan ?? 0)")
      #expect(there == [1] || there == [1, 2])
      #expect(!lags.isEmpty || there == [1, 2], "\(failure) at \(plan ?? 0): who lacks it is named")
      #expect(try shop.sync().isInStep)
      shop.expectSame("\(failure) at \(plan ?? 0)")
      return (shop, count)
    }
    let (_, count) = try run(nil)
    for number in Trials.places(count) { _ = try run(number + 1) }
  }

  /// The run fails as ever, and what it left at the target goes with the next one.
  @Test func homeMayStopAtAnyRequest() throws {
    func run(_ plan: Int?) throws -> Int {
      let shop = try makeShop()
      try shop.backupInOnePass(.full)
      write(2, shop)
      let failing = UnansweringStore(shop.home)
      let home = try Repository.open(failing, host: shop.shop.host)
      failing.fail(at: plan, .fromThenOn)
      _ = try? shop.inOnePass(from: home) { _ = try shop.shop.backup(in: $0) }
      let count = failing.count
      failing.fail(at: nil)
      let there = try shop.expectSoundAtTarget("home stops at \(plan ?? 0)")
      #expect(there == [1] || there == [1, 2])
      write(3, shop)
      _ = try shop.backupInOnePass()
      #expect(try shop.sync().isInStep)
      shop.expectSame("home stopped at \(plan ?? 0)")
      return count
    }
    let count = try run(nil)
    for number in Trials.places(count) { _ = try run(number + 1) }
  }

  @Test func whatAKilledRunLeftAtATargetGoes() throws {
    let shop = try makeShop()
    try shop.backupInOnePass(.full)
    shop.target.contents[Self.folder + "0000000002/archive-" + String(repeating: "a", count: 32)] = [1]
    write(2, shop)
    #expect(try shop.backupInOnePass().isEmpty)
    shop.expectSame("in step")
    // Behind: home has given the number meanwhile.
    shop.target.contents[Self.folder + "0000000003/archive-" + String(repeating: "b", count: 32)] = [1]
    write(3, shop)
    try shop.shop.backup()
    #expect(try shop.sync().isInStep)
    shop.expectSame("behind")
  }

  @Test func whoIsSentToWhenARunFailsIsBehind() throws {
    let shop = try makeShop()
    let end = Latch()
    let hanging = WatchedArchives(shop.target) { end.wait() }
    let pass = try shop.pass(to: hanging)
    _ = try shop.shop.backup(.full, in: pass.repository)
    pass.abandon()
    end.open()
    #expect(BehindReason.runEnded.message == "the run ended before it had everything")
    #expect(try shop.expectSoundAtTarget() == [])
  }
}

/// A store that does something before it takes an archive.
private final class WatchedArchives: StoreLayer {
  let base: any Store
  private let before: @Sendable () -> Void

  init(_ base: any Store, before: @escaping @Sendable () -> Void) { (self.base, self.before) = (base, before) }

  func upload(_ key: String) throws -> any ObjectUpload {
    if Keys.isArchive(key) { before() }
    return try base.upload(key)
  }
}
