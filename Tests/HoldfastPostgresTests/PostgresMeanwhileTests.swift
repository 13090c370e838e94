import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What is made or done on a cluster while it is captured, and cannot be a part of the snapshot, ends the capture.
@Suite(.serialized, .timeLimit(.minutes(30))) struct PostgresMeanwhileTests {
  private let shop: TestShop

  init() throws { shop = try TestShop() }

  private func refusal(of cluster: TestCluster, isLive: Bool, _ probe: MeddlingProbe) throws -> PostgresOrEngineError? {
    do {
      try shop.backup(in: shop.repository(probe: probe)) { options in
        options.source = cluster.data
        options.name = SourceName("shop")
        if isLive { options.postgres = cluster.connection }
      }
      return nil
    } catch let error as any OperatorError {
      return PostgresOrEngineError(message: error.message, hint: error.hint)
    }
  }

  private struct PostgresOrEngineError: Equatable {
    let message: String
    let hint: String?
  }

  /// Its link would lead the restored server into the live one, and so does the log, which still makes one that is
  /// gone.
  @Test(arguments: [false, true]) func aTablespaceThatIsMadeEndsTheCapture(isDropped: Bool) throws {
    // One thread at a time uses it: this one waits for the capture.
    nonisolated(unsafe) let cluster = try TestCluster()
    try cluster.start()
    let place = cluster.directory.appending("late")
    TestFiles.makeDirectory(place)
    try TestCluster.giveToServer(place)
    let probe = MeddlingProbe(before: .open, of: "base") { time in
      guard time == 1 else { return }
      _ = try? cluster.psql("CREATE TABLESPACE late LOCATION '\(place.text)'")
      if isDropped { _ = try? cluster.psql("DROP TABLESPACE late") }
    }
    #expect(
      try refusal(of: cluster, isLive: true, probe)
        == PostgresOrEngineError(
          message: "a tablespace was made during the backup", hint: "Run the same command again."))
    #expect(probe.times > 1 && TestFiles.names(in: place).count == (isDropped ? 0 : 1))
    #expect(throws: (any Error).self) { try shop.snapshot() }
  }

  /// A server that this machine does not see, because it runs in a container of another one perhaps, is seen by what it
  /// writes.
  @Test(arguments: ["global/pg_control", "pg_wal"])
  func whatAServerThatIsNotSeenWritesEndsTheCapture(place: String) throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.stop("immediate")
    let log = try #require(TestFiles.names(in: cluster.data.appending("pg_wal")).first { $0.count == 24 })
    let written = cluster.data.appending(place == "pg_wal" ? "pg_wal/\(log)" : place)
    let control = TestFiles.read(written, at: 0, count: 8192) ?? []
    let other = try TestCluster(isUnlikeOthers: true)
    let changed = place == "pg_wal" ? control : TestFiles.read(other.data.appending(place)) ?? []
    let probe = MeddlingProbe(before: .open, of: "base") { time in
      if time == 1 { TestFiles.overwrite(written, at: 0, with: changed) }
    }
    #expect(
      try refusal(of: cluster, isLive: false, probe)
        == PostgresOrEngineError(
          message: "a PostgreSQL server was started on the source while it was captured; nothing was committed",
          hint: "Run the same command again, with --postgres while the server runs."))
    #expect(probe.times > 1)
  }

  /// Its directory is copied, and removed where it was: only the place that the capture has passed already has it, or
  /// only the one that it has not.
  @Test(arguments: ["pg_default", "fast"]) func aDatabaseThatIsMovedEndsTheCapture(origin: String) throws {
    // One thread at a time uses it: this one waits for the capture.
    nonisolated(unsafe) let cluster = try TestCluster()
    try cluster.start()
    try cluster.makeTablespace("fast")
    try cluster.psql("CREATE DATABASE orders TABLESPACE \(origin)")
    try cluster.psql("CREATE TABLE lines AS SELECT generate_series(1, 5000) AS number", database: "orders")
    let goal = origin == "fast" ? "pg_default" : "fast"
    // There and back leaves the same catalogue.
    for moves in [[goal], [goal, origin]] {
      let probe = MeddlingProbe(before: .open, of: origin == "fast" ? "global" : "base") { time in
        guard time == 1 else { return }
        for move in moves { _ = try? cluster.psql("ALTER DATABASE orders SET TABLESPACE \(move)") }
      }
      #expect(
        try refusal(of: cluster, isLive: true, probe)
          == PostgresOrEngineError(
            message: "a database was moved to another tablespace, or made from one that is gone, during the backup",
            hint: "Run the same command again."))
      #expect(probe.times > 1)
      if moves.count == 1 { try cluster.psql("ALTER DATABASE orders SET TABLESPACE \(origin)") }
    }
    #expect(throws: (any Error).self) { try shop.snapshot() }
  }

  /// The WAL copies it again, from what the snapshot has.
  @Test func aDatabaseThatIsMadeOfAnotherIsInTheSnapshot() throws {
    // One thread at a time uses it: this one waits for the capture.
    nonisolated(unsafe) let cluster = try TestCluster()
    try cluster.start()
    try cluster.makeTablespace("fast")
    try cluster.psql("CREATE DATABASE orders")
    try cluster.psql("CREATE TABLE lines AS SELECT generate_series(1, 5000) AS number", database: "orders")
    let probe = MeddlingProbe(before: .open, of: "base") { time in
      guard time == 1 else { return }
      _ = try? cluster.psql("CREATE DATABASE copied TEMPLATE orders STRATEGY file_copy TABLESPACE fast")
      _ = try? cluster.psql("CREATE DATABASE logged TEMPLATE orders STRATEGY wal_log")
    }
    #expect(try refusal(of: cluster, isLive: true, probe) == nil && probe.times > 1)
    try shop.restore(to: "restored")
    let restored = try TestCluster(restored: shop.directory.appending("restored"))
    try TestCluster.giveToServer(shop.directory.path)
    try restored.start()
    for database in ["orders", "copied", "logged"] {
      #expect(try restored.psql("SELECT count(*), sum(number) FROM lines", database: database) == "5000|12502500")
    }
  }

  /// What it was made of is in no part of the snapshot.
  @Test func aDatabaseWhoseTemplateIsDroppedEndsTheCapture() throws {
    // One thread at a time uses it: this one waits for the capture.
    nonisolated(unsafe) let cluster = try TestCluster()
    try cluster.start()
    try cluster.psql("CREATE DATABASE orders")
    let probe = MeddlingProbe(before: .open, of: "base") { time in
      guard time == 1 else { return }
      _ = try? cluster.psql("CREATE DATABASE copied TEMPLATE orders STRATEGY file_copy")
      _ = try? cluster.psql("DROP DATABASE orders")
    }
    #expect(
      try refusal(of: cluster, isLive: true, probe)?.message
        == "a database was moved to another tablespace, or made from one that is gone, during the backup")
  }

  // MARK: Timelines

  /// Nobody needs it to start what is restored.
  @Test func aTimelineWhoseHistoryIsLostIsCapturedWithAWarning() throws {
    let cluster = try TestCluster(settings: ["restore_command": "'false'"])
    TestFiles.write([], to: cluster.data.appending("standby.signal"))
    try TestCluster.giveToServer(cluster.data)
    try cluster.start()
    try cluster.run(cluster.program("pg_ctl"), "promote", "--wait", "--pgdata", cluster.data.text)
    try cluster.psql("CHECKPOINT")
    TestFiles.remove(cluster.data.appending("pg_wal/00000002.history"))
    try cluster.psql("CREATE TABLE orders AS SELECT generate_series(1, 100) AS id")
    let progress = QuietProgress()
    let report = try shop.backup(progress: progress) { options in
      options.source = cluster.data
      options.postgres = cluster.connection
    }
    #expect(report.problems == [] && report.envelope.postgres?.timeline == 2)
    #expect(
      progress.warnings == [
        "00000002.history is neither in pg_wal nor in the snapshot: the snapshot can be restored, and recover along timeline 2; snapshots of older timelines cannot recover to it, unless `holdfast wal push` has archived it"
      ])
    try shop.restore(to: "restored")
    let restored = try TestCluster(restored: shop.directory.appending("restored"))
    try TestCluster.giveToServer(shop.directory.path)
    try restored.start()
    #expect(try restored.psql("SELECT count(*) FROM orders") == "100")
  }
}
