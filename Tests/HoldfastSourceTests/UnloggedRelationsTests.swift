import Glibc
import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Of a relation that is not logged a snapshot has the initial fork alone: with more a recovering server gives up.
@Suite struct UnloggedRelationsTests {
  private func relations(_ made: ClusterSkeleton) throws -> UnloggedRelations {
    UnloggedRelations(in: try made.cluster().live(), root: made.source, files: made.files)
  }

  /// The server itself says where its relations lie.
  @Test func theRelationsOfARealServer() throws {
    let server = try TestCluster()
    try server.start()
    try server.makeTablespace("fast")
    for statement in [
      "CREATE UNLOGGED TABLE carts (id int PRIMARY KEY, note text)",
      "CREATE TABLE orders (id int PRIMARY KEY, note text)",
      "CREATE UNLOGGED TABLE visits (id int) TABLESPACE fast", "CREATE TABLE invoices (id int) TABLESPACE fast",
    ] {
      try server.psql(statement)
    }
    let files = FileSystem()
    let root = try files.open(server.data, .directory)
    let cluster = try #require(try PostgresCluster(holding: Path("PG_VERSION"), in: root, files: files))
    var unlogged = UnloggedRelations(in: cluster.live(), root: root, files: files)
    unlogged.look()
    #expect(unlogged.problems.isEmpty)
    for (name, isUnlogged) in [
      ("carts", true), ("carts_pkey", true), ("visits", true), ("orders", false), ("orders_pkey", false),
      ("invoices", false), ("pg_class", false),
    ] {
      // A snapshot has a tablespace under another name.
      let place = try server.psql("SELECT pg_relation_filepath('\(name)')").replacing(
        "pg_tblspc/", with: "tablespaces/")
      for suffix in ["", ".1", "_fsm", "_vm", "_vm.2"] {
        #expect(unlogged.contains(Path(place + suffix)) == isUnlogged, "\(name)\(suffix)")
      }
      #expect(!unlogged.contains(Path(place + "_init")), "the initial fork of \(name)")
    }
  }

  @Test(arguments: ["", "data"]) func aForkThatWasThereAtAnyTimeCounts(place: String) throws {
    let made = try ClusterSkeleton(at: place)
    var unlogged = try relations(made)
    unlogged.look()
    #expect(!unlogged.contains(made.inSource("base/1/7")))
    made.write("base/1/7_init")
    #expect(!unlogged.contains(made.inSource("base/1/7")), "nobody has looked since")
    unlogged.look()
    TestFiles.remove(made.path("base/1/7_init"))
    made.write("base/1/8_init")
    unlogged.look()
    for name in ["7", "7.1", "7_fsm", "8", "8_vm.3"] {
      #expect(unlogged.contains(made.inSource("base/1/\(name)")), "\(name)")
    }
    for name in ["7_init", "9", "77", "7.+1", "t3_77", "7x", "PG_VERSION"] {
      #expect(!unlogged.contains(made.inSource("base/1/\(name)")), "\(name)")
    }
    for name in ["base/2/7", "global/7", "base/7", "7", "base/1/7/7", "pg_wal/7"] {
      #expect(!unlogged.contains(made.inSource(name)), "\(name)")
    }
    #expect(!unlogged.contains(Path("elsewhere/base/1/7")))
  }

  @Test func onlyNamesOfInitialForksCount() throws {
    let made = try ClusterSkeleton()
    for name in ["1_fsm", "2", "x_init", "4_init_", "99999999999_init", "5_init.+1"] { made.write("base/1/\(name)") }
    made.makeDirectory("base/shop")
    made.write("base/shop/6_init")
    var unlogged = try relations(made)
    unlogged.look()
    for number in [1, 2, 4, 5, 99_999_999_999] { #expect(!unlogged.contains(Path("base/1/\(number)")), "\(number)") }
    #expect(!unlogged.contains(Path("base/shop/6")))
  }

  @Test func tablespacesAreLookedAtWhereverTheyLie() throws {
    let made = try ClusterSkeleton()
    let elsewhere = TemporaryDirectory()
    made.makeTablespace("500", at: elsewhere.appending("fast"))
    made.makeTablespace("501", at: made.path("inner"))
    TestFiles.write("x", to: elsewhere.appending("fast/PG_15_202209061/1/7_init"))
    made.write("inner/PG_15_202209061/1/8_init")
    var unlogged = try relations(made)
    unlogged.look()
    #expect(unlogged.problems.isEmpty)
    #expect(unlogged.contains(Path("tablespaces/500/PG_15_202209061/1/7")))
    #expect(unlogged.contains(Path("inner/PG_15_202209061/1/8")))
    #expect(!unlogged.contains(Path("tablespaces/500/PG_15_202209061/1/8")))
  }

  /// A database may be dropped at any moment; what may not be looked at is named.
  @Test func whatCannotBeLookedAtIsNamedAndWhatIsGoneIsNot() throws {
    let gone = try ClusterSkeleton()
    var unlogged = try relations(gone)
    TestFiles.removeTree(gone.path("base"))
    unlogged.look()
    #expect(unlogged.problems.isEmpty)

    let made = try ClusterSkeleton()
    var refused = UnloggedRelations(
      in: try made.cluster().live(), root: made.source, files: FileSystem(probe: RefusingProbe([.open: EACCES])))
    refused.look()
    #expect(refused.problems.map(\.reason) == ["Permission denied", "Permission denied"])
    #expect(refused.problems.map(\.path) == [Path("global"), Path("base")])
  }
}
