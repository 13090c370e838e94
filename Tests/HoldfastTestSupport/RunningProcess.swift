internal import Glibc
package import HoldfastModel

/// A program that a test has started with an environment and descriptors of its own, and its end. It uses plain system
/// calls: the process can be stopped in the middle of its work, and can be given a terminal.
package final class RunningProcess {
  package enum Input: Sendable {
    case null
    case closed
    /// A terminal, by its path. A process with a session of its own asks there for secrets.
    case terminal(String)
  }

  package enum Output: Sendable {
    /// Kept for the result.
    case captured
    /// A terminal without translation of line ends; what is written to it is kept for the result.
    case terminal
    /// A pipe whose reader has gone.
    case closedPipe
    /// Not open at all.
    case closed
    /// A file, opened for writing.
    case file(String)
  }

  package struct Start: Sendable {
    package var arguments: [[UInt8]]
    /// The whole environment of the process: nothing is inherited.
    package var environment = RunningProcess.plainEnvironment
    package var directory: Path?
    package var input = Input.null
    package var output = Output.captured
    package var error = Output.captured
    /// True for a session of its own. Otherwise it shares the terminal of the tests, if there is one.
    package var hasOwnSession = false

    /// - Parameter arguments: the program, found in the test's own PATH, and its arguments.
    package init(_ arguments: [String]) { self.arguments = arguments.map { Array($0.utf8) } }
  }

  /// Enough to run a program that the test does not examine. It does not depend on the user who runs the tests.
  package static let plainEnvironment = [
    "PATH": (Tool.environmentValue("PATH") ?? "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin",
    "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/nonexistent",
    // Otherwise SQLite's temporary files come into /var/tmp.
    "SQLITE_TMPDIR": "/tmp",
  ]

  /// A process is killed after this many seconds, so that a test fails and does not hang.
  private static let patienceSeconds = 120
  private let start: Start
  private let identifier: pid_t
  private let output: CaughtStream
  private let error: CaughtStream
  private var status: Int32?

  package init(_ start: Start) {
    self.start = start
    output = CaughtStream(start.output)
    error = CaughtStream(start.error)
    identifier = Self.spawn(start, output, error)
    output.closeChildSide()
    error.closeChildSide()
  }

  deinit {
    guard status == nil else { return }
    kill(identifier, SIGKILL)
    kill(identifier, SIGCONT)
    _ = wait()
  }

  package func send(_ signal: Int32) { kill(identifier, signal) }

  /// The ID of the process in the kernel.
  package var processID: Int32 { identifier }

  /// Stops the process (SIGSTOP) as soon as `condition` holds.
  /// - Returns: `false` when the process ended before.
  package func stop(when condition: () -> Bool) -> Bool {
    while !condition() {
      var raw: Int32 = 0
      if waitpid(identifier, &raw, WNOHANG) == identifier {
        status = raw
        return false
      }
      // Fine enough to meet a moment of the process, which needs the core that this would take otherwise.
      usleep(100)
    }
    kill(identifier, SIGSTOP)
    var raw: Int32 = 0
    while waitpid(identifier, &raw, WUNTRACED) < 0, errno == EINTR {}
    // The low byte 0x7f distinguishes a stop from an end.
    if raw & 0xff == 0x7f { return true }
    status = raw
    return false
  }

  /// Waits for the end.
  package func wait() -> ProcessResult {
    var patience = Self.patienceSeconds * 500
    var raw: Int32 = 0
    while status == nil {
      output.drain()
      error.drain()
      if waitpid(identifier, &raw, WNOHANG) == identifier {
        status = raw
      } else {
        usleep(2000)
        patience -= 1
        if patience == 0 { kill(identifier, SIGKILL) }
      }
    }
    let ended = status ?? 0
    let result = ProcessResult(
      exitStatus: ended & 0x7f == 0 ? (ended >> 8) & 0xff : -(ended & 0x7f), outputBytes: output.contents(),
      errorBytes: error.contents())
    JSONContract.check(start, result)
    return result
  }

  /// Waits for the end and lets other tests run meanwhile, for a process that mostly waits.
  package func end() async -> ProcessResult {
    guard status == nil else { return wait() }
    let hasEnded = await Patience.waits(.seconds(Self.patienceSeconds)) {
      output.drain()
      error.drain()
      return Self.hasEnded(identifier)
    }
    if !hasEnded { kill(identifier, SIGKILL) }
    return wait()
  }

  private static func hasEnded(_ identifier: pid_t) -> Bool {
    var information = siginfo_t()
    // With WNOWAIT its status can still be waited for.
    let code = waitid(P_PID, id_t(identifier), &information, WEXITED | WNOHANG | WNOWAIT)
    return code != 0 || information.si_signo != 0
  }

  // MARK: Starting

  private static func spawn(_ start: Start, _ output: CaughtStream, _ error: CaughtStream) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    switch start.input {
    case .null: posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    case .closed: posix_spawn_file_actions_addclose(&actions, 0)
    case .terminal(let name): posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0)
    }
    for (number, stream) in [(Int32(1), output), (2, error)] {
      if let descriptor = stream.childSide {
        posix_spawn_file_actions_adddup2(&actions, descriptor, number)
      } else {
        posix_spawn_file_actions_addclose(&actions, number)
      }
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    var all = sigset_t()
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    var flags = Int32(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
    // POSIX_SPAWN_SETSID, which not every header shows. The first terminal that the leader of a session opens becomes
    // its controlling terminal.
    if start.hasOwnSession { flags |= 0x80 }
    posix_spawnattr_setflags(&attributes, Int16(flags))
    var identifier = pid_t()
    let variables = start.environment.map { Array("\($0.key)=\($0.value)".utf8) }
    // `env` becomes the program: the process stays the same.
    let arguments = (start.directory.map { [Array("env".utf8), Array("-C".utf8), $0.bytes] } ?? []) + start.arguments
    let code = Path(bytes: arguments[0]).withCString { program in
      withStrings(arguments) { arguments in
        withStrings(variables) { environment in
          posix_spawnp(&identifier, program, &actions, &attributes, arguments, environment)
        }
      }
    }
    guard code == 0 else { fatalError("cannot start \(Path(bytes: arguments[0])): errno \(code)") }
    return identifier
  }

  private static func withStrings<Result>(
    _ strings: [[UInt8]], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    var copies: [UnsafeMutablePointer<CChar>?] = strings.map { bytes in
      (bytes + [0]).map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { $0.baseAddress.flatMap { strdup($0) } }
    }
    defer { for copy in copies { free(copy) } }
    copies.append(nil)
    return copies.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { fatalError("a terminated list is never empty") }
      return body(start)
    }
  }
}

