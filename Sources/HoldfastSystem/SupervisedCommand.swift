internal import CLinux
internal import Glibc
internal import HoldfastModel

/// A shell command that ends when this process ends, for whatever reason: a process between this one and the command
/// watches both (`Supervise.c`). Only one thread may use it.
package final class SupervisedCommand {
  package enum Status: Equatable {
    case exited(Int32)
    case signaled(Int32)
    /// It has ended, but other code has fetched its exit status.
    case untold
  }

  private let process: pid_t
  /// The descriptor that keeps the command alive: it is ended when this closes.
  private let lifeline: Int32
  private var status: Status?

  /// - Parameters:
  ///   - additions: variables that are added to those of this process.
  ///   - input: its standard input; `nil` for none. Not closed here.
  ///   - output: its standard output; `nil` for the standard error of this process. Not closed here.
  /// - Throws: `SystemError` if there is no shell, or no process can be made.
  package init(_ text: String, additions: [String: String], input: Int32?, output: Int32?) throws(SystemError) {
    let added = additions.map { strdup("\($0)=\($1)") }
    defer { for entry in added { free(entry) } }
    var environment = Self.inherited(without: additions.keys.map { $0 + "=" }) + added + [nil]
    guard let shell = Self.shell(for: environment) else { throw SystemError("find", Path("sh"), code: ENOENT) }
    var lifeline: Int32 = -1
    process = environment.withUnsafeMutableBufferPointer {
      holdfast_supervise(shell, text, $0.baseAddress, input ?? -1, output ?? -1, &lifeline)
    }
    guard process > 0 else { throw .last("start", Path("sh")) }
    self.lifeline = lifeline
  }

  deinit {
    close(lifeline)
    if status == nil { _ = waitpid(process, nil, 0) }
  }

  /// The path of the shell, found through the `PATH` of a command.
  private static func shell(for environment: [UnsafeMutablePointer<CChar>?]) -> String? {
    let name = "PATH="
    let entry = environment.lazy.compactMap { $0 }.first { strncmp($0, name, name.utf8.count) == 0 }
    let path = entry.map { String(cString: $0 + name.utf8.count) } ?? "/usr/bin:/bin"
    return path.split(separator: ":").map { $0 + "/sh" }.first { access($0, X_OK) == 0 }
  }

  /// Returns the environment of this process, byte by byte.
  private static func inherited(without beginnings: [String]) -> [UnsafeMutablePointer<CChar>?] {
    var entries: [UnsafeMutablePointer<CChar>?] = []
    var next = holdfast_environment()
    while let entry = next?.pointee {
      if !beginnings.contains(where: { strncmp(entry, $0, $0.utf8.count) == 0 }) { entries.append(entry) }
      next = next?.advanced(by: 1)
    }
    return entries
  }

  /// Returns how it ended; `nil` while it runs.
  package func poll() -> Status? {
    if let status { return status }
    var raw: Int32 = 0
    let ended = waitpid(process, &raw, WNOHANG)
    if ended < 0, errno == ECHILD { status = .untold }
    guard ended == process else { return status }
    let signal = raw & 0x7f
    status = signal == 0 ? .exited(raw >> 8 & 0xff) : .signaled(signal)
    return status
  }

  /// Ends it and its children. They get some seconds to end by themselves.
  package func end() {
    guard poll() == nil else { return }
    kill(process, SIGTERM)
    while poll() == nil { Pause.forAnotherThread() }
  }
}
