internal import Glibc
package import HoldfastModel
internal import Subprocess
internal import Synchronization

/// A command that an operator names, run by the shell in the environment of this process. A signal to this process ends it.
package struct ShellCommand: Sendable {
  private static let outputBytesMax = 1 << 20
  private static let inputBytesMax = 64 << 10
  private static let secondsToEnd = 5
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
    let configuration = configuration
    let status = try wait(cancellation) {
      try await Subprocess.run(configuration, output: .currentStandardError, error: .currentStandardError)
        .terminationStatus
    }
    try check(status)
  }

  /// Runs it to its end, or ends it when it takes too long. What it prints goes to standard error.
  /// - Parameter input: what it finds on standard input, and need not read: at most 64 KiB.
  /// - Throws: `ShellCommandError` where it cannot be run, fails, or is ended.
  package func run(_ cancellation: Cancellation, input: [UInt8], secondsMax: Double) throws {
    let pipe = try CommandOutput.makePipe()
    // So much lies in a pipe: nobody has to read while this is written, nor at all.
    _ = input.withUnsafeBytes { write(pipe.writer, $0.baseAddress, min($0.count, Self.inputBytesMax)) }
    close(pipe.writer)
    var configuration = configuration
    // Whatever it has started ends with it, and holds nothing open that somebody waits for.
    configuration.platformOptions.processGroupID = 0
    configuration.platformOptions.teardownSequence = [
      .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(Self.secondsToEnd))
    ]
    let running = RunningWork { [configuration] in
      try await Subprocess.run(
        configuration, input: .fileDescriptor(Self.descriptor(pipe.reader), closeAfterSpawningProcess: true),
        output: .currentStandardError, error: .currentStandardError
      ).terminationStatus
    }
    guard running.isOver(within: secondsMax, cancellation) else {
      running.end()
      throw ShellCommandError("the command took longer than \(Int(secondsMax)) s, and was ended", text)
    }
    try check(wait(cancellation, for: running))
  }

  /// Runs it to its end.
  /// - Returns: its standard output; its standard error is ours.
  /// - Throws: `ShellCommandError` where it cannot be run, fails, or prints more than 1 MiB.
  package func output(_ cancellation: Cancellation) throws -> [UInt8] {
    let configuration = configuration
    let result = try wait(cancellation) {
      let done = try await Subprocess.run(
        configuration, output: .bytes(limit: Self.outputBytesMax), error: .currentStandardError)
      return (status: done.terminationStatus, bytes: done.standardOutput)
    }
    try check(result.status)
    return result.bytes
  }

  private var configuration: Configuration {
    var options = PlatformOptions()
    options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(Self.secondsToEnd))]
    var additions: [Environment.Key: String?] = [:]
    for (name, value) in environment {
      if let key = Environment.Key(rawValue: name) { additions[key] = value }
    }
    return Configuration(
      executable: .name("sh"), arguments: ["-c", text], environment: .inherit.updating(additions),
      platformOptions: options)
  }

  private func check(_ status: TerminationStatus) throws {
    switch status {
    case .exited(0): return
    case .exited(let code): throw ShellCommandError("the command failed with exit status \(code)", text)
    case .signaled(let signal): throw ShellCommandError("the command failed with signal \(signal)", text)
    }
  }

  private func failure(_ error: any Error) -> ShellCommandError {
    let isTooLong = (error as? SubprocessError)?.code == .outputLimitExceeded
    return ShellCommandError(
      isTooLong ? "the command printed more than it should" : "the command could not be run (\(error))", text)
  }

  /// Runs it while `body` takes its standard output as it comes; its standard error is ours. Where `body` throws, the command is ended.
  /// - Throws: what `body` throws; else `ShellCommandError` where it cannot be run, or fails: what `body` took is worth nothing then.
  package func stream<Value>(_ cancellation: Cancellation, into body: (CommandOutput) throws -> Value) throws -> Value {
    let pipe = try CommandOutput.makePipe()
    let configuration = configuration
    let running = RunningWork {
      try await Subprocess.run(
        configuration, output: .fileDescriptor(Self.descriptor(pipe.writer), closeAfterSpawningProcess: true),
        error: .currentStandardError
      ).terminationStatus
    }
    let output = CommandOutput(pipe.reader, of: text, cancellation)
    let value: Value
    do {
      value = try body(output)
    } catch {
      output.close()
      running.end()
      throw error
    }
    try check(wait(cancellation, for: running))
    return value
  }

  /// Subprocess takes a descriptor as a type of swift-system, of which nothing else is used here.
  private static func descriptor<Descriptor: RawRepresentable<Int32>>(_ number: Int32) throws -> Descriptor {
    guard let descriptor = Descriptor(rawValue: number) else {
      throw SystemError("pass on", Path("a pipe"), code: EBADF)
    }
    return descriptor
  }

  private func wait<Value: Sendable>(
    _ cancellation: Cancellation, for work: @escaping @Sendable () async throws -> Value
  ) throws -> Value {
    try wait(cancellation, for: RunningWork(work))
  }

  private func wait<Value: Sendable>(_ cancellation: Cancellation, for running: RunningWork<Value>) throws -> Value {
    let result = running.result(cancellation)
    // At a terminal the command is interrupted as well: that is no failure of its own.
    try cancellation.check()
    return try result.mapError { failure($0) }.get()
  }
}

/// What Swift's own threads do, while a thread of ours waits for it: never one of Swift's, which may be few.
private final class RunningWork<Value: Sendable> {
  private final class Outcome: Sendable {
    let result = Mutex<Result<Value, any Error>?>(nil)
  }

  private let outcome: Outcome
  private let task: Task<Void, Never>

  init(_ work: @escaping @Sendable () async throws -> Value) {
    let outcome = Outcome()
    self.outcome = outcome
    task = Task.detached {
      let result: Result<Value, any Error>
      do { result = .success(try await work()) } catch { result = .failure(error) }
      outcome.result.withLock { $0 = result }
    }
  }

  /// Waits for the end, which a signal hastens.
  func result(_ cancellation: Cancellation) -> Result<Value, any Error> {
    while true {
      if let result = outcome.result.withLock({ $0 }) { return result }
      if cancellation.isRaised { task.cancel() }
      Pause.forAnotherThread()
    }
  }

  /// Waits for the end, but not for longer, nor beyond a signal.
  func isOver(within seconds: Double, _ cancellation: Cancellation) -> Bool {
    let deadline = Clock.system.uptime() + seconds
    while Clock.system.uptime() < deadline, !cancellation.isRaised {
      if outcome.result.withLock({ $0 != nil }) { return true }
      Pause.forAnotherThread()
    }
    return cancellation.isRaised
  }

  /// Ends it, and waits until it has.
  func end() {
    task.cancel()
    _ = result(Cancellation())
  }
}

/// A command of the operator's that did not do what it should.
package struct ShellCommandError: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package var exitStatus: ExitStatus { .failed }

  /// - Parameter command: what was run. It may hold a secret, so it is for who sees the hint, at this machine: messages are written into the journal, and told
  ///   to others.
  fileprivate init(_ message: String, _ command: String) {
    self.message = message
    hint = "Run it by itself to see what it says: \(command)"
  }
}
