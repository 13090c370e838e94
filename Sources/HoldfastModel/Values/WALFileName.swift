/// The name of a file that PostgreSQL archives: a segment of its write-ahead log, the history of a timeline, or what `pg_backup_stop` notes.
package struct WALFileName: Hashable, Sendable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable {
    case segment
    /// The last segment of a timeline that was left: only its beginning counts.
    case partialSegment
    /// A segment in which the server was still writing. PostgreSQL has no such name: it is ours for what an operator archives after a crash.
    case unfinishedSegment
    case backupNote
    case timelineHistory
  }

  /// As PostgreSQL spells it.
  package let text: String
  package let kind: Kind
  package let timeline: UInt32
  /// The second and third number of a segment's name; 0 for a timeline history.
  private let high: UInt32
  private let low: UInt32

  private static let segmentDigits = 24
  private static let timelineDigits = 8

  /// `nil` for any other name.
  package init?(_ text: some StringProtocol) {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard let first = parts.first, let numbers = Self.numbers(first), let timeline = numbers.first, timeline > 0 else {
      return nil
    }
    let suffixes = parts.dropFirst().map { String(decoding: $0, as: UTF8.self) }
    switch (numbers.count, suffixes.count, suffixes.last) {
    case (3, 0, _): kind = .segment
    case (3, 1, "partial"): kind = .partialSegment
    case (3, 1, "unfinished"): kind = .unfinishedSegment
    case (3, 2, "backup") where Self.numbers(suffixes[0].utf8)?.count == 1: kind = .backupNote
    case (1, 1, "history"): kind = .timelineHistory
    default: return nil
    }
    self.text = String(text)
    self.timeline = timeline
    (high, low) = numbers.count == 3 ? (numbers[1], numbers[2]) : (0, 0)
  }

  /// Groups of eight hexadecimal digits in upper case; `nil` for anything else.
  private static func numbers(_ digits: some Collection<UInt8>) -> [UInt32]? {
    let digits = Array(digits)
    guard digits.count == timelineDigits || digits.count == segmentDigits,
      digits.allSatisfy({
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains($0)
      })
    else { return nil }
    return stride(from: 0, to: digits.count, by: timelineDigits).compactMap {
      UInt32(String(decoding: digits[$0..<$0 + timelineDigits], as: UTF8.self), radix: 16)
    }
  }

  /// The segment of a timeline by its number, counted from the beginning of the log.
  /// - Parameter size: of the segments of this cluster.
  package init?(timeline: UInt32, number: UInt64, size: WALSegmentSize) {
    guard number <= size.numberMax else { return nil }
    self.init(
      Self.digits(timeline) + Self.digits(UInt32(truncatingIfNeeded: number / size.perLogFile))
        + Self.digits(UInt32(truncatingIfNeeded: number % size.perLogFile)))
  }

  /// The same segment as it is archived while it is unfinished; `nil` for what is no whole segment.
  package var unfinished: WALFileName? { kind == .segment ? WALFileName(text + ".unfinished") : nil }

  /// The segment of which this is the beginning; itself where it is whole, `nil` for what holds no log.
  package var segment: WALFileName? { isLog ? WALFileName(text.prefix(Self.segmentDigits)) : nil }

  /// Whether several files of this name, with different contents, may be archived side by side. Recovery reads none of them by its name; only one of the
  /// others can be right.
  package var mayDiffer: Bool { kind != .segment && kind != .timelineHistory }

  /// The history file of a timeline.
  package static func history(of timeline: UInt32) -> WALFileName? { WALFileName(digits(timeline) + ".history") }

  private static func digits(_ number: UInt32) -> String {
    let text = String(number, radix: 16, uppercase: true)
    return String(repeating: "0", count: timelineDigits - text.count) + text
  }

  /// Whether it holds a piece of the log itself.
  package var isLog: Bool { kind == .segment || kind == .partialSegment || kind == .unfinishedSegment }

  /// The number of the segment, counted from the beginning of the log; `nil` for a name that no cluster with such segments has.
  package func number(_ size: WALSegmentSize) -> UInt64? {
    guard kind != .timelineHistory, UInt64(low) < size.perLogFile else { return nil }
    return UInt64(high) * size.perLogFile + UInt64(low)
  }

  /// The directory of the archive that it lies in: few enough files in each, and the order of names is the order of the log.
  package var directory: String { kind == .timelineHistory ? "history" : String(text.prefix(16)) }

  package var description: String { text }
}

extension WALFileName: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let name = WALFileName(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not the name of a WAL file")
    }
    self = name
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}

/// How long the segments of a cluster are: a power of two, 1 MiB to 1 GiB, chosen when the cluster is made.
package struct WALSegmentSize: Hashable, Sendable {
  package let bytes: UInt64
  package static let range: ClosedRange<UInt64> = 1 << 20...1 << 30

  package init?(_ bytes: UInt64) {
    guard Self.range.contains(bytes), bytes.nonzeroBitCount == 1 else { return nil }
    self.bytes = bytes
  }

  /// Segments whose names share their second number: 4 GiB.
  var perLogFile: UInt64 { (1 << 32) / bytes }
  var numberMax: UInt64 { UInt64.max / bytes }

  /// The number of the segment that holds a place of the log.
  package func number(of place: LogSequenceNumber) -> UInt64 { place.value / bytes }

  /// Where a segment begins.
  package func start(of number: UInt64) -> LogSequenceNumber { LogSequenceNumber(number &* bytes) }
}

/// What tells clusters apart: the number that `initdb` gives each, and that stands in every segment. Text in decimal.
package struct SystemIdentifier: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let value: UInt64

  package init(_ value: UInt64) {
    self.value = value
  }

  /// One spelling only: decimal digits without leading zeros, and not 0.
  package init?(_ text: some StringProtocol) {
    guard let value = UInt64(text), value > 0, String(value) == text else { return nil }
    self.value = value
  }

  package var description: String { String(value) }
  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

extension SystemIdentifier: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let identifier = SystemIdentifier(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not the identifier of a cluster")
    }
    self = identifier
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
