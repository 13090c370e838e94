import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A shop with three snapshots at three targets, all in memory: here (home), cloud and barn.
struct ScrubShop {
  static let names = ["here", "cloud", "barn"]
  let shop: TestShop
  let stores: [MemoryStore]
  /// What each target has when nothing is damaged.
  let whole: [String: [UInt8]]
  /// The source when the newest snapshot was taken.
  let tree: TreeDescription

  /// - Parameter traits: of all targets.
  init(isSealed: Bool = false, seed: UInt64 = 5, _ traits: (inout MemoryStore.Traits) -> Void = { _ in }) throws {
    var own = MemoryStore.Traits()
    traits(&own)
    stores = Self.names.map { [own] _ in MemoryStore(own) }
    shop = try TestShop(workers: 1, store: stores[0], isSealed: isSealed)
    var random = SeededRandom(seed: seed)
    TestFiles.write(random.text(1 << 20), to: shop.source.appending("orders.db"))
    for kind in [SnapshotKind.full, .incremental, .differential] {
      TestFiles.overwrite(shop.source.appending("orders.db"), at: 9000, with: random.text(6000))
      TestFiles.write(random.text(500), to: shop.source.appending("new \(kind)"))
      try shop.backup(kind, in: shop.open())
    }
    for tag in ["a", "b"] {
      _ = try shop.open().notes.tag(shop.snapshot(), add: [try #require(Tag(tag))], remove: [])
    }
    tree = TreeDescription(of: shop.source)
    for store in stores.dropFirst() {
      #expect(try TargetSync.make(store, of: shop.open()) { _ in })
      #expect(
        try TargetSync(from: shop.open(), to: "x", in: store, observer: CountedCopies()).run().isInStep)
    }
    whole = TargetShop.lasting(stores[0])
  }

  /// Objects that each target must have, by their keys; of the journal there are none in this shop.
  var keys: [String] { whole.keys.sorted() }

  func reset() { for store in stores { store.contents = whole } }

  /// A run of a machine without any key.
  /// - Parameters:
  ///   - others: stores instead of those of the targets, by name.
  ///   - notes: whether what is found is noted at home.
  @discardableResult
  func scrub(
    repairs: Bool = false, _ others: [String: any Store] = [:], notes: Bool = false,
    configure: (inout Scrub.Options) -> Void = { _ in }
  ) throws -> [ScrubResult] {
    var options = Scrub.Options()
    options.repairs = repairs
    configure(&options)
    let all = zip(Self.names, stores).map { (name: $0, store: others[$0] ?? $1 as any Store) }
    let places = all.map { Scrub.Place($0.name, at: $0.name, isHome: $0.name == "here", .success($0.store)) }
    var opened: (Repository, String)?
    for (name, store) in all where opened == nil {
      do {
        var repository = try Repository.open(
          store, host: shop.host, credentials: shop.keys?.credentials(of: .nobody) ?? .none)
        repository.isHome = notes && name == "here"
        opened = (repository, name)
      } catch  where (error.isDamage || error.isTransient) && name != "barn" {
        continue
      }
    }
    let (reference, name) = try #require(opened)
    return try Scrub(places, reference: reference, openedAt: name, options).run()
  }

  /// Every target has what it had, byte by byte.
  func expectHealed(_ place: String, _ location: SourceLocation = #_sourceLocation) {
    for (name, store) in zip(Self.names, stores) {
      let there = TargetShop.lasting(store)
      let differing = Set(whole.keys).union(there.keys).filter { whole[$0] != there[$0] }
      #expect(differing.isEmpty, "\(place): \(name): \(differing.sorted())", sourceLocation: location)
    }
  }

  /// The newest snapshot restores from these targets as a run that knows all of them reads.
  func expectRestored(_ place: String, _ location: SourceLocation = #_sourceLocation) {
    defer { TestFiles.removeTree(shop.directory.appending("restored")) }
    do {
      let targets = zip(Self.names, stores).map { Target(name: $0, store: $1) }
      let joined = TargetStore(
        home: targets[0], others: Array(targets.dropFirst()), gate: nil, folder: { Keys.targetFolder($0) })
      let repository = try Repository.open(
        joined, host: shop.host, credentials: shop.keys?.credentials() ?? .none)
      try shop.restore(to: "restored", in: repository)
      #expect(
        TreeDescription(of: shop.directory.appending("restored")).differences(from: tree) == [], "\(place)",
        sourceLocation: location)
    } catch {
      Issue.record("\(place): \(error)", sourceLocation: location)
    }
  }

  /// What it says to people, without what differs from run to run.
  static func texts(_ results: [ScrubResult]) -> [String] {
    let texts = results.map { ScrubTextOfTest($0) }
    return texts.flatMap(\.lines)
  }

  func key(_ isIt: @escaping (String) -> Bool) throws -> String { try #require(keys.first(where: isIt)) }

  /// The first archive of a snapshot.
  func archive(of sequence: UInt64) throws -> String {
    try #require(shop.number(sequence).archiveKeys.first)
  }
}

/// The findings of a scrub, one line each.
struct ScrubTextOfTest {
  let lines: [String]

  init(_ result: ScrubResult) {
    lines =
      result.allFindings.map { "\(result.target): \($0.object): \($0.outcome)" }
      + result.sources.compactMap { $0.behind.isNone ? nil : "\(result.target): behind" }
      + (result.failure.map { ["\(result.target): \($0.message)"] } ?? [])
      + result.sources.compactMap { $0.failure.map { "\(result.target): \($0.message)" } }
  }
}

/// How an object is damaged.
enum Harm: CaseIterable {
  case flip, cut, empty, remove, exchangeKeys, swapSameLength

  /// - Returns: `false` when it changes nothing here.
  static func apply(
    _ harm: Harm, to key: String, at store: MemoryStore, _ random: inout SeededRandom
  ) -> Bool {
    guard var bytes = store.contents[key] else { return false }
    switch harm {
    case .flip:
      guard !bytes.isEmpty else { return false }
      bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      store.contents[key] = bytes
    case .cut: store.contents[key] = Array(bytes.dropLast(Int.random(in: 1...bytes.count, using: &random)))
    case .empty: store.contents[key] = []
    case .remove: store.contents[key] = nil
    case .exchangeKeys:
      // With another object of the same kind: what lies under one key is that of another.
      let suffix = key.split(separator: "/").last?.prefix(4) ?? ""
      let others = store.contents.keys.sorted().filter {
        $0 != key && ($0.split(separator: "/").last?.hasPrefix(suffix) ?? false)
      }
      guard let other = others.randomElement(using: &random), store.contents[other] != bytes else { return false }
      let theirs = store.contents[other]
      store.contents[other] = bytes
      store.contents[key] = theirs
    case .swapSameLength:
      store.contents[key] = bytes.map { _ in UInt8.random(in: 0...255, using: &random) }
    }
    return true
  }
}
