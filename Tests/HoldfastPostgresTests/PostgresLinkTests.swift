import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Links of a cluster are followed where the cluster's own user would get, and no further: whoever makes a directory
/// that looks like one gets nothing read that he could not read himself. As root, who reads everything.
@Suite(.requires(.root)) struct PostgresLinkTests {
  private static let nobody: UInt32 = 65534
  private let shop: TestShop
  private var user: Path { shop.source.appending("user") }

  /// A real cluster, stopped, that belongs to nobody in particular, and a directory that only root reads.
  init() throws {
    shop = try TestShop(clock: TestHost.clock(ahead: 10))
    let cluster = try TestCluster()
    TestFiles.copyTree(cluster.data, to: shop.source.appending("user"))
    TestFiles.makeDirectory(secret, mode: 0o700)
    TestFiles.write("secret", to: secret.appending("key"))
    TestFiles.write("order", to: shop.source.appending("orders"))
    give(shop.source.appending("user"))
  }

  private var secret: Path { shop.directory.appending("secret") }

  private func give(_ path: Path) {
    _ = Tool().other("chown", "-R", "-h", "\(Self.nobody):\(Self.nobody)", path.text)
  }

  private let reason = "it leads to a directory that does not belong to the user of its cluster: it is not followed"

  @Test func aLinkToWhatOnlyRootReadsIsNotFollowed() throws {
    TestFiles.removeTree(user.appending("pg_wal"))
    TestFiles.symbolicLink(secret.text, at: user.appending("pg_wal"))
    TestFiles.symbolicLink(secret.text, at: user.appending("pg_tblspc/16999"))
    give(user)
    let report = try shop.backup()
    #expect(
      report.problems == [
        Problem(path: Path("user/pg_wal"), reason: reason),
        Problem(path: Path("user/tablespaces/16999"), reason: reason),
      ])
    let entries = try shop.entries()
    #expect(entries.keys.allSatisfy { !$0.hasSuffix("key") } && entries["orders"]?.file != nil)
    // A server that starts on what is restored gets nowhere either.
    #expect(entries["user/pg_wal"] == nil)
    #expect(entries["user/pg_tblspc/16999"]?.content == .symbolicLink(target: Array("../tablespaces/16999".utf8)))
  }

  /// What lies in his own directory, and is not his.
  @Test func whatBelongsToOthersBehindALinkIsLeftOut() throws {
    let space = shop.directory.appending("space")
    TestFiles.makeDirectory(space)
    TestFiles.write("rows", to: space.appending("rows"))
    give(space)
    TestFiles.write("secret", to: space.appending("key"))
    TestFiles.makeDirectory(space.appending("lost+found"), mode: 0o700)
    TestFiles.symbolicLink(space.text, at: user.appending("pg_tblspc/16999"))
    give(user)
    let report = try shop.backup()
    #expect(
      report.problems == [
        Problem(
          path: Path("user/tablespaces/16999/key"),
          reason: "it lies behind a link of a cluster, and does not belong to the user of that")
      ])
    let entries = try shop.entries()
    #expect(entries["user/tablespaces/16999/rows"]?.file != nil)
    #expect(entries["user/tablespaces/16999/lost+found"] == nil)
  }

  /// Somebody else's link in the cluster of a user.
  @Test func aLinkOfAnotherUserIsNotFollowed() throws {
    let space = shop.directory.appending("space")
    TestFiles.makeDirectory(space)
    give(space)
    TestFiles.symbolicLink(space.text, at: user.appending("pg_tblspc/16999"))
    #expect(try shop.backup().problems == [Problem(path: Path("user/tablespaces/16999"), reason: reason)])
  }

  /// In a directory that many may write to, a control file that one of them has made is not the directory's.
  @Test func whatOthersPlantInASharedDirectoryIsNoCluster() throws {
    let shared = shop.source.appending("shared")
    TestFiles.makeDirectory(shared, mode: 0o1777)
    TestFiles.copyTree(user.appending("global"), to: shared.appending("global"))
    TestFiles.write("15\n", to: shared.appending("PG_VERSION"))
    for name in ["global", "PG_VERSION"] { give(shared.appending(name)) }
    TestFiles.write("order", to: shared.appending("order"))
    let report = try shop.backup()
    #expect(report.problems.map(\.path) == [Path("shared/global/pg_control")])
    #expect(
      report.problems.map(\.reason) == [
        "shared looks like a PostgreSQL cluster, and its control file belongs to another user than the directory: it is captured as plain files, and no server may start on them"
      ])
    #expect(try shop.entries()["shared/order"]?.file != nil)
    // As the source itself as well.
    #expect(try shop.backup { $0.source = shared }.problems.map(\.path) == [Path("global/pg_control")])
  }
}
