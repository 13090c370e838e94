internal import HoldfastModel

/// The text form of keys (format.md, section 9): the kind, the key in hexadecimal, and a checksum, so that a cut or
/// mistyped key is noticed before it is used.
package enum KeyText {
  package enum Kind: String, CaseIterable, Sendable {
    case identity = "holdfast-identity-"
    case recipient = "holdfast-recipient-"
    /// A seed from which the signing key and others are derived.
    case writerSecret = "holdfast-writer-secret-2-"
    /// The older form: the seed itself is the signing key.
    case rawWriterSecret = "holdfast-writer-secret-"
    case writer = "holdfast-writer-"

    var byteCount: Int { self == .recipient ? 64 : 32 }

    var isSecret: Bool { self == .identity || self == .writerSecret || self == .rawWriterSecret }

    /// The name of the kind in messages.
    package var title: String {
      switch self {
      case .identity: "an identity"
      case .recipient: "a recipient"
      case .writerSecret, .rawWriterSecret: "a writer key"
      case .writer: "a writer"
      }
    }
  }

  private static let checksumDigits = 8
  private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]

  static func encode(_ kind: Kind, _ bytes: some Sequence<UInt8>) -> String {
    let text = kind.rawValue + Hex.encode(bytes)
    return text + "-" + checksum(text)
  }

  /// - Parameter name: the origin of the text, for messages. The text itself may be secret and is never shown.
  /// - Throws: `KeyError` when it is not a complete key of this kind.
  static func decode(_ text: some StringProtocol, as kind: Kind, name: String) throws(KeyError) -> [UInt8] {
    guard let found = Kind.allCases.filter({ text.hasPrefix($0.rawValue) }).max(by: { $0.rawValue < $1.rawValue })
    else {
      throw KeyError.notAKey(name, expected: kind)
    }
    guard found == kind else { throw KeyError.otherKind(name, expected: kind, found: found) }
    let digits = kind.byteCount * 2
    guard text.utf8.count == kind.rawValue.utf8.count + digits + 1 + checksumDigits,
      text.dropLast(checksumDigits).hasSuffix("-"),
      checksum(String(text.dropLast(checksumDigits + 1))) == text.suffix(checksumDigits),
      let bytes = Hex.decode(text.dropFirst(kind.rawValue.count).prefix(digits))
    else { throw KeyError.damaged(name, kind: kind) }
    return bytes
  }

  /// Returns the one secret of a key file, which stands on a line of its own beside comments.
  static func decodeFile(_ text: SecretBytes, as kind: Kind, name: String) throws(KeyError) -> [UInt8] {
    try decode(secretLine(of: text, kind, name), as: kind, name: name)
  }

  /// Returns the secret of a writer. `isRaw` is true if the seed itself signs.
  static func decodeWriterFile(_ text: SecretBytes, name: String) throws(KeyError) -> (seed: [UInt8], isRaw: Bool) {
    let line = try secretLine(of: text, .rawWriterSecret, name)
    let kind = line.hasPrefix(Kind.writerSecret.rawValue) ? Kind.writerSecret : .rawWriterSecret
    return (try decode(line, as: kind, name: name), kind == .rawWriterSecret)
  }

  private static func secretLine(of text: SecretBytes, _ kind: Kind, _ name: String) throws(KeyError) -> String {
    let lines = text.withUnsafeBytes { bytes in
      // Some editors begin a file with a byte order mark.
      (bytes.starts(with: byteOrderMark) ? bytes.dropFirst(byteOrderMark.count) : bytes[...])
        .split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self).trimmingBlanks() }
    }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
    guard let line = lines.first else { throw KeyError.notAKey(name, expected: kind) }
    guard lines.count == 1 else { throw KeyError.severalKeys(name) }
    return line
  }

  private static func checksum(_ text: String) -> String {
    String(Hasher.digest(Array(text.utf8)).description.prefix(checksumDigits))
  }
}

extension String {
  fileprivate func trimmingBlanks() -> String {
    let blanks: Set<Character> = [" ", "\t", "\r"]
    guard let first = firstIndex(where: { !blanks.contains($0) }),
      let last = lastIndex(where: { !blanks.contains($0) })
    else { return "" }
    return String(self[first...last])
  }
}
