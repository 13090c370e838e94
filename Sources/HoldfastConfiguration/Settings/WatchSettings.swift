package import HoldfastModel

/// The configuration of `holdfast watch` for a source.
package struct WatchSettings: Hashable, Sendable {
  /// The time from the beginning of one snapshot to that of the next, at least.
  package internal(set) var minInterval = TimeSpan.seconds(2)
  /// The longest time that a change waits for quiet; and the interval of looks at what the kernel tells nobody.
  package internal(set) var maxInterval = TimeSpan.seconds(60)
  /// The time without a change that is waited for before a snapshot.
  package internal(set) var quiet = TimeSpan.zero
  /// The time whose increments are merged into one.
  package internal(set) var first = TimeSpan.minutes(5)
  /// The time whose merged increments are merged into one in turn.
  package internal(set) var second = TimeSpan.hours(1)
  /// The interval at which increments are gathered in a differential where they cannot be merged: in a sealed
  /// repository without an identity. It begins a new branch of the chain, so that chains stay short.
  package internal(set) var differential = TimeSpan.minutes(5)
  /// The interval at which a chain is merged into a new full.
  package internal(set) var merge = TimeSpan.days(1)
  /// The interval at which the lease of the source is renewed.
  package internal(set) var heartbeat = TimeSpan.seconds(10)
  /// The time after which another host may take the lease of one that is silent.
  package internal(set) var lease = TimeSpan.seconds(60)

  package init() {}
}
