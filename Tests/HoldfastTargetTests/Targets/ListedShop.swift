import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A shop whose repository has targets in memory that its list of targets names: `home`, `cloud` (residue 1), `barn`
/// (residue 2).
struct ListedShop {
  static let names = ["home", "cloud", "barn"]
  let shop: TestShop
  let stores: [String: MemoryStore]

  init(isSealed: Bool = false, clock: Clock = .system) throws {
    let stores = Dictionary(uniqueKeysWithValues: Self.names.map { ($0, MemoryStore()) })
    self.stores = stores
    shop = try TestShop(workers: 1, store: stores["home"], clock: clock, isSealed: isSealed)
    let home = try shop.open()
    var change = try TargetListChange(home, home: Self.member("home"))
    for name in Self.names.dropFirst() { try change.add(Self.member(name)) }
    try change.publish()
    for name in Self.names.dropFirst() {
      #expect(try TargetSync.make(store(name), of: home) { _ in })
      try TargetSync.copyList(to: store(name), of: home)
    }
  }

  static func member(_ name: String) -> TargetList.Member {
    TargetList.Member(name: name, residue: nil, location: "/\(name)")
  }

  func store(_ name: String) throws -> MemoryStore { try #require(stores[name]) }

  /// The repository as one target has it, for whoever has all keys, on a machine of its own. Runs at another target
  /// than `home` stand in for it.
  func open(_ name: String) throws -> Repository {
    var opened = try Repository.open(
      store(name), host: shop.host, credentials: shop.keys?.credentials() ?? .none, target: name)
    opened.isHome = name == "home"
    return opened
  }

  /// A run on a machine that sees only one target.
  @discardableResult
  func backup(_ kind: SnapshotKind? = nil, at name: String) throws -> UInt64 {
    try shop.backup(kind, in: open(name)).envelope.sequence
  }

  /// A run of a machine without any key.
  @discardableResult
  func sync(
    _ name: String, from home: String = "home", _ other: (any Store)? = nil, isDryRun: Bool = false
  ) throws -> TargetResult {
    let opened = try Repository.open(store(home), host: shop.host, target: home)
    return try TargetSync(from: opened, to: name, in: other ?? store(name), observer: CountedCopies())
      .run(isDryRun: isDryRun)
  }

  /// Everything that a target lists can be restored from it alone.
  /// - Returns: the numbers of its snapshots.
  @discardableResult
  func expectSound(_ name: String, _ location: SourceLocation = #_sourceLocation) throws -> [UInt64] {
    let report = try shop.verify(in: open(name))
    let findings =
      report.unreadable.map(\.message) + report.snapshots.flatMap(\.findings).map(\.message)
      + report.others.map(\.message)
    #expect(findings == [], "\(name)", sourceLocation: location)
    return report.snapshots.map(\.snapshot.sequence)
  }
}
