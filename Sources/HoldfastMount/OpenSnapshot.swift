internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastQuery
internal import HoldfastRepository
internal import HoldfastSystem
internal import Synchronization

/// A snapshot whose state is there: its entries are found by number, and its files are read. Threads take turns.
final class OpenSnapshot: @unchecked Sendable {
  // Sendable, because everything is done within `turn`.
  private let turn = Mutex(())

  /// The most files of which pages are kept; the kernel keeps pages, too.
  private static let filesMax = 4
  /// Enough for what is fetched ahead of whoever reads from front to back.
  private static let keptBytesMax = 8 << 20

  private let files: SnapshotFiles
  private let repository: Repository
  private let index: StateIndex
  private let fetcher: PageFetcher
  /// The files that were read last, the newest at the end.
  private var bytes: [(entry: Int, bytes: SnapshotBytes)] = []

  /// Replays the chain of a snapshot.
  /// - Throws: `DamageError` if anything of it is damaged.
  init(_ snapshot: Snapshot, in repository: Repository) throws {
    self.repository = repository
    files = try SnapshotFiles(of: snapshot, in: repository)
    index = try StateIndex(
      files.state, in: repository.containers.scratch, cancellation: repository.host.cancellation)
    fetcher = files.makeFetcher()
  }

  deinit { fetcher.stop() }

  /// An entry with what the state does not say of it alone.
  struct Found {
    let number: Int
    let entry: Entry
    let storedBytes: UInt64
    let linkCount: UInt32
  }

  /// - Parameter number: the number of an entry, which comes from the kernel.
  /// - Throws: `Refusal` when there is no such entry.
  func entry(_ number: Int) throws -> Found { try turn.withLock { _ in try found(number) } }

  /// Returns the entry with a name in a directory; a hard link is the file that it leads to.
  func child(_ name: [UInt8], of directory: Int) throws -> Found {
    try turn.withLock { _ in
      guard try item(directory).kind == .directory else { throw Refusal.notADirectory }
      guard let number = try index.child(name, of: directory) else { throw Refusal.noEntry }
      return try found(number)
    }
  }

  /// Calls `body` for the entries of a directory from one on.
  /// - Parameter body: gets the position of the next entry, the name, the number and the kind, and how to examine the
  ///   entry; it returns false to stop.
  func forEachChild(
    of directory: Int, from position: Int,
    _ body: (Int, [UInt8], Int, StateIndex.Kind, @escaping () throws -> Found) throws -> Bool
  ) throws {
    try turn.withLock { _ in
      guard try item(directory).kind == .directory else { throw Refusal.notADirectory }
      let all = try index.children(of: directory)
      for child in all.dropFirst(position) {
        let item = try index.item(child)
        let next = child - all.lowerBound + 1
        guard try body(next, try index.name(of: item), child, item.kind, { try self.found(child) })
        else { return }
      }
    }
  }

  private func item(_ number: Int) throws -> StateIndex.Item {
    guard number >= 0, number < index.count else { throw Refusal.noEntry }
    return try index.item(number)
  }

  private func found(_ number: Int) throws -> Found {
    let item = try item(number)
    let entry = try files.state.entry(at: item.offset).entry
    if case .hardLink(let path) = entry.content {
      guard let file = try index.number(of: path), try index.item(file).kind == .file else { throw Refusal.noEntry }
      return try found(file)
    }
    return Found(
      number: number, entry: entry, storedBytes: item.storedBytes,
      linkCount: item.kind == .file ? try index.linkCount(ofFile: number) : 1)
  }

  // MARK: Contents

  /// Checks that a file can be read.
  func open(_ number: Int) throws -> ConsistencyClass {
    try turn.withLock { _ in
      let content = try content(number).content
      if content.consistency != .unreadable { _ = try bytes(of: number) }
      return content.consistency
    }
  }

  /// Reads as much of a file as there is at an offset.
  /// - Returns: the number of bytes.
  func read(_ number: Int, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try turn.withLock { _ in
      let bytes = try bytes(of: number)
      guard offset < bytes.length else { return 0 }
      let count = Int(min(UInt64(buffer.count), bytes.length - offset))
      try bytes.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: offset)
      return count
    }
  }

  /// Returns the next offset that is stored, or that lies in a hole (lseek(2), SEEK_DATA and SEEK_HOLE).
  func seek(_ number: Int, from offset: UInt64, isForData: Bool) throws -> UInt64 {
    try turn.withLock { _ in
      let bytes = try bytes(of: number)
      guard offset < bytes.length,
        let found = try isForData ? bytes.nextData(from: offset) : bytes.nextHole(from: offset)
      else { throw Refusal.noPosition }
      return found
    }
  }

  /// Returns the path of an entry, for messages. The state is walked for it.
  func path(of number: Int) -> Path {
    turn.withLock { _ in
      guard let offset = try? item(number).offset else { return .root }
      let reader = files.state.makeReader()
      while let entry = try? reader.nextEntry() {
        if reader.entryOffset == offset { return entry.path }
      }
      return .root
    }
  }

  private func content(_ number: Int) throws -> (content: FileContent, mapOffset: UInt64) {
    let item = try item(number)
    guard let file = try files.state.file(at: item.offset) else {
      throw item.kind == .directory ? Refusal.isADirectory : Refusal.invalid
    }
    return file
  }

  private func bytes(of number: Int) throws -> SnapshotBytes {
    if let place = bytes.lastIndex(where: { $0.entry == number }) {
      if place < bytes.count - 1 { bytes.append(bytes.remove(at: place)) }
      return bytes[bytes.count - 1].bytes
    }
    let (content, mapOffset) = try content(number)
    guard content.consistency != .unreadable else { throw Refusal.unreadable }
    let opened = try SnapshotBytes(
      files.file(content, at: .root, mapOffset: mapOffset), in: repository, sharing: fetcher,
      keptBytesMax: Self.keptBytesMax)
    if bytes.count == Self.filesMax { bytes.removeFirst() }
    bytes.append((number, opened))
    return opened
  }
}
