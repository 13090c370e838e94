import HoldfastModel
import HoldfastSource
import HoldfastTestSupport
import Testing

/// The parser against logs that a real server wrote, with `pg_waldump` as the other opinion.
@Suite struct WALParserTests {
  /// Segments of a pgbench run with restore points, and what the server says of them.
  private struct Log {
    let cluster: TestCluster
    let segments: [(name: WALFileName, bytes: [UInt8])]

    init() throws {
      cluster = try TestCluster(settings: ["wal_keep_size": "'1GB'"], options: ["--wal-segsize=1"])
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
    }

    /// Lines of `pg_waldump` over all segments.
    func dump() throws -> [Substring] {
      let (first, last) = try (#require(segments.first).name, #require(segments.last).name)
      return try cluster.run(
        cluster.program("pg_waldump"), "--path", cluster.data.appending("pg_wal").text, first.text, last.text
      ).split(separator: "\n")
    }
  }

  private static func header(_ segment: (name: WALFileName, bytes: [UInt8])) throws -> WALPageHeader.Segment {
    try segment.bytes.withUnsafeBytes {
      try WALFile.checkSegment(segment.name, head: $0, size: UInt64($0.count), path: Path(segment.name.text))
    }
  }

  @Test func itSeesWhatPostgreSQLSees() throws {
    let log = try Log()
    #expect(log.segments.count > 3)
    let header = try Self.header(log.segments[0])
    var events: [WALEvent] = []
    let number = try #require(log.segments[0].name.number(header.size))
    var parser = WALParser(header, from: header.size.start(of: number)) { events.append($0) }
    for segment in log.segments { segment.bytes.withUnsafeBytes { parser.parse($0) } }
    #expect(parser.stop == nil)
    #expect(parser.openRecord == nil)

    let lines = try log.dump()
    let wanted = lines.filter { $0.contains("COMMIT") || $0.contains("ABORT") || $0.contains("RESTORE_POINT") }
    let places = wanted.compactMap { line in
      line.firstMatch(of: /lsn: ([0-9A-F\/]+)/).flatMap { LogSequenceNumber($0.1) }
    }
    #expect(events.map(\.lsn) == places)
    #expect(events.count > 500)
    let last = try #require(lines.last?.firstMatch(of: /lsn: ([0-9A-F\/]+)/))
    #expect(parser.lastRecord == LogSequenceNumber(last.1))
    let names = events.compactMap { event -> [UInt8]? in
      if case .restorePoint(_, _, let name) = event { name } else { nil }
    }
    #expect(names == [Array("before the flood".utf8), Array("é".utf8)])
    let now = Timestamp(
      seconds: Int64(try log.cluster.psql("SELECT extract(epoch FROM now())::bigint")) ?? 0, nanoseconds: 0)
    #expect(events.allSatisfy { abs((now - $0.time).seconds) < 600 })
    // To the microsecond: pg_waldump prints six digits.
    for (event, line) in zip(events, wanted) where line.contains("COMMIT") {
      let fraction = try #require(line.firstMatch(of: /:\d\d\.(\d{6})/)).1
      #expect(event.time.nanoseconds / 1000 == UInt32(fraction))
    }
  }

  @Test func eachSegmentAloneTellsTheSame() throws {
    let log = try Log()
    let lines = try log.dump()
    for segment in log.segments {
      let header = try Self.header(segment)
      var places: [LogSequenceNumber] = []
      let number = try #require(segment.name.number(header.size))
      let start = header.size.start(of: number)
      var parser = WALParser(header, from: start) { places.append($0.lsn) }
      segment.bytes.withUnsafeBytes { parser.parse($0) }
      #expect(parser.stop == nil, "\(segment.name)")
      let expected = lines.compactMap { line -> LogSequenceNumber? in
        guard line.contains("COMMIT") || line.contains("ABORT") || line.contains("RESTORE_POINT"),
          let place = line.firstMatch(of: /lsn: ([0-9A-F\/]+)/).flatMap({ LogSequenceNumber($0.1) }),
          header.size.number(of: place) == number, place != parser.openRecord
        else { return nil }
        return place
      }
      #expect(places == expected)
    }
  }

  @Test func hostileBytesEndItAndNothingElse() throws {
    let seed = UInt64.random(in: .min ... .max)
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    let log = try Log()
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
    let log = try Log()
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
