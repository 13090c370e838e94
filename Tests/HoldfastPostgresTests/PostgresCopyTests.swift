import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A copy of a data directory is captured as what it is: never with the word of a server that runs elsewhere, and never
/// at the cost of the rest of a source.
@Suite(.serialized, .timeLimit(.minutes(30))) struct PostgresCopyTests {
  private let shop: TestShop

  init() throws { shop = try TestShop(clock: TestHost.clock(ahead: 10)) }

  private func started(_ name: String) throws -> TestCluster {
    try shop.restore(to: name)
    let cluster = try TestCluster(restored: shop.directory.appending(name))
    try TestCluster.giveToServer(shop.directory.path)
    try cluster.start()
    return cluster
  }

  /// What a snapshot of the file system has: everything, at one instant, with the running server's postmaster.pid.
  private func frozen(_ cluster: TestCluster, as name: String) throws -> Path {
    try cluster.psql("CHECKPOINT")
    try cluster.run("cp", "-a", cluster.data.text, name)
    return cluster.directory.appending(name)
  }

  @Test func aSnapshotOfTheFileSystemIsCapturedAsWhatACrashLeaves() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.psql("CREATE TABLE orders AS SELECT generate_series(1, 5000) AS id")
    let copy = try frozen(cluster, as: "copy")
    let progress = QuietProgress()
    let report = try shop.backup(progress: progress) { $0.source = copy }
    #expect(report.problems == [])
    #expect(
      progress.warnings == [
        "the PostgreSQL cluster \(copy) was not shut down: it is captured as it lies there, and recovers when it is started"
      ])
    #expect(try started("restored").psql("SELECT count(*) FROM orders") == "5000")
  }

  @Test func theWordOfARunningServerDoesNotHoldForACopy() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let copy = try frozen(cluster, as: "copy")
    let process = try cluster.psql("SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)")
    func capture() throws {
      try shop.backup { options in
        options.source = copy
        options.postgres = cluster.connection
        options.expectsPostgres = true
      }
    }
    #expect(
      refusal(capture) == """
        no PostgreSQL server runs on a data directory in \(copy): \(copy) is a copy, and the server of its postmaster.pid, process \(process), runs on another directory
        HINT: Name the data directory of the server, or leave out --postgres for one that is stopped.
        """)
    // The number of a process that this machine does not see, as in a container: what the server writes tells.
    let text = String(decoding: TestFiles.read(copy.appending("postmaster.pid")) ?? [], as: UTF8.self)
    TestFiles.write(
      text.replacing("\(process)\n", with: "4194303\n", maxReplacements: 1), to: copy.appending("postmaster.pid"))
    #expect(
      refusal(capture) == """
        the source is a copy of the data directory that the server of --postgres runs on: what the server tells of a backup does not hold for it
        HINT: Name the directory that the server runs on, or leave out --postgres to capture the copy as it lies.
        """)
    #expect(throws: EngineError.self) { try shop.snapshot() }
  }

  /// Its links lead into the original.
  @Test func aTablespaceOfTheOriginalIsNoPartOfACopy() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let name = try cluster.makeTablespace("fast").oid
    try cluster.psql("CREATE TABLE lines TABLESPACE fast AS SELECT generate_series(1, 5000) AS number")
    let copy = try frozen(cluster, as: "copy")
    let report = try shop.backup { $0.source = copy }
    // A process that the server has just started looks like the server for a moment.
    let told = report.problems.map {
      Problem(path: $0.path, reason: $0.reason.replacing(/process \d+/, with: "process N"))
    }
    #expect(
      told == [
        Problem(
          path: Path("tablespaces/\(name)"),
          reason:
            "it leads to a directory that another PostgreSQL server uses (process N, which runs on \(cluster.data)): it is not followed"
        )
      ])
    // A server that starts on what is restored does not reach the original either.
    #expect(
      try shop.entries()["pg_tblspc/\(name)"]?.content == .symbolicLink(target: Array("../tablespaces/\(name)".utf8)))
  }

  /// The log makes it again, wherever the copy is restored to; also where a segment that is to be used again lies
  /// behind its end.
  @Test(arguments: [false, true]) func aTablespaceThatACrashedClusterMakesAnewIsNamed(isSwitched: Bool) throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.psql("CHECKPOINT")
    let (space, name) = try cluster.makeTablespace("fast")
    let next = try isSwitched ? cluster.psql("SELECT pg_walfile_name(pg_switch_wal() + 16777216)") : ""
    try cluster.stop("immediate")
    if isSwitched {
      let segment = cluster.data.appending("pg_wal").appending(next)
      TestFiles.write([UInt8](repeating: 0, count: 16 << 20), to: segment)
      try TestCluster.giveToServer(cluster.data.appending("pg_wal"))
    }
    func warnings() throws -> [String] {
      let progress = QuietProgress()
      try shop.backup(progress: progress) { $0.source = cluster.data }
      return progress.warnings
    }
    #expect(
      try warnings().dropFirst() == [
        "a server that is started on a copy of the PostgreSQL cluster \(cluster.data) makes tablespace \(name) in \(space), as its log says, and writes over what is there: start the server once where the cluster lies, and capture it then"
      ])
    try cluster.start()
    try cluster.stop()
    #expect(try warnings() == [])
  }

  // MARK: Below a source

  /// A stopped cluster, as the directory `old` of the source, and a file beside it.
  private func oldCopy() throws -> Path {
    let cluster = try TestCluster()
    TestFiles.copyTree(cluster.data, to: shop.source.appending("old"))
    try TestCluster.giveToServer(shop.source.appending("old"))
    TestFiles.write("order", to: shop.source.appending("orders"))
    return shop.source.appending("old")
  }

  @Test func aTablespaceThatIsGoneCostsNothingElse() throws {
    let old = try oldCopy()
    TestFiles.symbolicLink("/gone/away", at: old.appending("pg_tblspc/16999"))
    let report = try shop.backup()
    #expect(report.exitStatus == .incomplete)
    #expect(report.problems.map(\.path) == [Path("old/tablespaces/16999")])
    #expect(report.problems.map(\.reason) == ["No such file or directory"])
    let entries = try shop.entries()
    #expect(entries["orders"]?.file != nil && entries["old/PG_VERSION"]?.file != nil)
  }

  @Test func aDamagedControlFileCostsNothingElse() throws {
    let old = try oldCopy()
    TestFiles.overwrite(old.appending("global/pg_control"), at: 0, with: [UInt8](repeating: 0, count: 512))
    TestFiles.write("more", to: shop.source.appending("orders"))
    let report = try shop.backup()
    #expect(report.exitStatus == .incomplete)
    #expect(
      report.problems == [
        Problem(
          path: Path("old/global/pg_control"),
          reason:
            "old looks like a PostgreSQL cluster, and cannot understand old/global/pg_control: Bad message: it is captured as plain files, and no server may start on them"
        )
      ])
    #expect(try shop.entries()["old/base/1/PG_VERSION"]?.file != nil)
    // The source itself is another matter.
    let hint = "\nHINT: Repair it, or leave it out with --exclude."
    #expect(
      refusal { try shop.backup { $0.source = old } }
        == "the source looks like a PostgreSQL cluster, and cannot understand global/pg_control: Bad message" + hint)
  }

  /// Whoever may write somewhere in the source can run one.
  @Test func aServerThatRunsBelowTheSourceIsLeftOutAndNamed() throws {
    let cluster = try TestCluster()
    try cluster.start()
    TestFiles.write("order", to: cluster.directory.appending("orders"))
    let process = try cluster.psql("SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)")
    let report = try shop.backup { $0.source = cluster.directory.path }
    let reason =
      "a PostgreSQL server runs on it (process \(process)), and a plain copy would be worth nothing: it is left out; capture it with --postgres, as a source of its own"
    #expect(report.exitStatus == .incomplete && report.problems == [Problem(path: Path("data"), reason: reason)])
    let entries = try shop.entries()
    #expect(entries["orders"]?.file != nil && entries["data/PG_VERSION"] == nil)
    // Variables of the environment may name another server.
    let other = try TestCluster(isUnlikeOthers: true)
    try other.start()
    let elsewhere = try shop.backup {
      $0.source = cluster.directory.path
      $0.postgres = other.connection
    }
    #expect(elsewhere.problems.map(\.path) == [Path("data")])
  }

  // MARK: Numbers of processes

  @Test func aProcessThatGotTheNumberOfAKilledServerIsNone() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.psql("CREATE TABLE orders AS SELECT generate_series(1, 5000) AS id")
    try cluster.stop("immediate")
    TestFiles.write(
      "\(getpid())\n\(cluster.data.text)\n1700000000\n5432\n\(cluster.directory.path.text)\n\n",
      to: cluster.data.appending("postmaster.pid"))
    let progress = QuietProgress()
    let report = try shop.backup(progress: progress) { $0.source = cluster.data }
    #expect(report.problems == [] && progress.warnings.count == 1)
    #expect(try started("restored").psql("SELECT count(*) FROM orders") == "5000")
  }

  /// As root, who sees the processes of containers: the number is that of the container.
  @Test(.requires(.root)) func aServerWithAnotherNumberIsFoundByItsDirectory() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let file = cluster.data.appending("postmaster.pid")
    let text = String(decoding: try #require(TestFiles.read(file)), as: UTF8.self)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    TestFiles.write((["1"] + lines.dropFirst()).joined(separator: "\n"), to: file)
    #expect(
      refusal { try shop.backup { $0.source = cluster.data } }.hasPrefix("a PostgreSQL server runs on \(cluster.data)"))
    TestFiles.write(text, to: file)
  }
}
