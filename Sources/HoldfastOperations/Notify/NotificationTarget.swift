internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// A receiver of notifications, its events, and the way to reach it.
struct NotificationTarget: Sendable {
  enum Way: Hashable, Sendable {
    /// A URL in the style of Healthchecks: `/start` is appended for a beginning, `/fail` for a failure.
    case ping(HTTPAddress)
    /// A URL that accepts JSON.
    case webhook(HTTPAddress)
    case command(String)
  }

  /// The longest time that a command may take.
  private static let commandTimeout = TimeSpan.seconds(30)
  private static let pingBytesMax = 10_000

  let way: Way
  /// The variable or the key of the configuration that names it.
  let name: String
  let events: Set<Notification.Event>
  /// `nil` for all sources.
  var sources: Set<SourceName>?

  /// - Parameters:
  ///   - name: the variable or the key of the configuration that names it.
  ///   - events: `nil` for the usual events of this way.
  init(_ way: Way, name: String, events: Set<Notification.Event>? = nil, sources: Set<SourceName>? = nil) {
    (self.way, self.name) = (way, name)
    let isPing = if case .ping = way { true } else { false }
    self.events = events ?? Notification.Event.usual(isPing: isPing)
    self.sources = sources
  }

  /// - Parameter names: the names of the repository of the run, if it was opened: the configuration may call a source
  ///   by any of them.
  func wants(_ notification: Notification, _ names: SourceNameStore?) -> Bool {
    guard events.contains(notification.event) else { return false }
    guard let sources else { return true }
    // A run that failed before it knew its sources may concern one of these.
    if notification.sources.isEmpty { return notification.event != .start }
    func source(_ name: SourceName) -> SourceName { (try? names?.source(name)) ?? name }
    return !Set(sources.map(source)).isDisjoint(with: notification.sources.map(source))
  }

  /// - Returns: the answer, in words.
  /// - Throws: when the receiver could not be reached, within a bounded time.
  @discardableResult
  func send(_ notification: Notification, client: HTTPClient) throws -> String {
    switch way {
    case .ping(let address):
      return Self.words(try client.ping(address, notification, bytesMax: Self.pingBytesMax), from: address)
    case .webhook(let address):
      var request = HTTPRequest("POST", address, body: notification.json())
      request.headers = [("Content-Type", "application/json")]
      return Self.words(try client.send(request), from: address)
    case .command(let text):
      // A signal that has ended the run must be reported, so it does not end this command.
      try ShellCommand(text, environment: notification.environment).run(
        Cancellation(), input: notification.json(), timeout: Self.commandTimeout)
      return "the command ended with status 0"
    }
  }

  private static func words(_ response: HTTPResponse, from address: HTTPAddress) -> String {
    "\(address) answered with status \(response.status)"
  }
}

extension HTTPClient {
  fileprivate func ping(
    _ address: HTTPAddress, _ notification: Notification, bytesMax: Int
  ) throws -> HTTPResponse {
    if notification.isTest {
      // Healthchecks keeps what comes here, and goes on waiting for the next run.
      let body = Array(notification.text(bytesMax: bytesMax).utf8)
      return try send(HTTPRequest("POST", address.appending("/log"), body: body))
    }
    let request: HTTPRequest
    switch notification.event {
    case .start: request = HTTPRequest("GET", address.appending("/start"))
    case .success: request = HTTPRequest("GET", address)
    case .failure, .incomplete:
      let body = Array(notification.text(bytesMax: bytesMax).utf8)
      var failed = HTTPRequest("POST", address.appending("/fail"), body: body)
      failed.headers = [("Content-Type", "text/plain; charset=utf-8")]
      request = failed
    }
    return try send(request)
  }
}
