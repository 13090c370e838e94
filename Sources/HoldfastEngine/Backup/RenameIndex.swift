internal import HoldfastArchive
internal import HoldfastModel

/// Finds a file of the parent's state that now has another name, by inode or by the digest of its first page. It is
/// built when a file is first looked for under another name, and takes eight bytes of key and eight of offset for each
/// file.
struct RenameIndex {
  private struct Key {
    let value: UInt64
    let entryOffset: UInt64
  }

  private let state: StateFile
  private var inodes: [Key] = []
  private var firstPages: [Key] = []

  init(_ state: StateFile) throws {
    self.state = state
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      guard let file = entry.file, file.size > 0, file.consistency != .unreadable else { continue }
      let offset = reader.entryOffset
      inodes.append(Key(value: entry.identity.inode, entryOffset: offset))
      guard file.size > UInt64(Limits.archiveFrameBytes) else { continue }
      var extents = reader.extents()
      if let first = try extents.next(), first.location != nil {
        firstPages.append(Key(value: Self.prefix(first.digests), entryOffset: offset))
      }
      while try extents.next() != nil {}
    }
    inodes.sort { $0.value < $1.value }
    firstPages.sort { $0.value < $1.value }
  }

  func find(inode: UInt64) throws -> BaseFile? { try find(inode, in: inodes) }

  func find(firstPage digest: [UInt8]) throws -> BaseFile? { try find(Self.prefix(digest), in: firstPages) }

  private func find(_ value: UInt64, in keys: [Key]) throws -> BaseFile? {
    var low = 0
    var high = keys.count
    while low < high {
      let middle = (low + high) / 2
      if keys[middle].value < value { low = middle + 1 } else { high = middle }
    }
    guard low < keys.count, keys[low].value == value else { return nil }
    guard let (file, mapOffset) = try state.file(at: keys[low].entryOffset) else { return nil }
    let found = BaseFile(state: state, file: file, mapOffset: mapOffset, isSamePath: false)
    return try found.hasKnownLocations() ? found : nil
  }

  private static func prefix(_ digest: [UInt8]) -> UInt64 {
    digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// A file of the parent's state with which a capture is compared.
struct BaseFile {
  let state: StateFile
  let file: FileContent
  let mapOffset: UInt64
  /// True if the manifest may say `inherits`; otherwise its extents are written out.
  let isSamePath: Bool

  func extents() -> any PageMapReader { state.extents(at: mapOffset, of: file) }

  /// Returns true if the locations of all its pages are known, so that another path can refer to them.
  func hasKnownLocations() throws -> Bool {
    var extents = extents()
    while let extent = try extents.next() {
      if extent.location?.isKnown == false { return false }
    }
    return true
  }
}
