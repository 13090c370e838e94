import HoldfastModel
import HoldfastSource
import HoldfastTestSupport
import Testing

/// The blocks that a log names, with `pg_waldump` as the other opinion, and what is made of a log that is not sound.
@Suite struct LoggedBlocksTests {
  private struct Block: Hashable {
    let relation: RelationLocator
    let number: Int
  }

  /// The log of a real server, in segments.
  private struct Log: Sendable {
    let segments: [WALFileName: [UInt8]]
    let between: LogBetween
    let named: Set<Block>

    init() throws {
      let cluster = try TestCluster(
        settings: ["wal_keep_size": "'1GB'", "wal_compression": "on"], options: ["--wal-segsize=1"])
      try cluster.start()
      let start = try cluster.psql("CHECKPOINT; SELECT redo_lsn FROM pg_control_checkpoint()")
      try cluster.initializePgbench()
      try cluster.pgbench(transactions: 200)
      let end = try cluster.psql("CHECKPOINT; SELECT redo_lsn FROM pg_control_checkpoint()")
      try cluster.psql("SELECT pg_switch_wal()")
      let directory = cluster.data.appending("pg_wal")
      segments = Dictionary(
        uniqueKeysWithValues: TestFiles.names(in: directory).compactMap { name in
          WALFileName(name).flatMap { file in TestFiles.read(directory.appending(name)).map { (file, $0) } }
        })
      let system = try cluster.psql("SELECT system_identifier FROM pg_control_system()")
      between = try LogBetween(
        from: #require(LogSequenceNumber(start)), to: #require(LogSequenceNumber(end)), timeline: 1,
        system: #require(SystemIdentifier(system)), segmentSize: #require(WALSegmentSize(1 << 20)))
      let said = try cluster.run(
        cluster.program("pg_waldump"), "--path", directory.text, "--start", start, more: ["--end", end])
      named = Set(
        said.matches(of: /rel (\d+)\/(\d+)\/(\d+) blk (\d+)/).compactMap { match in
          guard let tablespace = UInt32(match.1), let database = UInt32(match.2), let node = UInt32(match.3),
            let number = Int(match.4)
          else { return nil }
          return Block(
            relation: RelationLocator(tablespace: tablespace, database: database, node: node), number: number)
        })
    }

    func blocks(_ change: (WALFileName, inout [UInt8]) -> Void = { _, _ in }) throws -> LoggedBlocks {
      try between.blocks { name, body in
        guard var bytes = segments[name] else { throw LogRefusal("missing") }
        change(name, &bytes)
        try bytes.withUnsafeBytes(body)
      }
    }
  }

  private static let log = Prepared { try Log() }

  @Test func theyAreThoseThatPostgreSQLNames() throws {
    let log = try Self.log.value
    let blocks = try log.blocks()
    #expect(log.named.count > 1000)
    #expect(blocks.count == UInt64(log.named.count))
    for relation in Set(log.named.map(\.relation)) {
      var found: Set<Int> = []
      let count = (log.named.filter { $0.relation == relation }.map(\.number).max() ?? 0) + 1
      blocks.forEachBlock(of: relation, segment: 0, count: count) { found.insert($0) }
      let expected = Set(log.named.filter { $0.relation == relation }.map(\.number))
      #expect(found.isSuperset(of: expected), "\(relation)")
      // A table that was made or cut may have changed anywhere.
      if found.count < count { #expect(found == expected, "\(relation)") }
    }
  }

  @Test func aChangedByteIsNoticedOrChangesNothing() throws {
    let seed = UInt64.random(in: .min ... .max)
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    let log = try Self.log.value
    let count = try log.blocks().count
    let size = log.between.segmentSize
    var refusals = 0
    for _ in 0..<60 {
      let lsn = UInt64.random(in: log.between.start.value..<log.between.end.value, using: &random)
      let victim = WALFileName(timeline: 1, number: size.number(of: LogSequenceNumber(lsn)), size: size)
      let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &random)
      do {
        let found = try log.blocks { name, bytes in
          if name == victim { bytes[Int(lsn % size.bytes)] ^= bit }
        }
        #expect(found.count == count, "seed \(seed), \(lsn)")
      } catch is LogRefusal {
        refusals += 1
      }
    }
    #expect(refusals > 40)
  }

  @Test func whatIsMissingIsNoticed() throws {
    let log = try Self.log.value
    let last = log.between.segmentSize.number(of: log.between.end)
    for number in log.between.segmentSize.number(of: log.between.start)...last {
      let victim = WALFileName(timeline: 1, number: number, size: log.between.segmentSize)
      #expect(throws: LogRefusal.self) {
        try log.blocks { name, bytes in if name == victim { bytes = Array(bytes.prefix(16 << 10)) } }
      }
    }
  }

  @Test func anotherClusterOrTimelineIsNoticed() throws {
    let log = try Self.log.value
    let between = log.between
    func blocks(timeline: UInt32 = 1, system: SystemIdentifier? = nil) throws {
      let other = LogBetween(
        from: between.start, to: between.end, timeline: timeline, system: system ?? between.system,
        segmentSize: between.segmentSize)
      _ = try other.blocks { name, body in
        let known = log.segments.first { $0.key.text.dropFirst(8) == name.text.dropFirst(8) }
        guard let known else { throw LogRefusal("missing") }
        try known.value.withUnsafeBytes(body)
      }
    }
    try blocks()
    #expect(throws: LogRefusal.self) { try blocks(timeline: 2) }
    #expect(throws: LogRefusal.self) { try blocks(system: SystemIdentifier(7)) }
  }

  @Test func aRestartIsNoticedInTheLog() throws {
    var log = TestLog()
    let start = log.filler(10)
    log.parameters(level: 1, connections: 100)
    let end = log.filler(10)
    log.switchSegment()
    let between = try LogBetween(
      from: start, to: end, timeline: 1, system: log.system, segmentSize: #require(WALSegmentSize(1 << 20)))
    #expect(throws: LogRefusal.self) {
      _ = try between.blocks { name, body in
        guard let bytes = log.segments.first(where: { $0.name == name })?.bytes else { throw LogRefusal("missing") }
        try bytes.withUnsafeBytes(body)
      }
    }
  }
}
