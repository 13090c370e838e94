/// Keeps passwords and keys in addresses out of messages, which go to terminals, journals and notifications. An
/// operator may write one where none belongs, as in `sftp://shop:PASSWORD@nas.example/srv`.
package enum AddressText {
  /// Schemes in which a name before the `@` is that of a user.
  private static let schemesWithUsers: Set = ["sftp", "ssh", "scp", "rsync"]

  /// Returns the text with `…` in place of what may be a secret.
  package static func masked(_ text: String) -> String {
    guard let secret = secret(in: text) else { return text }
    return text[..<secret.lowerBound] + "…" + text[secret.upperBound...]
  }

  /// True if a part of the text may be a secret.
  package static func holdsSecret(_ text: String) -> Bool { secret(in: text) != nil }

  /// The text between the first colon and the last `@`; `nil` if that is only the name of a user, or the `@` belongs to
  /// the path. A secret may itself contain `/`, `:` and `@`.
  private static func secret(in text: String) -> Range<String.Index>? {
    guard let colon = text.firstIndex(of: ":"), let at = text.lastIndex(of: "@"), colon < at else { return nil }
    let scheme = text[..<colon]
    guard scheme.allSatisfy({ $0.isLetter || $0.isNumber || "+-._".contains($0) }), !isPathBehindServer(text) else {
      return nil
    }
    let start = text.index(after: colon)
    let name = text[start..<at].drop { $0 == "/" }.prefix { $0 != "@" }
    return name.contains(":") || !schemesWithUsers.contains(scheme.lowercased()) ? start..<at : nil
  }

  /// True if a whole `HOST` or `HOST:PORT` follows `://`, so that a later `@` is part of the path.
  private static func isPathBehindServer(_ text: String) -> Bool {
    guard let separator = text.firstRange(of: "://") else { return false }
    let server = text[separator.upperBound...].prefix { $0 != "/" }
    guard !server.isEmpty, !server.contains("@") else { return false }
    guard let colon = server.lastIndex(of: ":"), server.last != "]" else { return true }
    return server[server.index(after: colon)...].allSatisfy { $0.isASCII && $0.isNumber }
  }
}
