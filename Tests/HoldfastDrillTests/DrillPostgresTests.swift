import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A drill of a PostgreSQL cluster: a private server recovers to the end of the archived log, and the live one does not
/// notice.
@Suite struct DrillPostgresTests {
  @Test func aClusterIsRecoveredToTheEndOfItsLogAndAsked() throws {
    let cluster = try TestCluster(
      settings: ["wal_keep_size": "'1GB'"], options: ["--data-checksums", "--wal-segsize=1"])
    let binary = try cluster.copy(of: Tool.binary, as: "holdfast")
    let places = cluster.directory
    func variables(_ owner: String) -> [String: String] {
      [
        "HOLDFAST_REPOSITORY": places.appending("repository").text,
        "HOLDFAST_STATE_DIR": places.appending("state-\(owner)").text,
        "HOLDFAST_CACHE_DIR": places.appending("cache-\(owner)").text,
        "HOLDFAST_CONFIG_DIR": places.appending("configuration-\(owner)").text,
      ]
    }
    /// As the server's user, who takes the backups.
    func holdfast(_ arguments: String...) throws {
      var start = cluster.start([binary.text] + arguments)
      start.environment.merge(variables("server")) { $1 }
      let result = RunningProcess(start).wait()
      guard result.exitStatus == 0 else { throw TestCluster.Failure(description: "\(arguments): \(result.error)") }
    }
    let words = variables("server").map { "\($0)=\($1)" }.sorted().joined(separator: " ")
    cluster.set([
      "archive_mode": "on", "archive_command": "'env \(words) \(binary.text) wal push %p --name orders'",
    ])
    try holdfast("init", "--unsealed")
    try cluster.start()
    try cluster.psql("CREATE DATABASE shop")
    try cluster.psql("CREATE TABLE orders (id int, placed timestamptz DEFAULT now())", database: "shop")
    try holdfast("backup", cluster.data.text, "--name", "orders", "--postgres", cluster.connection)
    // It comes after the snapshot, so only the log has it. An assertion about its time counts from the end of the log.
    try cluster.psql("SELECT pg_sleep(4); INSERT INTO orders VALUES (1, clock_timestamp())", database: "shop")
    let last = try cluster.psql("SELECT pg_walfile_name(pg_create_restore_point('end'))")
    try cluster.psql("SELECT pg_switch_wal()")
    #expect(
      Pseudoterminal().waits {
        (try? cluster.psql("SELECT last_archived_wal >= '\(last)' FROM pg_stat_archiver")) == "t"
      }, "\(cluster.log)")
    let archived = try cluster.psql("SELECT archived_count FROM pg_stat_archiver")

    func drill(_ arguments: String...) -> ProcessResult {
      // As root where the tests run so: then the private server runs as the owner of the cluster.
      var start = RunningProcess.Start([binary.text, "drill", "orders"] + arguments)
      start.environment.merge(variables("drill")) { $1 }
      start.environment["HOLDFAST_REPOSITORY"] = "shop"
      start.environment["PATH"] = RunningProcess.plainEnvironment["PATH"]
      // What leads psql to the live server does not lead the drill there.
      start.environment["PGHOSTADDR"] = "127.0.0.1"
      start.environment["PGOPTIONS"] = "-c statement_timeout=1"
      start.directory = places.path
      return RunningProcess(start).wait()
    }
    let configuration = places.appending("configuration-drill")
    TestFiles.makeDirectory(configuration)
    TestFiles.write(
      """
      repositories: {shop: {path: \(places.appending("repository"))}}
      sources:
        orders:
          path: \(cluster.data)
          drill: {database: shop, assertions: [{sql: SELECT max(placed) FROM orders, within: 3s}]}
      """, to: configuration.appending("holdfast.yaml"))
    TestFiles.setMode(configuration.appending("holdfast.yaml"), 0o600)
    let place = places.appending("drills")
    let passed = drill(
      "--in", place.text, "--assert", "SELECT count(*) FROM orders WHERE placed < now()", "--assert",
      "SELECT NOT pg_is_in_recovery()", "--assert", "SELECT current_setting('archive_mode') = 'off'")
    #expect(passed.exitStatus == 0, "\(passed.error)")
    #expect(passed.output.contains("to the end of the log, \(last)"), "\(passed.output)")
    #expect(passed.output.contains("pg_amcheck") && passed.output.contains("4 assertions hold"), "\(passed.output)")
    let own = place.appending("holdfast-drill-orders")
    #expect(TestFiles.names(in: own).sorted() == ["lock", "log"])
    let log = String(decoding: TestFiles.read(own.appending("log")) ?? [], as: UTF8.self)
    #expect(log.contains("archive recovery complete"), "\(log)")
    #expect(try cluster.psql("SELECT archived_count FROM pg_stat_archiver") == archived, "the live one is not touched")

    // Damage of the archive is a failed drill, whoever meets it.
    let files = TestFiles.allFiles(in: places.appending("repository/wal"))
    let bodies = files.filter { !$0.text.hasSuffix(".json") }
    #expect(!bodies.isEmpty)
    for body in bodies {
      let size = Int(try #require(TestFiles.status(body)?.size))
      TestFiles.overwrite(body, at: size / 2, with: [UInt8](repeating: 0x5a, count: size - size / 2))
    }
    let damaged = drill("--in", place.text)
    #expect(
      damaged.exitStatus == 21 && damaged.error.contains("the drill failed at "),
      "\(damaged.exitStatus): \(damaged.error)")

    // What the archive lacks in the middle fails the drill before anything is restored.
    let segments = files.filter { $0.text.hasSuffix(".json") }
    #expect(!segments.isEmpty)
    for segment in segments { TestFiles.remove(segment) }
    let failed = drill("--in", place.text)
    #expect(failed.exitStatus == 22 || failed.exitStatus == 21, "\(failed.exitStatus): \(failed.error)")
  }
}
