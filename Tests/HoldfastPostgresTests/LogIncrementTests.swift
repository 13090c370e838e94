import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// An increment of a live cluster reads the pages that its log names, and misses none that has changed.
@Suite(.serialized) struct LogIncrementTests {
  private let shop: TestShop
  private let name = SourceName(from: Path("shop"))

  init() throws { shop = try TestShop() }

  /// A cluster whose log stays in pg_wal.
  private func cluster(
    _ settings: [String: String] = ["wal_keep_size": "'1GB'"], options: [String] = ["--data-checksums"]
  ) throws -> TestCluster {
    let more = ["max_prepared_transactions": "5", "max_wal_size": "'64MB'"]
    let cluster = try TestCluster(
      settings: settings.merging(more) { $1 }, options: options + ["--wal-segsize=1"])
    try cluster.start()
    return cluster
  }

  /// - Parameter share: one of so many pages that the log does not name is compared.
  @discardableResult
  private func increment(
    _ cluster: TestCluster, isParanoid: Bool = false, share: Int = 256, progress: QuietProgress = QuietProgress()
  ) throws -> Backup.Report {
    try shop.backup(.incremental, progress: progress) { options in
      options.source = cluster.data
      options.name = name
      (options.postgres, options.expectsPostgres) = (cluster.connection, true)
      (options.isParanoid, options.logSampleShare) = (isParanoid, share)
      // Whatever is in these clusters was built before their parents began.
      options.logBuildMax = .seconds(-1e9)
    }
  }

