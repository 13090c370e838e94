package import HoldfastModel

/// A time in a manifest: RFC 3339 in UTC. The text is kept as it was read, because a digest or a signature covers it.
package struct RecordedTime: Hashable, Sendable, Codable, CustomStringConvertible {
  private let text: String
  /// `nil` for a text that is not a time.
  private let parsed: Timestamp?

  /// - Parameter time: cut to the millisecond.
  package init(_ time: Timestamp) { self.init(text: TimeText.utc(time)) }

  package init(text: String) {
    self.text = text
    parsed = TimeText.parse(text)
  }

  /// True if it is a time, which every manifest that is read has been checked for.
  package var isSound: Bool { parsed != nil }
  /// True if no manifest may contain a text of this length.
  package var isTooLong: Bool { text.utf8.count > Limits.manifestTextBytesMax }

  /// The time; the beginning of 1970 when the text is not sound.
  package var moment: Timestamp { parsed ?? Timestamp(seconds: 0, nanoseconds: 0) }

  /// The text as it is recorded.
  package var description: String { text }

  package init(from decoder: any Decoder) throws {
    self.init(text: try decoder.singleValueContainer().decode(String.self))
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}
