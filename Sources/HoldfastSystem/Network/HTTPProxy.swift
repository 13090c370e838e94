/// A proxy through which servers are reached by TLS. It sees the server of a request, but nothing of its contents.
package struct HTTPProxy: Sendable, CustomStringConvertible {
  /// The value of the variable `https_proxy`. It may contain a password, and must not be printed.
  let address: String
  /// The servers that are reached without it, as in the variable `no_proxy`; empty for none.
  let exceptions: String

  package init(_ address: String, exceptions: String = "") { (self.address, self.exceptions) = (address, exceptions) }

  private var scheme: Substring { address.firstRange(of: "://").map { address[..<$0.upperBound] } ?? "" }
  /// The host and port. A password may contain anything, so everything before the last `@` counts as the login.
  private var server: Substring {
    let rest = address.dropFirst(scheme.count).split(separator: "@", omittingEmptySubsequences: false).last ?? ""
    return rest.prefix { !"/?#".contains($0) }
  }

  /// True if the address contains a name, and probably a password with it.
  package var hasLogin: Bool { address.contains("@") }

  /// Its scheme, host and port, without a name and a password.
  package var description: String { String(scheme + server) }
}
