/// Waiting that lets other tests run meanwhile. The tests share as many threads as there are cores, so one that waits
/// for a minute had better keep none of them.
package enum Patience {
  private static let interval = Duration.milliseconds(20)

  /// Waits until something holds.
  /// - Returns: `false` where it does not within `limit`.
  package static func waits(_ limit: Duration, until condition: () -> Bool) async -> Bool {
    let end = ContinuousClock.now + limit
    while !condition() {
      guard ContinuousClock.now < end else { return false }
      // Nobody cancels a test; if somebody did, this would return at once, until the limit.
      try? await Task.sleep(for: interval)
    }
    return true
  }
}
