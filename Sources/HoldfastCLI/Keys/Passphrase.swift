internal import Glibc
internal import HoldfastCodec
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastSystem

/// Where a passphrase comes from: a file, or the terminal. Never an argument or the environment itself: others can see those.
enum Passphrase {
  /// From HOLDFAST_PASSPHRASE_FILE, the systemd credential `holdfast-passphrase`, or the file that is configured; `nil` where none is named.
  static func fromFile(_ files: FileSystem) throws -> SecretBytes? {
    let named = Environment.value("HOLDFAST_PASSPHRASE_FILE").flatMap { $0.isEmpty ? nil : $0 }
    guard
      let path = try named.map({ try Environment.absolute($0) })
        ?? KeyFiles.credential("holdfast-passphrase", files: files) ?? ConfiguredRepository.current?.passphraseFile
    else { return nil }
    let text = try KeyFiles.read(.passphrase, path, files: files)
    // The line ends that editors leave belong to the file: what is in it must be what is typed at a terminal.
    var bytes = text.withUnsafeBytes { Array($0) }
    while let last = bytes.last, lineEnds.contains(last) { bytes.removeLast() }
    guard !bytes.contains(where: { lineEnds.contains($0) }) else {
      SecretBytes.wipe(&bytes)
      throw KeyError(
        "\(path) holds more than one line", hint: "Put the passphrase on one line, so that it can be typed as well.")
    }
    return try checked(SecretBytes(taking: &bytes))
  }

  private static let lineEnds: Set<UInt8> = [UInt8(ascii: "\n"), UInt8(ascii: "\r")]

  /// From the terminal; `nil` where there is none.
  /// - Parameter isNew: then it is asked for twice.
  static func fromTerminal(isNew: Bool, _ cancellation: Cancellation) throws -> SecretBytes? {
    guard let terminal = fopen("/dev/tty", "r+") else { return nil }
    defer { fclose(terminal) }
    let first = try ask(isNew ? "New passphrase: " : "Passphrase: ", terminal, cancellation)
    if isNew {
      let second = try ask("The same again: ", terminal, cancellation)
      let isSame = first.withUnsafeBytes { first in second.withUnsafeBytes { first.elementsEqual($0) } }
      guard isSame else { throw KeyError("the two passphrases differ", hint: "Run the command again.") }
    }
    return try checked(first)
  }

  private static func checked(_ passphrase: SecretBytes) throws -> SecretBytes {
    guard passphrase.count > 0 else {
      throw KeyError("the passphrase is empty", hint: "Use several words that nobody would guess.")
    }
    return passphrase
  }

  /// One line, without showing it. A signal ends it, and the terminal shows again what is typed.
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
