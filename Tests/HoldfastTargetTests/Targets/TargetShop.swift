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

/// A shop with its repository at home and at one other target, both in memory.
struct TargetShop {
  let shop: TestShop
  let home: MemoryStore
  let target: MemoryStore

  /// - Parameter traits: of the target.
  init(
    isSealed: Bool = false, clock: Clock = .system, isMade: Bool = true,
    _ traits: (inout MemoryStore.Traits) -> Void = { _ in }
  ) throws {
    home = MemoryStore()
    var own = MemoryStore.Traits()
    traits(&own)
    target = MemoryStore(own)
    shop = try TestShop(workers: 1, store: home, clock: clock, isSealed: isSealed)
    if isMade { #expect(try TargetSync.make(target, of: shop.open()) { _ in }) }
  }

  /// A run of a machine without any key.
  @discardableResult
  func sync(
    _ store: (any Store)? = nil, from home: (any Store)? = nil, isDryRun: Bool = false,
    observer: any SyncObserver = CountedCopies()
  ) throws -> TargetResult {
    let opened = try home.map { try Repository.open($0, host: shop.host) } ?? shop.open(as: .nobody)
    return try TargetSync(from: opened, to: "barn", in: store ?? target, observer: observer).run(isDryRun: isDryRun)
  }

  // MARK: One pass

  /// One pass that writes to home and to a target.
  func pass(
    from home: Repository? = nil, to store: (any Store)? = nil, _ policy: TargetPolicy = TargetPolicy()
  ) throws -> TargetPass {
    TargetPass(
      from: try home ?? shop.open(), named: "home", to: [Target(name: "barn", store: store ?? target)], policy)
  }

  /// Does something in one pass.
  /// - Returns: why the target does not have all of it, by its name `barn`.
  @discardableResult
  func inOnePass(
    from home: Repository? = nil, to store: (any Store)? = nil, _ policy: TargetPolicy = TargetPolicy(),
    _ work: (Repository) throws -> Void, onWait: ([String]) -> Void = { _ in }
  ) throws -> [String: any OperatorError] {
    let pass = try pass(from: home, to: store, policy)
    do {
      try work(pass.repository)
    } catch {
      pass.abandon()
      throw error
    }
    return try pass.finish(SourceName(from: Path("source")), onWait: onWait)
  }

  /// Takes a snapshot in one pass.
  @discardableResult
  func backupInOnePass(
    _ kind: SnapshotKind? = nil, to store: (any Store)? = nil, _ policy: TargetPolicy = TargetPolicy(),
    configure: (inout Backup.Options) throws -> Void = { _ in }
  ) throws -> [String: any OperatorError] {
    try inOnePass(to: store, policy) { repository in
      var changed = Backup.Options(source: shop.source)
      try configure(&changed)
      _ = try shop.backup(kind, in: repository) { $0.tags = changed.tags }
    }
  }

  /// The repository as the target alone has it, for whoever has all keys.
  func atTarget(_ store: (any Store)? = nil) throws -> Repository {
    try Repository.open(
      store ?? target, host: shop.host, credentials: shop.keys?.credentials() ?? .none, acceptsOlder: true,
      target: "barn")
  }

  /// What counts of a store: everything but leases.
  static func lasting(_ store: MemoryStore) -> [String: [UInt8]] {
    store.contents.filter {
      !$0.key.hasPrefix(LeaseNumbers.prefix) && !$0.key.hasPrefix(StoreProbe.prefix) && $0.key != Keys.place
    }
  }

  /// Both places have the same, byte by byte.
  func expectSame(_ place: String = "", _ location: SourceLocation = #_sourceLocation) {
    let (here, there) = (Self.lasting(home), Self.lasting(target))
    #expect(
      here == there,
      "\(place): only home \(Set(here.keys).subtracting(there.keys)), only target \(Set(there.keys).subtracting(here.keys))",
      sourceLocation: location)
  }

  /// Everything that the target lists can be restored from it alone.
  /// - Returns: the numbers of its snapshots.
  @discardableResult
  func expectSoundAtTarget(
    _ place: String = "", _ location: SourceLocation = #_sourceLocation
  ) throws -> [UInt64] {
    let repository = try atTarget()
    let report = try shop.verify(in: repository)
    let findings = report.unreadable.map(\.message) + report.snapshots.flatMap(\.findings).map(\.message)
    #expect(findings == [], "\(place)", sourceLocation: location)
    return report.snapshots.map(\.snapshot.sequence)
  }

  /// The key of the first archive of a snapshot.
  func archive(of sequence: UInt64) throws -> String { try #require(shop.number(sequence).archiveKeys.first) }
}

/// Counts what was copied.
final class CountedCopies: SyncObserver {
  private let counted = Mutex<[UInt64]>([])

  var lengths: [UInt64] { counted.withLock { $0 } }

  func began(_ plan: SyncPlan, at target: String) {}
  func copied(bytes: UInt64, to target: String) { counted.withLock { $0.append(bytes) } }
}
