import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What is the only sound form of an object stays, whatever else is said of it by lists, listings and checksums.
@Suite(.timeLimit(.minutes(20))) struct DividedFaultTests {
  private func divide(_ divided: DividedShop, _ text: String) throws {
    let home = try divided.open()
    var change = try TargetListChange(home, home: ListedShop.member("a"))
    try change.divide(ErasureScheme(text))
    try change.publish()
    for name in divided.names.dropFirst() { try TargetSync.copyList(to: divided.store(name), of: home) }
  }

  private func placement(_ divided: DividedShop, _ others: [String: any Store] = [:]) throws -> ShardPlacement {
    try #require(ShardPlacement(divided.open("a", others), observer: CountedCopies()))
  }

  /// A repository that got another scheme, and still has the shards of the scheme before, too.
  private func inBothSchemes() throws -> (divided: DividedShop, before: [String: [String: [UInt8]]]) {
    let divided = try DividedShop("2+1", spares: 2)
    divided.write(1, bytes: 500_000)
    try divided.backup()
    let before = divided.contents
    try divide(divided, "3+2")
    _ = try placement(divided).run()
    for name in divided.names {
      let shards = (before[name] ?? [:]).filter { ShardKey($0.key) != nil }
      try divided.store(name).contents.merge(shards) { known, _ in known }
    }
    return (divided, before)
  }

  /// Changes a byte of the shards of one object in the new scheme.
  private func flip(_ names: [String], of divided: DividedShop) throws {
    let first = try divided.shardKeys("a").compactMap(ShardKey.init).first { $0.scheme.description == "3+2" }
    let object = try #require(first).object
    for name in names {
      let key = try #require(
        try divided.shardKeys(name).first { $0.hasPrefix(object + ".3-2.") })
      try divided.store(name).contents[key]?[40] ^= 1
    }
  }

  @Test func aSyncWithAnOlderListRemovesNothing() throws {
    let divided = try DividedShop("2+1", spares: 3)
    divided.write(1, bytes: 300_000)
    try divided.backup()
    try divide(divided, "4+2")
    let older = try placement(divided)
    try divide(divided, "3+3")
    #expect(try placement(divided).run().allSatisfy { $0.isWithoutFault && $0.removed > 0 || $0.target > "c" })
    let results = try older.run()
    #expect(results.allSatisfy { $0.removed == 0 }, "\(results)")
    let failure = results.first?.failure
    #expect(failure?.message == "the list of targets was changed meanwhile, and nothing was removed")
    #expect(failure?.hint == "Run `holdfast sync` again.")
    for away in divided.choices(of: 3) where !away.contains("a") { divided.expectRestores(away: away) }
  }

  /// A target that fails is named, and keeps no other from being placed.
  @Test func aTargetThatFailsInBetweenIsItsOwnFailure() throws {
    let divided = try DividedShop("2+1", spares: 2)
    divided.write(1, bytes: 100_000)
    try divided.backup()
    try divide(divided, "3+2")
    let results = try placement(divided, ["d": FailingListings(base: divided.store("d"))]).run()
    #expect(results.filter { $0.failure != nil }.map(\.target) == ["d"])
    #expect(results.allSatisfy { $0.removed == 0 })
    #expect(results.filter { $0.target != "d" }.allSatisfy { $0.placed > 0 }, "\(results)")
  }

  @Test func oldShardsStayWhereNewOnesAreWrong() throws {
    let (divided, _) = try inBothSchemes()
    let old = try divided.shardKeys("a").filter { $0.contains(".2-1.") }
    try flip(["a", "b", "d"], of: divided)
    let results = try placement(divided).run()
    #expect(results.contains { !$0.findings.isEmpty }, "\(results)")
    let left = try divided.shardKeys("a").filter { $0.contains(".2-1.") }
    #expect(left.count == 1 && old.count == 2, "\(left)")
    divided.expectRestores("from what was there before")
  }

  @Test func aSoundOldFormIsReadWhereANewShardIsWrong() throws {
    let (divided, _) = try inBothSchemes()
    for name in ["d", "e"] {
      let store = try divided.store(name)
      store.contents = store.contents.filter { !$0.key.contains(".3-2.") }
    }
    try flip(["b"], of: divided)
    divided.expectRestores("with one new shard wrong of as many as are needed")
  }

  @Test func aWholeCopyIsReadWhereANewShardIsWrong() throws {
    let divided = try DividedShop("2+1", isDivided: false)
    divided.write(1, bytes: 300_000)
    try divided.backup()
    let whole = try divided.store("a").contents.filter { Keys.containerID($0.key) != nil }
    try divide(divided, "2+1")
    _ = try placement(divided).run()
    try divided.store("a").contents.merge(whole) { known, _ in known }
    let third = try divided.store("c")
    third.contents = third.contents.filter { ShardKey($0.key) == nil }
    for key in try divided.shardKeys("b") { try divided.store("b").contents[key]?[40] ^= 1 }
    divided.expectRestores("from a whole copy")
  }

  /// The index of an object lies in one shard of data: with that one wrong, the others are as sound as they were.
  @Test func aSoundShardOfParityIsNotCalledDamaged() throws {
    let divided = try DividedShop("2+1")
    divided.write(1, bytes: 2_500_000)
    try divided.backup()
    let whole = divided.contents
    for key in try divided.shardKeys("b") {
      for back in [140, 200, 260] {
        try divided.store("b").contents[key] = whole["b"]?[key]
        guard let count = whole["b"]?[key]?.count, count > back else { continue }
        try divided.store("b").contents[key]?[count - back] ^= 1
        let found = try divided.scrub().filter { !$0.allFindings.isEmpty }.map(\.target)
        #expect(found == ["b"], "\(key), \(back) before its end")
        let third = try divided.scrub(repairs: true, ["c"]).flatMap { ScrubTextOfTest($0).lines }
        #expect(third == [], "\(key), \(back) before its end")
        #expect(divided.contents["c"] == whole["c"])
      }
      try divided.store("b").contents[key] = whole["b"]?[key]
    }
  }

  @Test func aTargetIsNotTakenOutBeforeSparesHaveTheirShards() throws {
    let divided = try DividedShop("2+1", spares: 2)
    divided.write(1, bytes: 100_000)
    try divided.backup()
    func remove(_ name: String) throws {
      var change = try TargetListChange(divided.open(), home: ListedShop.member("a"))
      try change.remove(name)
      try change.publish()
    }
    try remove("b")
    let error = #expect(throws: EngineError.self) { try remove("c") }
    #expect(
      error?.message == "without c, only a would have all its shards, and 2+1 needs 2 targets that have")
    #expect(error?.hint == "Run `holdfast sync` first, with c if it answers: the others get theirs.")
    #expect(try divided.sync("d").isInStep)
    try remove("c")
  }

  /// A push stores shards at all targets at once, and its manifest at home alone: at others, that is no leftover.
  @Test func whatAPushHasJustStoredIsNoLeftoverAtOtherTargets() throws {
    let clock = TestClock("2026-03-01T12:00:00Z")
    let divided = try DividedShop("2+1", clock: clock.clock)
    let pushes = WALSample()
    let segments = WALSample.log().segments.map { ($0.name.text, $0.bytes) }
    try #require(segments.count >= 3)
    @Sendable func push(_ index: Int) throws {
      _ = try pushes.push(segments[index].0, segments[index].1, divided.shop, in: divided.open())
    }
    @Sendable func sync(_ name: String, _ began: @escaping @Sendable () throws -> Void) throws -> TargetResult {
      let home = try divided.open()
      return try TargetSync(
        from: home, to: name, in: home.place(name, divided.store(name)), observer: Beginning(began)
      ).run()
    }
    try push(0)
    for name in ["b", "c"] { #expect(try divided.sync(name).isInStep) }
    // A manifest that only others have makes them prune.
    let home = try divided.store("a")
    let manifest = try #require(home.contents.keys.first { $0.hasPrefix("wal/") && $0.hasSuffix(".json") })
    home.contents[manifest] = nil
    try push(1)
    let shards = try divided.shardKeys("c").count
    let result = try sync("c") {
      let other = try sync("b") { try push(2) }
      #expect(other.failure == nil)
      clock.advance(.minutes(11))
    }
    #expect(result.failure == nil && result.sources.allSatisfy { $0.failure == nil }, "\(result)")
    #expect(try divided.shardKeys("c").count == shards + 1)
    #expect(try pushes.fetch(segments[2].0, divided.shop, in: divided.open(away: ["b"])) == segments[2].1)
  }
}

/// A target whose listings of sources fail.
private struct FailingListings: StoreLayer {
  let base: any Store

  func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    guard !prefix.hasPrefix("sources/source") else {
      throw StoreError.unavailable(location: location, reason: "the disk went away")
    }
    return try base.list(prefix, depth, after: name, max: max)
  }
}

/// Does something when the copying begins.
private final class Beginning: SyncObserver {
  private let body: @Sendable () throws -> Void

  init(_ body: @escaping @Sendable () throws -> Void) { self.body = body }

  func began(_ plan: SyncPlan, at target: String) {
    do { try body() } catch { Issue.record("\(error)") }
  }

  func copied(bytes: UInt64, to target: String) {}
}
