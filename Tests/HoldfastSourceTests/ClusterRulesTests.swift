import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What of a cluster a snapshot has: what a starting server needs, and nothing that it would trip over. Whatever is not
/// PostgreSQL's is captured.
@Suite struct ClusterRulesTests {
  // MARK: Files of relations

  @Test(
    arguments: [
      ("16384", "16384", "", 0, false), ("16384.1", "16384", "", 1, false), ("16384_fsm", "16384", "fsm", 0, false),
      ("16384_vm.12", "16384", "vm", 12, false), ("1_init", "1", "init", 0, false),
      ("t3_16384", "16384", "", 0, true), ("t12_16384_fsm.2", "16384", "fsm", 2, true),
      ("4294967295.4294967295", "4294967295", "", 4_294_967_295, false),
    ] as [(String, String, String, UInt32, Bool)])
  func whatANameOfARelationSays(name: String, node: String, fork: String, segment: UInt32, isTemporary: Bool) throws {
    for directory in [["base", "5"], ["pg_tblspc", "16999", "PG_15_202209061", "5"]] {
      let file = try #require(RelationFile(directory + [name]))
      #expect(file.node == node && file.fork == fork && file.segment == segment && file.isTemporary == isTemporary)
    }
  }

  @Test(arguments: [
    "", "x", "16384x", "16384.", ".1", "16384.x", "16384.+1", "16384.-1", "16384.1.2", "16384.1_fsm", "16384_", "_fsm",
    "16384_foo", "16384_FSM", "16384_fsm_vm", "+16384", "-1", " 1", "1 ", "1e5", "０１", "t3", "t_16384", "t3_", "tx_1",
    "3_16384", "16384.4294967296", "99999999999", "99999999999_init", "PG_VERSION", "pg_filenode.map",
  ])
  func otherNamesAreOfNoRelation(name: String) {
    #expect(RelationFile(["base", "5", name]) == nil)
  }

  @Test(arguments: [
    [], ["base"], ["pg_wal"], ["base", "shop"], ["base", "5", "deeper"], ["pg_tblspc", "16999"],
    ["pg_tblspc", "16999", "PG_15_202209061"], ["pg_tblspc", "16999", "PG_15_202209061", "shop"],
    ["pg_tblspc", "16999", "other", "5"],
  ])
  func elsewhereThereAreNoRelations(directory: [String]) {
    #expect(RelationFile(directory + ["16384"]) == nil)
  }

  /// The relations of all databases; none of them is temporary.
  @Test func theGlobalDirectoryHasNoTemporaryOnes() {
    #expect(RelationFile(["global", "1262"])?.node == "1262")
    #expect(RelationFile(["global", "t3_1262"]) == nil)
  }

