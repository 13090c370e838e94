internal import HoldfastArchive
internal import HoldfastModel

/// Supplies the digests of a known page map, in the order of pages.
struct DigestFeed {
  private var map: any PageMapReader
  private var extent: PageExtent?
  private var used: UInt64 = 0

  init(_ map: any PageMapReader) {
    self.map = map
  }

  enum Stretch {
    case zeros(UInt64)
    case data([UInt8])
  }

  /// Returns the next pages, at most `max` and all of one kind; `nil` at the end of the map.
  mutating func next(max: UInt64) throws -> Stretch? {
    while extent.map({ used >= $0.count }) ?? true {
      guard let following = try map.next() else { return nil }
      extent = following
      used = 0
    }
    guard let extent else { return nil }
    let count = min(max, extent.count - used)
    defer { used += count }
    if extent.location == nil { return .zeros(count) }
    let range = Int(used) * PageDigest.byteCount..<Int(used + count) * PageDigest.byteCount
    return .data(Array(extent.digests[range]))
  }

  /// Returns the digests of the next `count` pages; fewer at the end of the map.
  mutating func take(_ count: Int) throws -> BaseDigests {
    var base = BaseDigests()
    base.digests.reserveCapacity(count * PageDigest.byteCount)
    while base.count < count, let stretch = try next(max: UInt64(count - base.count)) {
      switch stretch {
      case .zeros(let zeros): base.digests += [UInt8](repeating: 0, count: Int(zeros) * PageDigest.byteCount)
      case .data(let digests): base.digests += digests
      }
    }
    return base
  }
}
