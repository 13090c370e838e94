import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Whatever happens to stored bytes is found, costs what it must and no more, and never comes back as content.
@Suite struct DamageTests {
  /// Three snapshots: a full, an incremental and a differential, both on the full; in memory, where objects can be
  /// damaged.
  private struct Shop {
    let store = MemoryStore()
    let shop: TestShop
    let snapshots: [Snapshot]
    let trees: [TreeDescription]

    init(isSealed: Bool) throws {
      shop = try TestShop(workers: 1, store: store, isSealed: isSealed)
      var random = SeededRandom(seed: 23)
      let source = shop.source
      TestFiles.write(random.text(300_000), to: source.appending("orders.db"))
      TestFiles.write(random.text(300), to: source.appending("note"))
      var trees: [TreeDescription] = []
      for kind in [SnapshotKind.full, .incremental, .differential] {
        TestFiles.overwrite(source.appending("orders.db"), at: 9000 * (1 + trees.count), with: random.text(6000))
        TestFiles.write(random.text(500), to: source.appending("new \(trees.count)"))
        try shop.backup(kind)
        trees.append(TreeDescription(of: source))
      }
      self.trees = trees
      snapshots = try shop.repository.catalog.allSnapshots { _ in }
    }

    /// Of everything but leases: nobody reads one once its run has ended.
    var keys: [String] { store.contents.keys.filter { !$0.hasPrefix(LeaseNumbers.prefix) }.sorted() }

    /// Verifies, in a repository that is opened anew, by a machine that has never seen it.
    func verify(as holder: TestKeys.Holder) throws -> Verify.Report {
      try shop.verify(in: shop.open(as: holder, memory: ClientMemory.none))
    }

    /// Who finds damage: of a sealed repository also a machine without keys.
    var holders: [TestKeys.Holder] { shop.keys == nil ? [.owner] : [.owner, .nobody] }

    /// Restores every snapshot: each comes back exactly or not at all. Returns the indices of those that do.
    func restorable(_ place: String) -> Set<Int> {
      var sound: Set<Int> = []
      for (index, snapshot) in snapshots.enumerated() {
        let target = shop.directory.appending("restored")
        TestFiles.removeTree(target)
        var options = Restore.Options(target: target)
        options.setsOwner = true
        do {
          let repository = try shop.open(as: .owner, memory: ClientMemory.none)
          let chosen = try SnapshotSelector(.id(snapshot.id.description)).choose(in: repository.catalog) { _ in }
          _ = try Restore(repository: repository, snapshot: chosen, options: options, progress: QuietProgress()).run()
          let differences = TreeDescription(of: target).differences(from: trees[index])
          #expect(differences == [], "\(place): snapshot \(index + 1) came back wrong")
          sound.insert(index)
        } catch {
          #expect(error is any OperatorError, "\(place): \(error)")
          #expect(TestFiles.names(in: target) == [], "\(place): a failed restore left files")
        }
      }
      return sound
    }
  }

  private enum Change: CustomStringConvertible {
    case delete, truncate(Int), append
    case flip(Int, UInt8)

    func apply(to bytes: [UInt8]) -> [UInt8]? {
      var changed = bytes
      switch self {
      case .delete: return nil
      case .truncate(let count): return Array(bytes.prefix(count))
      case .append: changed.append(0)
      case .flip(let place, let bits): changed[place] ^= bits
      }
      return changed
    }

    var description: String {
      switch self {
      case .delete: "deleted"
      case .truncate(let count): "cut to \(count)"
      case .append: "one byte more"
      case .flip(let place, let bits): "byte \(place) ^ \(bits)"
      }
    }
  }

  @Test(arguments: [false, true]) func everyDamageIsFoundAndNoneComesBackAsContent(isSealed: Bool) throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    let shop = try Shop(isSealed: isSealed)
    let whole = shop.store.contents
    for holder in shop.holders { #expect(try shop.verify(as: holder).exitStatus == .done) }
    #expect(shop.restorable("undamaged") == [0, 1, 2])
    for key in shop.keys {
      let bytes = whole[key] ?? []
      var changes: [Change] = [.delete, .truncate(bytes.count / 2), .truncate(0), .append]
      for _ in 0..<(!Trials.areAll ? 5 : isSealed ? 8 : 20) {
        changes.append(.flip(Int(random.next() % UInt64(bytes.count)), 1 << UInt8(random.next() & 7)))
      }
      for (number, change) in changes.enumerated() {
        shop.store.contents = whole
        shop.store.contents[key] = change.apply(to: bytes)
        try check(shop, key, change, restores: number < 6, "seed \(seed), \(key), \(change)")
      }
    }
  }

  private func check(_ shop: Shop, _ key: String, _ change: Change, restores: Bool, _ place: String) throws {
    // A snapshot without its manifest never was: only those that build on it can tell.
    let isTip = key == Keys.manifest(shop.snapshots[2].sourceName, 3)
    for holder in shop.holders {
      if key == Keys.descriptor || key.hasPrefix(Keys.keyring) {
        #expect(throws: (any Error).self, "\(place)") { try shop.verify(as: holder) }
        continue
      }
      let report = try shop.verify(as: holder)
      if case .delete = change, key.hasSuffix(Keys.manifestName), isTip || key.contains("/0000000002/") {
        #expect(report.snapshots.count == 2, "\(place)")
      } else {
        #expect(report.exitStatus == .dataLoss, "\(place), \(holder)")
      }
    }
    guard restores, key.hasPrefix(Keys.sources) else { return }
    let sound = shop.restorable(place)
    // The differential and the incremental build on the full alone, and not on one another.
    let expected: Set<Int> = key.contains("/0000000001/") ? [] : key.contains("/0000000002/") ? [0, 2] : [0, 1]
    #expect(sound.isSuperset(of: expected), "\(place): restorable are only \(sound)")
  }
}
