package import HoldfastModel
internal import HoldfastSystem

/// Keeps extents until the whole file is captured: in memory, and beyond some MiB in a scratch file.
package final class PageMapSpool {
  private static let blockBytes = 64 << 10
  private let bytes: any ScratchBytes
  private var block = ByteEncoder()
  private var end: UInt64 = 0

  package init(_ space: ScratchSpace) {
    bytes = space.make()
  }

  package func append(_ extent: PageExtent) throws {
    block.extent(extent, after: end)
    end = extent.end
    if block.bytes.count >= Self.blockBytes { try flush() }
  }

  /// Returns the extents from the first on. No more may be appended.
  package func extents(of file: FileContent) throws -> any PageMapReader {
    try flush()
    try bytes.finish()
    return Extents(cursor: ByteCursor(bytes), file: file)
  }

  private func flush() throws {
    try block.bytes.withUnsafeBytes { try bytes.append($0) }
    block.bytes.removeAll(keepingCapacity: true)
  }

  private struct Extents: PageMapReader {
    let cursor: ByteCursor
    let file: FileContent
    var end: UInt64 = 0

    mutating func next() throws -> PageExtent? {
      guard try !cursor.isAtEnd() else { return nil }
      let extent = try cursor.extent(record: try cursor.byte(), after: end, file: file)
      end = extent.end
      return extent
    }
  }
}
