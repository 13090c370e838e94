import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A cluster comes back as it was at a time, at a place of its log, at a restore point: exact to the transaction; or
/// nothing is written.
@Suite struct RecoveryTests {
  /// A server with an archive and a snapshot, and orders that came after it.
  private struct Story {
    let shop: WALArchiveTests.Shop
    /// Behind the first order, and behind the second.
    let time: String
    let place: String

    init(isSealed: Bool) throws {
      shop = try WALArchiveTests.Shop(isSealed: isSealed)
      let cluster = shop.cluster
      try cluster.start()
      try cluster.psql("CREATE TABLE orders (id int)")
      try shop.holdfast("backup", cluster.data.text, "--name", "orders", "--postgres", cluster.connection)
      try cluster.psql("INSERT INTO orders VALUES (1)")
      time = try cluster.psql(
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
      try cluster.psql("SELECT pg_create_restore_point('one order')")
      try cluster.psql("INSERT INTO orders VALUES (2)")
      place = try cluster.psql("SELECT pg_current_wal_insert_lsn()")
      try cluster.psql("INSERT INTO orders VALUES (3)")
      try shop.archiveAll()
    }

    func restore(_ arguments: String..., to name: String) -> ProcessResult {
      let target = shop.cluster.directory.appending(name).text
      return shop.run(["restore", "--target", target, "--name", "orders"] + arguments) {
        $0.environment["HOLDFAST_IDENTITY_FILE"] = shop.cluster.directory.appending("identity").text
      }
    }

    /// Starts a server on a restored directory and waits until it has recovered.
    func start(_ name: String, archives: Bool = false) throws -> TestCluster {
      try RecoveryTests.start(shop.cluster.directory.appending(name), archives: archives)
    }

    /// The orders after a recovery.
    func orders(_ name: String) throws -> String {
      try start(name).psql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM orders")
    }
  }

  private static func start(_ data: Path, archives: Bool = false) throws -> TestCluster {
    let cluster = try TestCluster(restored: data)
    if !archives { cluster.set(["archive_mode": "off"]) }
    try cluster.start()
    try cluster.wait(until: "NOT pg_is_in_recovery()")
    return cluster
  }

  @Test(arguments: [false, true]) func recoveryEndsWhereItIsTold(isSealed: Bool) throws {
    let story = try Story(isSealed: isSealed)
    for (name, target, orders) in [
      ("time", ["--to-time", story.time], "1"), ("point", ["--to-name", "one order"], "1"),
      ("place", ["--to-lsn", story.place], "1 2"), ("end", ["--to-end"], "1 2 3"),
    ] {
      let result = story.shop.run(
        ["restore", "--target", story.shop.cluster.directory.appending(name).text] + target
      ) { $0.environment["HOLDFAST_IDENTITY_FILE"] = story.shop.cluster.directory.appending("identity").text }
      #expect(result.exitStatus == 0, "\(result.error)")
      #expect(result.output.contains("  when its server starts, it recovers to "), "\(result.output)")
      #expect(try story.orders(name) == orders, "\(name)")
    }
  }

