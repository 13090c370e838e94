internal import HoldfastModel
internal import HoldfastSystem

/// The write-ahead log that makes a capture whole.
struct CapturedLog {
  let start: LogSequenceNumber
  let stop: LogSequenceNumber
  let timeline: UInt32
  let system: UInt64
  let segmentBytes: UInt64

  private static let blockBytes = 1 << 20

  /// Follows its records from the start to the stop.
  /// - Parameter segments: in their order, from that of the start on.
  /// - Returns: what was copied in it, directory by directory: only the directories themselves have what was copied.
  /// - Throws: `PostgresFailure` where it is not whole, or not of this cluster.
  func follow(_ segments: [(path: Path, file: OpenFile)]) throws -> [WALParser.DatabaseCopy] {
    let block = Buffer(capacity: Self.blockBytes)
    var parser: WALParser?
    for (path, file) in segments {
      let header = try header(of: file, path, block)
      var offset: UInt64 = 0
      if parser == nil {
        offset = start.value % segmentBytes / UInt64(header.pageSize) * UInt64(header.pageSize)
        parser = WALParser(header, from: LogSequenceNumber(start.value - start.value % segmentBytes + offset)) { _ in }
      }
      while offset < segmentBytes, let end = parser?.end, end < stop, parser?.stop == nil {
        let count = try file.read(into: block.bytes, at: offset)
        guard count > 0 else { break }
        parser?.parse(UnsafeRawBufferPointer(rebasing: block.bytes[..<count]))
        offset += UInt64(count)
      }
    }
    guard let parser, parser.end >= stop else {
      throw PostgresFailure(
        "the WAL of the capture ends at \(parser.map { "\($0.end)" } ?? "its start"), before the backup did, at \(stop)",
        hint:
          "Look at what PostgreSQL's log says of pg_wal, and at the disk that it lies on; then run the same command again."
      )
    }
    return parser.databaseCopies
  }

  private func header(of file: OpenFile, _ path: Path, _ block: Buffer) throws -> WALPageHeader.Segment {
    let count = try file.read(
      into: UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<WALPageHeader.longCount]), at: 0)
    let head = UnsafeRawBufferPointer(rebasing: block.bytes[..<count])
    guard let name = WALFileName(String(decoding: path.lastComponent, as: UTF8.self)) else {
      throw PostgresFailure("\(path) is no name of a segment", hint: nil)
    }
    let header = try WALFile.checkSegment(name, head: head, size: file.status().size, path: path)
    guard header.system == SystemIdentifier(system), header.size.bytes == segmentBytes else {
      throw PostgresFailure("\(path) belongs to another cluster", hint: nil)
    }
    return header
  }
}
