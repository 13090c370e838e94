package import HoldfastModel
internal import HoldfastSystem

/// Reads a state entry by entry, and the page map of an entry on demand. As a `ChangeReader` it gives each entry as a
/// `put`.
package final class StateReader: ChangeReader {
  private static let mapBlockBytesMax = 16 << 20
  private let state: StateFile
  private let cursor: ByteCursor
  private var isMapPending = false
  private var file: FileContent?
  private var openExtents: Extents?
  private var path = Path.root
  /// The offsets at which the last entry and its map begin, for `StateFile.entry(at:)` and `StateFile.extents(at:of:)`.
  package private(set) var entryOffset: UInt64 = 0
  package private(set) var mapOffset: UInt64 = 0

  init(_ state: StateFile) {
    self.state = state
    cursor = ByteCursor(state.bytes)
  }

  package var name: String { state.bytes.name }

  /// Returns the next entry; `nil` after the last.
  package func nextEntry() throws -> Entry? {
    while try openExtents?.next() != nil {}
    openExtents = nil
    if isMapPending { try skipMap() }
    guard try !cursor.isAtEnd() else { return nil }
    entryOffset = cursor.consumed
    path = try cursor.path(after: path)
    let entry = try cursor.entry(at: path)
    file = entry.file
    isMapPending = file != nil
    mapOffset = cursor.consumed
    return entry
  }

  package func next() throws -> Change? {
    try nextEntry().map { .put($0, inherits: false) }
  }

  /// Returns the extents of the last entry, which must be a file.
  package func extents() -> any PageMapReader {
    isMapPending = false
    let extents = Extents(cursor: cursor, file: file)
    openExtents = extents
    return extents
  }

  /// Passes on the blocks of the last entry's map.
  func copyMap(_ body: ([UInt8]) throws -> Void) throws {
    isMapPending = false
    while true {
      let count = try cursor.varint(as: Int.self, max: Self.mapBlockBytesMax)
      if count == 0 { return }
      try body(try cursor.raw(count: count))
    }
  }

  private func skipMap() throws {
    isMapPending = false
    while true {
      let count = try cursor.varint(as: Int.self, max: Self.mapBlockBytesMax)
      if count == 0 { return }
      try cursor.skip(count)
    }
  }

  /// Returns the extents of a map at another offset of the same state.
  static func extents(of state: StateFile, at offset: UInt64, file: FileContent) -> any PageMapReader {
    Extents(cursor: ByteCursor(RangeSupply(state.bytes, from: offset, to: state.bytes.length)), file: file)
  }

  /// The bytes that are read at first for one entry; most are shorter.
  private static let entryBytes = 4 << 10

  /// Returns the entry at another offset of the same state, with an empty path.
  static func entry(of state: StateFile, at offset: UInt64) throws -> (entry: Entry, mapOffset: UInt64) {
    let supply = RangeSupply(state.bytes, from: offset, to: state.bytes.length, blockCount: entryBytes)
    let cursor = ByteCursor(supply)
    _ = try cursor.varint(as: Int.self, max: Limits.pathBytesMax)
    try cursor.skip(cursor.varint(as: Int.self, max: Limits.pathBytesMax))
    return (try cursor.entry(at: .root), offset + cursor.consumed)
  }

  private final class Extents: PageMapReader {
    let cursor: ByteCursor
    let file: FileContent?
    var end: UInt64 = 0
    var block: ByteCursor?
    var isDone = false

    init(cursor: ByteCursor, file: FileContent?) {
      self.cursor = cursor
      self.file = file
      isDone = file == nil
    }

    func next() throws -> PageExtent? {
      guard !isDone, let file else { return nil }
      while try block?.isAtEnd() ?? true {
        let count = try cursor.varint(as: Int.self, max: StateReader.mapBlockBytesMax)
        if count == 0 {
          isDone = true
          return nil
        }
        block = ByteCursor(BlockSupply(try cursor.raw(count: count), name: cursor.name))
      }
      guard let block else { return nil }
      let extent = try block.extent(record: try block.byte(), after: end, file: file)
      end = extent.end
      return extent
    }
  }
}

/// Supplies one block of bytes from memory.
final class BlockSupply: ByteSupply {
  let name: String
  private let buffer: Buffer
  private var isTaken = false

  init(_ bytes: [UInt8], name: String) {
    self.name = name
    buffer = Buffer(capacity: bytes.count)
    bytes.withUnsafeBytes { buffer.append($0) }
  }

  func next() -> UnsafeRawBufferPointer? {
    defer { isTaken = true }
    return isTaken ? nil : buffer.used
  }
}
