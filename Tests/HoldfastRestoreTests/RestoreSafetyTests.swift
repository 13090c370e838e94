import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A restore over existing content takes away nothing that it should not, and leaves nothing that a server would start
/// on before it is whole.
@Suite(.timeLimit(.minutes(30))) struct RestoreSafetyTests {
  private let shop: TestShop
  private var target: Path { shop.target }

  init() throws {
    shop = try TestShop(clock: TestHost.clock(ahead: 10))
    TestFiles.makeDirectory(shop.target)
  }

  // MARK: What the snapshot did not see

  @Test func whatASnapshotCouldNotSeeIsNotRemoved() throws {
    TestFiles.makeDirectory(shop.source.appending("sub"))
    TestFiles.makeDirectory(shop.source.appending("sub/locked"))
    shop.write("order", "sub/file")
    shop.write("kept", "sub/locked/kept")
    let probe = MeddlingProbe(before: .open, of: "locked") { _ throws(SystemError) in
      throw SystemError("open", Path("sub/locked"), code: EACCES)
    }
    #expect(try shop.backup(in: shop.repository(probe: probe)).exitStatus == .incomplete)
    TestFiles.copyTree(shop.source, to: shop.directory.appending("target"))
    let unseen =
      "1 path could not be read when the snapshot was taken: what lies there is from an earlier snapshot, or is missing"
    for paths in [[], ["sub"], ["sub/locked"]] {
      #expect(
        refusal { _ = try shop.restoreOver(paths) } == """
          the snapshot did not see all of its source, so what is missing in it may not be removed from the target
          HINT: Restore into an empty --target, or take an earlier snapshot.
          """)
      let fresh = try shop.restore(to: "fresh \(paths)") { $0.paths = paths.map { Path($0) } }
      #expect(fresh.problems == [Problem(path: .root, reason: unseen)])
    }
    #expect(TestFiles.read(target.appending("sub/locked/kept")) == Array("kept".utf8))
    let file = try shop.restoreOver(["sub/file"])
    #expect(file.problems == [], "a file that the snapshot has is there as it was")
  }

  /// One file that is not whole, as its parent had it already, and one directory that could not be read, are two.
  @Test func whatIsNotWholeAndWhatWasNotSeenAreCountedEach() throws {
    TestFiles.makeDirectory(shop.source.appending("locked"))
    shop.write("kept", "locked/kept")
    shop.write("order", "unreadable")
    let first = MeddlingProbe(before: .open, of: "unreadable") { _ throws(SystemError) in
      throw SystemError("open", Path("unreadable"), code: EIO)
    }
    #expect(try shop.backup(in: shop.repository(probe: first)).envelope.incomplete == 1)
    let second = MeddlingProbe(before: .open, of: "locked") { _ throws(SystemError) in
      throw SystemError("open", Path("locked"), code: EACCES)
    }
    #expect(try shop.backup(in: shop.repository(probe: second)).envelope.incomplete >= 1)
    #expect(refusal { _ = try shop.restoreOver() }.hasPrefix("the snapshot did not see all of its source"))
  }

  // MARK: Servers

  @Test func aRunningServerIsSeenWhateverTheSnapshotHas() throws {
    TestFiles.makeDirectory(shop.source.appending("db"))
    shop.write("order", "db/1000")
    shop.write("other", "other")
    try shop.backup()
    TestFiles.makeDirectory(target.appending("db"))
    TestFiles.write("15\n", to: target.appending("PG_VERSION"))
    TestFiles.write("live", to: target.appending("db/1000"))
    var server = try PretendServer(on: target)
    let expected = "a PostgreSQL server, process \(server.processID), runs on \(target)"
    let hint = "\nHINT: Stop it before you restore over its data, or name another --target."
    for paths in [[], ["db/1000"], ["db"]] { #expect(refusal { _ = try shop.restoreOver(paths) } == expected + hint) }
    #expect(
      refusal {
        _ = try shop.restoreOver { $0.target = target.appending("db") }
      } == """
        \(expected), and uses \(target)/db
        HINT: Name a directory that no server uses, or stop the server first.
        """, "the target lies in the data of the server")
    #expect(TestFiles.read(target.appending("db/1000")) == Array("live".utf8))
    server.stop()
    server = try PretendServer(on: target.appending("db"))
    #expect(try shop.restoreOver(["other"]).writtenFiles == 1, "another part of the target is nobody's")
    server.stop()
  }

  /// A copy whose files share their contents with another one.
  @Test(arguments: [false, true]) func aClusterLosesItsVersionFileBeforeAnythingElseChanges(hasLinks: Bool) throws {
    TestFiles.makeDirectory(shop.source.appending("base"))
    shop.write("15\n", "PG_VERSION")
    shop.write("new", "base/1000")
    try shop.backup()
    TestFiles.makeDirectory(target.appending("base"))
    TestFiles.write("15\n", to: target.appending("PG_VERSION"))
    TestFiles.write("old", to: target.appending("base/1000"))
    if hasLinks {
      for name in ["PG_VERSION", "base/1000"] {
        TestFiles.link(
          target.appending(name), as: shop.directory.appending("other name of \(Path(name).lastComponent.count)"))
      }
    }
    let probe = FaultProbe(.fail(EIO), at: 1, of: [.write])
    #expect(throws: (any Error).self) {
      try shop.restore(to: "target", in: shop.repository(probe: probe)) { $0.isDelta = true }
    }
    #expect(!TestFiles.exists(target.appending("PG_VERSION")))
    try _ = shop.restoreOver()
    #expect(TestFiles.read(target.appending("base/1000")) == Array("new".utf8))
    #expect(TestFiles.read(target.appending("PG_VERSION")) == Array("15\n".utf8))
  }

  @Test func tablespacesDoNotGoIntoOneAnother() throws {
    for directory in ["pg_tblspc", "tablespaces", "tablespaces/1", "tablespaces/2"] {
      TestFiles.makeDirectory(shop.source.appending(directory))
    }
    for number in ["1", "2"] {
      TestFiles.symbolicLink("../tablespaces/\(number)", at: shop.source.appending("pg_tblspc/\(number)"))
      shop.write("rows", "tablespaces/\(number)/rows")
    }
    try shop.backup()
    let inTarget = target.appending("space")
    let other = shop.directory.appending("other")
    let hint = "\nHINT: Name directories of which none lies in another."
    #expect(
      refusal { _ = try shop.restoreOver { $0.tablespaces = ["1": inTarget] } }
        == "tablespace 1 cannot go to \(inTarget): the target goes to \(target)" + hint)
    #expect(
      refusal { _ = try shop.restoreOver { $0.tablespaces = ["1": other, "2": other.appending("2")] } }
        == "tablespace 2 cannot go to \(other)/2: tablespace 1 goes to \(other)" + hint)
    #expect(TestFiles.names(in: target) == [])
    _ = try shop.restoreOver { $0.tablespaces = ["1": other] }
    #expect(TestFiles.read(other.appending("rows")) == Array("rows".utf8))
  }

  // MARK: Names

  @Test func theNameOfTheStagingAreaIsNoNameForAFile() throws {
    shop.write("order", "orders")
    shop.write("mine", ".holdfast-restore")
    let report = try shop.backup()
    #expect(
      report.problems == [
        Problem(
          path: Path(".holdfast-restore"),
          reason: "a restore needs this name for itself; give it another one, or exclude it")
      ])
    try shop.restore(to: "restored")
    #expect(TestFiles.names(in: shop.directory.appending("restored")) == ["orders"])
  }

  @Test func aNameAsLongAsNamesGetIsRestoredOver() throws {
    let name = String(repeating: "n", count: 255)
    shop.write("order", name)
    try shop.backup()
    TestFiles.write("older", to: target.appending(name))
    _ = try shop.restoreOver()
    #expect(TestFiles.read(target.appending(name)) == Array("order".utf8))
  }

  @Test func whatAnInterruptedRestoreOfAnotherSnapshotLeftIsNotPublished() throws {
    shop.write("order", "orders")
    shop.write("secret", "unreadable")
    let probe = MeddlingProbe(before: .open, of: "unreadable") { _ throws(SystemError) in
      throw SystemError("open", Path("unreadable"), code: EIO)
    }
    try shop.backup(in: shop.repository(probe: probe))
    TestFiles.makeDirectory(target.appending(".holdfast-restore"), mode: 0o700)
    TestFiles.write("half of another", to: target.appending(".holdfast-restore/unreadable"))
    _ = try shop.restoreOver()
    #expect(TestFiles.names(in: target) == ["orders"])
  }

  @Test func aHoleOfManyTebibytesOverOneWithDataIsNotComparedPageByPage() throws {
    let place = shop.source.appending("sparse")
    TestFiles.write("order", to: place)
    TestFiles.truncate(place, to: 8 << 40)
    try shop.backup()
    let copy = target.appending("sparse")
    TestFiles.write("order", to: copy)
    TestFiles.truncate(copy, to: 8 << 40)
    TestFiles.overwrite(copy, at: 3 << 40, with: Array("stray".utf8))
    _ = try shop.restoreOver()
    #expect(TestFiles.read(copy, at: 3 << 40, count: 5) == [0, 0, 0, 0, 0])
    #expect(TestFiles.read(copy, at: 0, count: 5) == Array("order".utf8))
  }
}
