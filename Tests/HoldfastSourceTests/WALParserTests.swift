import HoldfastModel
import HoldfastSource
import HoldfastTestSupport
import Testing

/// The parser against logs that a real server wrote, with `pg_waldump` as the other opinion.
@Suite struct WALParserTests {
  /// Segments of a pgbench run with restore points, and what the server and `pg_waldump` say of them.
  private struct Log: Sendable {
    let segments: [(name: WALFileName, bytes: [UInt8])]
    /// The lines of the commits, aborts and restore points, with their places.
    let events: [(place: LogSequenceNumber, line: String)]
    let lastRecord: LogSequenceNumber
    /// A time after all events.
    let ended: Timestamp

    init() throws {
      let cluster = try TestCluster(settings: ["wal_keep_size": "'1GB'"], options: ["--wal-segsize=1"])
      try cluster.start()
      try cluster.initializePgbench()
      try cluster.pgbench(transactions: 500)
      try cluster.psql("SELECT pg_create_restore_point('before the flood')")
      try cluster.psql("SELECT pg_switch_wal()")
      try cluster.psql("BEGIN; CREATE TABLE gone (x int); ROLLBACK; SELECT pg_create_restore_point('é')")
      try cluster.psql("SELECT pg_switch_wal()")
      // At the very beginning of a segment the name would be that of the one before.
      let place = try cluster.psql("SELECT pg_walfile_name(pg_create_restore_point('not switched yet'))")
      let directory = cluster.data.appending("pg_wal")
      segments = TestFiles.names(in: directory).sorted().compactMap { name in
        guard name < place, let segment = WALFileName(name), segment.kind == .segment,
          let bytes = TestFiles.read(directory.appending(name))
        else { return nil }
        return (segment, bytes)
      }
      ended = Timestamp(
        seconds: Int64(try cluster.psql("SELECT extract(epoch FROM now())::bigint")) ?? 0, nanoseconds: 0)
      let (first, last) = try (#require(segments.first).name, #require(segments.last).name)
      let lines = try cluster.run(
        cluster.program("pg_waldump"), "--path", directory.text, first.text, last.text
      ).split(separator: "\n")
      lastRecord = try #require(lines.last.flatMap(Self.place))
      events = lines.filter { line in ["COMMIT", "ABORT", "RESTORE_POINT"].contains { line.contains($0) } }
        .compactMap { line in Self.place(line).map { ($0, String(line)) } }
    }

    private static func place(_ line: Substring) -> LogSequenceNumber? {
      line.firstMatch(of: /lsn: ([0-9A-F\/]+)/).flatMap { LogSequenceNumber($0.1) }
    }
  }

  private static let log = Prepared { try Log() }

  private static func header(_ segment: (name: WALFileName, bytes: [UInt8])) throws -> WALPageHeader.Segment {
    try segment.bytes.withUnsafeBytes {
      try WALFile.checkSegment(segment.name, head: $0, size: UInt64($0.count), path: Path(segment.name.text))
    }
  }

  @Test func itSeesWhatPostgreSQLSees() throws {
    let log = try Self.log.value
    #expect(log.segments.count > 3)
    let header = try Self.header(log.segments[0])
    var events: [WALEvent] = []
    let number = try #require(log.segments[0].name.number(header.size))
    var parser = WALParser(header, from: header.size.start(of: number)) { events.append($0) }
    for segment in log.segments { segment.bytes.withUnsafeBytes { parser.parse($0) } }
    #expect(parser.stop == nil)
    #expect(parser.openRecord == nil)

    #expect(events.map(\.lsn) == log.events.map(\.place))
    #expect(events.count > 500)
    #expect(parser.lastRecord == log.lastRecord)
    let names = events.compactMap { event -> [UInt8]? in
      if case .restorePoint(_, _, let name) = event { name } else { nil }
    }
    #expect(names == [Array("before the flood".utf8), Array("é".utf8)])
    #expect(events.allSatisfy { abs((log.ended - $0.time).seconds) < 600 })
    // To the microsecond: pg_waldump prints six digits.
    for (event, line) in zip(events, log.events.map(\.line)) where line.contains("COMMIT") {
      let fraction = try #require(line.firstMatch(of: /:\d\d\.(\d{6})/)).1
      #expect(event.time.nanoseconds / 1000 == UInt32(fraction))
    }
  }

  @Test func eachSegmentAloneTellsTheSame() throws {
    let log = try Self.log.value
    for segment in log.segments {
      let header = try Self.header(segment)
      var places: [LogSequenceNumber] = []
      let number = try #require(segment.name.number(header.size))
      let start = header.size.start(of: number)
      var parser = WALParser(header, from: start) { places.append($0.lsn) }
      segment.bytes.withUnsafeBytes { parser.parse($0) }
      #expect(parser.stop == nil, "\(segment.name)")
      let expected = log.events.map(\.place).filter {
        header.size.number(of: $0) == number && $0 != parser.openRecord
      }
      #expect(places == expected)
    }
  }

  @Test func hostileBytesEndItAndNothingElse() throws {
    let seed = UInt64.random(in: .min ... .max)
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    let log = try Self.log.value
    let (name, bytes) = log.segments[1]
    let header = try Self.header((name, bytes))
    let start = header.size.start(of: try #require(name.number(header.size)))
    for _ in 0..<300 {
      var hostile = bytes
      for _ in 0..<Int.random(in: 1...20, using: &random) {
        let at = Int.random(in: 0..<hostile.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: hostile[at] = UInt8.random(in: 0...255, using: &random)
        case 1: for index in at..<min(at + 64, hostile.count) { hostile[index] = 0xff }
        default:
          // A page exchanged for another.
          let from = Int.random(in: 0..<128, using: &random) * 8192
          hostile.replaceSubrange(at & ~8191..<at & ~8191 + 8192, with: bytes[from..<from + 8192])
        }
      }
      let place = LogSequenceNumber(Bool.random(using: &random) ? start.value : UInt64.max & ~0xfffff)
      var parser = WALParser(header, from: place) { _ in }
      hostile.withUnsafeBytes { parser.parse($0) }
      parser.lastRecord.map { #expect($0 >= place) }
    }
  }

  @Test func aChangedCommitIsNotBelieved() throws {
    let log = try Self.log.value
    // The one before the last was written while pgbench ran.
    let (name, bytes) = log.segments[log.segments.count - 2]
    let header = try Self.header((name, bytes))
    let start = header.size.start(of: try #require(name.number(header.size)))
    var places: [LogSequenceNumber] = []
    var parser = WALParser(header, from: start) { places.append($0.lsn) }
    bytes.withUnsafeBytes { parser.parse($0) }
    let victim = try #require(places.dropFirst().first { ($0.value & 8191) < 8000 })
    var changed = bytes
    // The lowest byte of its time: behind the head and the two bytes before its data.
    changed[Int(victim.value - start.value) + 26] ^= 1
    var seen: [LogSequenceNumber] = []
    var second = WALParser(header, from: start) { seen.append($0.lsn) }
    changed.withUnsafeBytes { second.parse($0) }
    #expect(seen == Array(places.prefix { $0 < victim }))
    #expect(second.stop == victim)
  }
}
