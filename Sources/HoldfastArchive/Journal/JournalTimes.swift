package import HoldfastModel

/// An instant that is stored as milliseconds since 1970-01-01 UTC, cut to whole ones.
@propertyWrapper
package struct InstantInMilliseconds: Hashable, Sendable, Codable {
  private var milliseconds: Int64

  package var wrappedValue: Timestamp {
    get { Timestamp(milliseconds: milliseconds) }
    set { milliseconds = newValue.milliseconds }
  }

  package init(wrappedValue: Timestamp) { milliseconds = wrappedValue.milliseconds }

  package init(from decoder: any Decoder) throws {
    milliseconds = try decoder.singleValueContainer().decode(Int64.self)
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(milliseconds)
  }
}

/// A duration that is stored in milliseconds, rounded to whole ones.
@propertyWrapper
package struct SpanInMilliseconds: Hashable, Sendable, Codable {
  private var milliseconds: Int64

  package var wrappedValue: TimeSpan {
    get { .milliseconds(Double(milliseconds)) }
    set { milliseconds = Self.rounded(newValue) }
  }

  package init(wrappedValue: TimeSpan) { milliseconds = Self.rounded(wrappedValue) }

  package init(from decoder: any Decoder) throws {
    milliseconds = try decoder.singleValueContainer().decode(Int64.self)
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(milliseconds)
  }

  /// 0 for what no run can have taken, so that every entry that is written can be read.
  private static func rounded(_ span: TimeSpan) -> Int64 {
    (.zero...JournalEntry.durationMax).contains(span) ? Int64(saturating: (span.seconds * 1000).rounded()) : 0
  }
}
