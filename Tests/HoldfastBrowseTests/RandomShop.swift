import HoldfastArchive
import HoldfastBrowse
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport

/// A shop whose files and snapshots change at random, with a plain record of what was in the source at each backup.
struct RandomShop {
  /// What somebody who looks at a path sees.
  enum Thing: Equatable {
    case directory
    case file([UInt8])
    case symbolicLink
  }

  private static let names = ["a", "b.db", "c", "d", "d/a", "d/b.db", "d/e", "d/e/x", "d.x", "z.db"]
  let shop: TestShop
  private let clock: TestClock
  private var random: SeededRandom
  /// By the ID of the snapshot that the backup took.
  private var recorded: [Identifier: [Path: Thing]] = [:]

  init(seed: UInt64) throws {
    random = SeededRandom(seed: seed)
    clock = TestClock("2026-01-01T00:00:00Z")
    shop = try TestShop(workers: 1, store: MemoryStore(), clock: clock.clock)
    TestFiles.write("first", to: shop.source.appending("first"))
  }

  private mutating func number(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

  /// A day of work, and what becomes of the repository.
  mutating func step() throws {
    for _ in 0..<(1 + number(4)) { change() }
    clock.advance(days: 1)
    let kinds: [SnapshotKind?] = [nil, nil, .incremental, .incremental, .differential, .full]
    let taken = try shop.backup(kinds[number(kinds.count)], in: shop.open()).envelope
    recorded[taken.snapshot] = Self.tree(shop.source)
    if number(4) == 0 {
      let latest = try shop.open().catalog.allSnapshots { _ in }.max(by: Snapshot.isOlder)
      if let latest, latest.envelope.kind != .full { try shop.merge(latest.id.description, in: shop.open()) }
    }
    if number(5) == 0 {
      var policy = RetentionPolicy()
      policy.last = 2 + number(4)
      var options = Prune.Options(policy: policy)
      options.grace = number(2) == 0 ? .zero : .days(2)
      _ = try Prune(repository: shop.open(), options: options).run()
    }
  }

  private mutating func change() {
    let path = shop.source.appending(Self.names[number(Self.names.count)])
    guard let parent = path.parent, TestFiles.status(parent)?.kind == .directory else { return }
    switch number(7) {
    case 0, 1: TestFiles.removeTree(path)
    case 2:
      TestFiles.removeTree(path)
      TestFiles.makeDirectory(path)
    case 3:
      let other = shop.source.appending(Self.names[number(Self.names.count)])
      guard !path.contains(other), !other.contains(path), TestFiles.exists(path),
        let place = other.parent, TestFiles.status(place)?.kind == .directory
      else { return }
      TestFiles.removeTree(other)
      TestFiles.rename(path, to: other)
    case 4:
      TestFiles.removeTree(path)
      TestFiles.link(shop.source.appending("first"), as: path)
    case 5 where number(3) == 0:
      TestFiles.removeTree(path)
      TestFiles.symbolicLink("first", at: path)
    default:
      if TestFiles.status(path)?.kind == .symbolicLink || TestFiles.status(path)?.kind == .directory {
        TestFiles.removeTree(path)
      }
      // Few contents, so that they come back; and sometimes that of all names of `first` changes with this one's.
      let letter = UInt8(ascii: "a") + UInt8(number(3))
      TestFiles.write([UInt8](repeating: letter, count: 5000 + 3000 * number(2)), to: path)
    }
  }

  private static func tree(_ directory: Path) -> [Path: Thing] {
    var things: [Path: Thing] = [:]
    func look(_ path: Path, _ relative: Path) {
      guard let kind = TestFiles.status(path)?.kind else { return }
      switch kind {
      case .directory:
        things[relative] = .directory
        for name in TestFiles.names(in: path) { look(path.appending(name), relative.appending(name)) }
      case .file: things[relative] = .file(TestFiles.read(path) ?? [])
      default: things[relative] = .symbolicLink
      }
    }
    look(directory, .root)
    return things
  }

  // MARK: What the answers must be

  /// The snapshots that are not removed, the oldest first, each with what the source had then.
  func present() throws -> [(snapshot: Snapshot, things: [Path: Thing])] {
    try shop.open().catalog.allSnapshots { _ in }.sorted(by: Snapshot.isOlder).map { snapshot in
      (snapshot, recorded[snapshot.envelope.merged?.snapshot ?? snapshot.id] ?? [:])
    }
  }

  /// Every path that there ever was, and one that there was not.
  var paths: [Path] { Set(recorded.values.flatMap(\.keys)).sorted() + [Path("nothing")] }
}

extension Entry {
  /// True if this is what somebody saw.
  func shows(_ thing: RandomShop.Thing) -> Bool {
    switch (content, thing) {
    case (.directory, .directory), (.symbolicLink, .symbolicLink): true
    case (.file(let file), .file(let bytes)): file.size == UInt64(bytes.count)
    default: false
    }
  }
}