  private func refusal(_ report: Backup.Report) throws -> String { try #require(report.logUse).refusal ?? "" }

  @Test func onlyWhatTheLogNamesIsRead() throws {
    let cluster = try cluster()
    try cluster.initializePgbench(scale: 3)
    #expect(try shop.capture(cluster, .full).logUse == nil)
    try cluster.pgbench(transactions: 10)
    let report = try increment(cluster)
    let use = try #require(report.logUse)
    #expect(use.refusal == nil && use.serverSegments > 0 && use.archivedSegments == 0)
    #expect(use.namedPages > 5 && use.sampledPages > 3 && use.keptPages > 3000)
    #expect(use.logBytes > 0 && report.problems == [])
    #expect(report.envelope.changes.readBytes < 20 << 20)
    let paranoid = try increment(cluster, isParanoid: true)
    #expect(try refusal(paranoid).contains("--paranoid"))
    #expect(paranoid.envelope.changes.readBytes > 45 << 20)
    #expect(paranoid.envelope.changes.pages < 700, "it finds little beside the segment of its own log")
    let restored = try shop.started()
    #expect(try restored.pgbenchSums() == cluster.pgbenchSums() && cluster.pgbenchSums().count == 1)
  }

  /// Every second increment compares all pages that the log does not name with the one before, which compared none.
  @Test(arguments: Trials.seeds(byDay: 1, atNight: 6)) func randomWorkIsNamedByTheLog(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let cluster = try cluster()
    try cluster.initializePgbench()
    try cluster.makeTablespace("far")
    try cluster.psql("CREATE DATABASE stock")
    try shop.capture(cluster, .full)
    var work = RandomWork(cluster)
    for round in 0..<4 {
      let done = try (0..<4).map { _ in try work.step(&random) }
      let progress = QuietProgress()
      let report = try increment(cluster, share: round.isMultiple(of: 2) ? .max : 1, progress: progress)
      #expect(try refusal(report) == "", "round \(round), seed \(seed): \(done)")
      #expect(progress.warnings == [], "round \(round), seed \(seed): \(done)")
      #expect(report.problems == [] && report.badPages.isEmpty)
    }
    let restored = try shop.started()
    for database in try cluster.psql("SELECT datname FROM pg_database WHERE datallowconn").split(separator: "\n") {
      let tables = try restored.psql(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
        database: String(database)
      ).split(separator: "\n")
      for table in tables {
        let sum = "SELECT count(*), sum(hashtext(t::text)) FROM \(table) t"
        #expect(try restored.psql(sum, database: String(database)) == cluster.psql(sum, database: String(database)))
      }
    }
    try restored.run(
      restored.program("pg_amcheck"), "--all", "--heapallindexed", "--install-missing", "--username=postgres",
      "--host", restored.directory.path.text)
    #expect(try shop.verify().exitStatus == .done)
  }

  @Test func theLogIsReadInTheRepositoryWhereTheServerHasItNoMore() throws {
    let cluster = try cluster([:])
    let archived = cluster.directory.appending("archived")
    TestFiles.makeDirectory(archived)
    try TestCluster.giveToServer(archived)
    cluster.set(["archive_mode": "on", "archive_command": "'cp %p \(archived.text)/%f'"])
    try cluster.stop()
    try cluster.start()
    try cluster.initializePgbench()
    try shop.capture(cluster, .full)
    func work() throws {
      for _ in 0..<3 {
        try cluster.pgbench(transactions: 100)
        try cluster.psql("SELECT pg_switch_wal()")
        try cluster.psql("CHECKPOINT")
      }
      let last = try cluster.psql("SELECT pg_walfile_name(pg_current_wal_lsn() - 1)")
      try cluster.psql("SELECT pg_switch_wal()")
      try cluster.wait(until: "last_archived_wal >= '\(last)' FROM pg_stat_archiver")
      try cluster.psql("CHECKPOINT")
    }
    try work()
    #expect(try refusal(increment(cluster)).contains("neither in pg_wal any more nor archived"))
    try work()
    for file in TestFiles.names(in: archived).sorted() where !file.contains(".") {
      _ = try WALPush(
        repository: shop.repository,
        options: WALPush.Options(path: archived.appending(file), source: name, clusterDirectory: cluster.data)
      ).run()
    }
    let report = try increment(cluster, share: 1)
    let use = try #require(report.logUse)
    #expect(use.refusal == nil && use.archivedSegments > 2 && use.serverSegments > 0)
    #expect(try shop.started().pgbenchSums() == cluster.pgbenchSums())
  }

  @Test(arguments: [false, true])
  func aDamagedOrCutLogIsNotBelieved(isCut: Bool) throws {
    let cluster = try cluster()
    try cluster.initializePgbench()
    try shop.capture(cluster, .full)
    try cluster.pgbench(transactions: 200)
    let segment = try cluster.psql("SELECT pg_walfile_name(pg_switch_wal())")
    let place = cluster.data.appending("pg_wal").appending(segment)
    let bytes = try #require(TestFiles.read(place))
    if isCut {
      TestFiles.write(Array(bytes.prefix(512 << 10)), to: place)
    } else {
      TestFiles.overwrite(place, at: 20_000, with: [bytes[20_000] ^ 1])
    }
    let report = try increment(cluster)
    #expect(try refusal(report).contains(isCut ? "neither in pg_wal" : "cannot be followed"))
    #expect(try shop.started().pgbenchSums() == cluster.pgbenchSums())
  }

  @Test func aServerThatWasStoppedIsReadWhole() throws {
    let cluster = try cluster()
    try cluster.initializePgbench()
    try shop.capture(cluster, .full)
    try cluster.stop()
    try cluster.start()
    try cluster.pgbench(transactions: 10)
    #expect(try refusal(increment(cluster)).contains("was started again"))
    #expect(try refusal(increment(cluster)) == "")
  }

  /// A data directory that was put back writes another log under the same names.
  @Test func anotherHistoryIsNoticed() throws {
    let cluster = try cluster()
    try cluster.initializePgbench()
    try cluster.stop()
    let saved = cluster.directory.appending("saved")
    try cluster.run("cp", "-a", cluster.data.text, saved.text)
    try cluster.start()
    try cluster.pgbench(transactions: 50)
    try shop.capture(cluster, .full)
    try cluster.stop()
    try cluster.run("rm", "-r", cluster.data.text)
    try cluster.run("mv", saved.text, cluster.data.text)
    try cluster.start()
    for _ in 0..<6 {
      try cluster.pgbench(transactions: 60)
      try cluster.psql("SELECT pg_switch_wal()")
    }
    #expect(try refusal(increment(cluster)).contains("another one than the parent saw"))
    #expect(try shop.started().pgbenchSums() == cluster.pgbenchSums())
  }

  /// Without checksums, a page that was changed behind the log has other hints, as far as anyone can tell. Where hints
  /// are logged, it proves that the log cannot be relied on.
  @Test(arguments: [false, true])
  func aPageThatTheLogShouldHaveNamedIsFound(logsHints: Bool) throws {
    let settings = ["wal_keep_size": "'1GB'", "wal_log_hints": logsHints ? "on" : "off"]
    let cluster = try cluster(settings, options: [])
    try cluster.initializePgbench()
    try cluster.psql("VACUUM")
    try shop.capture(cluster, .full)
    let path = Path(try cluster.psql("SELECT pg_relation_filepath('pgbench_accounts')"))
    let place = cluster.data.appending(path.bytes)
    // The unused last bit of the flags in the head of a page in the middle.
    let flags = 100 * 8192 + 11
    let before = try #require(TestFiles.read(place, at: flags, count: 1))
    TestFiles.overwrite(place, at: flags, with: [before[0] ^ 0x80])
    let progress = QuietProgress()
    let report = try increment(cluster, share: 1, progress: progress)
    if logsHints {
      #expect(try refusal(report).contains("the log of the server does not name it"))
      #expect(progress.warnings.contains { $0.contains("page 100 of \(path)") })
    } else {
      #expect(try refusal(report) == "")
      #expect(try #require(report.logUse).differentPages >= 1)
    }
    try shop.restore(to: "restored")
    let restored = shop.directory.appending("restored").appending(path.bytes)
    #expect(TestFiles.read(restored) == TestFiles.read(place))
  }
}

/// What happens in a database, chosen at random.
private struct RandomWork {
  private let cluster: TestCluster
  private var tables = 0

