internal import Glibc
package import HoldfastModel

/// A command that an operator has configured, run by the shell in the environment of this process. If this process ends
/// for any reason, or a signal arrives, the command and all of its children are ended.
package struct ShellCommand: Hashable, Sendable {
  private static let outputBytesMax = 1 << 20
  private static let inputBytesMax = 64 << 10
  private var text: String
  private let environment: [String: String]
  /// The name of the command in messages; `nil` for its text.
  private let name: String?

  /// - Parameters:
  ///   - environment: variables that are added to those of this process.
  ///   - name: the name of the command in messages, which then do not show its text; `nil` for the text itself.
  package init(_ text: String, environment: [String: String] = [:], name: String? = nil) {
    self.text = text
    self.environment = environment
    self.name = name
  }

  /// Runs it to its end. Its output goes to standard error, because standard output is for results.
  /// - Throws: `ShellCommandError` if it cannot be run, or fails.
  package func run(_ cancellation: Cancellation) throws {
    try wait(for: start(), cancellation)
  }

  /// Runs it to its end. Its output goes to standard error.
  /// - Returns: its exit status, 0 to 255.
  /// - Throws: `ShellCommandError` if it cannot be run, or a signal ends it.
  package func exitStatus(_ cancellation: Cancellation) throws -> Int32 {
    try exitStatus(of: start(), cancellation)
  }

  /// Runs it to its end, or ends it after `timeout`. Its output goes to standard error.
  /// - Parameter input: its standard input, at most 64 KiB, which it need not read.
  /// - Throws: `ShellCommandError` if it cannot be run, fails, or is ended.
  package func run(_ cancellation: Cancellation, input: [UInt8], timeout: TimeSpan) throws {
    let pipe = try CommandOutput.makePipe()
    // This much fits into the pipe, so writing it never waits for a reader.
    _ = input.withUnsafeBytes { write(pipe.writer, $0.baseAddress, min($0.count, Self.inputBytesMax)) }
    close(pipe.writer)
    defer { close(pipe.reader) }
    try wait(for: start(input: pipe.reader), cancellation, timeout: timeout)
  }

  /// Runs it to its end, or ends it after `timeout`. Its standard error is that of this process.
  /// - Returns: its standard output.
  /// - Throws: `ShellCommandError` if it cannot be run, fails, is ended, or prints more than 1 MiB.
  package func output(_ cancellation: Cancellation, timeout: TimeSpan? = nil) throws -> [UInt8] {
    try stream(cancellation, timeout: timeout) { output in
      let buffer = Buffer(capacity: Self.outputBytesMax + 1)
      buffer.count = try output.read(into: buffer.bytes)
      guard buffer.count <= Self.outputBytesMax else {
        throw failure("the command printed more than it should")
      }
      return Array(buffer.used)
    }
  }

  /// Runs it while `body` reads its standard output. Its standard error is that of this process. If `body` throws, the
  /// command is ended.
  /// - Parameter timeout: the most time for its output, and again for its end after that; `nil` for no limit.
  /// - Throws: the error of `body`; otherwise `ShellCommandError` if it cannot be run or fails: then the output is
  ///   worthless.
  package func stream<Value>(
    _ cancellation: Cancellation, timeout: TimeSpan? = nil, into body: (CommandOutput) throws -> Value
  ) throws -> Value {
    let pipe = try CommandOutput.makePipe()
    let deadline = timeout.map { Clock.system.uptime() + $0 }
    let output = CommandOutput(pipe.reader, of: name ?? text, cancellation, until: deadline)
    let running: SupervisedCommand
    do {
      defer { close(pipe.writer) }
      running = try start(output: pipe.writer)
    }
    let value: Value
    do {
      value = try body(output)
    } catch {
      output.close()
      running.end()
      if error is CommandOutput.Overdue, let timeout { throw tookLonger(than: timeout) }
      throw error
    }
    try wait(for: running, cancellation, timeout: timeout)
    return value
  }

  /// Runs it to its end, or ends it after `timeout`. Its output and its errors are kept in a scratch file. What it
  /// leaves in the background goes on, unless the command is ended.
  /// - Throws: `ShellCommandError` if it cannot be run; `Interrupted` if a signal arrives.
  package func end(within timeout: TimeSpan, _ host: Host) throws -> CommandEnd {
    let file = try host.makeScratchFile()
    var joined = self
    // Both outputs in the order in which they were written.
    joined.text = "exec 2>&1\n" + text
    let running = try joined.start(output: file.descriptor)
    let begun = host.clock.uptime()
    while running.poll() == nil, !host.cancellation.isRaised, host.clock.uptime() - begun < timeout {
      Pause.forAnotherThread()
    }
    let status = running.poll()
    running.end()
    if status == nil { try host.cancellation.check() }
    let way: CommandEnd.Way =
      switch status {
      case .exited(let code): .exited(code)
      case .signaled(let signal): .signaled(signal)
      case .untold: .untold
      case nil: .overdue(timeout)
      }
    return CommandEnd(way: way, lastLines: try file.lastLines())
  }

  private func start(input: Int32? = nil, output: Int32? = nil) throws -> SupervisedCommand {
    do {
      return try SupervisedCommand(text, additions: environment, input: input, output: output)
    } catch {
      throw failure("the command could not be run (\(error.message))")
    }
  }

  /// Waits for its end; a signal ends it sooner.
  private func wait(
    for running: SupervisedCommand, _ cancellation: Cancellation, timeout: TimeSpan? = nil
  ) throws {
    let code = try exitStatus(of: running, cancellation, timeout: timeout)
    guard code == 0 else { throw failure("the command failed with exit status \(code)") }
  }

  private func exitStatus(
    of running: SupervisedCommand, _ cancellation: Cancellation, timeout: TimeSpan? = nil
  ) throws -> Int32 {
    let begun = Clock.system.uptime()
    while running.poll() == nil, !cancellation.isRaised {
      if let timeout, Clock.system.uptime() - begun >= timeout {
        running.end()
        throw tookLonger(than: timeout)
      }
      Pause.forAnotherThread()
    }
    // At a terminal, a signal reaches the command too: then its exit status is not a failure.
    if cancellation.isRaised { running.end() }
    try cancellation.check()
    switch running.poll() {
    case .exited(let code): return code
    case nil: return 0
    case .signaled(let signal): throw failure("the command failed with signal \(signal)")
    case .untold: throw failure("the command ended, and the system does not tell how")
    }
  }

  private func tookLonger(than timeout: TimeSpan) -> ShellCommandError {
    failure("the command took longer than \(timeout.wholeSeconds) s, and was ended")
  }

  private func failure(_ message: String) -> ShellCommandError {
    ShellCommandError(
      name.map { message.replacing("the command", with: $0) } ?? message,
      hint: name.map { "Run \($0) by itself to see what it says." } ?? "Run it by itself to see what it says: \(text)")
  }
}

/// The error that a command of the operator failed.
package struct ShellCommandError: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package var exitStatus: ExitStatus { .failed }
  package var scope: ErrorScope { .machine }

  /// - Parameter hint: may contain the text of the command, which may contain a secret. It is shown only on this
  ///   machine, while messages are written to the journal and sent to others.
  fileprivate init(_ message: String, hint: String) {
    self.message = message
    self.hint = hint
  }
}
