internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

extension LargeFile {
  /// The pages of one step that are proved to be as the base has them: their digests fill 1 MiB.
  private static let knownPagesMax: UInt64 = 65_536

  /// Calls `body` with the steps that capture the file: chunks of data, holes between them, and the end.
  /// - Throws: `Interrupted` after a signal.
  func forEachStep(
    _ cancellation: Cancellation, _ body: (CaptureStep, _ bytes: Int) throws -> Void
  ) throws {
    let size = before.size
    let page = UInt64(pageSize)
    let isSparse = before.allocated < size
    var offset: UInt64 = 0
    while offset < size, !isLost {
      let change = changes?.next(from: offset) ?? (changes == nil ? offset..<size : size..<size)
      while offset < change.lowerBound, !isLost {
        try cancellation.check()
        let count = min(Pages.count(size: change.lowerBound - offset, pageSize: pageSize), Self.knownPagesMax)
        try body(.known(self, pageCount: count, digests: takeBase(Int(count)).digests), 0)
        offset = min(size, offset + count * page)
      }
      guard offset < size else { break }
      let data = isSparse ? try source.nextData(from: offset, size: size) : offset..<size
      let start = min(change.upperBound, (data?.lowerBound).map { max(offset, $0 / page * page) } ?? size)
      if start > offset {
        let pageCount = Pages.count(size: start - offset, pageSize: pageSize)
        let changed = try takeHole(firstPage: offset / page, pageCount: pageCount)
        try body(.hole(self, pageCount: pageCount, changed: changed), 0)
      }
      offset = start
      let end = min(change.upperBound, data.map { Pages.count(size: $0.upperBound, pageSize: pageSize) * page } ?? size)
      while offset < min(end, size), !isLost {
        try cancellation.check()
        let length = Int(min(UInt64(Limits.archiveFrameBytes), min(end, size) - offset))
        let base = try takeBase(Int(Pages.count(size: UInt64(length), pageSize: pageSize)))
        try body(.chunk(Chunk(file: self, offset: offset, length: length, baseDigests: base)), length)
        offset += UInt64(length)
      }
    }
    try body(.end(self), 0)
  }
}
