package import HoldfastModel

/// A location of a repository, with the name that the configuration gives it.
package struct Target: Sendable {
  package let name: String
  package let store: any Store

  package init(name: String, store: any Store) { (self.name, self.store) = (name, store) }
}

/// The limits of waiting for targets, and of the memory that they take.
package struct TargetPolicy: Sendable {
  /// The number of targets, including home, that must have an object. After that the others are waited for only
  /// briefly.
  package var minCopies = 1
  /// The most bytes that are held for all targets that are slower than home together.
  package var heldBytesMax = 24 << 20
  /// The most bytes of the parts that are being sent to one target, if its store takes parts.
  package var partBytesMax = 18 << 20
  /// The longest total wait of a run for one target, if `minCopies` others are faster.
  package var waitMax = TimeSpan.seconds(5)
  /// The longest wait for a target that is needed and makes no progress.
  package var stallMax = TimeSpan.minutes(3)
  /// The longest wait at the end for the other targets, once `minCopies` have everything.
  package var linger = TimeSpan.seconds(10)
  /// The longest wait at the beginning to learn which targets have everything that home has.
  package var lookMax = TimeSpan.seconds(10)
  /// The wait after which the operator is told which targets the run waits for.
  package var silenceMax = TimeSpan.seconds(5)
  /// The shortest wait for the first target before a second one is asked for a range.
  package var hedgeMin = TimeSpan.milliseconds(100)
  /// The wait before a second target is asked, as long as too few answers are known for a percentile.
  package var hedgeFirst = TimeSpan.seconds(1)
  /// The time for which a target that did not answer, or answered too late, is asked after the others.
  package var restAfterFailure = TimeSpan.seconds(30)

  package init() {}
}
