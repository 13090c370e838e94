/// A length of time. An operator writes whole seconds: `0`, or a number with the unit `s`, `min`, `h`, `d`, `w`, `mo`
/// (30 days) or `y` (365 days). A plain `m` is refused because it could mean minutes or months.
package struct TimeSpan: Hashable, Sendable, Comparable, AdditiveArithmetic, CustomStringConvertible {
  /// The length as a number, for what is stored, shown or given to the system.
  package let seconds: Double
  private static let day: Int64 = 86_400
  private static let secondsMax = 1_000_000 * day
  private static let units: [String: Int64] = [
    "s": 1, "min": 60, "h": 3600, "d": day, "w": 7 * day, "mo": 30 * day, "y": 365 * day,
  ]

  /// A sentence that says what an operator may write.
  package static let allowed =
    "Write a number and s, min, h, d, w, mo (30 days) or y: 15min, 6h, 7d, 6mo. An m alone could mean minutes (min) or months (mo)."

  /// `nil` for a text that is no length of time, or more than a million days.
  package init?(_ text: String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits) else { return nil }
    let unit = text.dropFirst(digits.count)
    guard let factor = Self.units[String(unit)] ?? (number == 0 && unit.isEmpty ? 1 : nil) else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: factor)
    guard !overflow, product <= Self.secondsMax else { return nil }
    seconds = Double(product)
  }

  private init(seconds: Double) { self.seconds = seconds }

  package static let zero = seconds(0)
  package static func seconds(_ count: Double) -> TimeSpan { TimeSpan(seconds: count) }
  package static func milliseconds(_ count: Double) -> TimeSpan { TimeSpan(seconds: count / 1000) }
  package static func minutes(_ count: Double) -> TimeSpan { TimeSpan(seconds: count * 60) }
  package static func hours(_ count: Double) -> TimeSpan { TimeSpan(seconds: count * 3600) }
  package static func days(_ count: Double) -> TimeSpan { TimeSpan(seconds: count * Double(day)) }

  /// The seconds without their fraction.
  package var wholeSeconds: Int64 { Int64(saturating: seconds) }

  /// The span in the largest unit that expresses its whole seconds exactly. Days come before months and years, because
  /// those are not calendar months.
  package var description: String {
    let whole = wholeSeconds
    guard whole > 0 else { return "0" }
    for (unit, factor) in [("w", 7 * Self.day), ("d", Self.day), ("h", 3600), ("min", 60)]
    where whole.isMultiple(of: factor) {
      return "\(whole / factor)\(unit)"
    }
    return "\(whole)s"
  }

  // MARK: Arithmetic

  /// To the nearest second.
  package func rounded() -> TimeSpan { .seconds(seconds.rounded()) }

  package static func < (left: TimeSpan, right: TimeSpan) -> Bool { left.seconds < right.seconds }
  package static func + (left: TimeSpan, right: TimeSpan) -> TimeSpan { .seconds(left.seconds + right.seconds) }
  package static func - (left: TimeSpan, right: TimeSpan) -> TimeSpan { .seconds(left.seconds - right.seconds) }
  package static prefix func - (span: TimeSpan) -> TimeSpan { .seconds(-span.seconds) }
  package static func * (span: TimeSpan, factor: Double) -> TimeSpan { .seconds(span.seconds * factor) }
  package static func / (span: TimeSpan, divisor: Double) -> TimeSpan { .seconds(span.seconds / divisor) }
  /// The number of times that `right` fits into `left`.
  package static func / (left: TimeSpan, right: TimeSpan) -> Double { left.seconds / right.seconds }
}

/// Stored as a number of seconds.
extension TimeSpan: Codable {
  package init(from decoder: any Decoder) throws {
    self.init(seconds: try decoder.singleValueContainer().decode(Double.self))
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(seconds)
  }
}
