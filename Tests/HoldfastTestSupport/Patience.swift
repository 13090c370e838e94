/// Waiting that lets other tests run. The tests share as many threads as there are cores, so a test that waits for a
/// minute should not keep one of them.
package enum Patience {
  private static let interval = Duration.milliseconds(20)

  /// Waits until a condition holds.
  /// - Returns: `false` if it does not hold within `limit`.
  package static func waits(_ limit: Duration, until condition: () -> Bool) async -> Bool {
    let end = ContinuousClock.now + limit
    while !condition() {
      guard ContinuousClock.now < end else { return false }
      // Nobody cancels a test. If it were cancelled, this would return at once, until the limit.
      try? await Task.sleep(for: interval)
    }
    return true
  }
}
