import HoldfastModel
import HoldfastSetup
import HoldfastTestSupport
import Testing

/// A PostgreSQL cluster whose server runs is captured through it, and opened by a private server.
@Suite struct SetupPostgresTests {
  @Test func aRunningClusterIsBackedUpAndProved() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.psql("CREATE TABLE orders (id int)")
    let binary = try cluster.copy(of: Tool.binary, as: "holdfast")
    let places = cluster.directory
    func setup(_ arguments: String...) -> ProcessResult {
      var start = RunningProcess.Start(
        [binary.text, "setup", cluster.data.text, "-r", "repository", "--unsealed", "--no-schedule"] + arguments)
      start.environment = RunningProcess.plainEnvironment
      for name in ["STATE", "CACHE", "CONFIG"] {
        start.environment["HOLDFAST_\(name)_DIR"] = places.appending(name.lowercased()).text
      }
      start.directory = places.path
      return RunningProcess(start).wait()
    }
    let unsaid = setup()
    #expect(
      unsaid.exitStatus == 2
        && unsaid.error
          == "holdfast: a PostgreSQL server runs on the cluster in the source, and there is no terminal to ask how to reach it\nHINT: Say --postgres CONNINFO, for example: --postgres 'host=/var/run/postgresql user=postgres'\n",
      "\(unsaid.error)")
    #expect(unsaid.output.contains(": a cluster of PostgreSQL ") && unsaid.output.contains(", in use; "))
    let drills = places.appending("drills")
    let secret = setup("--name", "orders", "--postgres", "host=/nowhere password=secret", "--dry-run")
    #expect(
      secret.exitStatus == 2
        && secret.error.hasSuffix(
          "holdfast: the connection string of --postgres has a password in it\nHINT: Put the password into ~/.pgpass of each user who runs holdfast, or into a file that passfile= in the string names, and say --postgres without it: whoever runs `holdfast wal push` must be able to read the configuration.\n"
        ), "\(secret.error)")
    #expect(!secret.error.contains("secret") && !secret.output.contains("secret"))
    let made = setup("--name", "orders", "--postgres", cluster.connection, "--drill-in", drills.text)
    #expect(made.exitStatus == 0, "\(made.error)\n\(made.output)")
    #expect(made.output.contains("\ntrial restore  passed: "), "\(made.output)")
    let configuration = places.appending("config/holdfast.yaml")
    let text = String(decoding: TestFiles.read(configuration) ?? [], as: UTF8.self)
    #expect(text.contains("    postgres: \"\(cluster.connection)\"\n"))
    #expect(TestFiles.permissions(configuration) == 0o644, "the server's user reads it for `wal push`")
    #expect(
      setup("--name", "orders", "--drill-in", drills.text).exitStatus == 0, "the configuration knows how to reach it")
  }

  @Test(arguments: [
    ("host=/run user=postgres", false), ("host=a sslpassword = x", true), ("postgresql://shop@db/orders", false),
    ("postgresql://shop:x@db/orders", true), ("postgres://db:5432,other:5432/a@b", false),
    ("postgres://db/orders?password=x", true),
  ]) func passwordsAreSeen(_ connection: String, _ holds: Bool) {
    #expect(ConnectionText.holdsPassword(connection) == holds)
  }

  @Test func aSourceWithoutAClusterNeedsNoServer() throws {
    let shop = try SetupShop()
    let told = shop.setup("source", "-r", "repository", "--unsealed", "--no-schedule", "--postgres", "host=/nowhere")
    #expect(
      told.refusal(shop)
        == "2 holdfast: there is no PostgreSQL data directory in DIR/source\nHINT: Name the data directory as the source, or leave out --postgres.\n"
    )
  }

  /// What cannot work is not written into a configuration, from which nobody could go on.
  @Test func aServerThatCannotBeReachedIsFoundBeforeAnythingIsMade() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let shop = try SetupShop()
    let failed = shop.setup(
      cluster.data.text, "-r", "repository", "--key-file", "recovery.key", "--no-schedule", "--postgres",
      "host=/nowhere user=postgres")
    let told = failed.refusal(shop)
    #expect(told.hasPrefix("1 holdfast: cannot connect to PostgreSQL\nHINT: "), "\(told)")
    #expect(TestFiles.names(in: shop.tool.directory.path).sorted() == ["root", "source"])
    let made = shop.setup(
      cluster.data.text, "-r", "repository", "--key-file", "recovery.key", "--no-schedule", "--postgres",
      cluster.connection, "--drill-in", cluster.directory.appending("drills").text)
    #expect(made.exitStatus == 0, "\(made.error)")
  }

  @Test func aClusterWithoutAServerIsBackedUpWithAWarning() throws {
    let cluster = try TestCluster()
    let shop = try SetupShop()
    let made = shop.setup(
      cluster.data.text, "-r", "repository", "--unsealed", "--no-schedule", "--drill-in",
      cluster.directory.appending("drills").text)
    #expect(made.exitStatus == 0, "\(made.error)")
    #expect(
      made.error.contains(
        "holdfast: WARNING: no server runs on the PostgreSQL cluster now; while one does, snapshots need `postgres` of the source in the configuration, or --postgres now\n"
      ), "\(made.error)")
  }

  @Test func onATerminalTheServerIsFoundByItsSocket() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let shop = try SetupShop()
    let (result, shown) = shop.atTerminal(
      [
        cluster.data.text, "-r", "repository", "--unsealed", "--no-schedule", "--compression", "none", "--drill-in",
        cluster.directory.appending("drills").text,
      ],
      [
        (
          "Connection string of the PostgreSQL server that runs on it? [host=\(cluster.directory.path.text) port=5432 user=postgres dbname=postgres] ",
          ""
        ), ("Type yes to go on: ", "yes"),
      ])
    #expect(result.exitStatus == 0, "\(shown)")
    #expect(result.output.contains("\ntrial restore  passed: "), "\(result.output)")
  }
}
