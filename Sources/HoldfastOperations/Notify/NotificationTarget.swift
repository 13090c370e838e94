internal import HoldfastModel
internal import HoldfastSystem

/// Who is told, of what, and in which way.
struct NotificationTarget: Sendable {
  enum Way: Sendable {
    /// An address in the manner of Healthchecks: with `/start` behind it, as it is, with `/fail`.
    case ping(HTTPAddress)
    /// An address that takes JSON.
    case webhook(HTTPAddress)
    case command(String)
  }

  /// How long a command may take.
  private static let commandSeconds = 30.0
  private static let pingBytesMax = 10_000

  let way: Way
  let events: Set<Notification.Event>
  /// `nil`: of all sources.
  var sources: Set<SourceName>?

  /// - Parameter events: `nil`: those that are usual for the way.
  init(_ way: Way, events: Set<Notification.Event>? = nil, sources: Set<SourceName>? = nil) {
    self.way = way
    let usual: Set<Notification.Event> =
      if case .ping = way { Set(Notification.Event.allCases) } else { [.failure, .incomplete] }
    self.events = events ?? usual
    self.sources = sources
  }

  func wants(_ notification: Notification) -> Bool {
    guard events.contains(notification.event) else { return false }
    guard let sources else { return true }
    // A run that failed before it knew its sources may be about one of these.
    if notification.sources.isEmpty { return notification.event != .start }
    return !sources.isDisjoint(with: notification.sources)
  }

  /// - Throws: in bounded time, where nobody could be told.
  func send(_ notification: Notification, client: HTTPClient) throws {
    switch way {
    case .ping(let address): try client.ping(address, notification, bytesMax: Self.pingBytesMax)
    case .webhook(let address):
      var request = HTTPRequest("POST", address, body: notification.json())
      request.headers = [("Content-Type", "application/json")]
      _ = try client.send(request)
    case .command(let text):
      // A signal has ended the run; that is what somebody shall be told of.
      try ShellCommand(text, environment: notification.environment).run(
        Cancellation(), input: notification.json(), secondsMax: Self.commandSeconds)
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
      // The end of it says most.
      let body = Array(notification.text.utf8.suffix(bytesMax))
      var failed = HTTPRequest("POST", address.appending("/fail"), body: body)
      failed.headers = [("Content-Type", "text/plain; charset=utf-8")]
      request = failed
    }
    _ = try send(request)
  }
}
