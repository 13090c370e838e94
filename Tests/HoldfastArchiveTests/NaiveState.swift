import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport

/// A state as a dictionary, with every page named: what a replay must come to.
struct NaiveState {
  struct Node: Hashable {
    var entry: Entry
    /// Every page of a file; `nil` is a page of zeros.
    var pages: [MappedPage?] = []

    /// Puts the digest of the pages and the size into the entry.
    mutating func seal(size: UInt64) {
      guard case .file(var file) = entry.content else { return }
      file.size = size
      var hasher = Hasher()
      var rest = pages[...]
      while let page = rest.first {
        let zeros = rest.prefix { $0 == nil }.count
        if let page {
          hasher.update(page.digest)
        } else {
          hasher.update([UInt8](repeating: 0, count: 16))
          hasher.update((0..<8).map { UInt8(truncatingIfNeeded: zeros >> (8 * $0)) })
        }
        rest = rest.dropFirst(max(zeros, 1))
      }
      hasher.update((0..<8).map { UInt8(truncatingIfNeeded: size >> (8 * $0)) })
      hasher.update((0..<4).map { UInt8(truncatingIfNeeded: file.pageSize >> (8 * $0)) })
      file.digest = hasher.finish()
      entry.content = .file(file)
    }
  }

  var nodes: [Path: Node] = [:]

  var sorted: [Node] { nodes.values.sorted { $0.entry.path < $1.entry.path } }

  /// The state root and what is counted, computed from the document with the second encoder.
  var summary: Envelope.State {
    var hasher = Hasher()
    for node in sorted {
      var record = RecordBytes()
      record.counted(node.entry.path.bytes)
      record.state(of: node.entry)
      hasher.update(record.bytes)
    }
    let files = nodes.values.compactMap(\.entry.file)
    return Envelope.State(
      root: hasher.finish(), entries: UInt64(nodes.count), files: UInt64(files.count),
      bytes: files.reduce(0) { $0 + $1.size })
  }

  /// Reads a state back into a dictionary.
  init(_ state: StateFile) throws {
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      var node = Node(entry: entry)
      if let file = entry.file {
        var extents: [PageExtent] = []
        var map = reader.extents()
        while let extent = try map.next() { extents.append(extent) }
        let pages = expand(extents, pageSize: file.pageSize)
        node.pages = (0..<file.pageCount).map { pages[$0] ?? nil }
        if pages.count != Int(file.pageCount) { throw DamageError("the state", "pages are missing") }
      }
      nodes[entry.path] = node
    }
  }

  init() {}
}

// MARK: - Random changes

extension NaiveState {
  /// A state with a directory and nothing in it.
  static func start(_ random: inout SeededRandom) -> NaiveState {
    var state = NaiveState()
    state.put(.root, .directory, &random)
    return state
  }

  mutating func put(_ path: Path, _ content: Content, _ random: inout SeededRandom) {
    nodes[path] = Node(
      entry: random.entry(path, content))
  }

  mutating func removeTree(_ path: Path) { nodes = nodes.filter { !path.contains($0.key) } }

  /// - Parameter archive: where new pages are stored.
  mutating func change(archive: UInt64, _ random: inout SeededRandom) {
    let directories = sorted.filter { $0.entry.content == .directory }.map(\.entry.path)
    let parent = directories[random.number(0...directories.count - 1)]
    let names: [[UInt8]] = [[0x61], [0x62], [0x61, 0x2e], [0xff], [0x01]]
    let path = parent.appending(names[random.number(0...4)])
    guard let node = nodes[path] else { return create(path, archive, &random) }
    switch random.number(0...9) {
    case 0: removeTree(path)
    case 1:
      removeTree(path)
      create(path, archive, &random)
    case 2: nodes[path]?.entry.attributes = random.attributes()
    default: if node.entry.file != nil { rewrite(path, archive, &random) }
    }
  }