  init(_ cluster: TestCluster) { self.cluster = cluster }

  /// - Returns: the statements, for messages.
  mutating func step(_ random: inout SeededRandom) throws -> String {
    let isMain = Bool.random(using: &random)
    let database = isMain ? "postgres" : "stock"
    let some = Int.random(in: 1...4, using: &random)
    // A database whose tables lie in a tablespace cannot be moved there.
    let place = isMain && Bool.random(using: &random) ? "far" : "pg_default"
    switch Int.random(in: 0..<12, using: &random) {
    case 0:
      try cluster.pgbench(transactions: 20)
      return "pgbench"
    case 1, 2: return try makeTable(database, rows: 2000 * some, in: isMain ? place : nil)
    case 3:
      return try each(
        database, "UPDATE %t SET id = id + 1, list = ARRAY[id] WHERE id % \(some) = 0", "SELECT count(*) FROM %t")
    case 4: return try each(database, "DELETE FROM %t WHERE id > 500", "VACUUM %t")
    case 5: return try each(database, "TRUNCATE %t", "INSERT INTO %t SELECT i FROM generate_series(1, 3000) i")
    case 6: return try run(database, "VACUUM FULL pg_class", "VACUUM FULL pg_attribute", "REINDEX TABLE pg_type")
    case 7:
      return try run(
        "postgres", "DROP DATABASE IF EXISTS copy\(some)",
        "CREATE DATABASE copy\(some) TEMPLATE stock STRATEGY \(isMain ? "file_copy" : "wal_log")")
    case 8:
      return try run(
        database, "BEGIN; CREATE TABLE two (id int); INSERT INTO two VALUES (1); PREPARE TRANSACTION 'two'",
        "CHECKPOINT", "COMMIT PREPARED 'two'", "DROP TABLE two")
    case 9: return try each("postgres", "ALTER TABLE %t SET TABLESPACE \(place)")
    case 10:
      return try run(database, "CHECKPOINT", "CREATE SEQUENCE IF NOT EXISTS s", "SELECT nextval('s')", "VACUUM")
    default:
      return try run(
        "postgres", "BEGIN; CREATE TABLE gone AS SELECT generate_series(1, 5000); ROLLBACK",
        "ALTER DATABASE stock SET TABLESPACE \(some > 2 ? "far" : "pg_default")")
    }
  }

  /// Makes a table with an index of every kind.
  private mutating func makeTable(_ database: String, rows: Int, in place: String?) throws -> String {
    tables += 1
    let table = "goods\(tables)"
    return try run(
      database,
      """
      CREATE TABLE \(table) \(place.map { "TABLESPACE \($0)" } ?? "") AS
      SELECT i AS id, repeat(md5(i::text), 3) AS text, point(i, i) AS place, ARRAY[i, i % 7] AS list
      FROM generate_series(1, \(rows)) i
      """, "CREATE INDEX ON \(table) (id)", "CREATE INDEX ON \(table) USING hash (text)",
      "CREATE INDEX ON \(table) USING gin (list)", "CREATE INDEX ON \(table) USING gist (place)",
      "CREATE INDEX ON \(table) USING spgist (place)", "CREATE INDEX ON \(table) USING brin (id)")
  }

  private func run(_ database: String, _ statements: String...) throws -> String {
    for statement in statements { try cluster.psql(statement, database: database) }
    return "\(database): " + statements.joined(separator: "; ")
  }

  /// Runs statements on every table of goods; `%t` stands for its name.
  private func each(_ database: String, _ statements: String...) throws -> String {
    let tables = try cluster.psql(
      "SELECT relname FROM pg_class WHERE relname LIKE 'goods%' AND relkind = 'r'", database: database)
    for table in tables.split(separator: "\n") {
      for statement in statements {
        try cluster.psql(statement.replacing("%t", with: table), database: database)
      }
    }
    return "\(database): " + statements.joined(separator: "; ")
  }
}
