package import HoldfastModel
internal import Synchronization

/// Connections to one server that are kept between requests. Several threads may send requests at once.
package final class HTTPPool: Sendable {
  /// Bytes of a body that is not the content of an object, such as a listing or an error.
  package static let bodyBytesMax = 8 << 20

  package let server: HTTPServer
  private let traffic: Traffic
  private let certificates: Path?
  private let proxy: HTTPProxy?
  private let patience: HTTPPatience
  private let clock: Clock
  private let cancellation: Cancellation
  /// Connections that no thread uses; at most as many as there were requests at once.
  private let idle = Mutex<[HTTPConnection]>([])

  /// - Parameters:
  ///   - certificates: a file of certificates that are trusted in place of those of the system.
  ///   - proxy: how a server is reached by TLS; `nil` for directly.
  ///   - traffic: counts the requests.
  package init(
    _ server: HTTPServer, certificates: Path? = nil, proxy: HTTPProxy? = nil,
    patience: HTTPPatience = HTTPPatience(), traffic: Traffic = Traffic(), host: Host
  ) {
    self.server = server
    self.traffic = traffic
    self.certificates = certificates
    self.proxy = proxy
    self.patience = patience
    clock = host.clock
    cancellation = host.cancellation
  }

  /// Sends a request. The connection may have been closed by the server since its last request: then a new one is made,
  /// so every request must be one that may arrive twice.
  /// - Parameters:
  ///   - buffer: takes the body of a success; `nil` to get it with the answer.
  /// - Throws: `ConnectionError` when there is no whole answer; `Interrupted` after a signal.
  package func exchange(
    _ message: HTTPMessage, body: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
    into buffer: UnsafeMutableRawBufferPointer? = nil
  ) throws -> HTTPAnswer {
    var isRepeated = false
    while let connection = takeIdle() {
      do {
        return try exchange(over: connection, message, body, buffer, isRepeated)
      } catch let error as ConnectionError {
        guard case .broken = error, !connection.hasAnswered else { throw error }
        isRepeated = true
      }
    }
    let connection = try HTTPConnection(
      server, certificates: certificates, proxy: proxy, patience: patience, clock: clock, cancellation: cancellation)
    return try exchange(over: connection, message, body, buffer, isRepeated)
  }

  private func exchange(
    over connection: HTTPConnection, _ message: HTTPMessage, _ body: UnsafeRawBufferPointer,
    _ buffer: UnsafeMutableRawBufferPointer?, _ isRepeated: Bool
  ) throws -> HTTPAnswer {
    try cancellation.check()
    traffic.countRequest(bytes: body.count)
    var (answer, isReusable) = try connection.exchange(
      message, body: body, into: buffer, bodyBytesMax: Self.bodyBytesMax)
    answer.isRepeated = isRepeated
    traffic.countAnswer(bytes: answer.filled + answer.body.count)
    if isReusable { idle.withLock { $0.append(connection) } }
    return answer
  }

  private func takeIdle() -> HTTPConnection? { idle.withLock { $0.popLast() } }
}
