package import HoldfastModel

/// The times of a lease.
package struct LeaseTerms: Sendable {
  /// The time for which a waiting run watches a number before it takes the next one.
  package let duration: TimeSpan
  /// The interval at which a waiting run looks.
  let look: TimeSpan

  /// - Parameter look: `nil` for a value that suits the duration.
  package init(duration: TimeSpan = .minutes(2), look: TimeSpan? = nil) {
    self.duration = duration
    self.look = look ?? min(.seconds(5), duration / 24)
  }

  /// The time for which a holder trusts its number. It is shorter, so that the clocks of two machines may run at rates
  /// that differ by a third.
  var trusted: TimeSpan { duration * 3 / 4 }
  /// The time after which a holder creates the next number.
  var renewal: TimeSpan { duration / 4 }
  /// The interval at which a holder checks if it is time to renew, and tries again after a failure.
  var tick: TimeSpan { duration / 12 }
}