  private mutating func create(_ path: Path, _ archive: UInt64, _ random: inout SeededRandom) {
    switch random.number(0...6) {
    case 0, 1: if path.bytes.count < 8 { put(path, .directory, &random) }
    case 2: put(path, .symbolicLink(target: [0x78]), &random)
    default:
      let pageSize: UInt32 = random.number(0...1) == 0 ? 512 : 4096
      put(
        path, .file(FileContent(size: 0, pageSize: pageSize, consistency: .stable, digest: digest(0))), &random)
      rewrite(path, archive, &random)
    }
  }

  /// Changes some pages, and often the size.
  private mutating func rewrite(_ path: Path, _ archive: UInt64, _ random: inout SeededRandom) {
    guard var node = nodes[path], let file = node.entry.file else { return }
    let pageSize = UInt64(file.pageSize)
    let size = random.number(0...2) == 0 ? file.size : random.number(0...20 * pageSize)
    let count = Int((size + pageSize - 1) / pageSize)
    let frame: UInt32 = random.number(0...50)
    let isShifted = random.number(0...1)
    func newPage(_ index: Int, _ random: inout SeededRandom) -> MappedPage? {
      if random.number(0...3) == 0 { return nil }
      let offset = UInt32(index + isShifted) * file.pageSize
      return MappedPage(
        location: PageLocation(archive: archive, frame: frame, offset: offset), digest: random.bytes(16))
    }
    // A last page whose length changes is another page, unless it was and is zero.
    let lastStays = size == file.size
    for index in node.pages.indices where random.number(0...5) == 0 { node.pages[index] = newPage(index, &random) }
    if !lastStays {
      for index in [node.pages.count - 1, count - 1]
      where node.pages.indices.contains(index) && node.pages[index] != nil {
        node.pages[index] = newPage(index, &random)
      }
    }
    node.pages = Array(node.pages.prefix(count))
    while node.pages.count < count { node.pages.append(newPage(node.pages.count, &random)) }
    node.seal(size: size)
    nodes[path] = node
  }
}

// MARK: - As bodies

extension NaiveState {
  /// The body that leads from `parent` to this state, written by the writer that is tested. Whether a file inherits is
  /// left to chance where both are allowed.
  func body(since parent: NaiveState, _ random: inout SeededRandom) throws -> SampleContainer {
    let sink = MemoryBytes()
    let writer = try BodyWriter(
      ContainerWriter(SampleContainer.bodyHead, sink: sink),
      compression: .none)
    for path in Set(nodes.keys).union(parent.nodes.keys).sorted() {
      let old = parent.nodes[path]
      guard let new = nodes[path] else {
        try writer.remove(path)
        continue
      }
      if new == old, random.number(0...9) != 0 { continue }
      let inherits =
        new.entry.file != nil && new.entry.file?.pageSize == old?.entry.file?.pageSize && random.number(0...5) != 0
      try writer.put(new.entry, inherits: inherits)
      let oldPages = inherits ? old?.pages ?? [] : []
      let wanted = new.pages.indices.filter { index in
        !oldPages.indices.contains(index) || oldPages[index] != new.pages[index] || random.number(0...9) == 0
      }
      for extent in Self.extents(of: new, pages: wanted) { try writer.append(extent) }
    }
    let reference = try writer.finish()
    return SampleContainer(bytes: sink.contents, reference: reference)
  }

  /// Pages that follow one another and lie one behind the other are one run.
  private static func extents(of node: Node, pages: [Int]) -> [PageExtent] {
    var extents: [PageExtent] = []
    for index in pages {
      let page = node.pages[index]
      let step = UInt32(extents.last?.count ?? 0) * (node.entry.file?.pageSize ?? 0)
      let next = extents.last?.location.map {
        PageLocation(archive: $0.archive, frame: $0.frame, offset: $0.offset + step)
      }
      if let last = extents.last, last.end == UInt64(index), next == page?.location {
        extents[extents.count - 1].count += 1
        extents[extents.count - 1].digests += page?.digest ?? []
      } else {
        extents.append(
          PageExtent(first: UInt64(index), count: 1, location: page?.location, digests: page?.digest ?? []))
      }
    }
    return extents
  }
}
