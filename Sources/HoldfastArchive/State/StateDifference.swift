package import HoldfastModel

/// The changes that lead from one state to another, in path order, as the body of an incremental records them
/// (format.md, section 6). It knows nothing of what was between the two: a page that was changed and changed back is
/// no change.
package struct StateDifference {
  package enum Item {
    /// An entry that was added (`isNew`) or changed. The extents of a file must be read before the next item.
    case put(Entry, isNew: Bool, inherits: Bool, extents: (any PageMapReader)?)
    case removed(Path)
  }

  private let older: StateReader
  private let newer: StateReader
  private var before: Entry?
  private var after: Entry?
  /// False if `after` was given already.
  private var isFresh = true

  package init(from older: StateFile, to newer: StateFile) throws {
    (self.older, self.newer) = (older.makeReader(), newer.makeReader())
    before = try self.older.nextEntry()
    after = try self.newer.nextEntry()
  }

  /// Returns the next change; `nil` after the last.
  package mutating func next() throws -> Item? {
    if !isFresh { try advance() }
    while true {
      guard let after else {
        guard let before else { return nil }
        self.before = try older.nextEntry()
        return .removed(before.path)
      }
      guard let before, before.path <= after.path else {
        isFresh = false
        return .put(after, isNew: true, inherits: false, extents: after.file == nil ? nil : newer.extents())
      }
      if before.path < after.path {
        self.before = try older.nextEntry()
        return .removed(before.path)
      }
      if before != after {
        isFresh = false
        return changed(before, after)
      }
      try advance()
    }
  }

  /// Goes on behind the entry of the newer state, and behind that of the older state at the same path.
  private mutating func advance() throws {
    if let after, before?.path == after.path { before = try older.nextEntry() }
    after = try newer.nextEntry()
    isFresh = true
  }

  private func changed(_ before: Entry, _ after: Entry) -> Item {
    guard let file = after.file else { return .put(after, isNew: false, inherits: false, extents: nil) }
    guard let known = before.file, known.pageSize == file.pageSize else {
      return .put(after, isNew: false, inherits: false, extents: newer.extents())
    }
    let extents = ChangedExtents(newer.extents(), of: file, since: older.extents(), of: known)
    return .put(after, isNew: false, inherits: true, extents: extents)
  }
}

/// The extents of the pages of a file that differ from those of an earlier state with the same page size, or were not
/// there in the same length.
private struct ChangedExtents: PageMapReader {
  private var newer: any PageMapReader
  private var older: any PageMapReader
  private let pageSize: UInt32
  /// The number of pages that have the same length in both states.
  private let sameCount: UInt64
  private var rest: PageExtent?
  private var position: UInt64 = 0
  private var known: PageExtent?

  init(_ newer: any PageMapReader, of file: FileContent, since older: any PageMapReader, of before: FileContent) {
    (self.newer, self.older, pageSize) = (newer, older, file.pageSize)
    sameCount = file.size == before.size ? .max : min(file.size, before.size) / UInt64(file.pageSize)
  }

  mutating func next() throws -> PageExtent? {
    while true {
      if rest.map({ position >= $0.end }) ?? true {
        rest = try newer.next()
        position = rest?.first ?? 0
      }
      guard let rest else { return nil }
      let start = position
      let isSame = try step(in: rest)
      if !isSame { return rest.slice(from: start, to: position, pageSize: pageSize) }
    }
  }

  /// Goes over the next pages of an extent that are all the same as before, or all changed.
  /// - Returns: true if they are the same.
  private mutating func step(in extent: PageExtent) throws -> Bool {
    if let known, known.end <= position { self.known = nil }
    while known == nil, let next = try older.next() {
      if next.end > position { known = next }
    }
    guard let known, known.first <= position else {
      position = min(extent.end, known?.first ?? .max)
      return false
    }
    let end = min(extent.end, known.end)
    guard extent.location != nil, known.location != nil else {
      position = end
      return extent.location == nil && known.location == nil
    }
    let isSame = isSame(position, in: extent, as: known)
    repeat { position += 1 } while position < end && self.isSame(position, in: extent, as: known) == isSame
    return isSame
  }

  private func isSame(_ page: UInt64, in extent: PageExtent, as known: PageExtent) -> Bool {
    guard page < sameCount else { return false }
    let (new, old) = (Int(page - extent.first), Int(page - known.first))
    return extent.digest(new).elementsEqual(known.digest(old))
  }
}

extension PageExtent {
  /// Returns the digest of one of its pages, counted from its first.
  fileprivate func digest(_ index: Int) -> ArraySlice<UInt8> {
    digests[index * PageDigest.byteCount..<(index + 1) * PageDigest.byteCount]
  }
}
