package import HoldfastConfiguration
package import HoldfastModel

/// The rules by which a watch takes snapshots: how soon, how often, and of which kind.
package struct WatchPolicy: Hashable, Sendable {
  /// From the beginning of one run to that of the next, at least.
  package var minInterval = TimeSpan.seconds(2)
  /// The longest time that a change waits for quiet, and the interval of looks at the whole source.
  package var maxInterval = TimeSpan.seconds(60)
  /// The time without a change that a run waits for.
  package var quiet = TimeSpan.zero
  /// The spans of merged increments, ascending: increments that together span the first become one; when such ones span
  /// the second, they become one in turn.
  package var levels = [TimeSpan.minutes(5), .hours(1)]
  /// The most increments of a chain whose increments are merged.
  package var mergedMax = 256
  /// The time between two differentials, at least, where increments cannot be merged. One is taken when the increments
  /// since the last one weigh as much as it does.
  package var differential = TimeSpan.minutes(5)
  /// The age of a full at which the chain is merged into a new one.
  package var merge = TimeSpan.days(1)
  /// The share of the size of the full at which what stands on it leads to a merge before that, 0 to 1.
  package var fullShare = 0.25
  /// The number of increments on one another after which a differential is taken whatever it weighs. At 2 s each that
  /// is one in half an hour.
  package var incrementsMax = 1000
  /// The share of the time that gathering may take, 0 to 1: where one takes long, the next one waits.
  /// The same share holds for looks at the whole source.
  package var gatheringShare = 0.05
  /// The longest pause after differentials or merges that failed. Increments go on meanwhile.
  package var gatheringPauseMax = TimeSpan.hours(6)

  package init() {}

  package init(_ settings: WatchSettings) {
    (minInterval, maxInterval, quiet) = (settings.minInterval, settings.maxInterval, settings.quiet)
    (differential, merge) = (settings.differential, settings.merge)
    levels = [settings.first, max(settings.first, settings.second)]
  }
}
