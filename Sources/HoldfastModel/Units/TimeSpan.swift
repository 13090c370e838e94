/// A length of time: `0`, or a number with the unit `s`, `min`, `h`, `d`, `w`, `mo` (30 days) or `y` (365 days). A
/// plain `m` is refused because it could mean minutes or months.
package struct TimeSpan: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let seconds: Int64
  private static let day: Int64 = 86_400
  private static let secondsMax = 1_000_000 * day
  private static let units: [String: Int64] = [
    "s": 1, "min": 60, "h": 3600, "d": day, "w": 7 * day, "mo": 30 * day, "y": 365 * day,
  ]

  /// Says what may be written, as a sentence.
  package static let allowed =
    "Write a number and s, min, h, d, w, mo (30 days) or y: 15min, 6h, 7d, 6mo. An m alone could mean minutes (min) or months (mo)."

  package init?(_ text: String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits) else { return nil }
    let unit = text.dropFirst(digits.count)
    guard let factor = Self.units[String(unit)] ?? (number == 0 && unit.isEmpty ? 1 : nil) else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: factor)
    guard !overflow, product <= Self.secondsMax else { return nil }
    seconds = product
  }

  package init(days: Int64) { seconds = days * Self.day }

  /// The span in the largest unit that expresses it exactly. Days come before months and years, because those are not
  /// calendar months.
  package var description: String {
    guard seconds > 0 else { return "0" }
    for (unit, factor) in [("w", 7 * Self.day), ("d", Self.day), ("h", 3600), ("min", 60)]
    where seconds.isMultiple(of: factor) {
      return "\(seconds / factor)\(unit)"
    }
    return "\(seconds)s"
  }

  package static func < (left: TimeSpan, right: TimeSpan) -> Bool { left.seconds < right.seconds }
}
