package import HoldfastModel
internal import Synchronization

/// Connections to one server that are kept between requests. Several threads may send requests at once.
package final class HTTPPool: Sendable {
  /// The most bytes of a body that is not the content of an object, such as a listing or an error.
  package static let bodyBytesMax = 8 << 20
  /// The time after which an idle connection is not used again. Routers forget idle connections, some after minutes,
  /// and then an answer to what is sent never comes.
  package static let idleMax = TimeSpan.minutes(1)

  /// A connection that no thread uses.
  private struct Idle {
    let connection: HTTPConnection
    /// The time at which its last answer came, by the uptime.
    let since: TimeSpan
  }

  package let server: HTTPServer
  private let traffic: Traffic
  private let certificates: Path?
  private let proxy: HTTPProxy?
  private let patience: HTTPPatience
  private let clock: Clock
  private let cancellation: Cancellation
  private let state = Mutex(State())
  private let hasAnswered = Atomic(false)

  private struct State {
    /// The idle connections, the one that was used last at the end. There are at most as many as there were requests at
    /// once, or as were prepared.
    var idle: [Idle] = []
    /// Connections that are being made and that nobody waits for yet, each with the time at which that began.
    var coming: [(connection: Future<HTTPConnection>, since: TimeSpan)] = []
    /// The number of connections in use.
    var used = 0
  }

  /// - Parameters:
  ///   - certificates: a file of certificates that are trusted in place of the system's.
  ///   - proxy: the proxy for a server that is reached by TLS; `nil` for a direct connection.
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

  /// Makes connections ahead, so that as many requests at once do not wait for theirs: a new one takes as long as three
  /// requests. It affects only speed.
  package func prepare(_ count: Int) {
    let now = clock.uptime()
    state.withLock { state in
      let there = state.idle.count + state.coming.count + state.used
      for _ in there..<max(there, count) {
        state.coming.append((Future(beginsNow: true) { [self] in try connect() }, now))
      }
    }
  }

  /// Sends a request. The server may have closed the connection since its last request: then a new one is made, so
  /// every request must be one that may arrive twice.
  /// - Parameters:
  ///   - buffer: gets the body of a success; `nil` to get it with the answer.
  /// - Throws: `ConnectionError` if there is no complete answer; `Interrupted` after a signal.
  package func exchange(
    _ message: HTTPMessage, body: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
    into buffer: UnsafeMutableRawBufferPointer? = nil
  ) throws -> HTTPAnswer {
    state.withLock { $0.used += 1 }
    defer { state.withLock { $0.used -= 1 } }
    var isRepeated = false
    while let connection = takeMade() {
      do {
        return try exchange(over: connection, message, body, buffer, isRepeated)
      } catch let error as ConnectionError {
        guard case .broken = error, !connection.hasAnswered else { throw error }
        isRepeated = true
      }
    }
    return try exchange(over: connect(), message, body, buffer, isRepeated)
  }

  private func connect() throws(ConnectionError) -> HTTPConnection {
    try HTTPConnection(
      server, isKnown: hasAnswered.load(ordering: .relaxed), certificates: certificates, proxy: proxy,
      patience: patience, clock: clock, cancellation: cancellation)
  }

  private func exchange(
    over connection: HTTPConnection, _ message: HTTPMessage, _ body: UnsafeRawBufferPointer,
    _ buffer: UnsafeMutableRawBufferPointer?, _ isRepeated: Bool
  ) throws -> HTTPAnswer {
    try cancellation.check()
    traffic.countRequest(bytes: body.count)
    let begun = clock.uptime()
    do {
      var (answer, isReusable) = try connection.exchange(
        message, body: body, into: buffer, bodyBytesMax: Self.bodyBytesMax)
      answer.isRepeated = isRepeated
      hasAnswered.store(true, ordering: .relaxed)
      traffic.countAnswer(bytes: answer.filled + answer.body.count)
      if isReusable { state.withLock { $0.idle.append(Idle(connection: connection, since: clock.uptime())) } }
      return answer
    } catch ConnectionError.silent(let server) {
      // Connections that have been idle for longer have probably ended with this one.
      dropIdle(usedBefore: begun)
      throw ConnectionError.silent(server)
    }
  }

  /// Takes an idle connection, or the next of those that are being made; `nil` if there is none.
  private func takeMade() -> HTTPConnection? {
    dropIdle(usedBefore: clock.uptime() - Self.idleMax)
    let found: (idle: HTTPConnection?, coming: Future<HTTPConnection>?) = state.withLock { state in
      if let idle = state.idle.popLast() { return (idle.connection, nil) }
      return (nil, state.coming.isEmpty ? nil : state.coming.removeFirst().connection)
    }
    // If it could not be made, the caller tries again, and gets the error.
    return found.idle ?? found.coming.flatMap { try? $0.value() }
  }

  private func dropIdle(usedBefore moment: TimeSpan) {
    let dropped = state.withLock { state in
      let old = (state.idle.filter { $0.since < moment }, state.coming.filter { $0.since < moment })
      state.idle.removeAll { $0.since < moment }
      state.coming.removeAll { $0.since < moment }
      return old
    }
    // They are closed here, without the lock.
    withExtendedLifetime(dropped) {}
  }
}
