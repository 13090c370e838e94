internal import CLinux
internal import Glibc
internal import HoldfastModel
internal import Synchronization

/// A child process with which this process exchanges bytes. A socket is its standard input and output, as with ssh in
/// sftp(1). The last part of its standard error is kept. When this process ends, for whatever reason, the child's input
/// ends.
///
/// The child has a process group of its own. So Ctrl-C at a terminal reaches this process alone, which can then still
/// clean up with the child's help. One thread reads, and one at a time writes.
package final class TalkingProcess: Sendable {
  private static let errorBytesMax = 4096
  private static let lookMilliseconds: Int32 = 200
  /// The time that a child gets to end by itself after its input has ended.
  private static let endMilliseconds = 2000
  private let process: pid_t
  private let socket: Int32
  private let errors: Int32
  private let errorText = Mutex<(bytes: [UInt8], isOpen: Bool)>(([], true))
  private let command: String

  /// - Parameters:
  ///   - command: run by the shell in the environment of this process.
  ///   - arguments: words that are added to the command.
  package init(_ command: String, _ arguments: [String]) throws(SystemError) {
    self.command = command
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw .last("open", Path("a socket"))
    }
    var pipe: [Int32] = [-1, -1]
    guard holdfast_pipe(&pipe) == 0 else {
      let error = SystemError.last("open", Path("a pipe"))
      for end in ends { close(end) }
      throw error
    }
    let child = Self.spawn(["sh", "-c", command + " \"$@\"", "sh"] + arguments, input: ends[1], errors: pipe[1])
    let code = errno
    close(ends[1])
    close(pipe[1])
    guard let child else {
      close(ends[0])
      close(pipe[0])
      throw SystemError("start", Path("sh"), code: code)
    }
    (process, socket, errors) = (child, ends[0], pipe[0])
    _ = fcntl(errors, F_SETFL, O_NONBLOCK)
  }

  deinit {
    close(socket)
    close(errors)
    var left = Self.endMilliseconds
    while waitpid(process, nil, WNOHANG) == 0 {
      if left <= 0 { kill() }
      usleep(5000)
      left -= 5
    }
  }

  /// Returns `nil` and sets errno if there is no shell, or no process can be made.
  private static func spawn(_ words: [String], input: Int32, errors: Int32) -> pid_t? {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (ours, its) in [(input, 0), (input, 1), (errors, 2)] as [(Int32, Int32)] {
      posix_spawn_file_actions_adddup2(&actions, ours, its)
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var (none, all) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
    var copies = words.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    var child = pid_t()
    let code = posix_spawnp(&child, "sh", &actions, &attributes, &copies, holdfast_environment())
    errno = code
    return code == 0 ? child : nil
  }

  /// The process ID, which is that of its process group too.
  package var processID: Int32 { process }

  /// The last bytes that it wrote to standard error, at most 4 KiB.
  package var errorOutput: [UInt8] { errorText.withLock { $0.bytes } }

  /// Ends it and the processes that it started.
  package func kill() { _ = Glibc.kill(-process, SIGKILL) }

  /// Closes its standard input.
  package func endInput() { _ = shutdown(socket, Int32(SHUT_WR)) }

  /// Reads the bytes that have come.
  /// - Returns: the number of bytes; 0 if no more will come; `nil` if none have come for 200 ms.
  package func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int? {
    let hasErrors = errorText.withLock { $0.isOpen }
    var watched = [pollfd(fd: socket, events: Int16(POLLIN), revents: 0)]
    if hasErrors { watched.append(pollfd(fd: errors, events: Int16(POLLIN), revents: 0)) }
    guard poll(&watched, nfds_t(watched.count), Self.lookMilliseconds) > 0 else { return nil }
    if hasErrors, watched[1].revents != 0 { takeErrors() }
    guard watched[0].revents != 0 else { return nil }
    let count = recv(socket, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
    if count >= 0 { return count }
    switch errno {
    case EAGAIN, EINTR: return nil
    case ECONNRESET: return 0
    default: throw .last("read the output of", Path(command))
    }
  }

  /// Reads standard error to its end, for about a second at most: a process that the command started may keep it open.
  package func finishErrors() {
    for _ in 0..<Int(1000 / Self.lookMilliseconds) {
      guard errorText.withLock({ $0.isOpen }) else { return }
      var watched = pollfd(fd: errors, events: Int16(POLLIN), revents: 0)
      while poll(&watched, 1, Self.lookMilliseconds) > 0, errorText.withLock({ $0.isOpen }) { takeErrors() }
    }
  }

  private func takeErrors() {
    var block = [UInt8](repeating: 0, count: Self.errorBytesMax)
    let count = Glibc.read(errors, &block, block.count)
    guard count != 0 else { return errorText.withLock { $0.isOpen = false } }
    guard count > 0 else { return }
    errorText.withLock { $0.bytes = ($0.bytes + block[..<count]).suffix(Self.errorBytesMax) }
  }

  /// Writes as many bytes as there is room for.
  /// - Returns: the number of bytes; 0 if there has been no room for 200 ms; `nil` if the child takes no more.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int? {
    let count = send(socket, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
    if count >= 0 { return count }
    switch errno {
    case EINTR: return 0
    case EPIPE, ECONNRESET: return nil
    case EAGAIN:
      var watched = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
      _ = poll(&watched, 1, Self.lookMilliseconds)
      return 0
    default: throw .last("write to", Path(command))
    }
  }
}
