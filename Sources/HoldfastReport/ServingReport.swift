package import HoldfastEngine
package import HoldfastModel

/// The answer of `holdfast serving`.
package struct ServingJSON: Encodable {
  let source: String
  /// The name of this host; `null` if it has none.
  let host: Known<String>
  /// True if the service may start on this host now.
  let mayServe: Bool
  /// The host that serves; `null` if none was ever announced, or the repository did not answer.
  let role: Known<ServingRoleJSON>
  /// The newest number of the lease; `null` if the repository did not answer.
  let leaseNumber: Known<UInt64>

  package init(_ report: ServingGate.Report) {
    (source, host, mayServe) = (report.source.text, Known(report.host?.text), report.mayServe)
    role = Known(report.role.map { ServingRoleJSON($0) })
    leaseNumber = Known(report.number)
  }

  /// The answer of a gate that lets the service start although the repository did not answer.
  package init(unknown source: SourceName, host: HostName?) {
    (self.source, self.host, mayServe) = (source.text, Known(host?.text), true)
    (role, leaseNumber) = (Known(nil), Known(nil))
  }
}

/// The host that serves a source.
package struct ServingRoleJSON: Encodable {
  let host: String
  /// The number of the lease in which it was announced.
  let sinceNumber: UInt64
  /// The snapshot with which it began; `null` if there was none.
  let from: Known<Start>

  struct Start: Encodable {
    let id: String
    let sequence: UInt64
  }

  init(_ role: ServingRole) {
    (host, sinceNumber) = (role.serving.text, role.since)
    from = Known(role.from.map { Start(id: $0.snapshot.description, sequence: $0.sequence) })
  }
}

package enum ServingText {
  package static func lines(_ report: ServingGate.Report) -> [String] {
    guard let role = report.role else { return ["no host was ever announced to serve \(report.source)"] }
    let start = role.from.map { "with snapshot \($0.snapshot.short), number \($0.sequence)" } ?? "without a snapshot"
    let own = report.host.map { "this host is \($0)" } ?? "this host has no name"
    let serves =
      role.isAwaited ? "was announced to serve \(report.source), and does not yet," : "serves \(report.source)"
    return [
      "\(role.serving) \(serves) since number \(role.since) of its lease, \(start); \(own)"
        + (report.mayServe ? ", and may serve" : "")
    ]
  }
}
