import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport

/// A repository that is written by hand: every digest in it is right, whatever it says.
struct HandmadeRepository {
  struct Item {
    var entry: Entry
    var inherits = false
    var extents: [PageExtent] = []
  }

  let store = MemoryStore()
  let shop: TestShop
  private let name: SourceName

  init() throws {
    shop = try TestShop(workers: 1, store: store)
    name = SourceName(from: Path("source"))
  }

  static func digest(_ bytes: [UInt8]) -> Digest { Hasher.digest(bytes) }

  // MARK: Entries

  static func item(_ path: String, _ content: Content, mode: UInt32 = 0o700) -> Item {
    let time = Timestamp(seconds: 1_000_000_000, nanoseconds: 0)
    return Item(
      entry: Entry(
        path: Path(path), attributes: Attributes(mode: mode, userID: 0, groupID: 0, modified: time),
        content: content, identity: Identity(changed: time, device: 1, inode: 1)))
  }

  static let root = item("", .directory)

  /// A file with right digests of these runs.
  static func file(
    _ path: String, size: UInt64, pageSize: UInt32 = 4096, extents: [PageExtent], inherits: Bool = false
  ) -> Item {
    var digest = PageDigestStream()
    for extent in extents {
      if extent.location == nil { digest.addZeros(extent.count) } else { digest.add(extent.digests) }
    }
    let content = FileContent(
      size: size, pageSize: pageSize, consistency: .stable, digest: digest.finish(size: size, pageSize: pageSize))
    var item = item(path, .file(content), mode: 0o600)
    (item.extents, item.inherits) = (extents, inherits)
    return item
  }

  /// A run of one page with these bytes.
  static func extent(_ bytes: [UInt8], archive: UInt64 = 0, frame: UInt32 = 0, offset: UInt32 = 0) -> PageExtent {
    PageExtent(
      first: 0, count: 1, location: PageLocation(archive: archive, frame: frame, offset: offset),
      digests: Array(Hasher.digest(bytes).bytes.prefix(PageDigest.byteCount)))
  }

  // MARK: Snapshots

  /// Adds a snapshot: a full, or an incremental on `parent`.
  /// - Parameters:
  ///   - frames: of its one archive, the only one of its chain unless `change` says otherwise.
  ///   - state: the entries of the complete state; `nil`: the items.
  func add(
    _ items: [Item], removed: [Path] = [], frames: [[UInt8]] = [], parent: Snapshot? = nil, state: [Item]? = nil,
    change: (inout Envelope) -> Void = { _ in }
  ) throws {
    let sequence = (parent?.sequence ?? 0) + 1
    var archives: [Envelope.Archive] = []
    if !frames.isEmpty {
      let reference = try addArchive(frames, sequence: sequence)
      archives = [
        Envelope.Archive(
          number: 0, sequence: sequence, id: reference.id, length: reference.length, digest: reference.digest)
      ]
    }
    var summarizer = StateSummarizer()
    for item in state ?? items { summarizer.add(item.entry) }
    var changes = Envelope.Changes()
    changes.added = UInt64(items.count)
    let now = RecordedTime(shop.host.clock.now())
    var envelope = Envelope(
      repository: shop.repository.id, snapshot: shop.host.random.identifier(),
      source: Envelope.Source(name: name, path: "/nowhere"), sequence: sequence,
      kind: parent == nil ? .full : .incremental,
      parent: parent?.asParent, time: Envelope.Time(started: now, finished: now), archives: archives,
      body: try addBody(items, removed: removed, sequence: sequence), state: summarizer.summary, changes: changes,
      consistency: .stable, incomplete: 0, program: "a hostile hand")
    change(&envelope)
    store.contents[Keys.manifest(name, sequence)] = try envelope.serialized()
  }

  private func addArchive(_ frames: [[UInt8]], sequence: UInt64) throws -> ObjectReference {
    let id = shop.host.random.identifier()
    let bytes = MemoryBytes()
    let head = ContainerHead(ContainerName(kind: .archive, repository: shop.repository.id, id: id))
    let writer = try ContainerWriter(head, sink: bytes)
    let maker = try FrameMaker(.none, capacity: frames.map(\.count).max() ?? 0)
    for frame in frames {
      try frame.withUnsafeBytes { try writer.write(frame: writer.reserveFrame(), maker.make($0, for: head)) }
    }
    let reference = try writer.finish()
    store.contents[Keys.archive(name, sequence, id)] = bytes.contents
    return reference
  }

  private func addBody(_ items: [Item], removed: [Path], sequence: UInt64) throws -> ObjectReference {
    let id = shop.host.random.identifier()
    let bytes = MemoryBytes()
    let writer = try BodyWriter(
      ContainerWriter(
        ContainerHead(ContainerName(kind: .body, repository: shop.repository.id, id: id)), sink: bytes),
      compression: .none)
    for item in items {
      try writer.put(item.entry, inherits: item.inherits)
      for extent in item.extents { try writer.append(extent) }
    }
    for path in removed { try writer.remove(path) }
    let reference = try writer.finish()
    store.contents[Keys.body(name, sequence, id)] = bytes.contents
    return reference
  }
}
