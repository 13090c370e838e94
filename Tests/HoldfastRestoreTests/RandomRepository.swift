import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport

/// A chain of up to three snapshots that is made at random: sound, or with one thing in it that no sound one has. Every
/// digest is right, whatever it says.
struct RandomRepository {
  typealias Item = HandmadeRepository.Item

  /// What can be wrong.
  enum Fault: CaseIterable {
    case none, shortPageInherited, vanishedPageInherited, storedZeros, wrongPage, noSuchFrame, behindTheFrame,
      noSuchArchive
    case linkToNothing, linkToDirectory, linkForward, inNoDirectory, belowAFile, outside, reservedName, stateRoot
    case entryCount, archiveTwice, unreadableWithSize, attributesOutOfOrder, differentialOnIncremental, removedTwice
    case archiveMissing, bodyCut, pageSizeChanged, digest
  }

  private struct File {
    var size: UInt64
    /// `nil` for a page of zeros.
    var pages: [[UInt8]?]
  }

  private static let page = 4096
  private static let sizes: [UInt64] = [0, 100, 4096, 4196, 8192, 8300, 12_288]
  let made: HandmadeRepository
  private var random: SeededRandom
  private let fault: Fault
  private let depth: Int
  private var files: [String: File] = [:]
  /// What each file was before the last snapshot.
  private var former: [String: File] = [:]
  private var state: [String: Item] = [:]
  private var frames: [[UInt8]] = []
  private var archives: [Envelope.Archive] = []

  init(seed: UInt64, fault: Fault) throws {
    made = try HandmadeRepository()
    random = SeededRandom(seed: seed)
    self.fault = fault
    depth = fault == .none ? Int(random.next() % 3) + 1 : 3
    var parent: Snapshot?
    for number in 1...depth {
      try addSnapshot(number, on: parent)
      parent = try? made.shop.repository.catalog.snapshotIfCommitted(SourceName(from: Path("source")), UInt64(number))
    }
    try breakObjects()
  }

  private mutating func choose<Value>(_ values: [Value]) -> Value { values[Int(random.next() % UInt64(values.count))] }

  // MARK: Snapshots

  private mutating func addSnapshot(_ number: Int, on parent: Snapshot?) throws {
    frames = []
    var items: [Item] = []
    if number == 1 {
      items = [HandmadeRepository.root, HandmadeRepository.item("d", .directory)]
      if fault == .pageSizeChanged { files["a"] = File(size: 4096, pages: [[1]]) }
    }
    for name in ["a", "b", "d/c"] where number == 1 || name == "a" || random.next() & 1 == 0 {
      items.append(file(name, number: number))
    }
    if number == 1 { items.append(HandmadeRepository.item("z", .hardLink(to: Path("a")))) }
    var removed: [Path] = []
    breakEntries(number, &items, &removed)
    items.sort { $0.entry.path < $1.entry.path }
    let changed = items.count { state[$0.entry.path.description] != nil }
    let gone = removed.count
    for item in items { state[item.entry.path.description] = item }
    let all = state.values.sorted { $0.entry.path < $1.entry.path }
    let known = archives
    let (fault, depth) = (fault, depth)
    var added: [Envelope.Archive] = []
    try made.add(items, removed: removed, frames: frames, parent: parent, state: all) { envelope in
      for index in envelope.archives.indices { envelope.archives[index].number = UInt64(known.count + index) }
      envelope.changes.added = UInt64(items.count - changed)
      envelope.changes.changed = UInt64(changed)
      envelope.changes.removed = UInt64(gone)
      if fault == .archiveTwice, number == depth, var twice = known.first {
        twice.number = UInt64(known.count + envelope.archives.count)
        envelope.archives.append(twice)
      }
      if fault == .stateRoot, number == depth { envelope.state.root = HandmadeRepository.digest([1]) }
      if fault == .entryCount, number == depth { envelope.state.entries += 1 }
      if fault == .differentialOnIncremental, number == depth { envelope.kind = .differential }
      added = Array(envelope.archives)
    }
    archives += added
  }

  /// A file as it is in this snapshot, by all of its pages in the first, and by what differs in the others.
  private mutating func file(_ name: String, number: Int) -> Item {
    let before = files[name]
    var now = File(size: choose(Self.sizes), pages: [])
    if fault == .shortPageInherited || fault == .vanishedPageInherited, name == "a" {
      now.size = fault == .shortPageInherited ? [4196, 8192, 8192][number - 1] : [8192, 4096, 8192][number - 1]
    }
    var extents: [PageExtent] = []
    for index in 0..<Int(Pages.count(size: now.size, pageSize: UInt32(Self.page))) {
      if let kept = kept(name, index, before, now, number) {
        now.pages.append(kept)
        continue
      }
      let length = min(Self.page, Int(now.size) - index * Self.page)
      let isZero = random.next() % 4 == 0 && !(name == "a" && fault != .none)
      let bytes: [UInt8]? = isZero ? nil : random.text(length)
      now.pages.append(bytes)
      extents.append(extent(index, bytes))
    }
    former[name] = before
    files[name] = now
    return item(name, now, extents: extents, inherits: before != nil)
  }

