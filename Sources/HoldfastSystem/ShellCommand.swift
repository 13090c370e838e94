internal import Glibc
package import HoldfastModel

/// A command that an operator names, run by the shell in the environment of this process. A signal to this process ends it, with all that it has started; so does
/// the end of this process, whatever brings that about.
package struct ShellCommand: Sendable {
  private static let outputBytesMax = 1 << 20
  private static let inputBytesMax = 64 << 10
  private let text: String
  private let environment: [String: String]

  /// - Parameter environment: variables beside those of this process.
  package init(_ text: String, environment: [String: String] = [:]) {
    self.text = text
    self.environment = environment
  }

  /// Runs it to its end. What it prints goes to standard error: standard output is for results.
  /// - Throws: `ShellCommandError` where it cannot be run, or fails.
  package func run(_ cancellation: Cancellation) throws {
    try wait(for: start(), cancellation)
  }

  /// Runs it to its end, or ends it when it takes too long. What it prints goes to standard error.
  /// - Parameter input: what it finds on standard input, and need not read: at most 64 KiB.
  /// - Throws: `ShellCommandError` where it cannot be run, fails, or is ended.
  package func run(_ cancellation: Cancellation, input: [UInt8], secondsMax: Double) throws {
    let pipe = try CommandOutput.makePipe()
    // So much lies in a pipe: nobody has to read while this is written, nor at all.
    _ = input.withUnsafeBytes { write(pipe.writer, $0.baseAddress, min($0.count, Self.inputBytesMax)) }
    close(pipe.writer)
    defer { close(pipe.reader) }
    try wait(for: start(input: pipe.reader), cancellation, secondsMax: secondsMax)
  }

  /// Runs it to its end.
  /// - Returns: its standard output; its standard error is ours.
  /// - Throws: `ShellCommandError` where it cannot be run, fails, or prints more than 1 MiB.
  package func output(_ cancellation: Cancellation) throws -> [UInt8] {
    try stream(cancellation) { output in
      let buffer = Buffer(capacity: Self.outputBytesMax + 1)
      buffer.count = try output.read(into: buffer.bytes)
      guard buffer.count <= Self.outputBytesMax else {
        throw ShellCommandError("the command printed more than it should", text)
      }
      return Array(buffer.used)
    }
  }

  /// Runs it while `body` takes its standard output as it comes; its standard error is ours. Where `body` throws, the command is ended.
  /// - Throws: what `body` throws; else `ShellCommandError` where it cannot be run, or fails: what `body` took is worth nothing then.
  package func stream<Value>(_ cancellation: Cancellation, into body: (CommandOutput) throws -> Value) throws -> Value {
    let pipe = try CommandOutput.makePipe()
    let output = CommandOutput(pipe.reader, of: text, cancellation)
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
      throw error
    }
    try wait(for: running, cancellation)
    return value
  }

  private func start(input: Int32? = nil, output: Int32? = nil) throws -> SupervisedCommand {
    do {
      return try SupervisedCommand(text, additions: environment, input: input, output: output)
    } catch {
      throw ShellCommandError("the command could not be run (\(error.message))", text)
    }
  }

  /// Waits for its end, which a signal hastens.
  private func wait(
    for running: SupervisedCommand, _ cancellation: Cancellation, secondsMax: Double = .infinity
  ) throws {
    let deadline = Clock.system.uptime() + secondsMax
    while running.poll() == nil, !cancellation.isRaised {
      guard Clock.system.uptime() < deadline else {
        running.end()
        throw ShellCommandError("the command took longer than \(Int(secondsMax)) s, and was ended", text)
      }
      Pause.forAnotherThread()
    }
    // At a terminal the command is interrupted as well: that is no failure of its own.
    if cancellation.isRaised { running.end() }
    try cancellation.check()
    switch running.poll() {
    case .exited(0), nil: return
    case .exited(let code): throw ShellCommandError("the command failed with exit status \(code)", text)
    case .signaled(let signal): throw ShellCommandError("the command failed with signal \(signal)", text)
    case .untold: throw ShellCommandError("the command ended, and the system does not tell how", text)
    }
  }
}

/// A command of the operator's that did not do what it should.
package struct ShellCommandError: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package var exitStatus: ExitStatus { .failed }
  package var scope: ErrorScope { .machine }

  /// - Parameter command: what was run. It may hold a secret, so it is for who sees the hint, at this machine: messages are written into the journal, and told
  ///   to others.
  fileprivate init(_ message: String, _ command: String) {
    self.message = message
    hint = "Run it by itself to see what it says: \(command)"
  }
}
