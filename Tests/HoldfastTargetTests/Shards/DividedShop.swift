import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A shop whose archives are divided over targets in memory, `a` (home), `b`, `c` …, which its list of targets names.
struct DividedShop {
  let shop: TestShop
  let scheme: ErasureScheme
  let names: [String]
  let stores: [String: MemoryStore]

  /// - Parameter isDivided: false if the targets have whole archives so far.
  init(
    _ scheme: String = "2+1", spares: Int = 0, isSealed: Bool = false, isDivided: Bool = true,
    clock: Clock = .system, _ traits: (inout MemoryStore.Traits) -> Void = { _ in }
  ) throws {
    self.scheme = try #require(ErasureScheme(scheme))
    names = (0..<self.scheme.shards + spares).map { String("abcdefghijklmnop".dropFirst($0).prefix(1)) }
    var own = MemoryStore.Traits()
    traits(&own)
    let stores = Dictionary(uniqueKeysWithValues: names.map { [own] in ($0, MemoryStore(own)) })
    self.stores = stores
    shop = try TestShop(workers: 1, store: stores["a"], clock: clock, isSealed: isSealed)
    let home = try shop.open(target: "a")
    var change = try TargetListChange(home, home: ListedShop.member("a"))
    for name in names.dropFirst() { try change.add(ListedShop.member(name)) }
    if isDivided { try change.divide(self.scheme) }
    try change.publish()
    for name in names.dropFirst() {
      #expect(try TargetSync.make(store(name), of: home) { _ in })
      try TargetSync.copyList(to: store(name), of: home)
    }
  }

  func store(_ name: String) throws -> MemoryStore { try #require(stores[name]) }

  /// The repository as a run opens it at one target.
  /// - Parameters:
  ///   - away: targets that have nothing, as if their disks were not mounted.
  ///   - others: stores in place of those of the targets.
  func open(
    _ name: String = "a", away: Set<String> = [], _ others: [String: any Store] = [:]
  ) throws -> Repository {
    let own = try others[name] ?? store(name)
    var opened = try Repository.open(
      own, host: shop.host, credentials: shop.keys?.credentials() ?? .none, acceptsOlder: true, target: name)
    opened.isHome = name == "a"
    guard let list = try opened.targets.newest(), let scheme = list.erasure else { return opened }
    let members = try list.targets.map { member in
      ShardSet.Member(
        member.name, away.contains(member.name) ? MemoryStore() : try others[member.name] ?? store(member.name),
        position: member.shard)
    }
    let home = try #require(members.first { $0.name == name })
    return opened.divided(
      over: ShardSet(
        scheme, home: home, members, of: opened.id,
        ShardSet.Keys(marker: Keys.descriptor) { Keys.containerID($0) }))
  }

  /// Takes a snapshot in one pass from one target to the others.
  /// - Returns: the reasons why targets do not have it, by name.
  @discardableResult
  func backup(
    _ kind: SnapshotKind? = nil, at name: String = "a", away: Set<String> = [], _ others: [String: any Store] = [:],
    _ policy: TargetPolicy = TargetPolicy()
  ) throws -> [String: any OperatorError] {
    try inOnePass(at: name, away: away, others, policy) { _ = try shop.backup(kind, in: $0) }
  }

  @discardableResult
  func inOnePass(
    at name: String = "a", away: Set<String> = [], _ others: [String: any Store] = [:],
    _ policy: TargetPolicy = TargetPolicy(), _ work: (Repository) throws -> Void
  ) throws -> [String: any OperatorError] {
    var policy = policy
    policy.minCopies = max(policy.minCopies, scheme.shards)
    let home = try open(name, away: away, others)
    let targets = try names.filter { $0 != name }.map { other in
      let store: any Store = away.contains(other) ? MemoryStore() : try others[other] ?? self.store(other)
      return Target(name: other, store: home.place(other, store))
    }
    let pass = TargetPass(from: home, named: name, to: targets, policy)
    do {
      try work(pass.repository)
    } catch {
      pass.abandon()
      throw error
    }
    return try pass.finish(SourceName(from: Path("source")))
  }

  @discardableResult
  func sync(_ name: String, isDryRun: Bool = false) throws -> TargetResult {
    let home = try open()
    return try TargetSync(
      from: home, to: name, in: home.place(name, store(name)), observer: CountedCopies()
    ).run(isDryRun: isDryRun)
  }

  func placeShards() throws -> [PlacementResult] {
    try #require(ShardPlacement(open(), observer: CountedCopies())).run()
  }

  /// - Parameter names: the targets that are scrubbed; all by default.
  func scrub(repairs: Bool = false, _ chosen: Set<String> = [], away: Set<String> = []) throws -> [ScrubResult] {
    var options = Scrub.Options()
    (options.repairs, options.chosen) = (repairs, chosen)
    let home = try open(away: away).alone
    let places = try names.map { name in
      let store = away.contains(name) ? MemoryStore() as any Store : try self.store(name)
      return Scrub.Place(
        name, at: name, isHome: name == "a", .success(name == "a" ? home.uncached.store : home.place(name, store)))
    }
    return try Scrub(places, reference: home, openedAt: "a", options).run()
  }

  /// What each target has that counts.
  var contents: [String: [String: [UInt8]]] { stores.mapValues { TargetShop.lasting($0) } }

  /// The keys of shards at a target.
  func shardKeys(_ name: String) throws -> [String] {
    try store(name).contents.keys.filter { ShardKey($0) != nil }.sorted()
  }

  /// Writes files into the source, of which some do not fit into one stripe.
  func write(_ seed: UInt64, bytes: Int = 3 << 20) {
    var random = SeededRandom(seed: seed)
    let block = random.text(50_000)
    var text: [UInt8] = []
    while text.count < bytes {
      text += random.bytes(1000)
      text += block
    }
    TestFiles.write(text, to: shop.source.appending("orders.db"))
    TestFiles.write(random.text(500), to: shop.source.appending("new \(seed)"))
  }

  /// The newest snapshot is the source, for whoever opens the repository at a target.
  func expectRestores(
    at name: String = "a", away: Set<String> = [], _ place: String = "",
    _ location: Testing.SourceLocation = #_sourceLocation
  ) {
    defer { TestFiles.removeTree(shop.directory.appending("restored")) }
    do {
      try shop.restore(to: "restored", in: open(name, away: away))
      let restored = TreeDescription(of: shop.directory.appending("restored"))
      #expect(
        restored.differences(from: TreeDescription(of: shop.source)) == [], "at \(name) without \(away): \(place)",
        sourceLocation: location)
    } catch {
      Issue.record("at \(name) without \(away): \(place): \(error)", sourceLocation: location)
    }
  }

  /// Everything is found sound.
  func expectSound(
    at name: String = "a", away: Set<String> = [], _ location: Testing.SourceLocation = #_sourceLocation
  ) throws {
    let report = try shop.verify(in: open(name, away: away))
    let findings =
      report.unreadable.map(\.message) + report.snapshots.flatMap(\.findings).map(\.message)
      + report.others.map(\.message)
    #expect(findings == [], "at \(name) without \(away)", sourceLocation: location)
  }

  /// All choices of some of the targets.
  func choices(of count: Int) -> [Set<String>] {
    (0..<count).reduce([[]]) { sets, _ in
      sets.flatMap { known in names.filter { name in known.allSatisfy { $0 < name } }.map { known.union([$0]) } }
    }
  }
}