  /// Any name, against the form that the documentation gives (73.1 "Database File Layout").
  @Test func aNameIsOfARelationWhereItHasTheForm() throws {
    let seed = UInt64.random(in: 0 ... .max)
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    let pieces = ["t", "_", ".", "1", "23", "16384", "fsm", "vm", "init", "x", "+", "0", "4294967295"]
    let form = try Regex(#"(t[0-9]+_)?[0-9]{1,10}(_(fsm|vm|init))?(\.[0-9]+)?"#)
    var count = 0
    for _ in 0..<5000 {
      let name = (0..<Int.random(in: 1...6, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }
      let text = name.joined()
      let segment = text.split(separator: ".", omittingEmptySubsequences: false).last.flatMap { UInt32($0) }
      let hasForm = text.wholeMatch(of: form) != nil && (!text.contains(".") || segment != nil)
      #expect((RelationFile(["base", "1", text]) != nil) == hasForm, "seed \(seed): \(text)")
      if hasForm { count += 1 }
    }
    #expect(count > 100, "seed \(seed)")
  }

  // MARK: Verdicts

  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let kind: FileStatus.Kind
    /// Of a cluster at rest, and of one whose server runs.
    let atRest: ClusterRules.Verdict
    let live: ClusterRules.Verdict
    var testDescription: String { name }

    init(
      _ name: String, _ kind: FileStatus.Kind, _ atRest: ClusterRules.Verdict, _ live: ClusterRules.Verdict
    ) {
      (self.name, self.kind, self.atRest, self.live) = (name, kind, atRest, live)
    }

    init(_ name: String, _ atRest: ClusterRules.Verdict, _ live: ClusterRules.Verdict) {
      self.init(name, .file, atRest, live)
    }
  }

  private static let cases = [
    Case("PG_VERSION", .capture, .capture), Case("global/pg_control", .capture, .capture),
    Case("base", .directory, .capture, .capture), Case("base/1/16384", .capture, .capture),
    // What a starting server makes anew, or must not find.
    Case("postmaster.pid", .skip, .skip), Case("postmaster.opts", .skip, .skip),
    Case("backup_manifest", .skip, .skip), Case("postgresql.auto.conf.tmp", .skip, .skip),
    Case("current_logfiles.tmp", .skip, .skip), Case("base/pgsql_tmp", .directory, .skip, .skip),
    Case("base/1/pg_internal.init", .skip, .skip), Case("global/pg_internal.init.77", .skip, .skip),
    // The same names elsewhere are somebody's own.
    Case("base/postmaster.pid", .capture, .capture), Case("logs/backup_manifest", .capture, .capture),
    // Contents that count only at rest.
    Case("pg_replslot", .directory, .capture, .capture), Case("pg_replslot/slot", .directory, .capture, .skip),
    Case("pg_notify/0000", .capture, .skip), Case("pg_subtrans/0000", .capture, .skip),
    Case("pg_dynshmem/1", .capture, .skip), Case("pg_serial/1", .capture, .skip),
    Case("pg_snapshots/1", .capture, .skip), Case("pg_stat_tmp/1", .capture, .skip),
    Case("pg_stat/pgstat.stat", .capture, .capture), Case("pg_xact/0000", .capture, .capture),
    // The log is known when the backup has ended.
    Case("pg_wal", .directory, .capture, .capture), Case("pg_wal/000000010000000000000001", .capture, .late),
    Case("pg_wal/archive_status", .directory, .capture, .capture),
    Case("pg_wal/archive_status/x.done", .capture, .skip),
    Case("pg_wal/archive_status/more", .directory, .capture, .capture),
    Case("backup_label", .capture, .late), Case("tablespace_map", .capture, .late),
    Case("tablespace_map.old", .capture, .late), Case("base/backup_label", .capture, .capture),
    // Temporary relations, and those that are not logged: 7 is one, 8 is not.
    Case("base/1/t3_7", .capture, .skip), Case("base/1/t3_8_fsm.1", .capture, .skip),
    Case("base/1/7", .capture, .skip), Case("base/1/7.1", .capture, .skip), Case("base/1/7_fsm", .capture, .skip),
    Case("base/1/7_vm", .capture, .skip), Case("base/1/7_init", .capture, .capture),
    Case("base/1/77", .capture, .capture), Case("base/1/8", .capture, .capture),
    Case("base/1/7", .directory, .capture, .capture), Case("base/1/7.+1", .capture, .capture),
    // Links.
    Case("pg_wal", .symbolicLink, .follow, .follow), Case("base/1/7", .symbolicLink, .capture, .capture),
    Case("pg_tblspc/500", .symbolicLink, .capture, .capture), Case("postmaster.pid", .symbolicLink, .capture, .capture),
    Case("postgresql.conf", .symbolicLink, .capture, .capture),
  ]

  @Test(arguments: ["", "data"]) func whatASnapshotHasOfACluster(place: String) throws {
    let made = try ClusterSkeleton(at: place)
    made.write("base/1/7_init")
    let (listing, cluster) = (try made.listing(), try made.cluster())
    for item in Self.cases {
      let path = made.inSource(item.name)
      #expect(
        ClusterRules(cluster: cluster).verdict(on: path, kind: item.kind, listing: listing) == item.atRest,
        "\(item.name), at rest")
      #expect(
        ClusterRules(cluster: cluster.live()).verdict(on: path, kind: item.kind, listing: listing) == item.live,
        "\(item.name), live")
      #expect(cluster.live().isLate(path, item.kind == .directory ? .directory : .fifo) == (item.live == .late))
    }
  }

  @Test func whatTheServerTellsIsTakenFromIt() throws {
    let made = try ClusterSkeleton()
    let rules = ClusterRules(cluster: try made.cluster().live(giving: ["postgresql.conf"]))
    let listing = try made.listing()
    for kind in [FileStatus.Kind.file, .symbolicLink] {
      #expect(rules.verdict(on: Path("postgresql.conf"), kind: kind, listing: listing) == .late)
      #expect(rules.verdict(on: Path("pg_hba.conf"), kind: kind, listing: listing) == .capture)
    }
  }

  @Test func whatLiesBesideTheClusterIsNoneOfItsFiles() throws {
    let made = try ClusterSkeleton(at: "data")
    let rules = ClusterRules(cluster: try made.cluster().live())
    for name in ["postmaster.pid", "backup_label", "data2/postmaster.pid", "pg_wal/x"] {
      #expect(try rules.verdict(on: Path(name), kind: .file, listing: made.listing()) == .capture, "\(name)")
    }
  }

  @Test(arguments: ["", "data"]) func tablespacesLieWhereTheSnapshotHasThem(place: String) throws {
    let made = try ClusterSkeleton(at: place)
    let elsewhere = TemporaryDirectory()
    made.makeTablespace("500", at: elsewhere.appending("fast"))
    made.makeTablespace("501", at: made.path("inner"))
    let cluster = try made.cluster()
    let rules = ClusterRules(cluster: cluster)
    let listing = try made.listing("pg_tblspc")
    func verdict(_ name: String) -> ClusterRules.Verdict {
      rules.verdict(on: made.inSource(name), kind: .symbolicLink, listing: listing)
    }
    #expect(verdict("pg_tblspc/500") == .link(target: Array("../tablespaces/500".utf8)))
    #expect(verdict("pg_tblspc/501") == .link(target: Array("../inner".utf8)))
    #expect(verdict("pg_tblspc/502") == .capture)
    #expect(verdict("tablespaces/500") == .follow)
    #expect(verdict("tablespaces/501") == .capture)
    #expect(cluster.tablespaces.map(\.name) == ["500"])
  }
}
