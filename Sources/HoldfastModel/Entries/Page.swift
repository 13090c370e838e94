/// The location at which a page, or the first page of an extent, is stored: frame `frame` of archive `archive`, at
/// `offset` bytes into the frame's plain bytes.
package struct PageLocation: Hashable, Sendable {
  /// The number of the archive along the chain (format.md, section 5).
  package private(set) var archive: UInt64
  package var frame: UInt32
  package var offset: UInt32

  /// Stands for an unknown archive; no archive has such a high number. An optional would make each location half as
  /// large again.
  private static let unknownArchive = Limits.sizeMax + 1

  package init(archive: UInt64, frame: UInt32, offset: UInt32) {
    self.archive = archive
    self.frame = frame
    self.offset = offset
  }

  /// True if this machine knows where the page is stored. It may not know that of pages that are encrypted for others.
  package var isKnown: Bool { archive != Self.unknownArchive }

  /// The same location with an unknown archive.
  package var forgotten: PageLocation { PageLocation(archive: Self.unknownArchive, frame: frame, offset: offset) }
}

/// Consecutive pages of a file that lie together in one frame, or are all zero.
package struct PageExtent: Hashable, Sendable {
  package var first: UInt64
  package var count: UInt64
  /// `nil` for pages of zeros, which are not stored.
  package var location: PageLocation?
  /// `count` × 16 bytes; empty for zeros.
  package var digests: [UInt8]

  package init(first: UInt64, count: UInt64, location: PageLocation?, digests: [UInt8]) {
    self.first = first
    self.count = count
    self.location = location
    self.digests = digests
  }

  package var end: UInt64 { first + count }

  /// The part of the extent from page `start` up to page `end`; both must lie in it.
  package func slice(from start: UInt64, to end: UInt64, pageSize: UInt32) -> PageExtent {
    guard start != first || end != self.end else { return self }
    guard let location else { return PageExtent(first: start, count: end - start, location: nil, digests: []) }
    let skipped = Int(start - first)
    let kept = Int(end - start)
    let moved = PageLocation(
      archive: location.archive, frame: location.frame, offset: location.offset + UInt32(skipped) * pageSize)
    let digestRange = skipped * PageDigest.byteCount..<(skipped + kept) * PageDigest.byteCount
    return PageExtent(first: start, count: end - start, location: moved, digests: Array(digests[digestRange]))
  }
}
