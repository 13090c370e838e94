internal import CCurl
internal import Glibc
package import HoldfastModel
internal import Synchronization

/// A request to a server.
package struct HTTPRequest: Sendable {
  package var method: String
  package var url: HTTPAddress
  package var headers: [(name: String, value: String)] = []
  /// `nil` for a request without a body.
  package var body: [UInt8]?

  package init(_ method: String, _ url: HTTPAddress, body: [UInt8]? = nil) {
    self.method = method
    self.url = url
    self.body = body
  }
}

/// The answer of a server.
package struct HTTPResponse: Sendable {
  package let status: Int
  /// The first part of the body, as much as the client keeps.
  package let body: [UInt8]
  /// True if the body was longer.
  package let isCut: Bool
}

/// The address of a request: http or https. It may contain a secret, and is never shown whole.
package struct HTTPAddress: Sendable, Hashable, CustomStringConvertible {
  /// The whole address, which must not be printed.
  package let text: String
  static let bytesMax = 2048

  package init?(_ text: String) {
    let scheme = ["https://", "http://"].first { text.lowercased().hasPrefix($0) }
    guard let scheme, text.utf8.count <= Self.bytesMax, text.utf8.allSatisfy({ (0x21..<0x7f).contains($0) }) else {
      return nil
    }
    let host = text.dropFirst(scheme.count).prefix { !"/?#".contains($0) }
    guard !host.isEmpty, !host.hasSuffix("@") else { return nil }
    self.text = text
  }

  /// The scheme, host and port in one spelling, to compare servers.
  private var server: (scheme: String, authority: String)? {
    guard let separator = text.firstRange(of: "://") else { return nil }
    let scheme = text[..<separator.lowerBound].lowercased()
    let authority = text[separator.upperBound...].prefix { !"/?#".contains($0) }
    var host = authority.split(separator: "@", omittingEmptySubsequences: false).last.map { $0.lowercased() } ?? ""
    let usual = scheme == "https" ? ":443" : ":80"
    if host.hasSuffix(usual) { host.removeLast(usual.count) }
    return (scheme, host)
  }

  /// Returns the address to which an answer redirects. `nil` unless that is the same server, by the same scheme or by
  /// https: another address was not configured by anybody, and may be one that only this machine can reach.
  func redirection(to other: String) -> HTTPAddress? {
    // An address is not followed if programs parse it differently.
    guard let address = HTTPAddress(other), !other.contains("\\"), !other.contains("@"), let mine = server,
      let its = address.server, its.authority == mine.authority
    else { return nil }
    return its.scheme == mine.scheme || its.scheme == "https" ? address : nil
  }

  /// Returns the same address with a path component appended, before a query.
  package func appending(_ path: String) -> HTTPAddress {
    let end = text.firstIndex { "?#".contains($0) } ?? text.endIndex
    var front = String(text[..<end])
    while front.hasSuffix("/") { front.removeLast() }
    return HTTPAddress(front + path + text[end...]) ?? self
  }

  /// The address as it may be shown: `https://example.org/…`.
  package var description: String {
    guard let separator = text.firstRange(of: "://") else { return "…" }
    let authority = text[separator.upperBound...].prefix { !"/?#".contains($0) }
    // The host may be preceded by a password.
    let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
    return text[..<separator.upperBound] + host + "/…"
  }
}

