import HoldfastDoctor
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// `check` logs in to the database server, looks what the role may do, and lets a segment of the log go into the
/// repository.
@Suite struct DatabaseTrialTests {
  /// A machine whose source is the data directory of a cluster, and a repository to which the server's user pushes.
  private struct Shop {
    let site = Site()
    let cluster: TestCluster
    private let binary: Path

    /// - Parameter archives: true if `archive_mode` is on.
    init(archives: Bool) throws {
      cluster = try TestCluster(options: ["--data-checksums", "--wal-segsize=1"])
      binary = try cluster.copy(of: Tool.binary, as: "holdfast")
      if archives { cluster.set(["archive_mode": "on", "archive_command": "'\(push)'"]) }
      var start = cluster.start([binary.text, "init", "--unsealed"])
      start.environment.merge(variables) { $1 }
      let made = RunningProcess(start).wait()
      guard made.exitStatus == 0 else { throw TestCluster.Failure(description: made.error) }
      try cluster.start()
      configure(cluster.connection)
    }

    private var variables: [String: String] {
      let places = cluster.directory
      return [
        "HOLDFAST_REPOSITORY": places.appending("repository").text,
        "HOLDFAST_STATE_DIR": places.appending("state").text,
        "HOLDFAST_CACHE_DIR": places.appending("cache").text,
        "HOLDFAST_CONFIG_DIR": places.appending("configuration").text,
      ]
    }

    var push: String {
      let words = variables.map { "\($0)=\($1)" }.sorted().joined(separator: " ")
      return "env \(words) \(binary.text) wal push %p --name orders"
    }

    /// - Parameter connection: `nil` if the source has none.
    func configure(_ connection: String?, source: Path? = nil) {
      let postgres = connection.map { ", postgres: '\($0)'" } ?? ""
      site.configure(
        """
        repositories: {shop: {path: \(cluster.directory.appending("repository").text)}}
        sources: {orders: {path: \((source ?? cluster.data).text)\(postgres)}}
        """)
    }

    func lines(
      _ kind: TrialGroup.Kind, configure: (inout Doctor.Options) -> Void = { _ in }
    ) throws -> [String] {
      try site.lines(kind, configure: configure).map {
        $0.replacing(cluster.directory.path.text, with: "DIR").replacing(/PostgreSQL \d+[.\d]*/, with: "PostgreSQL N")
          .replacing(/\b[0-9A-F]{24}\b/, with: "SEGMENT").replacing(/\d+(\.\d+)? s$/, with: "SECONDS")
      }
    }
  }

  @Test func aSegmentArrivesAndFailuresAreNamed() throws {
    let shop = try Shop(archives: true)
    #expect(
      try shop.lines(.database) == [
        "ok login: PostgreSQL N on DIR/data lets postgres in",
        "ok rights: postgres may begin and end a backup, and make a replication slot",
      ])
    #expect(try shop.lines(.log) == ["ok round trip: SEGMENT was in the repository after SECONDS"])
    // The second one finds nothing written since, and makes a segment all the same.
    #expect(try shop.lines(.log) == ["ok round trip: SEGMENT was in the repository after SECONDS"])

