/// For how long a lease counts, in seconds.
package struct LeaseTerms: Sendable {
  /// How long whoever waits watches a number before it takes the next one itself.
  package let duration: Double
  /// How often whoever waits looks.
  let look: Double

  /// - Parameter look: `nil`: as often as suits the duration.
  package init(duration: Double = 120, look: Double? = nil) {
    self.duration = duration
    self.look = look ?? min(5, duration / 24)
  }

  /// A holder stops this long after it asked for its number: so the clocks of two machines may run at rates that differ
  /// by a third.
  var trusted: Double { duration * 3 / 4 }
  /// How long a holder leaves a number before it asks for the next one.
  var renewal: Double { duration / 4 }
  /// How often a holder looks whether it is time, which is also how often it tries again.
  var tick: Double { duration / 12 }
}
