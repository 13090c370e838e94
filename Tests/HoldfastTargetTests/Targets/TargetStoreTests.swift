import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Backup, restore, verify and merge do not know that a repository has several targets; each of them is a repository.
@Suite(.timeLimit(.minutes(30))) struct TargetStoreTests {
  /// Targets `home`, `b` and `c`, as a run opens them.
  private static func targets(_ stores: [any Store], isInStep: Bool = true) -> TargetStore {
    let targets = zip(["home", "b", "c"], stores).map { Target(name: $0, store: $1) }
    return TargetStore(
      home: targets[0], others: Array(targets.dropFirst()), gate: TestGate(behind: isInStep ? [] : ["b", "c"]),
      folder: { Keys.targetFolder($0) })
  }

  /// Takes three snapshots.
  /// - Returns: each snapshot, with the source as it was.
  private func fill(_ shop: TestShop) throws -> [(snapshot: String, tree: TreeDescription)] {
    var random = SeededRandom(seed: 31)
    TestFiles.write(random.text(300_000), to: shop.source.appending("orders.db"))
    var taken: [(snapshot: String, tree: TreeDescription)] = []
    for kind in [SnapshotKind.full, .incremental, .differential] {
      TestFiles.overwrite(shop.source.appending("orders.db"), at: 9000 * (1 + taken.count), with: random.text(6000))
      TestFiles.write(random.text(500), to: shop.source.appending("new \(taken.count)"))
      try shop.backup(kind)
      taken.append((try shop.snapshot().id.description, TreeDescription(of: shop.source)))
    }
    return taken
  }

  @Test(arguments: [false, true]) func eachTargetAloneRestoresEverySnapshot(isSealed: Bool) throws {
    let directory = TemporaryDirectory()
    let stores = ["home", "b", "c"].map {
      LocalStore(directory: directory.appending($0), host: TestHost.make())
    }
    let targets = Self.targets(stores)
    let shop = try TestShop(store: targets, isSealed: isSealed)
    let taken = try fill(shop)
    try shop.merge()
    #expect(try shop.verify().exitStatus == .done)
    try targets.finish()
    #expect(targets.outcomes.all.allSatisfy { $0.behind.isEmpty && $0.badAnswerCount == 0 })
    #expect(targets.outcomes.inStep("sources/source/") == ["home", "b", "c"])
    for (number, store) in stores.enumerated() {
      let alone = try Repository.open(
        store, host: shop.host, credentials: shop.keys?.credentials() ?? .none, memory: ClientMemory.none)
      #expect(try shop.verify(in: alone).exitStatus == .done)
      for (snapshot, tree) in taken {
        let name = "restored \(number) \(snapshot)"
        try shop.restore(snapshot, to: name, in: alone)
        #expect(TreeDescription(of: shop.directory.appending(name)).differences(from: tree) == [])
      }
    }
  }

  @Test func aTargetThatWasBehindGetsNoManifest() throws {
    let (home, other) = (MemoryStore(), MemoryStore())
    _ = try fill(TestShop(store: Self.targets([home, other], isInStep: false)))
    #expect(home.contents.keys.contains { $0.hasSuffix(Keys.manifestName) })
    #expect(other.contents.isEmpty)
  }

  // MARK: Damage at one target

  private enum Change: CaseIterable { case flip, cut, remove }

  /// Any object of one target of three is changed: everything is restored as it was, and verify finds nothing, because
  /// what it calls sound is what can be restored.
  @Test(arguments: [true, false], [false, true])
  func noDamageAtOneTargetReachesARestore(isSealed: Bool, isFar: Bool) throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    let memories = (0..<3).map { _ in
      var traits = MemoryStore.Traits()
      (traits.isNear, traits.connections) = (!isFar, 4)
      return MemoryStore(traits)
    }
    let made = Self.targets(memories)
    let shop = try TestShop(store: made, isSealed: isSealed)
    let tree = try #require(try fill(shop).last?.tree)
    try made.finish()
    let whole = memories.map(\.contents)
    for key in whole[0].keys.sorted() where Keys.targetFolder(key) != nil {
      for change in Change.allCases {
        // Whether there is a manifest is home's to say.
        if change == .remove, Keys.isManifest(key) { continue }
        for (memory, contents) in zip(memories, whole) { memory.contents = contents }
        let target = Int.random(in: 0..<5, using: &random) % 3
        var bytes = try #require(whole[target][key])
        switch change {
        case .flip:
          let place = Int.random(in: 0..<bytes.count, using: &random)
          bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case .cut: bytes.removeLast()
        case .remove: bytes = []
        }
        memories[target].contents[key] = change == .remove ? nil : bytes
        try check(shop, Self.targets(memories), tree, "seed \(seed), target \(target), \(key), \(change)")
      }
    }
  }

  private func check(_ shop: TestShop, _ targets: TargetStore, _ tree: TreeDescription, _ place: String) throws {
    defer { TestFiles.removeTree(shop.directory.appending("restored")) }
    do {
      let repository = try Repository.open(
        targets, host: shop.host, credentials: shop.keys?.credentials() ?? .none, memory: ClientMemory.none)
      try shop.restore(to: "restored", in: repository)
      #expect(try shop.verify(in: repository).exitStatus == .done, "\(place)")
    } catch {
      Issue.record("\(place): \(error)")
      return
    }
    #expect(
      TreeDescription(of: shop.directory.appending("restored")).differences(from: tree) == [], "\(place)")
  }
}
