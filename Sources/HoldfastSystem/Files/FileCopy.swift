internal import HoldfastModel

extension OpenFile {
  private static let copyBytes = 1 << 20

  /// Copies the contents of another file into this empty one. Holes stay holes, as far as the file system reports them.
  /// - Throws: `Interrupted` if a signal arrives; an error if the other file ends before its size.
  package func takeContents(of other: OpenFile, _ cancellation: Cancellation) throws {
    let size = try other.status().size
    try truncate(to: size)
    let block = Buffer(capacity: Self.copyBytes)
    var offset: UInt64 = 0
    while let data = try other.nextData(from: offset, size: size) {
      offset = data.lowerBound
      while offset < data.upperBound {
        try cancellation.check()
        let wanted = Int(min(UInt64(Self.copyBytes), data.upperBound - offset))
        block.count = try other.read(into: UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<wanted]), at: offset)
        guard block.count == wanted else { throw SystemError.endOfFile(other.path.description) }
        try write(block.used, at: offset)
        offset += UInt64(wanted)
      }
    }
  }
}
