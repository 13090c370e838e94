internal import Glibc
internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

extension MachineContext {
  /// Returns the context of this process.
  /// - Parameters:
  ///   - config: the file of `--config`.
  ///   - tell: gets a sentence for the operator when the command waits for a server.
  static func ofThisProcess(
    config: String? = nil, tell: @escaping @Sendable (String) -> Void = { _ in }
  ) -> MachineContext {
    MachineContext(
      host: ThisProcess.makeHost(), environment: .ofThisProcess, configurationFile: config, tell: tell)
  }
}

extension ProcessEnvironment {
  static var ofThisProcess: ProcessEnvironment {
    let current = getcwd(nil, 0)
    defer { free(current) }
    return ProcessEnvironment(
      userID: geteuid(), hostName: ThisProcess.hostName(), currentDirectory: current.map { Path(String(cString: $0)) },
      accountHome: { ThisProcess.accountHome() }
    ) { ThisProcess.variable($0) }
  }
}

/// Prepares the process before anything else runs.
enum ThisProcess {
  /// A variable of the environment, which is read here and nowhere else.
  fileprivate static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  /// Returns the name of this machine, for people.
  fileprivate static func hostName() -> String {
    var bytes = [CChar](repeating: 0, count: 65)
    guard gethostname(&bytes, bytes.count - 1) == 0 else { return "first" }
    let name = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return Keyring.isName(name) ? name : "first"
  }

  /// Returns the home directory that the system's list of users has for the effective user.
  fileprivate static func accountHome() -> Path? {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var bytes = [CChar](repeating: 0, count: 16 << 10)
    guard getpwuid_r(geteuid(), &entry, &bytes, bytes.count, &found) == 0, found != nil, let home = entry.pw_dir else {
      return nil
    }
    let text = String(cString: home)
    return text.hasPrefix("/") ? Path(text) : nil
  }

  /// Makes the machine to work on, with signals turned into a cancellation.
  static func makeHost() -> Host {
    occupyStandardDescriptors()
    waitForChildren()
    raiseOpenFileLimit()
    Memory.keepFromDumps()
    let cancellation = Cancellation()
    cancellation.raiseOnSignals()
    let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    let temporary = variable("TMPDIR").map { Path($0) } ?? Path("/tmp")
    return Host(
      cancellation: cancellation, workers: min(16, processors),
      scratchDirectories: [temporary, Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")])
  }

  /// Opens standard descriptors that the parent has closed. Otherwise the next opened file would get the number, and
  /// messages would be written to it, such as into the repository.
  private static func occupyStandardDescriptors() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      // open(2) takes the lowest free number, and the numbers below are in use.
      _ = open("/dev/null", O_RDWR)
    }
  }

  /// Resets SIGCHLD, which may be inherited as ignored: then the kernel reports no exit status of a child (wait(2)).
  private static func waitForChildren() { signal(SIGCHLD, SIG_DFL) }

  /// Raises the limit of open files: a deep source needs an open directory for each level.
  private static func raiseOpenFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, 65_536)
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
