internal import HoldfastModel

/// A file of credentials in the format of AWS: sections in brackets, each with keys and values.
struct CredentialsFile {
  private var sections: [String: [String: String]] = [:]

  init(_ text: String) {
    var section = ""
    for line in text.split(whereSeparator: \.isNewline) {
      let line = Self.trimmed(line)
      if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
      if line.hasPrefix("["), line.hasSuffix("]") {
        section = Self.trimmed(line.dropFirst().dropLast())
        sections[section] = sections[section] ?? [:]
      } else if let equals = line.firstIndex(of: "=") {
        let name = Self.trimmed(line[..<equals]).lowercased()
        sections[section, default: [:]][name] = Self.trimmed(line[line.index(after: equals)...])
      }
    }
  }

  /// The keys of a profile, or where they come from.
  enum Finding {
    case keys(S3Credentials)
    /// The command that prints the keys.
    case command(String)
    /// The keys come from a service, in a way that is not implemented.
    /// - Parameter key: the key of the file that says so.
    case unread(key: String)
    /// The profile says nothing about keys.
    case nothing
  }

  /// The keys of the file that make programs of AWS ask a service for temporary keys.
  private static let unread = ["role_arn", "web_identity_token_file", "login_session"]
  private static let unreadBeginning = "sso_"

  /// Returns what a profile says about keys; `nil` if the file has no such profile. A profile that names another
  /// identity means that one, even if it has keys: these keys only serve to ask for that identity.
  func finding(_ profile: String) -> Finding? {
    guard let values = sections[profile] ?? sections["profile \(profile)"] else { return nil }
    if let key = values.keys.sorted().first(where: { Self.unread.contains($0) || $0.hasPrefix(Self.unreadBeginning) }) {
      return .unread(key: key)
    }
    if let id = values["aws_access_key_id"], let secret = values["aws_secret_access_key"] {
      return .keys(S3Credentials(accessKeyID: id, secretKey: secret, sessionToken: values["aws_session_token"]))
    }
    if let command = values["credential_process"] { return .command(command) }
    return .nothing
  }

  private static func trimmed(_ text: Substring) -> String {
    let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
    let front = text.drop(while: blank)
    return String(front[..<(front.lastIndex { !blank($0) }.map { front.index(after: $0) } ?? front.startIndex)])
  }

  private static func trimmed(_ text: String) -> String { trimmed(text[...]) }
}
