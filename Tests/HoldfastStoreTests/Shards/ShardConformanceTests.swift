import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A repository whose objects are divided keeps what every store keeps, wherever its shards are.
@Suite(.timeLimit(.minutes(30))) struct ShardConformanceTests {
  enum Base: CaseIterable { case directory, memory, faraway }

  private let directory = TemporaryDirectory()

  private func store(_ base: Base, _ number: Int) -> any Store {
    switch base {
    case .directory: return LocalStore(directory: directory.appending("\(number)"), host: TestHost.make())
    case .memory: return MemoryStore()
    case .faraway:
      var traits = MemoryStore.Traits()
      (traits.partBytes, traits.pageMax, traits.connections, traits.isNear) = (1000, 2, 3, false)
      return MemoryStore(traits)
    }
  }

  /// All but what a probe writes is divided, and names that lie between those of another's shards: names of containers
  /// all have one length.
  private static func containerID(_ key: String) -> Identifier? {
    guard let name = key.split(separator: "/", omittingEmptySubsequences: false).last, !name.isEmpty, key != "a",
      !key.hasPrefix(StoreProbe.prefix), !key.hasPrefix("/"), !key.utf8.contains(0), !key.contains(".."),
      name.allSatisfy({ $0.isLetter || $0.isNumber }) || name.hasPrefix("archive-")
    else { return nil }
    return Identifier(bytes: Array((key.utf8.reversed() + Array(repeating: 0, count: 16)).prefix(16)))
  }

  /// A removed object is gone at home, and the shards of others go with a sync: its key is not free before. Keys of
  /// containers are never used again.
  /// That an object is shorter or longer than a manifest says shows only where its shards have other lengths by that;
  /// the digest of the object shows it always.
  private static let promises = StoreConformance.allCases.filter {
    $0 != .removeRemovesOneObject && $0 != .aWrongLengthIsToldOf
  }

  @Test(arguments: promises, Base.allCases)
  func dividedObjectsKeep(_ promise: StoreConformance, over base: Base) throws {
    let scheme = try #require(ErasureScheme("2+1"))
    let stores = (0..<3).map { store(base, $0) }
    let members = stores.indices.map { ShardSet.Member(ShardTargets.name($0), stores[$0], position: $0) }
    let shardSet = ShardSet(
      scheme, home: members[0], members, of: try #require(Identifier(bytes: Array(repeating: 1, count: 16))),
      ShardSet.Keys(marker: "probe/marker", containerID: Self.containerID))
    for store in stores { try store.put([1], at: "probe/marker") }
    try promise.check(Marked(base: shardSet.logical(over: stores[0])))
  }

  /// Hides the marker, which all targets have.
  private struct Marked: StoreLayer {
    let base: any Store

    func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
      let page = try base.list(prefix, depth, after: name, max: max + 1)
      let shown = page.entries.filter { !(prefix + $0.name).hasPrefix("probe/m") && prefix + $0.name != "probe/" }
      return ListingPage(entries: Array(shown.prefix(max)), isLast: page.isLast && shown.count <= max)
    }
  }
}
