import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A repository whose archives are divided is used as any other: what is taken is restored, merged, pruned and proved,
/// and with as many targets lost as the scheme allows everything goes on.
@Suite(.timeLimit(.minutes(20))) struct DividedBackupTests {
  @Test(arguments: [false, true]) func eachTargetHasItsShardsAndTheWholeCatalog(isSealed: Bool) throws {
    let divided = try DividedShop("2+1", spares: 1, isSealed: isSealed)
    divided.write(1)
    #expect(try divided.backup().isEmpty)
    divided.write(2, bytes: 100_000)
    #expect(try divided.backup().isEmpty)
    let snapshots = try divided.open().catalog.committedSnapshots(of: SourceName(from: Path("source"))) { _ in }
    let objects = snapshots.flatMap(\.objects)
    for (position, name) in divided.names.enumerated() {
      let shards = objects.map { ShardKey($0.key, divided.scheme, position).description }.sorted()
      #expect(try divided.shardKeys(name) == (position < 3 ? shards : []), "\(name)")
      let whole = try divided.store(name).contents.keys.filter { ShardKey($0) == nil && Keys.containerID($0) != nil }
      #expect(whole == [], "\(name)")
    }
    for name in divided.names.dropLast() { divided.expectRestores(at: name) }
    try divided.expectSound()
  }

  /// Any m targets are gone, home among them: each snapshot restores, and the next is taken.
  @Test func withAnyTwoOfFiveLostSnapshotsAreRestoredAndTaken() throws {
    for lost in try DividedShop("3+2").choices(of: 2) {
      let divided = try DividedShop("3+2")
      divided.write(1, bytes: 400_000)
      try divided.backup()
      for name in lost { try divided.store(name).contents = [:] }
      let home = try #require(divided.names.first { !lost.contains($0) })
      divided.expectRestores(at: home, "the first")
      divided.write(2, bytes: 300_000)
      let behind = try divided.backup(at: home)
      #expect(Set(behind.keys) == lost.subtracting([home]), "\(lost): \(behind)")
      divided.expectRestores(at: home, "the second")
      try divided.expectSound(at: home)
    }
  }

  @Test func withMoreLostNothingIsTakenAndNoManifestIsLeft() throws {
    let divided = try DividedShop("2+1")
    divided.write(1, bytes: 10_000)
    try divided.backup()
    for name in ["b", "c"] { try divided.store(name).contents = [:] }
    divided.write(2, bytes: 10_000)
    let error = #expect(throws: ShardError.self) { try divided.backup(.full) }
    guard case .tooFew(let scheme, 1, let causes)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(scheme == divided.scheme && causes.count == 2 && causes[0].hasPrefix("b is behind: there is no repository"))
    #expect(error?.message.hasPrefix("only 1 target of the 2 that 2+1 needs can take shards: b is behind") == true)
    #expect(error?.hint?.contains("holdfast target list") == true)
    #expect(try divided.open().catalog.sequences(of: SourceName(from: Path("source"))).count <= 2)
    #expect(try divided.store("a").contents.keys.filter { $0.hasSuffix("manifest.json") }.count == 1)
    // The reader names what is away, and calls nothing damaged.
    let failure = #expect(throws: StoreError.self) { try divided.shop.restore(to: "x", in: divided.open()) }
    #expect(failure?.isTransient == true, "\(String(describing: failure))")
  }

  /// Targets that fail while the data is sent: the manifest comes only when enough have all shards before it.
  @Test func aTargetThatFailsOnTheWayIsBehindAndFewerThanNeededEndTheRun() throws {
    let divided = try DividedShop("2+2")
    divided.write(1)
    let failing = FailingAfter(try divided.store("c"), uploads: 1)
    let behind = try divided.backup(nil, ["c": failing])
    #expect(behind.keys.sorted() == ["c"])
    #expect(try divided.store("c").contents.keys.filter { $0.hasSuffix("manifest.json") } == [])
    divided.expectRestores(away: ["c"])
    divided.expectRestores(away: ["b", "c"])
    #expect(try divided.sync("c").isInStep)
    divided.write(2)
    let others = Dictionary(
      uniqueKeysWithValues: try ["b", "c", "d"].map {
        ($0, FailingAfter(try divided.store($0), uploads: 0) as any Store)
      })
    #expect(throws: ShardError.self) { try divided.backup(nil, others) }
    #expect(try divided.store("a").contents.keys.filter { $0.hasSuffix("manifest.json") }.count == 1)
  }

  @Test func mergesAndPrunesAsAnyOther() throws {
    let divided = try DividedShop("2+1")
    for seed in 1...3 as ClosedRange<UInt64> {
      divided.write(seed, bytes: 200_000)
      try divided.backup(seed == 1 ? .full : .incremental)
    }
    try divided.inOnePass { try divided.shop.merge(in: $0) }
    divided.expectRestores("merged")
    try divided.expectSound()
    for _ in 0..<3 { try divided.shop.prune(graceDays: 0, in: divided.open()) { $0.tellsCollected = .days(30) } }
    for name in ["b", "c"] { #expect(try divided.sync(name).isInStep, "\(name)") }
    let counts = try divided.names.map { try divided.shardKeys($0).count }
    #expect(Set(counts).count == 1 && counts[0] < 8, "\(counts)")
    for lost in divided.names { divided.expectRestores(at: lost == "a" ? "b" : "a", away: [lost], "pruned") }
    try divided.expectSound()
  }

  /// Archives that cannot be read from one place alone are never called damaged for that.
  @Test func oneLocationAloneNamesTheOthers() throws {
    let divided = try DividedShop("2+1")
    divided.write(1, bytes: 10_000)
    try divided.backup()
    let newest = try divided.open().targets.newest()
    let list = try #require(newest)
    let error = ShardError.scattered(
      location: "memory", divided.scheme, targets: list.targets.map { "\($0.name) (\($0.location))" })
    let alone = ScatteredStore(try divided.store("c"), isContainer: { Keys.containerID($0) != nil }) { error }
    let repository = try Repository.open(alone, host: divided.shop.host, target: "c")
    #expect(throws: error) { try divided.shop.verify(in: repository) }
    #expect(throws: error) { try divided.shop.restore(to: "x", in: repository) }
    #expect(
      error.message
        == "what memory has of archives are shards, 2+1, and it has one of each: the others are at a (/a), b (/b), c (/c)"
    )
    #expect(error.hint?.contains("`erasure: 2+1`") == true && error.scope == .usage)
  }
}

/// A target at which only some uploads of shards succeed.
private struct FailingAfter: StoreLayer {
  let base: any Store
  private let left: Countdown

  init(_ base: any Store, uploads: Int) { (self.base, left) = (base, Countdown(uploads)) }

  func upload(_ key: String) throws -> any ObjectUpload {
    if ShardKey(key) != nil, !left.takesOne() {
      throw StoreError.unavailable(location: location, reason: "the disk went away")
    }
    return try base.upload(key)
  }
}
