internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// Writes a complete state as the body of a full, with the new locations of its extents.
struct MergedBody {
  let body: BodyWriter
  let cancellation: Cancellation
  /// The error that is thrown if an extent has no new location.
  let lost: EngineError

  func write(_ state: StateFile, at moved: MovedExtents) throws {
    let entries = state.makeReader()
    var moved = try moved.makeReader()
    var ordinal: UInt64 = 0
    while let entry = try entries.nextEntry() {
      try cancellation.check()
      try body.put(entry, inherits: false)
      guard let file = entry.file else { continue }
      var extents = entries.extents()
      var joined = JoinedExtents(pageSize: UInt64(file.pageSize))
      while var extent = try extents.next() {
        if extent.location != nil {
          guard let found = try moved.next(), found.ordinal == ordinal,
            found.check == StoredExtent.check(extent.digests)
          else { throw lost }
          extent.location = found.location
          ordinal += 1
        }
        if let whole = joined.add(extent) { try body.append(whole) }
      }
      if let last = joined.waiting { try body.append(last) }
    }
    guard try moved.next() == nil else { throw lost }
  }
}

/// Joins extents that are adjacent in the file and where they are stored.
private struct JoinedExtents {
  let pageSize: UInt64
  private(set) var waiting: PageExtent?

  init(pageSize: UInt64) {
    self.pageSize = pageSize
  }

  /// - Returns: an extent to which no further one can be joined; `nil` if there is none.
  mutating func add(_ extent: PageExtent) -> PageExtent? {
    guard var whole = waiting, follows(extent, whole) else {
      defer { waiting = extent }
      return waiting
    }
    // Set to `nil` while the digests grow; otherwise they would be copied each time.
    waiting = nil
    whole.count += extent.count
    whole.digests += extent.digests
    waiting = whole
    return nil
  }

  private func follows(_ extent: PageExtent, _ whole: PageExtent) -> Bool {
    guard extent.first == whole.end else { return false }
    guard let next = extent.location, let start = whole.location else {
      return extent.location == nil && whole.location == nil
    }
    return next.archive == start.archive && next.frame == start.frame
      && UInt64(next.offset) == UInt64(start.offset) + whole.count * pageSize
  }
}
