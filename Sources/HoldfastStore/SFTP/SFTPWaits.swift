internal import Synchronization

/// Counts how often a server was waited for: the requests that are on the way at once are waited for once. It is exact
/// where one thread asks, and does not depend on how fast anybody answers.
final class SFTPWaits: Sendable {
  private let waits = Atomic<Int>(0)

  var count: Int { waits.load(ordering: .relaxed) }

  /// - Parameter sent: the count when the request was sent whose answer is awaited.
  func note(sent: Int) { waits.max(sent + 1, ordering: .relaxed) }
}
