/// A proxy through which servers are reached by TLS. It sees where requests go, and nothing of them.
package struct HTTPProxy: Sendable, CustomStringConvertible {
  /// As the variable `https_proxy` has it. It may contain a password, and must not be printed.
  let address: String
  /// The servers that are reached without it, as the variable `no_proxy` names them; empty for none.
  let exceptions: String

  package init(_ address: String, exceptions: String = "") { (self.address, self.exceptions) = (address, exceptions) }

  private var scheme: Substring { address.firstRange(of: "://").map { address[..<$0.upperBound] } ?? "" }
  private var authority: Substring { address.dropFirst(scheme.count).prefix { !"/?#".contains($0) } }

  /// Whether the address contains a name, and with it probably a password.
  package var hasLogin: Bool { authority.contains("@") }

  /// Its scheme, host and port, without a name and a password.
  package var description: String {
    String(scheme + (authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""))
  }
}
