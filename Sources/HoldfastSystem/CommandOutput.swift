internal import CLinux
internal import Glibc
internal import HoldfastModel

/// The output of a running command, read in order. It is not kept.
package final class CommandOutput {
  // F_SETPIPE_SZ of fcntl(2), and the largest pipe that an unprivileged process may ask for.
  private static let setPipeSize: Int32 = 1031
  private static let pipeBytes: Int32 = 1 << 20
  private var descriptor: Int32
  private let command: String
  private let cancellation: Cancellation
  /// The time since the machine was started by which the output must have come; `nil` for no limit.
  private let deadline: TimeSpan?

  /// The error that the deadline has passed.
  struct Overdue: Error {}

  static func makePipe() throws(SystemError) -> (reader: Int32, writer: Int32) {
    var ends: [Int32] = [-1, -1]
    guard holdfast_pipe(&ends) == 0 else { throw .last("open", Path("a pipe")) }
    // A larger pipe means fewer context switches. If the kernel refuses, the pipe stays smaller.
    _ = fcntl(ends[0], setPipeSize, pipeBytes)
    return (ends[0], ends[1])
  }

  /// - Parameter descriptor: the reading end, which is closed with this object.
  init(_ descriptor: Int32, of command: String, _ cancellation: Cancellation, until deadline: TimeSpan? = nil) {
    self.deadline = deadline
    self.descriptor = descriptor
    self.command = command
    self.cancellation = cancellation
  }

  deinit { close() }

  /// Fills `buffer`. Returns fewer bytes only at the end of the output.
  /// - Throws: `Interrupted` if a signal arrives; `Overdue` after the deadline.
  package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var filled = 0
    while filled < buffer.count {
      let isThere = try cancellation.awaitInput(descriptor) {
        deadline.map { Clock.system.uptime() >= $0 } ?? false
      }
      guard isThere else { throw Overdue() }
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

  /// Returns the user and group that the command runs as, unless it changes them itself.
  package func owner() throws(SystemError) -> (userID: UInt32, groupID: UInt32) {
    var raw = stat()
    guard fstat(descriptor, &raw) == 0 else { throw .last("examine the output of", Path(command)) }
    return (raw.st_uid, raw.st_gid)
  }

  /// Stops reading. A command that goes on printing ends then.
  func close() {
    if descriptor >= 0 { _ = Glibc.close(descriptor) }
    descriptor = -1
  }
}
