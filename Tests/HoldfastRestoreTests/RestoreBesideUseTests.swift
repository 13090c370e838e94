import Glibc
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A restore that keeps what is there is refused for a database in use only where it would touch it.
@Suite(.timeLimit(.minutes(30))) struct RestoreBesideUseTests {
  private let shop: TestShop
  private var target: Path { shop.target }

  init() throws {
    shop = try TestShop(clock: TestHost.clock(ahead: 10))
    TestFiles.write("invoice", to: shop.source.appending("invoice"))
  }

  private func restore(_ keeps: Restore.Keep) throws {
    try shop.restoreOver { $0.keeps = keeps }
  }

  private func refusal(_ keeps: Restore.Keep) -> String {
    do {
      try restore(keeps)
      return "it was done"
    } catch {
      return (error as? any OperatorError)?.message ?? "\(error)"
    }
  }

  /// Runs `body` while a process has a file open for writing.
  private func whileOpen(_ file: Path, _ body: (Int32) -> Void) {
    let user = FileUser(of: file)
    body(user.processID)
    user.stop()
  }

  @Test func anOpenDatabaseIsInTheWayOnlyWhereItIsReplaced() throws {
    _ = try TestDatabase(shop.source.appending("shop.db"), "CREATE TABLE t(a)")
    try shop.backup()
    TestFiles.copyTree(shop.source, to: target)
    TestFiles.remove(target.appending("invoice"))
    whileOpen(target.appending("shop.db")) { process in
      let open = "\(target)/shop.db belongs to an SQLite database that process \(process) (python3) has open"
      #expect(refusal(.nothing) == open && refusal(.others) == open)
      #expect(refusal(.everything) == "it was done")
    }
    #expect(TestFiles.read(target.appending("invoice")) == Array("invoice".utf8))
  }

  @Test func anOpenDatabaseThatTheSnapshotDoesNotHaveIsInNobodysWay() throws {
    try shop.backup()
    TestFiles.makeDirectory(target)
    _ = try TestDatabase(target.appending("live.db"), "CREATE TABLE t(a)")
    whileOpen(target.appending("live.db")) { process in
      #expect(refusal(.nothing).hasSuffix("has open"), "it would go")
      #expect(refusal(.others) == "it was done")
    }
    #expect(TestFiles.names(in: target).sorted() == ["invoice", "live.db"])
  }

  /// Files of the snapshot among those of a running server would be of another state.
  @Test func nothingIsAddedToTheDataOfARunningServer() throws {
    TestFiles.makeDirectory(shop.source.appending("data"))
    for name in ["PG_VERSION", "1000"] { TestFiles.write("15\n", to: shop.source.appending("data/\(name)")) }
    try shop.backup()
    TestFiles.copyTree(shop.source, to: target)
    TestFiles.remove(target.appending("invoice"))
    let server = try PretendServer(on: target.appending("data"))
    let runs = "a PostgreSQL server, process \(server.processID), runs on \(target)/data"
    #expect(refusal(.others) == runs)
    #expect(refusal(.everything) == "it was done", "nothing is missing there")
    TestFiles.remove(target.appending("data/1000"))
    #expect(refusal(.everything) == runs)
    #expect(!TestFiles.exists(target.appending("data/1000")))
    server.stop()
  }
}
