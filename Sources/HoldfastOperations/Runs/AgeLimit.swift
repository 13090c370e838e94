package import HoldfastConfiguration
package import HoldfastModel

/// The age of the newest complete snapshot of a source beyond which backups have failed to be made.
package struct AgeLimit: Sendable {
  /// The number of intervals of the schedule. One is missed by a run that takes long, two by a machine that was off.
  private static let intervals = 3.0

  package let age: TimeSpan
  /// True if the configuration demands it (`max-age`), false if it follows from the schedule.
  package let isObjective: Bool
  /// The reason, as the end of a sentence.
  package let reason: String

  fileprivate init(maxAge: TimeSpan) {
    (age, isObjective, reason) = (maxAge, true, "\(Amount.age(maxAge)) are allowed")
  }

  fileprivate init(interval: TimeSpan) {
    (age, isObjective) = (interval * Self.intervals, false)
    reason = "one is due every \(Amount.age(interval))"
  }
}

extension SourceSettings {
  /// `nil` if the configuration has neither an objective nor a schedule for the source.
  package var ageLimit: AgeLimit? {
    objectives.maxAge.map { AgeLimit(maxAge: $0) } ?? schedule.values.min().map { AgeLimit(interval: $0) }
  }
}
