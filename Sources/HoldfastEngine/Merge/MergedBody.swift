internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// Writes changes as the body of a merged snapshot, with the new locations of their extents.
struct MergedBody {
  let body: BodyWriter
  let cancellation: Cancellation
  /// The number of the first archive whose pages were moved.
  let firstMoved: UInt64
  /// The error that is thrown if an extent has no new location.
  let lost: EngineError

  /// - Returns: the numbers of entries that were added, changed and removed.
  func write(_ changes: StateDifference, at moved: MovedExtents) throws -> Envelope.Changes {
    var changes = changes
    var counted = Envelope.Changes()
    var moved = try moved.makeReader()
    var ordinal: UInt64 = 0
    while let item = try changes.next() {
      try cancellation.check()
      guard case .put(let entry, let isNew, let inherits, let extents) = item else {
        if case .removed(let path) = item { try body.remove(path) }
        counted.removed += 1
        continue
      }
      if isNew { counted.added += 1 } else { counted.changed += 1 }
      try body.put(entry, inherits: inherits)
      guard let file = entry.file, var extents else { continue }
      var joined = JoinedExtents(pageSize: UInt64(file.pageSize))
      while var extent = try extents.next() {
        if let location = extent.location, location.archive >= firstMoved {
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
    return counted
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
