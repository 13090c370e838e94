/// Formats amounts for people.
package enum Amount {
  /// Bytes with a binary unit and three digits or so: `512 B`, `28.4 MiB`.
  package static func bytes(_ count: UInt64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var value = Double(count)
    var unit = 0
    while value >= 1024, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    if unit == 0 { return "\(count) B" }
    let tenths = (value * 10).rounded() / 10
    return "\(tenths) \(units[unit])"
  }

  /// A number and its noun: `1 file`, `2 files`.
  package static func count(_ number: UInt64, _ singular: String, _ plural: String? = nil) -> String {
    "\(number) " + (number == 1 ? singular : plural ?? singular + "s")
  }

  /// An age or an allowed age: `42 s`, `12 min`, `3 h 12 min`, `24 h`, `5 d 3 h`.
  package static func age(_ age: TimeSpan) -> String {
    let seconds = age.seconds
    guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "?" }
    let whole = Int(seconds)
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min" }
    let (large, small) = whole < 48 * 3600 ? (whole / 3600, whole % 3600 / 60) : (whole / 86_400, whole % 86_400 / 3600)
    let units = whole < 48 * 3600 ? (" h", " min") : (" d", " h")
    return "\(large)\(units.0)" + (small == 0 ? "" : " \(small)\(units.1)")
  }

  /// A share from 0 to 1: `0 %`, `99.7 %`, `100 %`. A part is never rounded to `0 %` or `100 %`.
  package static func share(_ share: Double) -> String {
    guard share.isFinite, (0...1).contains(share) else { return "?" }
    if share == 0 || share == 1 { return "\(Int(share * 100)) %" }
    return "\(min(99.9, max(0.1, (share * 1000).rounded() / 10))) %"
  }

  /// A duration: `0.42 s`, `12 s`, `3 min 5 s`, `2 h 10 min`.
  package static func duration(_ duration: TimeSpan) -> String {
    let seconds = duration.seconds
    guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "?" }
    if seconds < 10 { return "\((seconds * 100).rounded() / 100) s" }
    let whole = Int(seconds.rounded())
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }
}