/// Sends requests within a time limit. The library for it is loaded with the first request.
package struct HTTPClient: Sendable {
  private static let retryPause = TimeSpan.milliseconds(500)
  /// The time after the deadline at which a lookup of the server's name is abandoned. The C library cannot be
  /// interrupted in it.
  private static let lookupGrace = TimeSpan.seconds(1)
  private static let redirectionsMax = 3

  /// The most time for a connection.
  package var connectTimeout = TimeSpan.seconds(5)
  /// The most time for everything: connections, answers and retries.
  package var timeout = TimeSpan.seconds(10)
  /// The number of retries after a failure of the server or of the connection.
  package var retries = 2
  /// The most bytes of an answer that are kept.
  package var responseBytesMax = 64 << 10
  /// True to use the proxies that the variables of the environment name, as libcurl reads them.
  package var usesProxies = true

  package init() {}

  /// The version of the library; `nil` if it is not installed.
  package static var libraryVersion: String? { holdfast_curl_version().map { String(cString: $0) } }

  /// Sends a request.
  /// - Throws: `HTTPError` if there is no answer, or the answer reports a failure.
  package func send(_ request: HTTPRequest) throws(HTTPError) -> HTTPResponse {
    guard holdfast_curl_load() else { throw .notInstalled }
    let answer = Answer()
    let deadline = Clock.system.uptime() + timeout
    // The caller goes on after the deadline, whatever the library does.
    WorkerThread.detach { answer.end(tries(request, until: deadline)) }
    while Clock.system.uptime() < deadline + Self.lookupGrace {
      if let result = answer.result.withLock({ $0 }) { return try result.get() }
      Pause.forAnotherThread()
    }
    throw .noAnswer(request.url)
  }

  private final class Answer: Sendable {
    let result = Mutex<Result<HTTPResponse, HTTPError>?>(nil)

    func end(_ value: Result<HTTPResponse, HTTPError>) { result.withLock { $0 = value } }
  }

  private func tries(_ request: HTTPRequest, until deadline: TimeSpan) -> Result<HTTPResponse, HTTPError> {
    var pause = Self.retryPause
    var left = retries
    while true {
      let result = once(request, within: deadline - Clock.system.uptime())
      guard case .failure(let error) = result, error.isPassing, left > 0,
        deadline - Clock.system.uptime() > pause
      else { return result }
      left -= 1
      Pause.time(pause)
      pause = pause * 2
    }
  }

  /// Makes one try, and follows redirections within the same server.
  private func once(_ request: HTTPRequest, within timeout: TimeSpan) -> Result<HTTPResponse, HTTPError> {
    let deadline = Clock.system.uptime() + timeout
    var next = request
    for _ in 0...Self.redirectionsMax {
      let (result, redirection) = ask(next, within: deadline - Clock.system.uptime())
      guard let redirection else { return result }
      guard let address = next.url.redirection(to: redirection) else {
        return .failure(
          .failed(request.url, reason: "it leads to another server, which is not asked", isPassing: false))
      }
      next.url = address
    }
    return .failure(.failed(request.url, reason: "it leads from one address to the next", isPassing: false))
  }

  /// - Returns: the result, and the address that the answer redirects to, if any.
  private func ask(
    _ request: HTTPRequest, within timeout: TimeSpan
  ) -> (result: Result<HTTPResponse, HTTPError>, redirection: String?) {
    guard timeout > .milliseconds(1) else { return (.failure(.noAnswer(request.url)), nil) }
    var redirection = [CChar](repeating: 0, count: HTTPAddress.bytesMax + 1)
    var body = [UInt8](repeating: 0, count: responseBytesMax)
    let result = body.withUnsafeMutableBytes { answer in
      withRequest(request, within: timeout) { request in
        holdfast_http_perform(request, answer.baseAddress, answer.count, &redirection, redirection.count)
      }
    }
    guard result.failure == 0 else {
      let reason = String(cString: holdfast_curl_reason(result.failure))
      return (
        .failure(
          .failed(
            request.url, reason: reason,
            isPassing: holdfast_curl_passing(result.failure) != holdfast_passing_never,
            wasConnected: result.was_connected)), nil
      )
    }
    guard (200..<300).contains(result.status) else {
      let address = String(decoding: redirection.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let isLed = (300..<400).contains(result.status) && !address.isEmpty
      return (.failure(.refused(request.url, status: result.status)), isLed ? address : nil)
    }
    return (
      .success(HTTPResponse(status: result.status, body: Array(body.prefix(result.length)), isCut: result.is_cut)), nil
    )
  }

  /// Makes the request of C, which is valid while `call` runs.
  private func withRequest<Value>(
    _ request: HTTPRequest, within timeout: TimeSpan, _ call: (UnsafePointer<holdfast_http_request>) -> Value
  ) -> Value {
    let texts = [request.method, request.url.text, "holdfast/\(Program.version)"]
    let lines = request.headers.map { "\($0.name): \($0.value)" }
    var copies: [UnsafeMutablePointer<CChar>?] = (texts + lines).map { strdup($0) }
    copies.append(nil)
    defer { copies.forEach { free($0) } }
    let milliseconds = Int(timeout.seconds * 1000)
    return copies.map { UnsafePointer($0) }.withUnsafeBufferPointer { strings in
      (request.body ?? []).withUnsafeBytes { bytes in
        var empty: UInt8 = 0
        return withUnsafePointer(to: &empty) { nothing in
          var raw = holdfast_http_request()
          raw.method = strings[0]
          raw.url = strings[1]
          raw.user_agent = strings[2]
          raw.headers = strings.baseAddress.map { $0 + texts.count }
          // An empty body needs an address too.
          raw.body = request.body == nil ? nil : bytes.baseAddress ?? UnsafeRawPointer(nothing)
          raw.body_length = bytes.count
          raw.connect_milliseconds = min(milliseconds, Int(connectTimeout.seconds * 1000))
          raw.milliseconds = milliseconds
          raw.is_direct = !usesProxies
          return withUnsafePointer(to: raw, call)
        }
      }
    }
  }
}

/// A request that failed.
package enum HTTPError: OperatorError, Equatable {
  case notInstalled
  /// - Parameters:
  ///   - reason: a text that contains no address.
  ///   - wasConnected: true if there was a connection.
  case failed(HTTPAddress, reason: String, isPassing: Bool, wasConnected: Bool = false)
  case refused(HTTPAddress, status: Int)
  case noAnswer(HTTPAddress)

  package var message: String {
    switch self {
    case .notInstalled: "there is no libcurl to send anything by HTTP"
    case .failed(let address, let reason, _, _): "\(address) cannot be reached: \(reason)"
    case .refused(let address, let status): "\(address) answered with status \(status)"
    case .noAnswer(let address): "\(address) did not answer in time"
    }
  }

  package var hint: String? {
    switch self {
    case .notInstalled: "Install Debian's libcurl4."
    case .failed, .refused, .noAnswer: nil
    }
  }

  package var exitStatus: ExitStatus { .failed }

  package var scope: ErrorScope {
    switch self {
    case .notInstalled: .machine
    case .failed, .noAnswer: .transient
    case .refused(_, let status): status >= 500 || status == 408 || status == 429 ? .transient : .usage
    }
  }

  /// True if a retry may succeed.
  var isPassing: Bool {
    switch self {
    case .notInstalled, .noAnswer: false
    case .failed(_, _, let isPassing, _): isPassing
    case .refused(_, let status): status >= 500
    }
  }
}
