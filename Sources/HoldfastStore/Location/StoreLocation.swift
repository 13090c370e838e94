package import HoldfastModel
package import HoldfastSystem

/// The location of a repository, as an operator writes it: a path, `sftp:USER@HOST[:PORT]/PATH`, or
/// `s3:https://HOST[:PORT]/BUCKET[/PREFIX]`. Only a server on this machine may be reached without TLS, with
/// `s3:http://127.0.0.1…`.
///
/// Any other text is a path, unless it looks like a server in another form (`ssh://…`, `S3:…`, `USER@HOST:PATH`): a
/// mistyped location must not become a directory on the disk that is to be backed up. A directory with such a name is
/// written `./s3:orders`, or as an absolute path.
package enum StoreLocation: Sendable, Equatable {
  /// A host, and its port if it is not the standard port of the protocol.
  package struct Server: Sendable, Equatable, CustomStringConvertible {
    package let host: String
    package let port: UInt16?

    package init(host: String, port: UInt16?) {
      self.host = host
      self.port = port
    }

    package var description: String { port.map { "\(host):\($0)" } ?? host }
  }

  /// A directory of this machine, as the operator wrote it; relative paths start at the current directory.
  case directory(Path)
  /// - Parameter path: an absolute path.
  case sftp(user: String, server: Server, path: String)
  /// - Parameter prefix: the beginning of all keys; empty, or ends with `/`.
  case s3(server: HTTPServer, bucket: String, prefix: String)

  package var scheme: StoreScheme {
    switch self {
    case .directory: .directory
    case .sftp: .sftp
    case .s3: .s3
    }
  }

  /// The directory on this machine; `nil` for other schemes.
  package var directory: Path? {
    guard case .directory(let path) = self else { return nil }
    return path
  }

  /// Parses a location.
  /// - Parameter isDirectory: returns true if a directory has the text as its name. Then the text is a path.
  /// - Throws: `LocationError` if the text begins with a scheme and the rest is not sound; or if it names a server in a
  ///   form that is not accepted.
  package init(_ text: String, isDirectory: (String) -> Bool = { _ in false }) throws(LocationError) {
    guard let scheme = Self.scheme(of: text) else {
      if let likely = OtherAddress.likelyScheme(of: text, isDirectory: isDirectory) {
        throw AddressText.holdsSecret(text) ? .holdsSecret(text, likely) : .otherForm(text, likely)
      }
      self = .directory(Path(text))
      return
    }
    let rest = text.dropFirst(scheme.rawValue.count + 1)
    self = try scheme == .sftp ? Self.sftp(rest, text) : Self.s3(rest, text)
  }

  /// Returns the scheme with which the text begins; `nil` for a path.
  private static func scheme(of text: String) -> StoreScheme? {
    [.sftp, .s3].first { text.hasPrefix($0.rawValue + ":") }
  }

  private static func sftp(_ rest: Substring, _ text: String) throws(LocationError) -> StoreLocation {
    guard !rest.hasPrefix("//") else { throw unsound(text, .sftp, "it has slashes in front of its user") }
    let (authority, path) = split(rest)
    guard let at = authority.lastIndex(of: "@"), at > authority.startIndex else {
      throw unsound(text, .sftp, "it names no user")
    }
    let user = authority[..<at]
    guard !user.contains(":") else { throw LocationError.holdsSecret(text, .sftp) }
    guard let path, path.utf8.count > 1 else { throw unsound(text, .sftp, "it names no directory") }
    return .sftp(
      user: String(user), server: try server(authority[authority.index(after: at)...], text, .sftp),
      path: withoutTrailingSlashes(path))
  }

  private static func s3(_ rest: Substring, _ text: String) throws(LocationError) -> StoreLocation {
    let (https, http) = ("https://", "http://")
    guard rest.hasPrefix(https) || rest.hasPrefix(http) else {
      throw unsound(text, .s3, "it does not go on with \(https)")
    }
    let isEncrypted = rest.hasPrefix(https)
    let (authority, path) = split(rest.dropFirst((isEncrypted ? https : http).count))
    guard !authority.contains("@") else { throw LocationError.holdsSecret(text, .s3) }
    let server = try server(authority, text, .s3)
    guard isEncrypted || loopback.contains(server.host) else {
      throw unsound(text, .s3, "only a server on this machine may be reached without TLS")
    }
    let parts = (path ?? "").split(separator: "/")
    guard let bucket = parts.first else { throw unsound(text, .s3, "it names no bucket") }
    return .s3(
      server: HTTPServer(host: server.host, port: server.port, isEncrypted: isEncrypted), bucket: String(bucket),
      prefix: parts.dropFirst().map { $0 + "/" }.joined())
  }

  /// Returns the error for a text in which a part is missing or wrong.
  private static func unsound(_ text: String, _ scheme: StoreScheme, _ finding: String) -> LocationError {
    AddressText.holdsSecret(text) ? .holdsSecret(text, scheme) : .malformed(text, scheme, finding)
  }

  /// The hosts that are this machine.
  private static let loopback: Set<String> = ["127.0.0.1", "localhost", "[::1]"]

  /// Returns the text before the first slash, and the rest from the slash on; `nil` if there is no slash.
  private static func split(_ text: Substring) -> (authority: Substring, path: Substring?) {
    guard let slash = text.firstIndex(of: "/") else { return (text, nil) }
    return (text[..<slash], text[slash...])
  }

  /// Parses `HOST`, `HOST:PORT`, or an IPv6 address in brackets, with or without a port.
  private static func server(
    _ text: Substring, _ location: String, _ scheme: StoreScheme
  ) throws(LocationError) -> Server {
    let hostEnd =
      text.first == "["
      ? text.firstIndex(of: "]").map(text.index(after:)) ?? text.endIndex
      : text.firstIndex(of: ":") ?? text.endIndex
    let (host, rest) = (text[..<hostEnd], text[hostEnd...])
    guard !host.isEmpty, host != "[]", host.first != "[" || host.last == "]",
      host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else { throw unsound(location, scheme, "it names no host") }
    guard !rest.isEmpty else { return Server(host: String(host), port: nil) }
    guard rest.first == ":", let port = UInt16(rest.dropFirst()), port > 0 else {
      throw unsound(location, scheme, "its port is no number from 1 to 65535")
    }
    return Server(host: String(host), port: port)
  }

  private static func withoutTrailingSlashes(_ path: Substring) -> String {
    let end = path.lastIndex { $0 != "/" }
    return end.map { String(path[...$0]) } ?? "/"
  }
}

extension StoreLocation: CustomStringConvertible {
  /// The location as an operator would type it. Bytes of a path that are not UTF-8 are lost.
  package var text: String { directory.map { String(decoding: $0.bytes, as: UTF8.self) } ?? description }

  /// The location as text for people. Different spellings of one location give the same text.
  package var description: String {
    switch self {
    case .directory(let path): path.description
    case .sftp(let user, let server, let path): "sftp:\(user)@\(server)\(path)"
    case .s3(let server, let bucket, let prefix): "s3:\(server)/\(bucket)/\(prefix)"
    }
  }
}
