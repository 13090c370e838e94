import HoldfastModel
import HoldfastTestSupport
import Testing

/// A cluster is restored as a standby, to a transaction, without its other databases, or with its tablespaces
/// elsewhere, as its real server then shows.
@Suite struct ClusterRestoreTests {
  /// A server with an archive and a snapshot of its orders.
  private struct Story {
    let shop: WALArchiveTests.Shop
    var cluster: TestCluster { shop.cluster }

    init(settings: [String: String] = [:], hasChecksums: Bool = true) throws {
      shop = try WALArchiveTests.Shop(isSealed: false, settings: settings, hasChecksums: hasChecksums)
      try cluster.start()
      try cluster.psql("CREATE TABLE orders (id int)")
    }

    func backUp() throws {
      try shop.holdfast("backup", cluster.data.text, "--name", "orders", "--postgres", cluster.connection)
    }

    @discardableResult
    func restore(_ arguments: String..., to name: String) throws -> String {
      let target = cluster.directory.appending(name).text
      let result = shop.run(["restore", "--target", target, "--name", "orders"] + arguments)
      guard result.exitStatus == 0 else { throw TestCluster.Failure(description: "\(arguments): \(result.error)") }
      return result.output
    }

    func refused(_ arguments: String..., to name: String) -> String {
      let target = cluster.directory.appending(name).text
      let result = shop.run(["restore", "--target", target, "--name", "orders"] + arguments)
      return result.exitStatus == 0 ? "it was done" : result.error
    }

    func server(_ name: String) throws -> TestCluster {
      try TestCluster(restored: cluster.directory.appending(name))
    }

    func settings(_ name: String) -> String {
      let file = cluster.directory.appending(name).appending("postgresql.auto.conf")
      return String(decoding: TestFiles.read(file) ?? [], as: UTF8.self)
    }
  }

  private let ids = "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), 'none') FROM orders"

