package import HoldfastModel

/// The times of a lease.
package struct LeaseTerms: Sendable {
  /// The time for which a waiting run watches a number before it takes the next one.
  package let duration: TimeSpan
  /// The interval at which a waiting run looks.
  let look: TimeSpan
  /// The time after which a holder creates the next number.
  package let renewal: TimeSpan

  /// - Parameters:
  ///   - look: `nil` for a value that suits the duration.
  ///   - renewal: `nil` for a quarter of the duration; at most that.
  package init(duration: TimeSpan = .minutes(2), look: TimeSpan? = nil, renewal: TimeSpan? = nil) {
    self.duration = duration
    self.look = look ?? min(.seconds(5), duration / 24)
    self.renewal = min(duration / 4, renewal ?? duration / 4)
  }

  /// The time for which a holder trusts its number. It is shorter, so that the clocks of two machines may run at rates
  /// that differ by a third.
  var trusted: TimeSpan { duration * 3 / 4 }
  /// The interval at which a holder checks if it is time to renew, and tries again after a failure.
  var tick: TimeSpan { renewal / 3 }
  /// The time for which a holder relies on a look at the numbers without another one.
  var recent: TimeSpan { duration / 12 }
}
