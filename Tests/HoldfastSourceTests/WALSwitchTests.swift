import HoldfastModel
import HoldfastSource
import HoldfastTestSupport
import Testing

/// A switch of segments that begins at the very end of one ends in the next, and then that one is empty: PostgreSQL
/// counts from where its record ends.
@Suite struct WALSwitchTests {
  private static let noon: Int64 = 1_790_000_000_000_000

  /// - Parameter rest: bytes of its segment that are left where the switch begins.
  static func log(leaving rest: Int) -> (log: TestLog, place: LogSequenceNumber) {
    var log = TestLog()
    log.commit(at: noon)
    log.fill(leaving: 200)
    func left() -> Int { TestLog.segmentBytes - Int(log.place.value % UInt64(TestLog.segmentBytes)) }
    while left() != rest { log.filler((left() - rest).isMultiple(of: 32) ? 1 : 9) }
    let place = log.place
    log.switchSegment()
    log.commit(at: noon + 1)
    log.switchSegment()
    return (log, place)
  }

  private func parser(_ segment: (name: WALFileName, bytes: [UInt8])) throws -> WALParser {
    let header = try segment.bytes.withUnsafeBytes {
      try WALFile.checkSegment(segment.name, head: $0, size: UInt64($0.count), path: Path(segment.name.text))
    }
    return WALParser(header, from: header.size.start(of: try #require(segment.name.number(header.size)))) { _ in }
  }

  @Test(arguments: [8, 16, 24, 32]) func theLogGoesOnBehindTheEmptySegment(rest: Int) throws {
    let (log, place) = Self.log(leaving: rest)
    #expect(log.segments.count == (rest < 24 ? 3 : 2))
    var parser = try parser(log.segments[0])
    for (index, segment) in log.segments.enumerated() {
      segment.bytes.withUnsafeBytes { parser.parse($0) }
      #expect(parser.stop == nil, "\(segment.name)")
      if index == 0 { #expect((parser.openRecord ?? parser.lastRecord) == place) }
    }
    #expect(parser.lastRecord.map { $0 > LogSequenceNumber(UInt64(log.segments.count) << 20) } == true)
  }

  @Test(arguments: [8, 16]) func theEmptySegmentIsWholeByItself(rest: Int) throws {
    let (log, _) = Self.log(leaving: rest)
    var parser = try parser(log.segments[1])
    log.segments[1].bytes.withUnsafeBytes { parser.parse($0) }
    #expect(parser.stop == nil && parser.lastRecord == nil)
    #expect(parser.end == LogSequenceNumber(0x200000 + 40 + UInt64(24 - rest)))
    // The end of another record, with nothing behind it, is what a crash leaves.
    var other = log.segments[1].bytes
    other[40 + 24 - rest - 8] = 0x50
    var second = try self.parser((log.segments[1].name, other))
    other.withUnsafeBytes { second.parse($0) }
    #expect(second.stop != nil)
  }
}
