package import HoldfastModel

/// The lock that a store puts on new objects. Until it ends, nobody who can only write there can remove or replace
/// them.
package struct ObjectLock: Sendable, Equatable {
  package enum Mode: String, Sendable, CaseIterable {
    /// Nobody can end the lock early, not even the owner of the account.
    case compliance
    /// A user with a special permission can end the lock early.
    case governance
  }

  /// The longest term, a hundred years.
  package static let daysMax = 36_500
  private static let daySeconds: Int64 = 86_400

  package let mode: Mode
  /// 1 to `daysMax`.
  package let days: Int

  package init(_ mode: Mode, days: Int) { (self.mode, self.days) = (mode, max(1, min(days, Self.daysMax))) }

  /// Parses `MODE:DAYS`, such as `compliance:30`.
  package init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let mode = Mode(rawValue: String(parts[0])), let days = Int(parts[1]),
      (1...Self.daysMax).contains(days)
    else { return nil }
    self.init(mode, days: days)
  }

  /// Returns the end of the term of an object that is created or extended at a time. It is the end of a day of UTC, so
  /// all terms of one day end together, and what later snapshots need is extended only once a day.
  package func end(from now: Timestamp) -> Timestamp {
    let wanted = now.seconds.addingReportingOverflow(Int64(days) * Self.daySeconds)
    let day = (wanted.overflow ? now.seconds : wanted.partialValue) / Self.daySeconds
    // No real clock shows such a time, but one may be set to it.
    return Timestamp(seconds: min(day + 1, Int64.max / Self.daySeconds) * Self.daySeconds, nanoseconds: 0)
  }
}
