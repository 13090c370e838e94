import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A target that lost its shards, or never had them, gets them again; and with another scheme, each gets others.
@Suite(.timeLimit(.minutes(20))) struct DividedSyncTests {
  @Test func anEmptyTargetIsBroughtUpToWhatItWas() throws {
    for lost in ["b", "c", "d"] {
      let divided = try DividedShop("2+2")
      for seed in 1...3 as ClosedRange<UInt64> {
        divided.write(seed, bytes: 700_000)
        try divided.backup()
      }
      let whole = divided.contents
      let store = try divided.store(lost)
      store.contents = store.contents.filter { !$0.key.hasPrefix("sources/") }
      #expect(try divided.sync(lost).isInStep)
      let there = TargetShop.lasting(store)
      let differing = Set(there.keys).union(whole[lost]?.keys.map(\.self) ?? []).filter {
        there[$0] != whole[lost]?[$0]
      }
      #expect(differing.filter { !$0.hasPrefix("journal/") } == [], "\(lost)")
    }
  }

  /// What was taken while home was away comes home with the next sync, as home's own shards.
  @Test func homeGetsItsShardsOfWhatWasTakenElsewhere() throws {
    let divided = try DividedShop("2+1")
    divided.write(1, bytes: 100_000)
    try divided.backup()
    let home = try divided.store("a")
    let before = home.contents
    home.contents = [:]
    divided.write(2, bytes: 100_000)
    #expect(try divided.backup(at: "b").keys.sorted() == ["a"])
    home.contents = before
    #expect(try divided.sync("b").isInStep)
    #expect(try divided.shardKeys("a").count == divided.shardKeys("b").count)
    for away in ["b", "c"] { divided.expectRestores(away: [away]) }
    try divided.expectSound()
  }

  @Test func anotherSchemeIsPlacedAndTheOldShardsGo() throws {
    let divided = try DividedShop("2+1", spares: 2)
    for seed in 1...2 as ClosedRange<UInt64> {
      divided.write(seed, bytes: 500_000)
      try divided.backup()
    }
    let scheme = try #require(ErasureScheme("3+2"))
    try divide(divided, scheme)
    // Until it is placed, everything is read as it is, and the next snapshot is taken in the new scheme when all have
    // what came before.
    divided.expectRestores("before it is placed")
    let placed = try divided.placeShards()
    #expect(placed.filter { !$0.isWithoutFault }.isEmpty, "\(placed)")
    for name in divided.names {
      let keys = try divided.shardKeys(name)
      #expect(!keys.isEmpty && keys.allSatisfy { ShardKey($0)?.scheme == scheme }, "\(name): \(keys)")
      if name != "a" { #expect(try divided.sync(name).isInStep, "\(name)") }
    }
    for away in divided.choices(of: 2) where !away.contains("a") { divided.expectRestores(away: away, "placed") }
    #expect(try divided.placeShards().allSatisfy { $0.placed == 0 && $0.removed == 0 })
    divided.write(3, bytes: 500_000)
    #expect(try divided.backup(nil, [:]).isEmpty)
    try divided.expectSound()
  }

  @Test func whatWasWholeIsDivided() throws {
    let divided = try DividedShop("2+1", isDivided: false)
    divided.write(1, bytes: 300_000)
    try divided.backup()
    try divide(divided, divided.scheme)
    divided.expectRestores("whole")
    #expect(try divided.placeShards().allSatisfy { $0.isWithoutFault && $0.removed > 0 })
    for name in divided.names {
      #expect(try divided.store(name).contents.keys.allSatisfy { Keys.containerID($0) == nil }, "\(name)")
    }
    for away in divided.names { divided.expectRestores(at: away == "a" ? "c" : "a", away: [away]) }
  }

  /// An old shard stays as long as any target lacks its new one.
  @Test func nothingGoesBeforeAllShardsAreInPlace() throws {
    let divided = try DividedShop("1+1", spares: 1)
    divided.write(1, bytes: 100_000)
    try divided.backup()
    try divide(divided, try #require(ErasureScheme("2+1")))
    let kept = try divided.store("c").contents
    try divided.store("c").contents = [:]
    let placed = try divided.placeShards()
    #expect(placed.allSatisfy { $0.removed == 0 }, "\(placed)")
    let keys = try divided.shardKeys("a")
    #expect(keys.count == 4, "\(keys), \(placed)")
    try divided.store("c").contents = kept
    #expect(try divided.placeShards().reduce(0) { $0 + $1.removed } > 0)
    divided.expectRestores(away: ["b"])
  }

  /// A spare takes over the position of a target that is taken out.
  @Test func aSpareTakesOver() throws {
    let divided = try DividedShop("2+1", spares: 1)
    divided.write(1, bytes: 100_000)
    try divided.backup()
    var change = try TargetListChange(divided.open(), home: ListedShop.member("a"))
    try change.remove("b")
    try change.publish()
    #expect(change.list.member("d")?.shard == 1)
    #expect(try divided.sync("d").isInStep)
    #expect(try divided.shardKeys("d").count == divided.shardKeys("a").count)
    divided.expectRestores(away: ["c"])
  }

  private func divide(_ divided: DividedShop, _ scheme: ErasureScheme) throws {
    let home = try divided.open()
    var change = try TargetListChange(home, home: ListedShop.member("a"))
    try change.divide(scheme)
    try change.publish()
    for name in divided.names.dropFirst() { try TargetSync.copyList(to: divided.store(name), of: home) }
  }
}
