package import HoldfastModel

/// A write-ahead log made by hand, of a cluster that never existed: segments of 1 MiB with the commits and restore
/// points that a test needs.
package struct TestLog: Sendable {
  package static let segmentBytes = 1 << 20
  private static let pageBytes = 8192
  package let system: SystemIdentifier
  package let timeline: UInt32
  /// The bytes from the first segment on.
  private var bytes: [UInt8] = []
  private let firstNumber: UInt64
  private var previous: UInt64 = 0

  /// - Parameter firstNumber: the number of the first segment.
  package init(system: UInt64 = 7_123_456_789_012_345_678, timeline: UInt32 = 1, firstNumber: UInt64 = 1) {
    self.system = SystemIdentifier(system)
    self.timeline = timeline
    self.firstNumber = firstNumber
  }

  /// Returns the same log on another timeline: later records are not in the first one.
  package func branch(timeline: UInt32) -> TestLog {
    var branch = TestLog(system: system.value, timeline: timeline, firstNumber: firstNumber)
    (branch.bytes, branch.previous) = (bytes, previous)
    return branch
  }

  /// The position at which the next record begins.
  package var place: LogSequenceNumber {
    var log = self
    log.beginPage()
    return LogSequenceNumber(log.address)
  }

  private var address: UInt64 { firstNumber * UInt64(Self.segmentBytes) + UInt64(bytes.count) }

  // MARK: Records

  /// - Parameter time: microseconds since 1970-01-01 UTC.
  /// - Returns: the position at which its record begins.
  @discardableResult
  package mutating func commit(at time: Int64, isAbort: Bool = false) -> LogSequenceNumber {
    append(manager: 1, info: isAbort ? 0x20 : 0, data: Self.littleEndian(UInt64(bitPattern: Self.ownTime(time))))
  }

  @discardableResult
  package mutating func restorePoint(_ name: String, at time: Int64) -> LogSequenceNumber {
    let padded = Array(name.utf8) + [UInt8](repeating: 0, count: 64 - name.utf8.count)
    return append(manager: 0, info: 0x70, data: Self.littleEndian(UInt64(bitPattern: Self.ownTime(time))) + padded)
  }

  /// Appends a `CREATE TABLESPACE` record.
  @discardableResult
  package mutating func tablespace(_ oid: UInt32, in location: String) -> LogSequenceNumber {
    append(manager: 5, info: 0, data: Self.littleEndian(oid) + Array(location.utf8) + [0])
  }

  /// Appends the record with which a server notes its settings when it starts with other ones.
  /// - Parameter level: `wal_level`: 0 is `minimal`.
  @discardableResult
  package mutating func parameters(level: Int32, connections: Int32) -> LogSequenceNumber {
    let values = [connections, 8, 10, 0, 64, level]
    return append(manager: 0, info: 0x60, data: values.flatMap { Self.littleEndian($0) } + [0, 0])
  }

  /// Appends a record without meaning.
  @discardableResult
  package mutating func filler(_ count: Int) -> LogSequenceNumber {
    append(manager: 10, info: 0, data: [UInt8](repeating: 0x5a, count: count))
  }

  /// Fills the segment with records until `rest` of its bytes are left.
  package mutating func fill(leaving rest: Int) {
    while true {
      let left = Self.segmentBytes - bytes.count % Self.segmentBytes
      guard left > rest + 1000 else { break }
      filler(min(4000, left - rest - 500))
    }
  }

  /// Ends the segment as `pg_switch_wal` does: the rest of the segment does not count.
  package mutating func switchSegment() {
    append(manager: 0, info: 0x40, data: [])
    while !bytes.count.isMultiple(of: Self.segmentBytes) { bytes.append(0) }
  }

  /// All segments that are complete.
  package var segments: [(name: WALFileName, bytes: [UInt8])] {
    guard let size = WALSegmentSize(UInt64(Self.segmentBytes)) else { return [] }
    return (0..<bytes.count / Self.segmentBytes).compactMap { index in
      WALFileName(timeline: timeline, number: firstNumber + UInt64(index), size: size).map {
        ($0, Array(bytes[index * Self.segmentBytes..<(index + 1) * Self.segmentBytes]))
      }
    }
  }

  @discardableResult
  private mutating func append(manager: UInt8, info: UInt8, data: [UInt8]) -> LogSequenceNumber {
    let own: [UInt8] =
      data.isEmpty
      ? [] : data.count < 256 ? [255, UInt8(data.count)] + data : [254] + Self.littleEndian(UInt32(data.count)) + data
    var head = Self.littleEndian(UInt32(24 + own.count)) + Self.littleEndian(UInt32(7)) + Self.littleEndian(previous)
    head += [info, manager, 0, 0]
    let record = head + Self.littleEndian(Self.checksum(own + head)) + own
    beginPage()
    let start = address
    var written = 0
    while written < record.count {
      beginPage(remaining: record.count - written, isContinued: written > 0)
      let room = Self.pageBytes - bytes.count % Self.pageBytes
      bytes += record[written..<min(written + room, record.count)]
      written = min(written + room, record.count)
    }
    while !bytes.count.isMultiple(of: 8) { bytes.append(0) }
    previous = start
    return LogSequenceNumber(start)
  }

  /// Writes the header of a page, if one begins here.
  private mutating func beginPage(remaining: Int = 0, isContinued: Bool = false) {
    guard bytes.count.isMultiple(of: Self.pageBytes) else { return }
    let isLong = bytes.count.isMultiple(of: Self.segmentBytes)
    let flags = UInt16((isContinued ? 1 : 0) | (isLong ? 2 : 0))
    var header = Self.littleEndian(UInt16(0xd110)) + Self.littleEndian(flags) + Self.littleEndian(timeline)
    header += Self.littleEndian(address) + Self.littleEndian(UInt32(isContinued ? remaining : 0)) + [0, 0, 0, 0]
    if isLong {
      header += Self.littleEndian(system.value) + Self.littleEndian(UInt32(Self.segmentBytes))
      header += Self.littleEndian(UInt32(Self.pageBytes))
    }
    bytes += header
  }

  private static func ownTime(_ time: Int64) -> Int64 { time - 946_684_800_000_000 }

  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  /// Returns the CRC-32C, computed bit by bit.
  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var state = UInt32.max
    for byte in bytes {
      state ^= UInt32(byte)
      for _ in 0..<8 { state = state & 1 == 0 ? state >> 1 : state >> 1 ^ 0x82f6_3b78 }
    }
    return ~state
  }
}

/// Logs made by hand.
package enum TestLogs {
  package static let noon: Int64 = 1_790_000_000_000_000

  /// Three segments with a commit each, and a restore point in the first.
  package static var three: TestLog {
    var log = TestLog()
    log.restorePoint("release 7", at: noon)
    for index in 0..<3 {
      log.commit(at: noon + Int64(index) * 1_000_000)
      log.switchSegment()
    }
    return log
  }
}
