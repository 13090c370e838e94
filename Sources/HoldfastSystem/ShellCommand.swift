internal import Glibc
package import HoldfastModel

/// Commands that an operator names, run by the shell.
package enum ShellCommand {
  private static let outputBytesMax = 1 << 20

  /// Runs a command to its end. A signal ends the waiting for it; the command itself is left alone.
  /// - Returns: its standard output; its standard error is ours.
  /// - Throws: `SystemError` where it cannot be run, `ShellCommandError` where it fails or prints more than 1 MiB.
  package static func output(of command: String, _ cancellation: Cancellation) throws -> [UInt8] {
    guard let stream = popen(command, "re") else { throw SystemError("run", Path("/bin/sh"), code: errno) }
    // No buffer of the library: what comes may be a secret.
    setvbuf(stream, nil, _IONBF, 0)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(4096)
    while bytes.count <= outputBytesMax {
      try cancellation.awaitInput(fileno(stream))
      let byte = fgetc(stream)
      guard byte != EOF else { break }
      bytes.append(UInt8(truncatingIfNeeded: byte))
    }
    let isTooLong = bytes.count > outputBytesMax
    let status = pclose(stream)
    // At a terminal the command is interrupted as well: that is no failure of its own.
    try cancellation.check()
    guard status == 0, !isTooLong else {
      throw ShellCommandError(
        message: isTooLong
          ? "the command printed more than it should: \(command)"
          : "the command failed with \(reason(status)): \(command)")
    }
    return bytes
  }

  private static func reason(_ status: Int32) -> String {
    let signal = status & 0x7f
    return signal == 0 ? "exit status \((status >> 8) & 0xff)" : "signal \(signal)"
  }
}

/// A command of the operator's that did not do what it should.
package struct ShellCommandError: OperatorError, Equatable {
  package let message: String
  package var hint: String? { "Run it by itself to see what it says." }
  package var exitStatus: ExitStatus { .failed }
}
