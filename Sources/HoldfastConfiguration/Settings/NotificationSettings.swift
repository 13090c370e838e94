package import HoldfastModel

/// One receiver of notifications, and its events.
package struct NotificationSettings: Hashable, Sendable {
  package enum Event: String, CaseIterable, Sendable {
    case start, success, failure, incomplete

    /// Returns the default events of a receiver: all for a ping, because its receiver watches that runs happen at all.
    package static func usual(isPing: Bool) -> Set<Event> { isPing ? Set(allCases) : [.failure, .incomplete] }
  }

  package enum Target: Hashable, Sendable {
    /// A URL in the style of Healthchecks.
    case ping(Secret)
    /// A URL that accepts JSON.
    case webhook(Secret)
    case command(String)
  }

  package let name: String
  package let target: Target
  package let events: Set<Event>
  /// `nil` for all sources.
  package let sources: Set<SourceName>?
}
