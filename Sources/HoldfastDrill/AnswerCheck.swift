internal import HoldfastModel
internal import HoldfastSystem

/// Compares the answer of a database with what the site expects.
struct AnswerCheck {
  let assertion: DrillAssertion
  /// The beginning of the snapshot; where log was replayed, the time of its last transaction.
  let stateTime: Timestamp
  let hasReplayed: Bool

  /// - Parameter rows: the answer; a NULL is `nil`.
  /// - Returns: the reason why the assertion does not hold; `nil` if it holds.
  func objection(to rows: [[String?]]) -> String? {
    guard let row = rows.first else { return "it answers no row" }
    guard let value = row.first ?? nil else { return "it answers NULL" }
    let said = "it answers \"\(Path(String(value.prefix(80))))\""
    switch assertion.expectation {
    case .holds: return Double(value) == 0 ? said : nil
    case .equals(let wanted):
      let isEqual = value == wanted || (Double(value).map { $0 == Double(wanted) } ?? false)
      return isEqual ? nil : "\(said), and not \(Path(wanted))"
    case .atLeast(let least):
      guard let number = Double(value), let wanted = Double(least) else { return "\(said), which is no number" }
      return number >= wanted ? nil : "\(said), and not \(least) or more"
    case .within(let span):
      guard let time = Self.time(value) else { return "\(said), which is no time" }
      let distance = stateTime - time
      guard abs(distance.seconds) > span.seconds else { return nil }
      let amount = Amount.age(.seconds(abs(distance.seconds)))
      return
        "\(said), which is \(amount) \(distance > .zero ? "before" : "after") the \(hasReplayed ? "end of the log" : "snapshot")"
    }
  }

  /// Parses a time: seconds since 1970, or a date with a time. Without a zone it is in UTC, as SQLite writes times.
  static func time(_ text: String) -> Timestamp? {
    if let seconds = Double(text) {
      guard seconds.isFinite, abs(seconds) < 1e11 else { return nil }
      return Timestamp(microseconds: Int64((seconds * 1_000_000).rounded()))
    }
    // PostgreSQL writes the zone of UTC as +00.
    let written = text.hasSuffix("+00") ? String(text.dropLast(3)) + "Z" : text
    let clock = written.dropFirst(11)
    let hasZone = clock.contains { "Z+-".contains($0) }
    guard written.count >= 16 else { return nil }
    return TimeText.parse(hasZone ? written : written + "Z")
  }
}
