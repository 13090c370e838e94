internal import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// The complete state of a snapshot in a file of this machine: a replay makes it, and the state cache keeps it.
///
/// Entries are in path order, each encoded as in a body. A file's entry is followed by its page map in blocks of at
/// most about 1 MiB. Each block has its length before it, and an empty block ends the map, so that a map can be skipped
/// or copied without being decoded. The layout is private to one version of holdfast; another version replays the
/// chain.
package struct StateFile: Sendable {
  package let bytes: any ReadableBytes
  package let summary: Envelope.State

  package init(bytes: any ReadableBytes, summary: Envelope.State) {
    self.bytes = bytes
    self.summary = summary
  }

  /// The state before the first snapshot.
  package static func empty() -> StateFile {
    StateFile(
      bytes: MemoryBytes(), summary: Envelope.State(root: Hasher().finish(), entries: 0, files: 0, bytes: 0))
  }

  package func makeReader() -> StateReader { StateReader(self) }

  /// The maximum number of hard links that are checked in one pass. Each takes a few dozen bytes.
  private static let linksMax = 1 << 20

  /// Checks that every hard link leads to a file of this state.
  /// - Parameter name: the origin of the state, for messages.
  package func checkLinks(name: String) throws {
    let links = makeReader()
    var isAtEnd = false
    while !isAtEnd {
      // Digests are collected, because paths may be long.
      var wanted: Set<Digest> = []
      while wanted.count < Self.linksMax {
        guard let entry = try links.nextEntry() else {
          isAtEnd = true
          break
        }
        if case .hardLink(let file) = entry.content { wanted.insert(Hasher.digest(file.bytes)) }
      }
      guard !wanted.isEmpty else { return }
      let files = makeReader()
      while let entry = try files.nextEntry() {
        if entry.file != nil { wanted.remove(Hasher.digest(entry.path.bytes)) }
      }
      if !wanted.isEmpty { throw try lostLink(wanted, name: name) }
    }
  }

  private func lostLink(_ lost: Set<Digest>, name: String) throws -> DamageError {
    let links = makeReader()
    var first: Path?
    while let entry = try links.nextEntry() {
      guard case .hardLink(let file) = entry.content, lost.contains(Hasher.digest(file.bytes)) else { continue }
      first = first.map { min($0, file) } ?? file
    }
    return DamageError(name, "a hard link leads to \(first ?? .root), which is no file")
  }

  /// True if there is an entry at a path or below it. All entries before it are read.
  package func has(_ path: Path) throws -> Bool {
    let entries = makeReader()
    while let entry = try entries.nextEntry() {
      if path.contains(entry.path) { return true }
      if path < entry.path { return false }
    }
    return false
  }

  /// Returns the file whose entry begins at `offset`, and the offset of its map; `nil` when that entry is not a file.
  /// The path is not known here: it is encoded relative to the entry before.
  package func file(at offset: UInt64) throws -> (content: FileContent, mapOffset: UInt64)? {
    let (entry, mapOffset) = try entry(at: offset)
    return entry.file.map { ($0, mapOffset) }
  }

  /// Returns the entry that begins at `offset`, and the offset of its map if it is a file. Its path is empty: it is
  /// encoded relative to the entry before.
  package func entry(at offset: UInt64) throws -> (entry: Entry, mapOffset: UInt64) {
    try StateReader.entry(of: self, at: offset)
  }

  /// Returns the extents of a file whose map begins at `offset`.
  package func extents(at offset: UInt64, of file: FileContent) -> any PageMapReader {
    StateReader.extents(of: self, at: offset, file: file)
  }
}