    let before = try shop.cluster.psql("SELECT pg_current_wal_insert_lsn()")
    #expect(
      try shop.lines(.log) { $0.writes = false }
        == ["notTried round trip: it would end a segment of the log (--no-write)"])
    #expect(try shop.cluster.psql("SELECT pg_current_wal_insert_lsn()") == before, "nothing was written")

    func archive(by command: String) throws {
      try shop.cluster.psql("ALTER SYSTEM SET archive_command = '\(command)'")
      try shop.cluster.psql("SELECT pg_reload_conf()")
      try shop.cluster.wait(until: "current_setting('archive_command') = '\(command)'")
    }
    try archive(by: "true")
    #expect(
      try shop.lines(.log) { $0.logPatience = .seconds(1) } == [
        "failed round trip: SEGMENT was not in the repository after SECONDS\nHINT: See whether `SHOW archive_command` calls `holdfast wal push %p --name orders` for this repository."
      ])
    try archive(by: "false")
    #expect(
      try shop.lines(.log) == [
        "failed round trip: the server's archive_command fails for SEGMENT\nHINT: The log of the server says why. See what `SHOW archive_command` shows, and run it as the server's user."
      ])
  }

  @Test func aRoleWithoutRightsIsToldWhatToGrant() throws {
    let shop = try Shop(archives: false)
    try shop.cluster.psql("CREATE ROLE keeper LOGIN")
    shop.configure(shop.cluster.connection.replacing("user=postgres", with: "user=keeper"))
    let rights = try shop.lines(.database)[1]
    let parts = try #require(
      rights.wholeMatch(
        of: /failed rights: keeper may not call (.+)\nHINT: As a superuser: (GRANT EXECUTE ON FUNCTION (.+) TO keeper;)/
      ),
      "\(rights)")
    #expect(parts.1 == parts.3)
    try shop.cluster.psql(String(parts.2))
    #expect(
      try shop.lines(.database)[1]
        == "warning rights: keeper may not make a replication slot: the server may remove log that a capture still needs\nHINT: As a superuser: ALTER ROLE keeper REPLICATION;"
    )
    try shop.cluster.psql("ALTER ROLE keeper REPLICATION")
    #expect(
      try shop.lines(.database)[1] == "ok rights: keeper may begin and end a backup, and make a replication slot")
    #expect(
      try shop.lines(.log) == [
        "notTried round trip: archive_mode is off: a restore goes back to snapshots, and to no moment between them\nHINT: Let archive_command call `holdfast wal push %p --name orders` if it should."
      ])
  }

  @Test func aRoleThatMayNotEndSegmentsIsToldSo() throws {
    let shop = try Shop(archives: true)
    try shop.cluster.psql("CREATE ROLE keeper LOGIN")
    shop.configure(shop.cluster.connection.replacing("user=postgres", with: "user=keeper"))
    #expect(
      try shop.lines(.log) == [
        "notTried round trip: keeper may not end a segment of the log\nHINT: As a superuser: GRANT EXECUTE ON FUNCTION pg_switch_wal() TO keeper;"
      ])
    try shop.cluster.psql("GRANT EXECUTE ON FUNCTION pg_switch_wal() TO keeper")
    #expect(try shop.lines(.log) == ["ok round trip: SEGMENT was in the repository after SECONDS"])
  }

  @Test func theWrongDirectoryAndAServerWithoutALoginAreNamed() throws {
    let shop = try Shop(archives: false)
    shop.configure(shop.cluster.connection, source: shop.site.orders)
    #expect(
      try shop.lines(.database)[0]
        == "failed login: there is no PostgreSQL data directory in DIR/orders\nHINT: Name the data directory as the source, or take `postgres` out of its configuration."
    )
    shop.configure(nil, source: shop.site.orders)
    // Variables of libpq may be there for other programs.
    #expect(
      try shop.site.lines(.database, ["PGHOST": "/nowhere"])
        == ["notTried login: there is no PostgreSQL data directory in DIR/orders"])
    shop.configure(nil)
    #expect(try shop.lines(.database) == [])
    #expect(
      try shop.lines(.source).contains(
        "failed database: a PostgreSQL server runs on DIR/data, and `postgres` is not configured: a plain copy is worth nothing\nHINT: Add `postgres: \u{27}host=/var/run/postgresql user=postgres\u{27}` to the source, or leave it out below `exclude`."
      ))
    try shop.cluster.stop()
    shop.configure(shop.cluster.connection)
    let away = try shop.lines(.database)[0]
    #expect(
      away.hasPrefix("failed login: cannot connect to PostgreSQL\nHINT: Give --postgres what psql needs"), "\(away)")
    shop.configure("postgresql://keeper:geheim@127.0.0.1:1/?connect_timeout=1&oops")
    for kind in [TrialGroup.Kind.database, .log] {
      #expect(
        try shop.lines(kind)[0].hasSuffix(
          ": cannot connect to PostgreSQL\nHINT: See what `psql` says with the connection string of the source orders.")
      )
    }
  }
}
