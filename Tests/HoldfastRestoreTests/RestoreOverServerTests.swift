import Glibc
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Nothing is restored into a directory that a server uses, by whichever path it is named: the server would go on
/// writing there.
@Suite(.serialized, .timeLimit(.minutes(30))) struct RestoreOverServerTests {
  private let shop: TestShop
  private let cluster: TestCluster
  private let space: Path
  /// The tablespace's object identifier.
  private let name: String

  /// A running server with a table in a tablespace, and a snapshot of it.
  init() throws {
    shop = try TestShop()
    cluster = try TestCluster()
    try cluster.start()
    (space, name) = try cluster.makeTablespace("fast")
    try cluster.psql("CREATE TABLE lines TABLESPACE fast AS SELECT generate_series(1, 5000) AS number")
    let (data, connection) = (cluster.data, cluster.connection)
    try shop.backup { options in
      options.source = data
      options.name = SourceName("shop")
      options.postgres = connection
    }
  }

  private func refusal(of tablespace: Path? = nil, target: Path? = nil, isDelta: Bool = true) -> String {
    do {
      try shop.restore(to: "copy") { options in
        options.isDelta = isDelta
        if let target { options.target = target }
        if let tablespace { options.tablespaces = [name: tablespace] }
      }
      return "it was restored"
    } catch {
      return "\(error)"
    }
  }

  private func expectUntouched() throws {
    try cluster.stop()
    try cluster.start()
    #expect(try cluster.psql("SELECT count(*) FROM lines") == "6000")
  }

  @Test func aTablespaceOfARunningServerIsNoPlaceForAnother() throws {
    try cluster.psql("INSERT INTO lines SELECT generate_series(5001, 6000)")
    let process = try cluster.psql("SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)")
    let hint = "\nHINT: Name a directory that no server uses, or stop the server first."
    let runs = "a PostgreSQL server, process \(process), runs on \(cluster.data), and uses "
    #expect(refusal(of: space) == runs + space.text + hint)
    let link = shop.directory.appending("link")
    TestFiles.symbolicLink(space.text, at: link)
    #expect(refusal(of: link) == runs + space.text + hint)
    let version = try #require(TestFiles.names(in: space).first)
    #expect(refusal(of: space.appending(version)) == runs + "\(space)/\(version)" + hint)
    // A directory in it that is not there yet, and one that has it.
    #expect(refusal(target: space.appending("new"), isDelta: false) == runs + space.text + hint)
    #expect(refusal(target: cluster.directory.path).hasPrefix("a PostgreSQL server, process \(process), runs on "))
    #expect(!TestFiles.exists(shop.directory.appending("copy")))
    try expectUntouched()
  }

  /// As root: a mount gives it another path, of which no part is the tablespace's.
  @Test(.requires(.mounts)) func aMountDoesNotHideIt() throws {
    try cluster.psql("INSERT INTO lines SELECT generate_series(5001, 6000)")
    let mounted = shop.directory.appending("mounted")
    TestFiles.makeDirectory(mounted)
    let version = try #require(TestFiles.names(in: space).first)
    let tool = Tool()
    let result = tool.other("mount", "--bind", space.appending(version).text, mounted.text)
    try #require(result.exitStatus == 0, "\(result.error)")
    defer { _ = tool.other("umount", "-l", mounted.text) }
    #expect(refusal(of: mounted).contains("and uses \(mounted)"))
    try expectUntouched()
  }

  /// A killed server leaves its number, and another process gets it.
  @Test func aProcessThatIsNoServerHoldsNoRestoreBack() throws {
    try shop.restore(to: "copy")
    let target = shop.directory.appending("copy")
    TestFiles.write(
      "\(getpid())\n\(target.text)\n1700000000\n5432\n/run\n", to: target.appending("postmaster.pid"))
    #expect(refusal() == "it was restored")
    // One that is a server, and runs elsewhere.
    let running = TestFiles.read(cluster.data.appending("postmaster.pid")) ?? []
    TestFiles.write(running, to: target.appending("postmaster.pid"))
    #expect(refusal() == "it was restored")
  }

  @Test func aDatabaseThatAProcessHasOpenIsNotRestoredOver() throws {
    let shop = try TestShop(clock: TestHost.clock(ahead: 10))
    _ = try TestDatabase(
      shop.source.appending("orders.db"), "CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (1)")
    try shop.backup()
    try shop.restore(to: "copy")
    let place = shop.directory.appending("copy/orders.db")
    let user = FileUser(of: place)
    let error = #expect(throws: EngineError.self) { try shop.restore(to: "copy") { $0.isDelta = true } }
    #expect(
      error
        == EngineError(
          .usage, "\(place) belongs to an SQLite database that process \(user.processID) (python3) has open",
          hint: "Name a directory that no server uses, or stop the server first."))
    user.stop()
    try shop.restore(to: "copy") { $0.isDelta = true }
  }
}
