internal import Synchronization

/// Counts how often a server was waited for. Requests that are on the way at the same time count once. The count is
/// exact if one thread makes the requests, and does not depend on how fast the server answers.
final class SFTPWaits: Sendable {
  private let waits = Atomic<Int>(0)

  var count: Int { waits.load(ordering: .relaxed) }

  /// Notes that an answer was awaited.
  /// - Parameter sent: the count at the time when its request was sent.
  func note(sent: Int) { waits.max(sent + 1, ordering: .relaxed) }
}
