package import HoldfastModel
internal import HoldfastSystem

/// Keeps captured changes in path order until all changes between them are known: a database server gives the contents
/// of some of its files only at the end of a backup.
package final class ChangeSpool {
  package enum Item {
    /// An entry that is unchanged since the parent.
    case kept(Entry)
    /// An entry that was added (`isNew`) or changed. The extents of a file must be read before the next item.
    case put(Entry, isNew: Bool, inherits: Bool, extents: (any PageMapReader)?)
    case removed(Path)

    package var path: Path {
      switch self {
      case .kept(let entry), .put(let entry, _, _, _): entry.path
      case .removed(let path): path
      }
    }
  }

  private enum RecordKind {
    static let kept: UInt8 = 1
    static let put: UInt8 = 2
    static let putInheriting: UInt8 = 3
    static let removed: UInt8 = 4
    static let putNew: UInt8 = 5
    static let endOfExtents: UInt8 = 0
  }

  private static let blockBytes = 64 << 10
  private let bytes: any ScratchBytes
  private var block = ByteEncoder()

  package init(_ space: ScratchSpace) {
    bytes = space.make()
  }

  package func keep(_ entry: Entry) throws {
    try add(RecordKind.kept, entry)
  }

  /// - Parameters:
  ///   - isNew: true if the parent has nothing at this path. An entry that inherits is not new.
  ///   - inherits: true if `extents` contains only the pages that differ from the parent.
  package func put(_ entry: Entry, isNew: Bool, inherits: Bool, extents: (any PageMapReader)?) throws {
    try add(inherits ? RecordKind.putInheriting : isNew ? RecordKind.putNew : RecordKind.put, entry)
    guard entry.file != nil else { return }
    if var extents {
      var end: UInt64 = 0
      while let extent = try extents.next() {
        block.extent(extent, after: end)
        end = extent.end
        try flushFull()
      }
    }
    block.byte(RecordKind.endOfExtents)
  }

  package func remove(_ path: Path) throws {
    block.byte(RecordKind.removed)
    block.counted(path.bytes)
    try flushFull()
  }

  /// Ends adding, and returns a reader of everything from the first item on.
  package func finish() throws -> Reader {
    try flush()
    try bytes.finish()
    return Reader(cursor: ByteCursor(bytes))
  }

  private func add(_ kind: UInt8, _ entry: Entry) throws {
    block.byte(kind)
    block.counted(entry.path.bytes)
    block.state(of: entry)
    block.identity(of: entry)
    try flushFull()
  }

  private func flushFull() throws {
    if block.bytes.count >= Self.blockBytes { try flush() }
  }

  private func flush() throws {
    try block.bytes.withUnsafeBytes { try bytes.append($0) }
    block.bytes.removeAll(keepingCapacity: true)
  }

  package final class Reader {
    private let cursor: ByteCursor
    private var extents: Extents?

    init(cursor: ByteCursor) {
      self.cursor = cursor
    }

    /// Returns the next item; `nil` after the last.
    package func next() throws -> Item? {
      while try extents?.next() != nil {}
      extents = nil
      guard try !cursor.isAtEnd() else { return nil }
      let kind = try cursor.byte()
      let path = try cursor.entryPath(cursor.counted(max: Limits.pathBytesMax))
      if kind == RecordKind.removed { return .removed(path) }
      let entry = try cursor.entry(at: path)
      if kind == RecordKind.kept { return .kept(entry) }
      extents = entry.file.map { Extents(cursor: cursor, file: $0) }
      return .put(entry, isNew: kind == RecordKind.putNew, inherits: kind == RecordKind.putInheriting, extents: extents)
    }
  }

  private final class Extents: PageMapReader {
    private let cursor: ByteCursor
    private let file: FileContent
    private var end: UInt64 = 0
    private var isDone = false

    init(cursor: ByteCursor, file: FileContent) {
      self.cursor = cursor
      self.file = file
    }

    func next() throws -> PageExtent? {
      guard !isDone else { return nil }
      let record = try cursor.byte()
      isDone = record == RecordKind.endOfExtents
      if isDone { return nil }
      let extent = try cursor.extent(record: record, after: end, file: file)
      end = extent.end
      return extent
    }
  }
}
