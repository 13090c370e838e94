internal import CLinux
internal import Glibc
internal import HoldfastModel

/// What a running command prints, taken as it comes and in order: nothing of it is kept.
package final class CommandOutput {
  // F_SETPIPE_SZ of fcntl(2), and the most that an unprivileged process may ask for.
  private static let setPipeSize: Int32 = 1031
  private static let pipeBytes: Int32 = 1 << 20
  private var descriptor: Int32
  private let command: String
  private let cancellation: Cancellation

  static func makePipe() throws(SystemError) -> (reader: Int32, writer: Int32) {
    var ends: [Int32] = [-1, -1]
    guard holdfast_pipe(&ends) == 0 else { throw .last("open", Path("a pipe")) }
    // Fewer changes between the command and us; where the kernel refuses, the pipe is shorter.
    _ = fcntl(ends[0], setPipeSize, pipeBytes)
    return (ends[0], ends[1])
  }

  /// - Parameter descriptor: the reading end, which is closed with this.
  init(_ descriptor: Int32, of command: String, _ cancellation: Cancellation) {
    self.descriptor = descriptor
    self.command = command
    self.cancellation = cancellation
  }

  deinit { close() }

  /// Fills `buffer`; fewer bytes only at the end of the output.
  /// - Throws: `Interrupted` when a signal comes.
  package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var filled = 0
    while filled < buffer.count {
      try cancellation.awaitInput(descriptor)
      let count = Glibc.read(descriptor, buffer.baseAddress.map { $0 + filled }, buffer.count - filled)
      if count == 0 { break }
      if count > 0 {
        filled += count
      } else if errno != EINTR {
        throw SystemError.last("read the output of", Path(command))
      }
    }
    return filled
  }

  /// As whom the command runs, unless it changes that itself.
  package func owner() throws(SystemError) -> (userID: UInt32, groupID: UInt32) {
    var raw = stat()
    guard fstat(descriptor, &raw) == 0 else { throw .last("examine the output of", Path(command)) }
    return (raw.st_uid, raw.st_gid)
  }

  /// Takes no more: a command that goes on printing is ended by that.
  func close() {
    if descriptor >= 0 { _ = Glibc.close(descriptor) }
    descriptor = -1
  }
}
