package import HoldfastModel

/// A server that speaks HTTP: scheme, host and port.
package struct HTTPServer: Sendable, Hashable, CustomStringConvertible {
  package let isEncrypted: Bool
  /// A name, an IPv4 address, or an IPv6 address in brackets.
  package let host: String
  /// The port; `nil` for the standard port of the scheme.
  package let port: UInt16?

  package init(host: String, port: UInt16?, isEncrypted: Bool = true) {
    self.host = host
    self.port = port
    self.isEncrypted = isEncrypted
  }

  /// The value of the header `Host`: the host, and the port if it is not the standard one.
  package var authority: String { port.map { "\(host):\($0)" } ?? host }

  package var description: String { "\(isEncrypted ? "https" : "http")://\(authority)" }
}

/// The time limits of connections and answers. A server that sends nothing, or little, does not hold a run for ever.
package struct HTTPPatience: Sendable {
  /// The most time for a connection, TLS included.
  package var connectTimeout = TimeSpan.seconds(10)
  /// The most time without a byte in either direction.
  package var silence = TimeSpan.seconds(30)
  /// The slowest rate of a whole exchange, in bytes a second, beyond twice the silence.
  package var bytesPerSecondMin = 4096.0

  package init() {}

  /// Returns the most time for an exchange that transfers this number of bytes.
  func timeout(forBytes count: Int) -> TimeSpan { silence * 2 + .seconds(Double(count) / bytesPerSecondMin) }
}

/// A request of one exchange. Names and values of headers contain no line breaks.
package struct HTTPMessage {
  package let method: String
  /// The path and query, percent-encoded: `/bucket/key?uploads=`.
  package let target: String
  package let headers: [(name: String, value: String)]

  package init(_ method: String, _ target: String, headers: [(name: String, value: String)]) {
    (self.method, self.target, self.headers) = (method, target, headers)
  }

  /// Returns the first lines of the request, up to and including the empty one.
  func head(for server: HTTPServer, bodyBytes: Int) -> [UInt8] {
    var lines = [
      "\(method) \(target) HTTP/1.1", "Host: \(server.authority)", "User-Agent: holdfast/\(Program.version)",
    ]
    lines += headers.map { "\($0.name): \($0.value)" }
    if bodyBytes > 0 || method == "PUT" || method == "POST" { lines.append("Content-Length: \(bodyBytes)") }
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
  }
}

/// The answer of a server.
package struct HTTPAnswer: Sendable {
  package let status: Int
  /// The headers by name, in lower case. If a header comes twice, the last one counts.
  package let headers: [String: String]
  /// The number of bytes that were put into the caller's buffer.
  package let filled: Int
  /// The body, unless it went into the caller's buffer.
  package let body: [UInt8]
  /// True if the request may have arrived twice, because its first connection broke before an answer.
  package var isRepeated = false

  package var isSuccess: Bool { (200..<300).contains(status) }
}