  /// The page of the parent's file, where it may be inherited, or is although it may not.
  private mutating func kept(_ name: String, _ index: Int, _ before: File?, _ now: File, _ number: Int) -> [UInt8]?? {
    guard let before else { return nil }
    if name == "a", fault == .shortPageInherited, number == 2 { return .some(before.pages[index]) }
    if name == "a", fault == .vanishedPageInherited, number == 3, index == 1 {
      return former[name].map { $0.pages[index] }
    }
    guard index < before.pages.count, random.next() & 1 == 0 else { return nil }
    func length(_ file: File) -> Int { min(Self.page, Int(file.size) - index * Self.page) }
    guard before.pages[index] == nil || length(before) == length(now) else { return nil }
    return .some(before.pages[index])
  }

  private mutating func extent(_ index: Int, _ bytes: [UInt8]?) -> PageExtent {
    guard let bytes else { return PageExtent(first: UInt64(index), count: 1, location: nil, digests: []) }
    frames.append(bytes)
    var extent = HandmadeRepository.extent(bytes, archive: UInt64(archives.count), frame: UInt32(frames.count - 1))
    extent.first = UInt64(index)
    return extent
  }

  private func item(_ name: String, _ file: File, extents: [PageExtent], inherits: Bool) -> Item {
    let all = file.pages.enumerated().map { index, bytes in
      bytes.map { HandmadeRepository.extent($0) }
        ?? PageExtent(first: UInt64(index), count: 1, location: nil, digests: [])
    }
    var item = HandmadeRepository.file(name, size: file.size, extents: all, inherits: inherits)
    item.extents = extents
    return item
  }

  // MARK: Faults

  /// Of the last snapshot, but for those that need a history.
  private mutating func breakEntries(_ number: Int, _ items: inout [Item], _ removed: inout [Path]) {
    if fault == .removedTwice, number == 2 { removed = [Path("zz")] }
    guard number == depth else { return }
    let wholePage = PageExtent(first: 0, count: 1, location: nil, digests: [])
    func add(_ item: Item) { items.append(item) }
    switch fault {
    case .storedZeros:
      var extent = extent(0, [UInt8](repeating: 0, count: Self.page))
      extent.digests = [UInt8](repeating: 0, count: PageDigest.byteCount)
      add(HandmadeRepository.file("y", size: 4096, extents: [extent]))
    case .wrongPage, .noSuchFrame, .behindTheFrame, .noSuchArchive:
      var extent = extent(0, random.text(Self.page))
      switch fault {
      case .wrongPage: extent.digests = Array(HandmadeRepository.digest([7]).bytes.prefix(PageDigest.byteCount))
      case .noSuchFrame: extent.location?.frame += 1000
      case .behindTheFrame: extent.location?.offset = 1
      default:
        extent.location = extent.location.map {
          PageLocation(archive: $0.archive + 1000, frame: $0.frame, offset: $0.offset)
        }
      }
      add(HandmadeRepository.file("y", size: 4096, extents: [extent]))
    case .linkToNothing: add(HandmadeRepository.item("y", .hardLink(to: Path("nothing"))))
    case .linkToDirectory: add(HandmadeRepository.item("y", .hardLink(to: Path("d"))))
    case .linkForward:
      add(HandmadeRepository.item("x", .hardLink(to: Path("y"))))
      add(HandmadeRepository.file("y", size: 4096, extents: [wholePage]))
    case .inNoDirectory: add(HandmadeRepository.item("nowhere/y", .fifo))
    case .belowAFile: add(HandmadeRepository.item("a/y", .fifo))
    case .outside: add(HandmadeRepository.item("../y", .fifo))
    case .reservedName: add(HandmadeRepository.item(".holdfast-restore", .directory))
    case .unreadableWithSize:
      let content = FileContent(
        size: 4096, pageSize: 4096, consistency: .unreadable,
        digest: HandmadeRepository.file("y", size: 4096, extents: [wholePage]).entry.file?.digest
          ?? HandmadeRepository.digest([]))
      var item = HandmadeRepository.item("y", .file(content))
      item.extents = [wholePage]
      add(item)
    case .attributesOutOfOrder:
      var item = HandmadeRepository.item("y", .fifo)
      item.entry.attributes.extended = ["user.b", "user.a"].map {
        ExtendedAttribute(name: Array($0.utf8), value: [1])
      }
      add(item)
    case .pageSizeChanged:
      add(HandmadeRepository.file("b", size: 4096, pageSize: 512, extents: [], inherits: true))
      items.removeAll { $0.entry.path == Path("b") && $0.entry.file?.pageSize == 4096 }
    case .digest:
      var item = HandmadeRepository.file("y", size: 4096, extents: [wholePage])
      item.entry.content = .file(
        FileContent(size: 4096, pageSize: 4096, consistency: .stable, digest: HandmadeRepository.digest([9])))
      add(item)
    default: break
    }
  }

  private func breakObjects() throws {
    switch fault {
    case .archiveMissing:
      guard let key = made.store.contents.keys.sorted().last(where: { $0.contains("/archive-") }) else { return }
      made.store.contents[key] = nil
    case .bodyCut:
      guard let key = made.store.contents.keys.sorted().last(where: { $0.contains("/body-") }) else { return }
      made.store.contents[key]?.removeLast()
    default: break
    }
  }
}