  @Test func underLoadEveryTransactionUpToATimeComesBackAndNoneAfterIt() async throws {
    let shop = try WALArchiveTests.Shop(isSealed: true, settings: ["track_commit_timestamp": "on"])
    let cluster = shop.cluster
    try cluster.start()
    try cluster.initializePgbench()
    let bench = cluster.beginPgbench(clients: 2, seconds: 8)
    try shop.holdfast("backup", cluster.data.text, "--name", "orders", "--postgres", cluster.connection)
    #expect(await bench.end().exitStatus == 0)
    try cluster.pgbench(clients: 2, transactions: 500)
    try shop.archiveAll()
    for share in 1...3 {
      // Among the last thousand the one with the longest pause behind it: two clients may log their commits in another
      // order than that of their times.
      let row = try cluster.psql(
        """
        WITH t AS (SELECT pg_xact_commit_timestamp(xmin) AS at FROM pgbench_history),
          n AS (SELECT at, lead(at) OVER (ORDER BY at) - at AS pause, row_number() OVER (ORDER BY at DESC) AS i FROM t)
        SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), (SELECT count(*) FROM t WHERE t.at <= n.at)
        FROM n WHERE i > \(share) * 250 AND i <= \(share + 1) * 250 ORDER BY pause DESC LIMIT 1
        """
      ).split(separator: "|").map(String.init)
      let name = "load-\(share)"
      let result = shop.run(["restore", "--target", cluster.directory.appending(name).text, "--to-time", row[0]]) {
        $0.environment["HOLDFAST_IDENTITY_FILE"] = cluster.directory.appending("identity").text
      }
      #expect(result.exitStatus == 0, "\(result.error)")
      let restored = try Self.start(cluster.directory.appending(name))
      #expect(try restored.psql("SELECT count(*) FROM pgbench_history") == row[1])
      #expect(try restored.pgbenchSums().count == 1)
    }
  }

  @Test func whatCannotBeReachedIsRefusedBeforeAnythingIsWritten() throws {
    let story = try Story(isSealed: false)
    let directory = story.shop.cluster.directory
    func refused(_ arguments: String..., says message: String, hint: String) {
      let result = story.shop.run(
        ["restore", "--target", directory.appending("never").text, "--name", "orders"] + arguments)
      #expect(result.exitStatus == 1)
      var error = result.error
      error.replace(/\b[0-9a-f]{8}\b/, with: "ID")
      error.replace(/[0-9A-F]+\/[0-9A-F]+/, with: "LSN")
      error.replace(/[0-9A-F]{24}/, with: "SEGMENT")
      error.replace(/20[0-9T:.-]+Z/, with: "TIME")
      #expect(error == "holdfast: \(message)\nHINT: \(hint)\n")
      #expect(!TestFiles.exists(directory.appending("never")))
    }
    let reach =
      "the archive ends with SEGMENT; it can reach LSN on timeline 1 (the last record begins at LSN), where the last transaction ended at TIME"
    let hint =
      "Name a target before that, or archive what is missing: SELECT pg_switch_wal() on the server archives what it has."
    refused(
      "--to-time", "2097-01-01T00:00:00Z",
      says: "recovery from snapshot ID cannot reach 2097-01-01T00:00:00.000000Z: \(reach)".replacing(
        "2097-01-01T00:00:00.000000Z", with: "TIME"),
      hint: hint)
    refused("--to-lsn", "FF/0", says: "recovery from snapshot ID cannot reach LSN: \(reach)", hint: hint)
    refused(
      "--to-name", "no such point",
      says: "recovery from snapshot ID cannot reach the restore point \"no such point\": \(reach)", hint: hint)
    refused(
      "--to-time", "2001-01-01T00:00:00Z",
      says: "no snapshot of orders on the way to timeline 1 ended before TIME",
      hint: "Run `holdfast list` to see which snapshots there are, or name another --timeline.")
    refused(
      "--to-end", "--timeline", "7", says: "timeline 7 is not archived for orders",
      hint: "Run `holdfast wal status` to see which there are.")
    // With a hole in the log nothing behind it can be reached.
    let last = try story.shop.archiveAll()
    let hole = try #require(
      TestFiles.allFiles(in: story.shop.repository).filter { $0.text.hasSuffix(".json") && $0.text.contains("/wal/") }
        .dropLast().last)
    TestFiles.remove(hole)
    refused(
      "--to-end",
      says:
        "recovery from snapshot ID cannot reach the end of the archive: SEGMENT is missing in the archive, though SEGMENT is there; it can reach LSN on timeline 1 (the last record begins at LSN)",
      hint: hint)
    #expect(last.count == 24)
    let status = story.shop.run(["wal", "status"])
    #expect(status.exitStatus == 0)
    #expect(status.output.contains("    GAP: "))
    #expect(status.output.contains(", and ends there: "))
  }

