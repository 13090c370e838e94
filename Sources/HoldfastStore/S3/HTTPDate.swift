internal import HoldfastModel
internal import HoldfastSystem

/// The time in the header `Date` of an answer (RFC 9110, 5.6.7): `Sun, 22 Nov 2026 14:05:03 GMT`.
enum HTTPDate {
  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  /// `nil` for the two forms that are obsolete, and for anything else.
  static func parse(_ text: String) -> Timestamp? {
    let words = text.split(separator: " ")
    guard words.count == 6, words[1].utf8.count == 2, words[5] == "GMT",
      let month = months.firstIndex(where: { $0 == words[2] })
    else { return nil }
    return TimeText.parse("\(words[3])-\(month < 9 ? "0" : "")\(month + 1)-\(words[1])T\(words[4])Z")
  }
}
