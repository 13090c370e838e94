package import HoldfastModel

/// Whom to tell of what.
package struct NotificationSettings: Hashable, Sendable {
  package enum Event: String, CaseIterable, Sendable {
    case start, success, failure, incomplete
  }

  package enum Target: Hashable, Sendable {
    /// An address in the manner of Healthchecks.
    case ping(Secret)
    /// An address that takes JSON.
    case webhook(Secret)
    case command(String)
  }

  package let name: String
  package let target: Target
  package let events: Set<Event>
  /// `nil`: of all sources.
  package let sources: Set<SourceName>?
}
