internal import Glibc
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

/// Reads a typed passphrase. It is never an argument or in the environment, because others can see those.
enum Passphrase {
  /// Reads it from the terminal; `nil` when there is none.
  /// - Parameter isNew: true if it is asked for twice.
  static func fromTerminal(isNew: Bool, _ cancellation: Cancellation) throws -> SecretBytes? {
    guard let terminal = fopen("/dev/tty", "r+") else { return nil }
    defer { fclose(terminal) }
    let first = try ask(isNew ? "New passphrase: " : "Passphrase: ", terminal, cancellation)
    if isNew {
      let second = try ask("The same again: ", terminal, cancellation)
      let isSame = first.withUnsafeBytes { first in second.withUnsafeBytes { first.elementsEqual($0) } }
      guard isSame else { throw KeyError("the two passphrases differ", hint: "Run the command again.") }
    }
    return try KeyFiles.checkedPassphrase(first)
  }

  /// Reads one line without echo. A signal ends the reading, and the echo is restored.
  private static func ask(
    _ prompt: String, _ terminal: UnsafeMutablePointer<FILE>, _ cancellation: Cancellation
  ) throws -> SecretBytes {
    let descriptor = fileno(terminal)
    var shown = termios()
    guard tcgetattr(descriptor, &shown) == 0 else { throw SystemError("read", Path("/dev/tty"), code: errno) }
    var hidden = shown
    hidden.c_lflag &= ~tcflag_t(ECHO)
    guard tcsetattr(descriptor, TCSAFLUSH, &hidden) == 0 else {
      throw SystemError("read", Path("/dev/tty"), code: errno)
    }
    defer {
      tcsetattr(descriptor, TCSAFLUSH, &shown)
      _ = Glibc.write(descriptor, "\n", 1)
    }
    _ = prompt.withCString { Glibc.write(descriptor, $0, strlen($0)) }
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while true {
      try cancellation.awaitInput(descriptor)
      let count = Glibc.read(descriptor, &byte, 1)
      guard count == 1, byte != UInt8(ascii: "\n") else { break }
      line.append(byte)
    }
    return SecretBytes(taking: &line)
  }
}