  @Test func recoveryEndsWithATransactionOrBeforeIt() throws {
    let story = try Story()
    try story.backUp()
    try story.cluster.psql("INSERT INTO orders VALUES (1)")
    let number = try story.cluster.psql("INSERT INTO orders VALUES (2) RETURNING pg_current_xact_id()")
    let place = try story.cluster.psql("SELECT pg_current_wal_insert_lsn()")
    try story.cluster.psql("INSERT INTO orders VALUES (3)")
    try story.shop.archiveAll()
    // A quote with a combining mark is one character, and so is \r\n.
    let odd = #"it's \ 100% "x" #no ü'"# + "\u{301}\\\u{301}\r\n'"
    for (name, options, orders) in [
      ("with", ["--to-xid", number], "1 2"), ("without", ["--to-xid", number, "--exclusive"], "1"),
      ("place", ["--to-lsn", place, "--exclusive"], "1 2"),
    ] {
      let target = story.cluster.directory.appending(name).text
      let result = story.shop.run(
        ["restore", "--target", target, "--archive-mode", "off", "--recovery-option", "shop.note=\(odd)"] + options)
      #expect(result.exitStatus == 0, "\(result.error)")
      let server = try story.server(name)
      try server.start()
      try server.wait(until: "NOT pg_is_in_recovery()")
      #expect(try server.psql(ids) == orders, "\(name)")
      #expect(try server.psql("SHOW shop.note") == odd)
      #expect(try server.psql("SHOW archive_mode") == "off")
    }
    #expect(
      story.refused("--to-end", "--archive-mode", "off", "--recovery-option", "archive_mode=on", to: "never")
        .contains("archive_mode is set twice"))
    #expect(
      story.refused("--to-xid", "4000000", to: "never").contains(
        " cannot reach the end of transaction 4000000: the archive ends"))
    // A paused server shows what is there, and goes on when it is told.
    try story.restore("--to-xid", number, "--target-action", "pause", "--archive-mode", "off", to: "paused")
    let paused = try story.server("paused")
    try paused.start()
    try paused.wait(until: "pg_get_wal_replay_pause_state() = 'paused'")
    #expect(try paused.psql(ids) == "1 2")
    try paused.psql("SELECT pg_wal_replay_resume()")
    try paused.wait(until: "NOT pg_is_in_recovery()")
  }

  @Test func aStandbyFollowsItsPrimary() throws {
    let story = try Story(settings: ["wal_keep_size": "'0'"])
    try story.backUp()
    try story.cluster.psql("INSERT INTO orders VALUES (1)")
    try story.shop.archiveAll()
    try story.cluster.psql("CHECKPOINT; SELECT pg_create_physical_replication_slot('copy')")
    let primary = story.cluster.connection + #" application_name='the copy' password='it\'s'"#
    let options = ["--standby", "--primary-conninfo", primary, "--primary-slot", "copy"]
    let target = story.cluster.directory.appending("standby")
    func restore(_ more: String...) throws -> String {
      let result = story.shop.run(["restore", "--target", target.text, "--name", "orders"] + options + more)
      guard result.exitStatus == 0 else { throw TestCluster.Failure(description: result.error) }
      return result.output
    }
    let plan = try restore("--dry-run")
    #expect(plan.contains("  when its server starts, it would be a standby, reading "), "\(plan)")
    #expect(plan.contains("\n    primary_conninfo = (it may hold a password)\n    primary_slot_name = 'copy'\n"))
    #expect(!TestFiles.exists(target))
    #expect(!(try restore()).contains("password="))
    #expect(
      TestFiles.exists(target.appending("standby.signal")) && !TestFiles.exists(target.appending("recovery.signal")))
    for order in 2...3 {
      let standby = try story.server("standby")
      try standby.start()
      try story.cluster.wait(until: "EXISTS (SELECT FROM pg_stat_replication WHERE application_name = 'the copy')")
      try story.cluster.psql("INSERT INTO orders VALUES (\(order))")
      try standby.wait(until: "EXISTS (SELECT FROM orders WHERE id = \(order))")
      #expect(try standby.psql("SHOW primary_conninfo") == primary)
      try standby.stop()
      // The same over what is there.
      if order == 2 { #expect(try restore("--delta", "--json").contains("\"clusterSettings\" : [")) }
    }
    #expect(story.settings("standby").ranges(of: "\nprimary_conninfo").count == 1)
    // Over the standby, to a recovery.
    try story.restore("--to-end", "--delta", to: "standby")
    #expect(
      !TestFiles.exists(target.appending("standby.signal")) && TestFiles.exists(target.appending("recovery.signal")))
  }

  @Test func otherDatabasesBecomeZerosAndCanBeDropped() throws {
    let story = try Story()
    // One of the server's own that was made anew has an OID as those of users have.
    for statement in [
      "ALTER DATABASE template1 IS_TEMPLATE false", "DROP DATABASE template1",
      "CREATE DATABASE template1 TEMPLATE template0 IS_TEMPLATE true", "CREATE DATABASE stock",
      "CREATE DATABASE \"big one\"",
    ] {
      try story.cluster.psql(statement)
    }
    try story.cluster.psql("CREATE TABLE t AS SELECT generate_series(1, 100000) i", database: "stock")
    try story.cluster.psql("CREATE TABLE t AS SELECT generate_series(1, 100000) i", database: "'big one'")
    let big = try story.cluster.psql("SELECT oid FROM pg_database WHERE datname = 'big one'")
    try story.backUp()
    try story.cluster.psql("INSERT INTO orders VALUES (1)")
    try story.cluster.psql("INSERT INTO t SELECT 7; UPDATE t SET i = 8 WHERE i < 2000", database: "'big one'")
    try story.cluster.psql("VACUUM t", database: "'big one'")
    try story.cluster.psql("INSERT INTO t VALUES (100001)", database: "stock")
    try story.shop.archiveAll()
    let output = try story.restore("--to-end", "--db-include", "stock", "--archive-mode", "off", to: "part")
    #expect(output.contains("  database \(big) (big one) becomes zeros: DROP DATABASE it when the server runs"))
    let server = try story.server("part")
    try server.start()
    try server.wait(until: "NOT pg_is_in_recovery()")
    #expect(try server.psql("SELECT count(*) FROM t", database: "stock") == "100001")
    #expect(try server.psql(ids) == "1")
    #expect(try server.psql("SELECT count(*) > 100 FROM pg_class", database: "template1") == "t")
    #expect(throws: (any Error).self) { try server.psql("SELECT 1", database: "'big one'") }
    try server.psql("DROP DATABASE \"big one\"")
    #expect(try server.psql("SELECT count(*) FROM pg_database WHERE datname = 'big one'") == "0")
    try server.stop()
    // Over it, the other one alone: by its OID.
    try story.restore("--db-include", big, "--delta", "--yes", "--archive-mode", "off", to: "part")
    let other = try story.server("part")
    try other.start()
    #expect(try other.psql("SELECT count(*) FROM t", database: "'big one'") == "100000")
    #expect(throws: (any Error).self) { try other.psql("SELECT 1", database: "stock") }
    let message = story.refused("--db-include", "no such", to: "never")
    #expect(message.contains("HINT: It has stock ("), "\(message)")
    try story.cluster.stop()
    story.cluster.set(["full_page_writes": "off"])
    try story.cluster.start()
    try story.backUp()
    #expect(story.refused("--db-include", "stock", to: "never").contains("full_page_writes = on"))
  }

  /// Then VACUUM logs that a page is visible to all without an image of the page.
  @Test func zerosNeedALogWithImages() throws {
    let story = try Story(hasChecksums: false)
    try story.cluster.psql("CREATE DATABASE stock")
    try story.cluster.psql("CREATE TABLE t AS SELECT generate_series(1, 5000) i", database: "stock")
    try story.backUp()
    try story.cluster.psql("INSERT INTO orders VALUES (1)")
    try story.cluster.psql("VACUUM t", database: "stock")
    try story.shop.archiveAll()
    let options = ["--to-end", "--db-include", "postgres", "--archive-mode", "off"]
    let target = story.cluster.directory.appending("part")
    let words = ["restore", "--target", target.text, "--name", "orders"] + options
    let refused = story.shop.run(words)
    #expect(refused.exitStatus == 2 && refused.error.contains("page checksums or wal_log_hints"), "\(refused.error)")
    #expect(!TestFiles.exists(target.appending("PG_VERSION")))
    let done = story.shop.run(words + ["--recovery-option", "ignore_invalid_pages=on"])
    #expect(done.exitStatus == 0, "\(done.error)")
    let server = try story.server("part")
    try server.start()
    try server.wait(until: "NOT pg_is_in_recovery()")
    #expect(try server.psql(ids) == "1")
    #expect(server.log.contains("is uninitialized"), "the log had such a page: \(server.log)")
  }

  /// The words are those with which Patroni calls.
  @Test func patroniMakesItsNodes() throws {
    let story = try Story()
    try story.backUp()
    try story.cluster.psql("INSERT INTO orders VALUES (1)")
    try story.shop.archiveAll()
    func patroni(_ command: String, _ place: Path, _ more: [String]) -> ProcessResult {
      story.shop.run(["patroni", command] + more + ["--scope=orders", "--datadir=\(place.text)"])
    }
    let node = story.cluster.directory.appending("node")
    let options = ["--timeline", "1", "--recovery-option", "shop.note=first", "--archive-mode", "off"]
    let made = patroni("bootstrap", node, options)
    #expect(made.exitStatus == 0, "\(made.error)")
    let first = try story.server("node")
    try first.start()
    try first.wait(until: "NOT pg_is_in_recovery()")
    #expect(try first.psql(ids) == "1")
    #expect(try first.psql("SHOW shop.note") == "first")
    try first.stop()
    // Over the cluster that lies there, without a leader.
    let replica = ["--role=replica", "--connstring=", "--keep_data=True", "--no_leader=True"]
    let foreign = node.appending("foreign")
    TestFiles.write("x", to: foreign)
    let over = patroni("replica", node, replica)
    #expect(over.exitStatus == 0, "\(over.error)")
    #expect(!TestFiles.exists(foreign) && TestFiles.exists(node.appending("standby.signal")))
    #expect(!TestFiles.exists(node.appending("recovery.signal")))
    let connection = ["--role=replica", "--connstring=dbname=postgres user=re host=127.0.0.1 port=5432"]
    let empty = story.cluster.directory.appending("empty")
    #expect(patroni("replica", empty, connection).exitStatus == 0)
    #expect(TestFiles.exists(empty.appending("standby.signal")))
    // What is no cluster is not written over.
    for (name, stray) in [("stray", "PG_VERSION"), ("other", "global/pg_control")] {
      let place = story.cluster.directory.appending(name)
      TestFiles.makeDirectory(place)
      if stray.contains("/") { TestFiles.makeDirectory(place.appending("global")) }
      TestFiles.write("15\n", to: place.appending(stray))
      try TestCluster.giveToServer(place)
      let refused = patroni("replica", place, replica)
      #expect(refused.exitStatus != 0 && TestFiles.exists(place.appending(stray)), "\(refused.error)")
    }
  }

  @Test func allTablespacesGoBelowOneDirectory() throws {
    let story = try Story()
    let tablespace = try story.cluster.makeTablespace("fast")
    try story.cluster.psql("CREATE TABLE quick TABLESPACE fast AS SELECT 5 AS i")
    try story.backUp()
    let root = story.cluster.directory.appending("spaces")
    try story.restore("--tablespace-all", root.text, "--archive-mode", "off", to: "moved")
    #expect(!TestFiles.names(in: root.appending(tablespace.oid)).isEmpty)
    let server = try story.server("moved")
    try server.start()
    #expect(try server.psql("SELECT i FROM quick") == "5")
    #expect(
      try server.psql("SELECT pg_tablespace_location(\(tablespace.oid))") == root.appending(tablespace.oid).text)
    #expect(try server.psql("SHOW archive_mode") == "off")
    #expect(!TestFiles.exists(server.data.appending("recovery.signal")))
  }
}
