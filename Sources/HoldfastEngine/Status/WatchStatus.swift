package import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem

/// The watch of a source, as its last heartbeat tells it: `holdfast watch` on some host.
package struct WatchStatus: Sendable, Hashable {
  /// The host and the process that watch.
  package let host: String
  package let process: Int32
  /// The time since the last heartbeat, by the clocks of both machines: for people, and for no decision. `nil` if it is
  /// later than this machine's clock.
  package let age: TimeSpan?
  /// The interval at which heartbeats are meant to come.
  package let interval: TimeSpan
  /// The time after which another host may take the lease.
  package let term: TimeSpan
  /// The sequence of the newest snapshot that it has taken; `nil` if none.
  package let sequence: UInt64?
  /// The time for which the oldest change had waited for a snapshot, at the last heartbeat.
  package let lag: TimeSpan

  /// - Parameters:
  ///   - record: the newest number of the source's lease.
  ///   - age: returns the time since a time; `nil` if that is later than now.
  /// - Returns: `nil` if the lease is not that of a watch.
  init?(_ record: LeaseRecord, age: (Timestamp) -> TimeSpan?) {
    guard let beat = record.beat, !record.isGivenBack, beat.interval > .zero, beat.time.isSound else { return nil }
    (host, process, term) = (record.host, record.process, record.term)
    (interval, sequence, lag) = (beat.interval, beat.sequence, max(.zero, beat.lag))
    self.age = age(beat.time.moment)
  }

  /// The number of heartbeats that should have come since the last one; `nil` if its age is not known.
  package var missedBeats: Int? { age.map { max(0, Int(saturating: ($0 / interval).rounded(.down)) - 1) } }

  /// True if it was not heard of for so long that another host may have its lease.
  package var isSilent: Bool { age.map { $0 > term } ?? false }
}