/// The end of a process, and its output.
package struct ProcessResult: Sendable {
  /// The exit status; negative: the signal that ended it.
  package let exitStatus: Int32
  package let outputBytes: [UInt8]
  package let errorBytes: [UInt8]

  package var output: String { String(decoding: outputBytes, as: UTF8.self) }
  package var error: String { String(decoding: errorBytes, as: UTF8.self) }
}

/// One of the two streams that a process writes to.
private final class CaughtStream {
  private(set) var childSide: Int32?
  private var file: Int32?
  private var terminal: Int32?
  private var received: [UInt8] = []

  init(_ kind: RunningProcess.Output) {
    switch kind {
    case .captured:
      // A file and not a pipe: nobody has to read it while the process runs.
      let name = Self.freshName()
      let descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { fatalError("cannot capture: errno \(errno)") }
      unlink(name)
      (file, childSide) = (descriptor, descriptor)
    case .terminal: openTerminal()
    case .closedPipe:
      // A fifo, because its ends can be opened so that no other child gets them.
      let name = Self.freshName()
      mkfifo(name, 0o600)
      let reader = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
      let writer = open(name, O_WRONLY | O_CLOEXEC)
      guard reader >= 0, writer >= 0 else { fatalError("cannot make a pipe: errno \(errno)") }
      close(reader)
      unlink(name)
      childSide = writer
    case .closed: break
    case .file(let name):
      let descriptor = open(name, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { fatalError("cannot open \(name): errno \(errno)") }
      childSide = descriptor
    }
  }

  deinit {
    closeChildSide()
    for descriptor in [file, terminal].compactMap({ $0 }) { close(descriptor) }
  }

  private static func freshName() -> String { "/tmp/holdfast-stream-\(UInt64.random(in: .min ... .max))" }

  private func openTerminal() {
    var (master, slave): (Int32, Int32) = (-1, -1)
    guard openpty(&master, &slave, nil, nil, nil) == 0 else { fatalError("cannot open a terminal: errno \(errno)") }
    for descriptor in [master, slave] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    var settings = termios()
    tcgetattr(slave, &settings)
    cfmakeraw(&settings)
    tcsetattr(slave, TCSANOW, &settings)
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
    (terminal, childSide) = (master, slave)
  }

  func closeChildSide() {
    if let childSide, childSide != file { close(childSide) }
    childSide = nil
  }

  /// Takes the bytes in the terminal, so that the process never waits for room.
  func drain() {
    guard let terminal else { return }
    var block = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(terminal, &block, block.count)
      guard count > 0 else { return }
      received += block[..<count]
    }
  }

  func contents() -> [UInt8] {
    drain()
    guard let file else { return received }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = pread(file, &block, block.count, off_t(bytes.count))
      guard count > 0 else { return bytes }
      bytes += block[..<count]
    }
  }
}
