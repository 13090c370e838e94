internal import HoldfastConfiguration
internal import HoldfastModel
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
  let events: Set<Notification.Event>
  /// `nil` for all sources.
  var sources: Set<SourceName>?

  /// - Parameter events: `nil` for the usual events of this way.
  init(_ way: Way, events: Set<Notification.Event>? = nil, sources: Set<SourceName>? = nil) {
    self.way = way
    let isPing = if case .ping = way { true } else { false }
    self.events = events ?? Notification.Event.usual(isPing: isPing)
    self.sources = sources
  }

  func wants(_ notification: Notification) -> Bool {
    guard events.contains(notification.event) else { return false }
    guard let sources else { return true }
    // A run that failed before it knew its sources may concern one of these.
    if notification.sources.isEmpty { return notification.event != .start }
    return !sources.isDisjoint(with: notification.sources)
  }

  /// - Throws: when the receiver could not be reached, within a bounded time.
  func send(_ notification: Notification, client: HTTPClient) throws {
    switch way {
    case .ping(let address): try client.ping(address, notification, bytesMax: Self.pingBytesMax)
    case .webhook(let address):
      var request = HTTPRequest("POST", address, body: notification.json())
      request.headers = [("Content-Type", "application/json")]
      _ = try client.send(request)
    case .command(let text):
      // A signal that has ended the run must be reported, so it does not end this command.
      try ShellCommand(text, environment: notification.environment).run(
        Cancellation(), input: notification.json(), timeout: Self.commandTimeout)
    }
  }
}

extension HTTPClient {
  fileprivate func ping(_ address: HTTPAddress, _ notification: Notification, bytesMax: Int) throws {
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
    _ = try send(request)
  }
}
