package import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
internal import HoldfastSystem

/// Keeps the states that the next snapshots of a source build on (the newest, and the full of its chain) on the machine
/// that takes backups, so that it need not replay the chain. Without a cached state, a run replays the chain; if it
/// cannot open the chain, it takes a full.
///
/// Layout: magic, ID of the snapshot, state, state root, SHA-256 of everything before it. For a sealed repository all
/// of this is sealed to this machine: another magic and a salt, then the sealed blocks.
package struct StateCache: Sendable {
  private static let magic = Array("HFSTATE3".utf8)
  private static let sealedMagic = Array("HFSEALED".utf8)
  private static let saltCount = 32
  private static let headerCount = UInt64(magic.count + Identifier.byteCount)
  private static let suffix = Array(".state".utf8)
  private let directory: Path?

  /// - Parameter directory: `nil` for no cache.
  package init(directory: Path?) {
    self.directory = directory
  }

  package func lies(in source: Path) -> Bool { directory.map { source.contains($0) } ?? false }

  /// Returns the directory of the states of a source, reached beneath a private directory of this user.
  /// - Parameter isMade: true if it is made when it is missing; otherwise the result may be `nil`.
  private func folder(_ repository: Repository, _ source: SourceName, isMade: Bool) throws -> OpenFile? {
    let files = repository.host.files
    guard let directory else { return nil }
    let own = isMade ? try OwnDirectory(making: directory, files: files) : try OwnDirectory(directory, files: files)
    return try [repository.id.description, source.key].reduce(own?.directory) { folder, name in
      guard let folder else { return nil }
      if isMade, try files.statusIfPresent(of: Path(name), in: folder) == nil {
        try files.makeDirectory(Path(name), in: folder)
      }
      return try files.openBeneath(Path(name), in: folder, .directory)
    }
  }

  /// True if there is a state of the source, so that this machine has taken snapshots of it in this repository.
  package func holds(_ source: SourceName, of repository: Repository) -> Bool {
    guard let folder = try? folder(repository, source, isMade: false), let names = try? folder.listing() else {
      return false
    }
    return (0..<names.count).contains { Array(names[$0].suffix(Self.suffix.count)) == Self.suffix }
  }

  private static func fileName(_ snapshot: Identifier) -> Path {
    Path(bytes: Array(snapshot.description.utf8) + suffix)
  }

  /// Returns the context to which a cached state is sealed.
  private static func context(_ repository: Repository, _ snapshot: Identifier) -> [UInt8] {
    Array("state cache".utf8) + repository.id.bytes + snapshot.bytes
  }

  // MARK: Reading

  /// Returns the cached state of a chain's tip; `nil` when there is none, or it is not valid.
  /// - Parameter key: this machine's key; `nil` when the repository is not sealed.
  package func load(_ chain: Chain, in repository: Repository, key: SealingKey?) -> StateFile? {
    load(
      chain.lastChanging.id, of: chain.tip.sourceName, recorded: chain.tip.envelope.state, in: repository, key: key)
  }

  /// - Parameters:
  ///   - snapshot: the snapshot under whose ID the state is kept.
  ///   - recorded: the state as the envelope records it.
  private func load(
    _ snapshot: Identifier, of source: SourceName, recorded: Envelope.State, in repository: Repository,
    key: SealingKey?
  ) -> StateFile? {
    // Whatever is wrong with a cache, the run continues without it.
    guard let folder = try? folder(repository, source, isMade: false),
      let file = try? repository.host.files.openBeneath(Self.fileName(snapshot), in: folder, .read),
      let size = try? file.status().size,
      let bytes = try? Self.unseal(
        CacheFile(file: file, length: size), key: key, context: Self.context(repository, snapshot)),
      let (state, root) = try? verify(bytes, belongsTo: snapshot)
    else { return nil }
    var summary = recorded
    guard key != nil || summary.root == root else { return nil }
    summary.root = root
    return StateFile(bytes: state, summary: summary)
  }

  private static func unseal(_ file: CacheFile, key: SealingKey?, context: [UInt8]) throws -> any ReadableBytes {
    guard let key else { return file }
    let clearCount = sealedMagic.count + saltCount
    let clear = try file.bytes(at: 0, count: clearCount)
    guard clear.starts(with: sealedMagic) else { throw DamageError(file.name, "it is not sealed") }
    let sealed = Section(bytes: file, start: UInt64(clearCount), length: file.length - UInt64(clearCount))
    return try SealedReader(sealed, key: key.derived(salt: Array(clear[sealedMagic.count...])), context: context)
  }

  private func verify(
    _ bytes: any ReadableBytes, belongsTo snapshot: Identifier
  ) throws -> (state: Section, root: Digest)? {
    let digestCount = UInt64(Digest.byteCount)
    guard bytes.length >= Self.headerCount + 2 * digestCount else { return nil }
    let end = bytes.length - digestCount
    guard try bytes.bytes(at: 0, count: Int(Self.headerCount)) == Self.magic + snapshot.bytes else { return nil }
    var hasher = Hasher()
    let block = Buffer(capacity: 1 << 18)
    var offset: UInt64 = 0
    while offset < end {
      block.count = Int(min(UInt64(block.capacity), end - offset))
      try bytes.read(into: UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<block.count]), at: offset)
      hasher.update(block.used)
      offset += UInt64(block.count)
    }
    guard try hasher.finish().bytes == bytes.bytes(at: end, count: Digest.byteCount),
      let root = Digest(bytes: try bytes.bytes(at: end - digestCount, count: Digest.byteCount))
    else { return nil }
    let length = end - digestCount - Self.headerCount
    return (Section(bytes: bytes, start: Self.headerCount, length: length), root)
  }

  /// Returns the state of a chain that another machine has merged: the cached state of the snapshot that the merged one
  /// stands for, which is the same except for page locations. Only a machine that can open the merged one knows the new
  /// locations, so those that are not of snapshots before it become unknown here: files with unchanged names inherit
  /// their pages, others are stored again.
  /// - Parameter keeps: true if the result replaces the cached state of that snapshot.
  /// - Returns: `nil` when there is no such state.
  package func loadMerged(_ chain: Chain, in repository: Repository, key: SealingKey?, keeps: Bool) throws -> StateFile?
  {
    // A merge of changes that undo each other has none, and nor have the snapshots after the last change: all of these
    // have the same state.
    let changing = chain.lastChanging
    let sameState = chain.snapshots.drop { $0.id != changing.id }
    guard let standing = sameState.last(where: { $0.envelope.merged != nil }), let merged = standing.envelope.merged,
      let kept = try Self.keptAs(merged, of: chain.tip.sourceName, in: repository),
      let known = load(
        kept, of: chain.tip.sourceName, recorded: standing.envelope.state, in: repository, key: key)
    else { return nil }
    let scratch = repository.containers.scratch.make()
    let writer = StateWriter(scratch)
    let firstMoved = chain.snapshots.prefix { $0.id != standing.id }.reduce(0) {
      $0 + UInt64($1.envelope.archives.count)
    }
    let entries = known.makeReader()
    while let entry = try entries.nextEntry() {
      try repository.host.cancellation.check()
      try writer.append(
        entry, map: entry.file == nil ? nil : MapWithoutLocations(map: entries.extents(), from: firstMoved))
    }
    let summary = try writer.finish()
    try scratch.finish()
    // Of two sealed states, only the sizes can be compared.
    guard summary == known.summary else { return nil }
    let state = StateFile(bytes: scratch, summary: summary)
    // If this fails, the next run does the same again.
    if keeps { keep(state, of: chain, in: repository, key: key) }
    return state
  }

  /// Returns the ID under which the state of a merged snapshot is cached: that of the newest snapshot of its chain with
  /// changes. If the merged snapshot was pruned, this is unknown; most likely it was the ID of that snapshot.
  private static func keptAs(
    _ merged: Envelope.Merge, of source: SourceName, in repository: Repository
  ) throws -> Identifier? {
    do {
      guard let original = try repository.catalog.snapshotIfCommitted(source, merged.sequence) else {
        return merged.snapshot
      }
      guard original.digest == merged.digest else { return nil }
      return try repository.catalog.chain(to: original).lastChanging.id
    } catch  where error.isDamage {
      return merged.snapshot
    }
  }

  // MARK: Writing

  /// Begins a new cached state; `nil` when no directory can be written.
  /// - Parameter key: this machine's key; `nil` when the repository is not sealed.
  package func begin(_ repository: Repository, source: SourceName, snapshot: Identifier, key: SealingKey?) -> Draft? {
    do {
      guard let folder = try folder(repository, source, isMade: true) else { return nil }
      let files = repository.host.files
      // Leftovers of killed runs are replaced, because the lock on the source excludes other runs. There is no fsync:
      // the digest shows if the file is whole.
      let file = try AtomicFile(
        Self.fileName(snapshot), in: folder, as: .alone(Path("unfinished")), durability: .none, files: files)
      let header = Self.magic + snapshot.bytes
      guard let key else { return try Draft(file, in: folder, files, sealing: nil, header: header, snapshot) }
      let salt = repository.host.random.bytes(Self.saltCount)
      try (Self.sealedMagic + salt).withUnsafeBytes { try file.append($0) }
      let sealing = SealedWriter(to: file, key: key.derived(salt: salt), context: Self.context(repository, snapshot))
      return try Draft(file, in: folder, files, sealing: sealing, header: header, snapshot)
    } catch {
      return nil
    }
  }

  /// Keeps the state of a chain's tip. If that fails, the next run makes it again.
  /// - Parameter key: this machine's key; `nil` when the repository is not sealed.
  package func keep(_ state: StateFile, of chain: Chain, in repository: Repository, key: SealingKey?) {
    let draft = begin(repository, source: chain.tip.sourceName, snapshot: chain.lastChanging.id, key: key)
    if let draft { try? write(state, to: draft, beside: chain.full.id) }
  }

  private func write(_ state: StateFile, to draft: Draft, beside full: Identifier) throws {
    let block = Buffer(capacity: 1 << 18)
    var offset: UInt64 = 0
    while offset < state.bytes.length {
      block.count = Int(min(UInt64(block.capacity), state.bytes.length - offset))
      try state.bytes.read(into: UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<block.count]), at: offset)
      draft.append(block.used)
      offset += UInt64(block.count)
    }
    draft.end(state.summary)
    try draft.keep(beside: full)
  }

  /// A cached state that is being written.
  package final class Draft: ByteSink {
    private let file: AtomicFile
    private let folder: OpenFile
    private let files: FileSystem
    private let sealing: SealedWriter?
    private let snapshot: Identifier
    private var hasher = Hasher()
    /// Set when the disk of the cache fails or is full. Then there will be no cached state.
    private var failure: (any Error)?

    fileprivate init(
      _ file: AtomicFile, in folder: OpenFile, _ files: FileSystem, sealing: SealedWriter?, header: [UInt8],
      _ snapshot: Identifier
    ) throws {
      (self.file, self.folder, self.files) = (file, folder, files)
      self.sealing = sealing
      self.snapshot = snapshot
      append(header)
    }

    func append(_ bytes: UnsafeRawBufferPointer) {
      guard failure == nil else { return }
      hasher.update(bytes)
      do {
        if let sealing { try sealing.append(bytes) } else { try file.append(bytes) }
      } catch {
        failure = error
      }
    }

    private func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    /// Adds the end of the file after the last byte of the state.
    package func end(_ state: Envelope.State) {
      append(state.root.bytes)
      append(hasher.snapshot().bytes)
    }

    /// Gives the state its name, and removes states on which no snapshot can build any longer.
    /// - Parameter full: the full of its chain.
    package func keep(beside full: Identifier) throws {
      if let failure { throw failure }
      try sealing?.finish()
      try file.commit()
      try removeOthers(but: [snapshot, full].map { StateCache.fileName($0).bytes })
    }

    private func removeOthers(but useful: [[UInt8]]) throws {
      let names = try folder.listing()
      for index in 0..<names.count where !useful.contains(Array(names[index])) {
        try files.removeFile(Path(bytes: Array(names[index])), in: folder)
      }
    }
  }
}

/// A map with unknown locations for all pages that are stored in an archive from a number on.
private struct MapWithoutLocations: PageMapReader {
  private var map: any PageMapReader
  private let firstMoved: UInt64

  init(map: any PageMapReader, from firstMoved: UInt64) { (self.map, self.firstMoved) = (map, firstMoved) }

  mutating func next() throws -> PageExtent? {
    guard var extent = try map.next() else { return nil }
    if let location = extent.location, location.archive >= firstMoved { extent.location = location.forgotten }
    return extent
  }
}

/// A file as readable bytes.
private struct CacheFile: ReadableBytes {
  let file: OpenFile
  let length: UInt64
  var name: String { "the local cache" }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    guard try file.read(into: buffer, at: offset) == buffer.count else { throw SystemError.endOfFile(name) }
  }
}

/// A part of other bytes.
private struct Section: ReadableBytes {
  let bytes: any ReadableBytes
  let start: UInt64
  let length: UInt64
  var name: String { bytes.name }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try bytes.read(into: buffer, at: start + offset)
  }
}

extension ReadableBytes {
  fileprivate func bytes(at offset: UInt64, count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBytes { try read(into: $0, at: offset) }
    return bytes
  }
}