/// Computes the state root entry by entry (format.md, section 7), and the counts of a state.
package struct StateSummarizer {
  private var hasher = Hasher()
  private var entries: UInt64 = 0
  private var files: UInt64 = 0
  private var bytes: UInt64 = 0
  /// The weakest class of any file.
  package private(set) var consistency = ConsistencyClass.stable
  /// Number of files that are torn or unreadable.
  package private(set) var incomplete: UInt64 = 0

  package init() {}

  package mutating func add(_ entry: Entry) {
    var encoder = ByteEncoder()
    encoder.counted(entry.path.bytes)
    encoder.state(of: entry)
    hasher.update(encoder.bytes)
    entries += 1
    guard let file = entry.file else { return }
    files += 1
    bytes = bytes.saturatingAdding(file.size)
    consistency = max(consistency, file.consistency)
    if !file.consistency.isComplete { incomplete += 1 }
  }

  /// True if more was counted already than the state has.
  func exceeds(_ state: Envelope.State) -> Bool {
    entries > state.entries || files > state.files || bytes > state.bytes
  }

  package var summary: Envelope.State {
    Envelope.State(root: hasher.finish(), entries: entries, files: files, bytes: bytes)
  }
}

/// Thrown when more was written than the state has.
package enum StateExcess: Error {
  /// Too many entries, files, or bytes of files.
  case entries
  /// Too many bytes of the state itself.
  case bytes
}

/// Writes a state to a sink, entry by entry.
package final class StateWriter {
  private static let blockBytes = 1 << 20
  private let sink: any ByteSink
  private let expected: Envelope.State?
  private let bytesMax: UInt64
  private var written: UInt64 = 0
  private var encoder = ByteEncoder()
  private var summarizer = StateSummarizer()
  private var path = Path.root
  /// True if any entry so far is a hard link: then `StateFile.checkLinks` is needed.
  package private(set) var hasHardLinks = false

  /// - Parameters:
  ///   - expected: the counts of the complete state, from a manifest. `StateExcess` is thrown as soon as they are
  ///     exceeded.
  ///   - bytesMax: the maximum number of bytes of the state itself. `StateExcess` is thrown beyond it.
  package init(_ sink: any ByteSink, expected: Envelope.State? = nil, bytesMax: UInt64 = .max) {
    self.sink = sink
    self.expected = expected
    self.bytesMax = bytesMax
  }

  /// - Parameter map: the complete page map of a file; `nil` for everything else.
  package func append(_ entry: Entry, map: (any PageMapReader)?) throws {
    try begin(entry)
    guard entry.file != nil else { return }
    var end: UInt64 = 0
    var block = ByteEncoder()
    if let map {
      var joined = JoinedZeros(map)
      while let extent = try joined.next() {
        block.extent(extent, after: end)
        end = extent.end
        if block.bytes.count >= Self.blockBytes { try flush(&block) }
      }
    }
    if !block.bytes.isEmpty { try flush(&block) }
    encoder.varint(UInt(0))
  }

  /// Writes an entry with its map copied unchanged from another state.
  package func copy(_ entry: Entry, from reader: StateReader) throws {
    try begin(entry)
    guard entry.file != nil else { return }
    try reader.copyMap { block in
      encoder.varint(UInt(block.count))
      encoder.raw(block)
      try flushFull()
    }
    encoder.varint(UInt(0))
  }

  package func finish() throws -> Envelope.State {
    try flushAll()
    return summarizer.summary
  }

  private func begin(_ entry: Entry) throws {
    summarizer.add(entry)
    if let expected, summarizer.exceeds(expected) { throw StateExcess.entries }
    if case .hardLink = entry.content { hasHardLinks = true }
    encoder.path(entry.path, after: path)
    path = entry.path
    encoder.state(of: entry)
    encoder.identity(of: entry)
    try flushFull()
  }

  private func flush(_ block: inout ByteEncoder) throws {
    encoder.varint(UInt(block.bytes.count))
    encoder.raw(block.bytes)
    block.bytes.removeAll(keepingCapacity: true)
    try flushFull()
  }

  private func flushFull() throws {
    if encoder.bytes.count >= Self.blockBytes { try flushAll() }
  }

  private func flushAll() throws {
    written += UInt64(encoder.bytes.count)
    guard written <= bytesMax else { throw StateExcess.bytes }
    try encoder.bytes.withUnsafeBytes { try sink.append($0) }
    encoder.bytes.removeAll(keepingCapacity: true)
  }
}
