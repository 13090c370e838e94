internal import HoldfastModel

/// Reads the records of a body (format.md, section 6) one by one, and refuses records that are not in order.
package final class BodyReader: ChangeReader {
  private let cursor: ByteCursor
  private var path = Path.root
  private var recordCount: UInt64 = 0
  /// The record byte that was read ahead.
  private var pending: UInt8?
  private var file: FileContent?
  private var extentEnd: UInt64 = 0

  /// - Parameter scratch: shared by readers that are used on one thread.
  package init(_ container: ContainerReader, scratch: FrameScratch = FrameScratch()) {
    cursor = ByteCursor(FrameSupply(container, scratch: scratch))
  }

  package var name: String { cursor.name }

  package func next() throws -> Change? {
    while try nextExtent() != nil {}
    let record = try takeRecord()
    switch record {
    case 0:
      guard try cursor.varint() == recordCount, try cursor.isAtEnd() else {
        throw cursor.damage("it does not end where it says")
      }
      pending = 0
      return nil
    case 1:
      let entry = try cursor.entry(at: try nextPath())
      let inherits = try cursor.byte()
      guard inherits == 0 || (inherits == 1 && entry.file != nil) else {
        throw cursor.damage("\(entry.path) inherits what it cannot")
      }
      file = entry.file
      extentEnd = 0
      return .put(entry, inherits: inherits == 1)
    case 2: return .remove(try nextPath())
    default: throw cursor.damage("a record of kind \(record) is out of place")
    }
  }

  package func extents() -> any PageMapReader { Extents(reader: self) }

  private struct Extents: PageMapReader {
    let reader: BodyReader
    func next() throws -> PageExtent? { try reader.nextExtent() }
  }

  private func nextExtent() throws -> PageExtent? {
    guard let file else { return nil }
    let record = try takeRecord()
    guard record == ExtentCoding.dataRecord || record == ExtentCoding.zeroRecord else {
      pending = record
      self.file = nil
      return nil
    }
    let extent = try cursor.extent(record: record, after: extentEnd, file: file)
    extentEnd = extent.end
    return extent
  }

  private func takeRecord() throws -> UInt8 {
    if let record = pending {
      pending = nil
      return record
    }
    return try cursor.byte()
  }

  private func nextPath() throws -> Path {
    let next = try cursor.path(after: path)
    guard recordCount == 0 || path < next else { throw cursor.damage("\(next) is out of order") }
    recordCount += 1
    path = next
    return next
  }
}
