/// Keeps passwords in connection strings of PostgreSQL (libpq) out of files and messages that others can read.
package enum ConnectionText {
  /// True if a connection string has a password in it, or may have one.
  package static func holdsPassword(_ connection: String) -> Bool {
    if connection.contains("password") { return true }
    guard ["postgres://", "postgresql://"].contains(where: connection.hasPrefix),
      let scheme = connection.firstRange(of: "://")
    else { return false }
    let server = connection[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
    return server.lastIndex(of: "@").map { server[..<$0].contains(":") } ?? false
  }
}
