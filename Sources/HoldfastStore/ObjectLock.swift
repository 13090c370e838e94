package import HoldfastModel

/// For how long a store locks new objects: until then nobody who may only write there can remove or replace them.
package struct ObjectLock: Sendable, Equatable {
  package enum Mode: String, Sendable, CaseIterable {
    /// Nobody can end it early, not even whoever owns the account.
    case compliance
    /// Whoever has a right of its own for that can end it early.
    case governance
  }

  /// A hundred years: no term is longer.
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

  /// The end of the term of an object that is created or extended at a time: the end of a day of UTC. So all of one day
  /// have the same, and what later snapshots need is extended once a day, not with each of them.
  package func end(from now: Timestamp) -> Timestamp {
    let wanted = now.seconds.addingReportingOverflow(Int64(days) * Self.daySeconds)
    let day = (wanted.overflow ? now.seconds : wanted.partialValue) / Self.daySeconds
    // No clock is there by itself, but one may be set there.
    return Timestamp(seconds: min(day + 1, Int64.max / Self.daySeconds) * Self.daySeconds, nanoseconds: 0)
  }
}
