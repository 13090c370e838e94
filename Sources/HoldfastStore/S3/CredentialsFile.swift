internal import HoldfastModel

/// A file of credentials in the form of AWS: sections in brackets, each with keys and values.
struct CredentialsFile {
  private var sections: [String: [String: String]] = [:]

  init(_ text: String) {
    var section = ""
    for line in text.split(whereSeparator: \.isNewline) {
      let line = Self.trimmed(line)
      if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
      if line.hasPrefix("["), line.hasSuffix("]") {
        section = Self.trimmed(line.dropFirst().dropLast())
      } else if let equals = line.firstIndex(of: "=") {
        let name = Self.trimmed(line[..<equals]).lowercased()
        sections[section, default: [:]][name] = Self.trimmed(line[line.index(after: equals)...])
      }
    }
  }

  /// The credentials of a profile; `nil` when the file has none for it.
  func credentials(_ profile: String) -> S3Credentials? {
    guard let values = sections[profile], let id = values["aws_access_key_id"],
      let secret = values["aws_secret_access_key"]
    else { return nil }
    return S3Credentials(accessKeyID: id, secretKey: secret, sessionToken: values["aws_session_token"])
  }

  private static func trimmed(_ text: Substring) -> String {
    let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
    let front = text.drop(while: blank)
    return String(front[..<(front.lastIndex { !blank($0) }.map { front.index(after: $0) } ?? front.startIndex)])
  }

  private static func trimmed(_ text: String) -> String { trimmed(text[...]) }
}
