/// A proxy through which servers are reached by TLS. It sees where requests go, and nothing of them.
package struct HTTPProxy: Sendable, CustomStringConvertible {
  /// As the variable `https_proxy` has it. It may contain a password, and must not be printed.
  let address: String
  /// The servers that are reached without it, as the variable `no_proxy` names them; empty for none.
  let exceptions: String

  package init(_ address: String, exceptions: String = "") { (self.address, self.exceptions) = (address, exceptions) }

  private var scheme: Substring { address.firstRange(of: "://").map { address[..<$0.upperBound] } ?? "" }
  /// A password may contain anything, so everything before the last `@` counts as one.
  private var server: Substring {
    let rest = address.dropFirst(scheme.count).split(separator: "@", omittingEmptySubsequences: false).last ?? ""
    return rest.prefix { !"/?#".contains($0) }
  }

  /// Whether the address contains a name, and with it probably a password.
  package var hasLogin: Bool { address.contains("@") }

  /// Its scheme, host and port, without a name and a password.
  package var description: String { String(scheme + server) }
}
