package import HoldfastModel
package import HoldfastSystem

/// The part of a lease's number that says how the work of its holder stands (format.md, section 14). `holdfast watch`
/// writes it; a run that ends by itself does not.
package struct LeaseBeat: Hashable, Codable, Sendable {
  /// The interval at which the holder means to create numbers.
  package var interval: TimeSpan
  /// The time of day at which this number was made, by the holder's clock: text for people.
  package var time: RecordedTime
  /// The sequence of the newest snapshot that the holder knows; `nil` if there is none.
  package var sequence: UInt64?
  /// The time of day of the last change that the holder saw in the source; `nil` before the first.
  package var changed: RecordedTime?
  /// The time since the oldest change that is in no snapshot yet; 0 if there is none.
  package var lag: TimeSpan

  package init(
    interval: TimeSpan, time: RecordedTime, sequence: UInt64? = nil, changed: RecordedTime? = nil, lag: TimeSpan = .zero
  ) {
    (self.interval, self.time, self.sequence) = (interval, time, sequence)
    (self.changed, self.lag) = (changed, lag)
  }

  private enum CodingKeys: String, CodingKey {
    case interval, time, sequence, changed
    case lag = "lagSeconds"
  }
}

/// A number of a lease that its holder has created: a heartbeat.
package struct Heartbeat: Hashable, Sendable {
  package let number: UInt64
  /// The uptime of this machine before the creation of the number began. Nobody else can take the lease before
  /// `asked + duration`, as long as the rates of two clocks differ by less than a third
  /// (docs/decisions/0020-leases.md).
  package let asked: TimeSpan
  /// The time for which the number keeps others out.
  package let duration: TimeSpan
  package let content: LeaseBeat?

  package init(number: UInt64, asked: TimeSpan, duration: TimeSpan, content: LeaseBeat? = nil) {
    (self.number, self.asked, self.duration, self.content) = (number, asked, duration, content)
  }
}

/// Learns what becomes of a lease while it is held. It is called on the thread that renews the lease, or on that of a
/// run, one call at a time. It must return soon, and must not ask the lease anything.
package protocol HeartbeatObserver: Sendable {
  /// A number was created: when the lease is taken, and with each renewal.
  func beat(_ beat: Heartbeat)
  /// The next number could not be created. It is tried again.
  func late(_ error: any OperatorError)
  /// Another holder has the lease. Nothing more follows.
  func lost(_ error: any OperatorError)
}
