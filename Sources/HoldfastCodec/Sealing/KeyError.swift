package import HoldfastModel

/// A key that is malformed, or does not fit.
package struct KeyError: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package let exitStatus: ExitStatus
  package var scope: ErrorScope { .usage }

  package init(_ message: String, hint: String?, exitStatus: ExitStatus = .wrongKey) {
    self.message = message
    self.hint = hint
    self.exitStatus = exitStatus
  }

  static func notAKey(_ name: String, expected kind: KeyText.Kind) -> KeyError {
    KeyError(
      "\(name) does not hold \(kind.title)", hint: "It is a line that begins with \"\(kind.rawValue)\".")
  }

  static func otherKind(_ name: String, expected: KeyText.Kind, found: KeyText.Kind) -> KeyError {
    let beginning =
      "\(expected.title.prefix(1).uppercased() + expected.title.dropFirst()) begins with \"\(expected.rawValue)\"."
    // Public keys are given on the command line, where other users of the machine can see them.
    let isGivenAway = found.isSecret && !expected.isSecret
    return KeyError(
      "\(name) holds \(found.title) where \(expected.title) is needed",
      hint: isGivenAway
        ? beginning + " What was typed is secret, and others may have seen it: make a new one." : beginning)
  }

  static func damaged(_ name: String, kind: KeyText.Kind) -> KeyError {
    KeyError(
      "\(name) holds \(kind.title) that was cut or altered: its checksum does not fit",
      hint: "Take another copy of the key.")
  }

  static func severalKeys(_ name: String) -> KeyError {
    KeyError("\(name) holds more than one key", hint: "Keep one key in a file.")
  }

  static func unusable(_ what: String) -> KeyError {
    KeyError("\(what) is not a usable key", hint: "Take another copy of the key.")
  }
}
