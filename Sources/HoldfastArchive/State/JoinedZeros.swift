internal import HoldfastModel

/// A map in which adjacent extents of zero pages are joined, so that a state or body has as few of them as possible.
struct JoinedZeros: PageMapReader {
  private var map: any PageMapReader
  /// The extent that was read ahead.
  private var following: PageExtent?

  init(_ map: any PageMapReader) {
    self.map = map
  }

  mutating func next() throws -> PageExtent? {
    guard var extent = try following ?? map.next() else { return nil }
    following = nil
    guard extent.location == nil else { return extent }
    while let more = try map.next() {
      guard more.location == nil, more.first == extent.end else {
        following = more
        return extent
      }
      extent.count += more.count
    }
    return extent
  }
}