  /// Its other spellings are those of `RecoveryOptionTests`.
  @Test func aTimeIsTakenAsPostgreSQLPrintsIt() {
    let tool = Tool()
    tool.run("init", "--unsealed")
    let result = tool.run("restore", "--target", "t", "--to-time", "2026-11-28 15:04:05.123456+05:30")
    // The command line was understood: what is wrong is that nothing is there.
    #expect(result.exitStatus == 1, "\(result.error)")
  }

  @Test func aDryRunSaysWhatItWouldDoAndDoesNothing() throws {
    let story = try Story(isSealed: false)
    let result = story.restore("--to-name", "one order", "--dry-run", to: "dry")
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(result.output.contains("it would recover to the restore point \"one order\" on timeline 1, reading "))
    #expect(result.output.contains("\n    recovery_target_name = 'one order'\n    recovery_target_inclusive = 'on'\n"))
    #expect(!TestFiles.exists(story.shop.cluster.directory.appending("dry")))
  }

  /// With fewer connections than the log was written with, a server breaks the recovery off.
  @Test func settingsThatWereRaisedAfterTheSnapshotAreRaisedInTheCopy() throws {
    let shop = try WALArchiveTests.Shop(isSealed: false, settings: ["max_connections": "20"])
    let cluster = shop.cluster
    try cluster.start()
    try cluster.psql("CREATE TABLE orders (id int)")
    try shop.holdfast("backup", cluster.data.text, "--name", "orders", "--postgres", cluster.connection)
    try cluster.stop()
    cluster.set(["max_connections": "50"])
    try cluster.start()
    try cluster.psql("INSERT INTO orders VALUES (1)")
    try shop.archiveAll()
    let target = cluster.directory.appending("raised")
    let result = shop.run(["restore", "--target", target.text, "--to-end"])
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(result.output.contains("max_connections = 50 or more, as the log asks for"))
    let settings = String(decoding: TestFiles.read(target.appending("postgresql.auto.conf")) ?? [], as: UTF8.self)
    #expect(settings.contains("\nmax_connections = '50'\n") && !settings.contains("max_wal_senders"))
    let restored = try Self.start(target)
    #expect(try restored.psql("SELECT id FROM orders") == "1")
    #expect(try restored.psql("SHOW max_connections") == "50")
  }

  @Test func aSecondRecoveryFollowsTheTimelineOfTheFirst() throws {
    let story = try Story(isSealed: false)
    #expect(story.restore("--to-name", "one order", to: "first").exitStatus == 0)
    let first = try story.start("first", archives: true)
    try first.psql("INSERT INTO orders VALUES (4)")
    let segment = try first.psql("SELECT pg_walfile_name(pg_create_restore_point('on the second timeline'))")
    try first.psql("SELECT pg_switch_wal()")
    try first.wait(until: "last_archived_wal >= '\(segment)' FROM pg_stat_archiver")
    let json = story.restore("--to-end", "--json", to: "second")
    #expect(json.exitStatus == 0 && json.output.contains("\"timeline\" : 2"), "\(json.error)")
    #expect(try story.orders("second") == "1 4")
    // The first timeline is still there for who wants it.
    #expect(story.restore("--to-end", "--timeline", "1", to: "third").exitStatus == 0)
    #expect(try story.orders("third") == "1 2 3")
    let status = story.shop.run(["wal", "status"]).output
    #expect(status.contains("  timeline 1  ") && status.contains("  timeline 2  "))
    #expect(status.contains(" on timeline 2, "))
  }

  @Test func aRestoreOverABrokenClusterRecoversAsWell() throws {
    let story = try Story(isSealed: false)
    #expect(story.restore("--to-end", to: "again").exitStatus == 0)
    #expect(try story.orders("again") == "1 2 3")
    // What the last recovery left in the settings must not stand in the way of this one.
    let result = story.restore("--to-name", "one order", "--delta", to: "again")
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(try story.orders("again") == "1")
  }

