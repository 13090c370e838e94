/// The name of a file that PostgreSQL archives: a segment of its write-ahead log, a timeline history, or the file that
/// `pg_backup_stop` writes.
package struct WALFileName: Hashable, Sendable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable {
    case segment
    /// The last segment of a timeline that was abandoned: only its beginning is used.
    case partialSegment
    /// A segment in which the server was still writing. PostgreSQL has no such name; holdfast uses it for a segment
    /// that an operator archives after a crash.
    case unfinishedSegment
    case backupNote
    case timelineHistory
  }

  /// The name as PostgreSQL spells it.
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

  /// Groups of eight upper-case hexadecimal digits; `nil` for anything else.
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

  /// The name of a segment of a timeline, by its number from the beginning of the log.
  /// - Parameter size: the size of the cluster's segments.
  package init?(timeline: UInt32, number: UInt64, size: WALSegmentSize) {
    guard number <= size.numberMax else { return nil }
    self.init(
      Self.digits(timeline) + Self.digits(UInt32(truncatingIfNeeded: number / size.perLogFile))
        + Self.digits(UInt32(truncatingIfNeeded: number % size.perLogFile)))
  }

  /// The name under which the segment is archived while it is unfinished; `nil` for anything but a whole segment.
  package var unfinished: WALFileName? { kind == .segment ? WALFileName(text + ".unfinished") : nil }

  /// The name of the whole segment that this file is, or is the beginning of; `nil` for a file without log.
  package var segment: WALFileName? { isLog ? WALFileName(text.prefix(Self.segmentDigits)) : nil }

  /// True if files of this name with different contents may be archived side by side, because recovery does not read
  /// them by name. Of any other name only one file can be right.
  package var mayDiffer: Bool { kind != .segment && kind != .timelineHistory }

  /// The name of the history file of a timeline.
  package static func history(of timeline: UInt32) -> WALFileName? { WALFileName(digits(timeline) + ".history") }

  private static func digits(_ number: UInt32) -> String {
    let text = String(number, radix: 16, uppercase: true)
    return String(repeating: "0", count: timelineDigits - text.count) + text
  }

  /// True if the file contains a part of the log itself.
  package var isLog: Bool { kind == .segment || kind == .partialSegment || kind == .unfinishedSegment }

  /// The number of the segment from the beginning of the log; `nil` for a name that no cluster with such segments has.
  package func number(_ size: WALSegmentSize) -> UInt64? {
    guard kind != .timelineHistory, UInt64(low) < size.perLogFile else { return nil }
    return UInt64(high) * size.perLogFile + UInt64(low)
  }

  /// The directory of the archive in which the file is stored. Each has few enough files, and sorting by name gives the
  /// order of the log.
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

/// The size of a cluster's segments: a power of two from 1 MiB to 1 GiB, chosen when the cluster is made.
package struct WALSegmentSize: Hashable, Sendable {
  package let bytes: UInt64
  package static let range: ClosedRange<UInt64> = 1 << 20...1 << 30

  package init?(_ bytes: UInt64) {
    guard Self.range.contains(bytes), bytes.nonzeroBitCount == 1 else { return nil }
    self.bytes = bytes
  }

  /// The number of segments whose names share their second number: 4 GiB.
  var perLogFile: UInt64 { (1 << 32) / bytes }
  var numberMax: UInt64 { UInt64.max / bytes }

  /// The number of the segment that contains a position of the log.
  package func number(of lsn: LogSequenceNumber) -> UInt64 { lsn.value / bytes }

  /// Returns the position at which a segment begins.
  package func start(of number: UInt64) -> LogSequenceNumber { LogSequenceNumber(number &* bytes) }
}

/// The number that `initdb` gives a cluster, and that every segment of it contains. Text is decimal.
package struct SystemIdentifier: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let value: UInt64

  package init(_ value: UInt64) {
    self.value = value
  }

  /// Accepts one spelling only: decimal digits without leading zeros, and not 0.
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
