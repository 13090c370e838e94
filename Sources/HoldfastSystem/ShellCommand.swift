internal import Glibc
package import HoldfastModel
internal import Subprocess
internal import Synchronization

/// A command that an operator names, run by the shell in the environment of this process. A signal to this process ends it.
package struct ShellCommand: Sendable {
  private static let outputBytesMax = 1 << 20
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
    case .exited(let code): throw ShellCommandError(message: "the command failed with exit status \(code): \(text)")
    case .signaled(let signal): throw ShellCommandError(message: "the command failed with signal \(signal): \(text)")
    }
  }

  private func failure(_ error: any Error) -> ShellCommandError {
    let isTooLong = (error as? SubprocessError)?.code == .outputLimitExceeded
    return ShellCommandError(
      message: isTooLong
        ? "the command printed more than it should: \(text)" : "the command could not be run (\(error)): \(text)")
  }

  /// Waits on this thread for what Swift's own threads do.
  private func wait<Value: Sendable>(
    _ cancellation: Cancellation, for work: @escaping @Sendable () async throws -> Value
  ) throws -> Value {
    let outcome = Outcome<Value>()
    let task = Task.detached {
      do {
        outcome.set(.success(try await work()))
      } catch {
        outcome.set(.failure(error))
      }
    }
    while true {
      if let result = outcome.value {
        // At a terminal the command is interrupted as well: that is no failure of its own.
        try cancellation.check()
        return try result.mapError { failure($0) }.get()
      }
      if cancellation.isRaised { task.cancel() }
      Pause.forAnotherThread()
    }
  }
}

/// What a task on another thread ends with.
private final class Outcome<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, any Error>?>(nil)
  var value: Result<Value, any Error>? { result.withLock { $0 } }
  func set(_ value: Result<Value, any Error>) { result.withLock { $0 = value } }
}

/// A command of the operator's that did not do what it should.
package struct ShellCommandError: OperatorError, Equatable {
  package let message: String
  package var hint: String? { "Run it by itself to see what it says." }
  package var exitStatus: ExitStatus { .failed }
}