  @Test func thePowerMayFailBeforeAServerFindsACluster() throws {
    let story = try Story(isSealed: false)
    let target = story.shop.cluster.directory.appending("cut")
    let start = story.shop.cluster.start([
      "env", "HOLDFAST_REPOSITORY=\(story.shop.repository.text)", story.shop.binary.text, "restore", "--target",
      target.text, "--to-end",
    ])
    let process = RunningProcess(start)
    // As soon as the version file has its name, the signal must have it too.
    let isStopped = process.stop { TestFiles.exists(target.appending("PG_VERSION")) }
    #expect(TestFiles.exists(target.appending("recovery.signal")))
    #expect(TestFiles.exists(target.appending("postgresql.auto.conf")))
    if isStopped { process.send(SIGCONT) }
    #expect(process.wait().exitStatus == 0)
  }

  @Test(arguments: [
    (
      ["--to-end", "--to-lsn", "0/0"],
      "holdfast: --to-time, --to-lsn, --to-xid, --to-name and --to-end exclude each other"
    ),
    (
      ["--timeline", "2"],
      "holdfast: --timeline says where --to-time, --to-lsn, --to-xid, --to-name or --to-end lies, or what a --standby follows"
    ),
    (
      ["--to-time", "soon"],
      "holdfast: --to-time soon is not a time such as 2026-11-22T14:05, 2026-11-22T14:05:03+01:00 or 2026-11-22"
    ),
    (["--to-name", ""], "holdfast: --to-name is the name of a restore point: 1 to 63 bytes"),
    (
      ["--to-end", "--path", "x"],
      "holdfast: --to-time, --to-lsn, --to-xid, --to-name and --to-end exclude --path and --at"
    ),
    (
      ["--standby", "--to-end"],
      "holdfast: a --standby follows its primary without an end: it excludes --to-time, --to-lsn, --to-xid, --to-name and --to-end"
    ),
    (["--exclusive", "--to-end"], "holdfast: --exclusive is for --to-time, --to-lsn and --to-xid"),
    (
      ["--target-action", "pause", "--to-end"],
      "holdfast: --target-action is for --to-time, --to-lsn, --to-xid and --to-name"
    ),
    (["--to-xid", "2"], "holdfast: --to-xid is the number of a transaction: 3 or more"),
    (["--primary-slot", "a"], "holdfast: --primary-conninfo and --primary-slot are for a --standby"),
    (
      ["--standby", "--primary-slot", "A-b"],
      "holdfast: --primary-slot is a name of lower case letters, digits and underscores"
    ),
    (
      ["--recovery-option", "a=b"],
      "holdfast: --recovery-option is for --standby, --to-time, --to-lsn, --to-xid, --to-name and --to-end"
    ),
    (
      ["--standby", "--recovery-option", "a b=c"],
      "holdfast: --recovery-option a b=c is not like recovery_min_apply_delay=5min"
    ),
    (
      ["--standby", "--recovery-option", "Recovery_Target_Name=x"],
      "holdfast: --recovery-option cannot set Recovery_Target_Name: --to-…, --exclusive, --target-action and --timeline do"
    ),
    (
      ["--standby", "--primary-conninfo", "x", "--recovery-option", "primary_conninfo=y"],
      "holdfast: primary_conninfo is set twice"
    ),
    (
      ["--db-include", "x", "--path", "y"],
      "holdfast: --standby, --archive-mode off and --db-include exclude --path, --no-remove and --missing-only"
    ),
    (["--to-lsn", "x"], "holdfast: the value 'x' is invalid for '--to-lsn <lsn>'"),
  ])
  func whatMakesNoSenseIsRefused(_ arguments: [String], _ message: String) {
    let tool = Tool()
    let result = RunningProcess(tool.start(["restore", "--target", "x"] + arguments)).wait()
    #expect(result.exitStatus == 2)
    #expect(result.error.contains(message), "\(result.error)")
  }
}
