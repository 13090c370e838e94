internal import CCurl
internal import Glibc
internal import HoldfastModel

/// A connection to a server. libcurl makes it (name, proxy, TLS). Requests and answers are sent over it here, because
/// libcurl's own way of sending takes ten times the processor time under TLS (docs/decisions/0025).
final class HTTPConnection: @unchecked Sendable {
  // Sendable without a lock: one thread at a time has it, for a whole exchange.
  /// The time within which a signal is noticed.
  private static let lookMilliseconds: Int32 = 100
  private static let receiveBytes = 64 << 10

  private let handle: OpaquePointer
  private let patience: HTTPPatience
  private let host: HTTPServer
  private let cancellation: Cancellation
  private let clock: Clock
  /// True if the server has sent anything in the current exchange.
  private(set) var hasAnswered = false
  /// The beginning of an answer that came before the whole request was sent.
  private var early: [UInt8] = []

  /// Connects.
  /// - Parameter isKnown: true if the server has answered before. Then it exists, and the reason why it cannot be
  ///   reached may pass.
  /// - Throws: `ConnectionError` if there is no connection.
  init(
    _ server: HTTPServer, isKnown: Bool, certificates: Path?, proxy: HTTPProxy?, patience: HTTPPatience,
    clock: Clock, cancellation: Cancellation
  ) throws(ConnectionError) {
    guard holdfast_curl_load() else { throw .notInstalled }
    // Only a server on this machine is reached without TLS, and no proxy leads to it.
    let proxy = server.isEncrypted ? proxy : nil
    var (failure, proxyStatus): (Int32, Int) = (0, 0)
    let texts = [server.description, certificates.map { String(decoding: $0.bytes, as: UTF8.self) }, proxy?.address]
    let copies = (texts + [proxy?.exceptions]).map { $0.flatMap { strdup($0) } }
    defer { copies.forEach { free($0) } }
    var request = holdfast_connection_request()
    request.url = UnsafePointer(copies[0])
    request.ca_file = UnsafePointer(copies[1])
    request.proxy = UnsafePointer(copies[2])
    request.no_proxy = UnsafePointer(copies[3])
    request.milliseconds = Int(patience.connectTimeout.seconds * 1000)
    guard let handle = holdfast_connection_open(&request, &failure, &proxyStatus) else {
      if let proxy, proxyStatus != 0 { throw .refusedByProxy(proxy.description, server, status: proxyStatus) }
      let reason = String(cString: holdfast_curl_reason(failure))
      let passing = holdfast_curl_passing(failure)
      throw .noConnection(
        server, reason: proxy.map { "\(reason) (https_proxy is \($0))" } ?? reason,
        isPassing: passing == holdfast_passing_always || passing == holdfast_passing_where_known && isKnown)
    }
    self.handle = handle
    self.patience = patience
    self.clock = clock
    self.cancellation = cancellation
    host = server
  }

  deinit { holdfast_connection_close(handle) }

  /// Sends a request and reads its answer.
  /// - Parameters:
  ///   - buffer: gets the body of a success; `nil` to get it with the answer.
  ///   - bodyBytesMax: the most bytes of a body that does not go into the buffer.
  /// - Returns: the answer, and true if the connection can be used again.
  func exchange(
    _ message: HTTPMessage, body: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer?,
    bodyBytesMax: Int
  ) throws -> (answer: HTTPAnswer, isReusable: Bool) {
    hasAnswered = false
    early = []
    let deadline = clock.uptime() + patience.timeout(forBytes: body.count + (buffer?.count ?? bodyBytesMax))
    var reader = HTTPAnswerReader(isHead: message.method == "HEAD", bodyBytesMax: bodyBytesMax)
    let head = message.head(for: host, bodyBytes: body.count)
    let isRefused = try head.withUnsafeBytes { try send($0, until: deadline) } || send(body, until: deadline)
    try receive(&reader, into: buffer, until: deadline)
    let answer = HTTPAnswer(
      status: reader.status, headers: reader.headers, filled: reader.filled, body: reader.body)
    // If it has answered before the whole request was sent, the server still expects the rest of it.
    return (answer, reader.isReusable && !isRefused)
  }

  /// - Returns: true if the server takes no more, for example because it has answered already.
  private func send(_ bytes: UnsafeRawBufferPointer, until deadline: TimeSpan) throws -> Bool {
    var rest = bytes
    while !rest.isEmpty {
      var sent = 0
      switch holdfast_connection_send(handle, rest.baseAddress, rest.count, &sent) {
      case holdfast_transfer_done: rest = UnsafeRawBufferPointer(rebasing: rest[sent...])
      case holdfast_transfer_wait:
        if try wait(for: POLLOUT | POLLIN, until: deadline) & Int16(POLLOUT) == 0, answersEarly() { return true }
      default: return true
      }
    }
    return false
  }

  /// Returns true if the bytes that have arrived belong to an answer, or the connection has ended. A server that
  /// refuses a request may answer before it has read all of it, and read no more. Under TLS, messages of the protocol
  /// arrive as well, such as the tickets after a handshake.
  private func answersEarly() -> Bool {
    let scratch = Buffer(capacity: Self.receiveBytes)
    var count = 0
    switch holdfast_connection_receive(handle, scratch.bytes.baseAddress, scratch.bytes.count, &count) {
    case holdfast_transfer_wait: return false
    case holdfast_transfer_done: early = Array(scratch.bytes[..<count])
    default: break
    }
    return true
  }

  private func receive(
    _ reader: inout HTTPAnswerReader, into buffer: UnsafeMutableRawBufferPointer?, until deadline: TimeSpan
  ) throws {
    let scratch = Buffer(capacity: Self.receiveBytes)
    if !early.isEmpty {
      hasAnswered = true
      try early.withUnsafeBytes { try reader.take($0, into: buffer) }
    }
    while !reader.isDone {
      // A server that keeps sending must not hold this loop for ever.
      try cancellation.check()
      guard clock.uptime() < deadline else { throw ConnectionError.silent(host) }
      let direct = buffer.map { reader.directBytes(buffer: $0.count) } ?? 0
      let isDirect = direct >= Self.receiveBytes
      let target: UnsafeMutableRawBufferPointer
      if isDirect, let buffer {
        target = UnsafeMutableRawBufferPointer(rebasing: buffer[reader.filled..<reader.filled + direct])
      } else {
        target = scratch.bytes
      }
      var count = 0
      switch holdfast_connection_receive(handle, target.baseAddress, target.count, &count) {
      case holdfast_transfer_done where count == 0: try reader.end()
      case holdfast_transfer_done:
        hasAnswered = true
        if isDirect {
          reader.received(direct: count)
        } else {
          try reader.take(UnsafeRawBufferPointer(rebasing: target[..<count]), into: buffer)
        }
      case holdfast_transfer_wait: _ = try wait(for: POLLIN, until: deadline)
      default: throw ConnectionError.broken("the connection broke")
      }
    }
  }

  /// Waits for the socket.
  /// - Returns: the events for which it is ready.
  private func wait(for events: Int32, until deadline: TimeSpan) throws -> Int16 {
    var watched = pollfd(fd: holdfast_connection_socket(handle), events: Int16(events), revents: 0)
    let silence = min(deadline, clock.uptime() + patience.silence)
    while poll(&watched, 1, Self.lookMilliseconds) <= 0 {
      try cancellation.check()
      guard clock.uptime() < silence else { throw ConnectionError.silent(host) }
    }
    guard clock.uptime() < deadline else { throw ConnectionError.silent(host) }
    return watched.revents
  }
}
