import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A shop whose repository is far away: in memory, below the layers of a remote store. Each `open` is a run of its own,
/// which knows only what its machine has kept.
struct FarShop {
  let shop: TestShop
  let memory: MemoryStore

  /// - Parameter change: how the store differs from one that has tags.
  init(isSealed: Bool = false, _ change: (inout MemoryStore.Traits) -> Void = { _ in }) throws {
    var traits = MemoryStore.Traits()
    (traits.isNear, traits.connections, traits.listsTags, traits.pageMax) = (false, 8, true, 1 << 16)
    change(&traits)
    memory = MemoryStore(traits)
    shop = try TestShop(store: memory, isSealed: isSealed)
  }

  /// The directory of the caches of a machine.
  func caches(_ machine: String) -> Path { shop.directory.appending("cache-\(machine)") }

  /// The catalog cache of a machine.
  func catalog(_ machine: String) -> Path { caches(machine).appending("catalog-\(shop.repository.id)") }

  func open(on machine: String = "here", over store: (any Store)? = nil) throws -> Repository {
    let layered = ListedStore(
      CachingStore(store ?? memory) { Keys.isManifest($0) || Keys.isBody($0) }, folders: { Keys.listedFolders($0) })
    return try Repository.open(
      layered, host: shop.host, credentials: shop.keys?.credentials() ?? .none, memory: shop.memory,
      cache: CatalogCache(directory: caches(machine)))
  }

  /// Takes so many snapshots, each with one more file.
  func backUp(_ count: Int, on machine: String = "here") throws {
    for _ in 0..<count {
      let number = TestFiles.names(in: shop.source).count
      TestFiles.write("order \(number)", to: shop.source.appending("\(number)"))
      let repository = try open(on: machine)
      try shop.backup(in: repository)
      // The lease goes back in the background, and a process waits for that at its end.
      repository.errands.wait()
    }
  }

  /// All snapshots, as `list` reads them, each in a line.
  func list(
    on machine: String = "here", onDamage: (DamageError) -> Void = { Issue.record("\($0.message)") }
  ) throws
    -> [String]
  {
    try open(on: machine).catalog.allSnapshots(onDamage: onDamage).map { "\($0.sequence) \($0.id) \($0.digest)" }
  }

  /// The small objects of the source of which bytes are read from the store meanwhile, in the order of their keys:
  /// several threads read.
  func fetched(_ body: () throws -> Void) rethrows -> [String] {
    memory.forgetRequests()
    try body()
    return memory.fetched.filter { Keys.isKept($0) }.sorted()
  }

  /// Lists on a machine, and expects what is shown.
  /// - Returns: the small objects of which bytes are read from the store for it.
  func fetchedToList(_ shown: [String], on machine: String = "here") throws -> [String] {
    var found: [String] = []
    let keys = try fetched { found = try list(on: machine) }
    #expect(found == shown)
    return keys
  }

  /// The keys of all envelopes.
  var envelopes: [String] {
    memory.contents.keys.filter { Keys.isKept($0) && $0.hasSuffix(Keys.manifestName) }.sorted()
  }
}
