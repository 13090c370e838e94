package import HoldfastModel

/// A location of a repository, with the name that the configuration gives it.
package struct Target: Sendable {
  package let name: String
  package let store: any Store

  package init(name: String, store: any Store) { (self.name, self.store) = (name, store) }
}

/// How long targets are waited for, and how much memory they take.
package struct TargetPolicy: Sendable {
  /// How many targets must have an object before the others are no longer waited for, home included.
  package var minCopies = 1
  /// The most bytes that are held for targets that are slower than home, all together.
  package var heldBytesMax = 24 << 20
  /// The most bytes of the parts that are being sent to one target, if its store takes parts.
  package var partBytesMax = 18 << 20
  /// How long a run waits for one target, all its waits together, if `minCopies` others are faster.
  package var waitMax = TimeSpan.seconds(5)
  /// How long it waits for a target that it needs and that takes nothing, or gives nothing.
  package var stallMax = TimeSpan.minutes(3)
  /// How long it waits at its end for the others, once `minCopies` have everything.
  package var linger = TimeSpan.seconds(10)
  /// A second target is asked for a range when the first has not answered for so long at least.
  package var hedgeMin = TimeSpan.milliseconds(100)
  /// The same, as long as too few answers are known to compute a percentile of.
  package var hedgeFirst = TimeSpan.seconds(1)
  /// A target that did not answer, or too late, is asked after the others for so long.
  package var restAfterFailure = TimeSpan.seconds(30)

  package init() {}
}
