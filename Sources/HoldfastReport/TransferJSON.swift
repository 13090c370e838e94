internal import HoldfastModel
package import HoldfastSystem

/// The traffic of a command with the server of its repository, as text.
package enum TransferText {
  /// `23 requests, sent 38.3 MiB, received 4.0 KiB`; `nil` when there was no server.
  package static func line(_ counts: Traffic.Counts) -> String? {
    guard counts.requests > 0 else { return nil }
    return "\(Amount.count(counts.requests, "request")), sent \(Amount.bytes(counts.bytesSent)), "
      + "received \(Amount.bytes(counts.bytesReceived))"
  }
}

/// A result of a command as `--json` shows it, with the traffic with a server in the same object: requests cost money.
package struct WithTransfer<Result: Encodable>: Encodable {
  private enum Key: String, CodingKey {
    case requests, bytesSent, bytesReceived
  }

  private let result: Result
  private let counts: Traffic.Counts

  /// - Parameter result: must be encoded as an object.
  package init(_ result: Result, _ counts: Traffic.Counts) { (self.result, self.counts) = (result, counts) }

  package func encode(to encoder: any Encoder) throws {
    try result.encode(to: encoder)
    guard counts.requests > 0 else { return }
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(counts.requests, forKey: .requests)
    try container.encode(counts.bytesSent, forKey: .bytesSent)
    try container.encode(counts.bytesReceived, forKey: .bytesReceived)
  }
}
