package import HoldfastModel

/// A file without a name that disappears with its last reference, for temporary data that is too large for memory.
package final class ScratchFile: ByteSink, ReadableBytes, @unchecked Sendable {
  // Sendable without a lock: one owner writes it first, and it is only read after that.
  let file: OpenFile
  package private(set) var length: UInt64 = 0
  package let name = "scratch file"

  /// - Parameters:
  ///   - directories: tried in this order. The first one that is writable is used.
  ///   - random: makes a name, if one is needed for a moment.
  package init(files: FileSystem, directories: [Path], random: Randomness = .system) throws {
    var failure: SystemError?
    for directory in directories {
      do {
        file = try files.openUnnamed(in: directory, random)
        return
      } catch {
        failure = failure ?? error
      }
    }
    throw failure ?? SystemError("create a scratch file in", Path("/tmp"), code: 2)
  }

  /// The descriptor of the file, for a command that writes to it.
  var descriptor: Int32 { file.descriptor }

  package func append(_ bytes: UnsafeRawBufferPointer) throws {
    try file.write(bytes, at: length)
    length += UInt64(bytes.count)
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    guard try file.read(into: buffer, at: offset) == buffer.count else {
      throw SystemError.endOfFile(name)
    }
  }
}
