package import HoldfastModel
package import HoldfastSystem

extension PostgresBackup {
  private static let blockBytes = 1 << 20

  /// Returns the log from the start of an earlier backup to the start of this one; `nil` if a cluster has no such
  /// segments.
  package func log(since earlier: LogSequenceNumber) -> LogBetween? {
    guard let timeline, let segmentSize = WALSegmentSize(segmentBytes) else { return nil }
    return LogBetween(
      from: earlier, to: start, timeline: timeline, system: SystemIdentifier(cluster.control.system),
      segmentSize: segmentSize)
  }

  /// Passes the bytes of a segment that the server still has to `body`, in order. The server may remove it meanwhile,
  /// and write another one in its place: the bytes may be anything.
  /// - Parameter root: the root of the source.
  /// - Returns: false if the server does not have it.
  /// - Throws: `LogRefusal` if it is cut while it is read.
  package func readSegment(
    _ name: WALFileName, root: OpenFile, files: FileSystem, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> Bool {
    let directory = try logDirectory(root: root, files: files)
    let file: OpenFile
    do throws(SystemError) {
      file = try files.openForCapture(Path(name.text), in: directory)
    } catch {
      guard error.isNotFound else { throw error }
      return false
    }
    guard try file.status().size == segmentBytes else { return false }
    try Self.readWhole(file, count: segmentBytes, body)
    return true
  }

  /// Passes the first bytes of a file to `body`, in order, in blocks of whole pages.
  /// - Parameter count: the number of bytes; whole pages.
  /// - Throws: `LogRefusal` if the file has fewer by now: whoever owns it can cut it at any moment.
  package static func readWhole(
    _ file: OpenFile, count: UInt64, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let block = Buffer(capacity: blockBytes)
    var offset: UInt64 = 0
    while offset < count {
      let expected = Int(min(UInt64(block.capacity), count - offset))
      let room = UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<expected])
      guard try file.read(into: room, at: offset) == expected else {
        throw LogRefusal("\(file.path) was cut while it was read")
      }
      try body(UnsafeRawBufferPointer(room))
      offset += UInt64(expected)
    }
  }
}
