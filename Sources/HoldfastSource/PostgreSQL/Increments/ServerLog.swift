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
    let block = Buffer(capacity: Self.blockBytes)
    var offset: UInt64 = 0
    while offset < segmentBytes {
      let count = try file.read(into: block.bytes, at: offset)
      guard count > 0 else { break }
      try body(UnsafeRawBufferPointer(rebasing: block.bytes[..<count]))
      offset += UInt64(count)
    }
    return true
  }
}
