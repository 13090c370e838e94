import HoldfastDrill
import HoldfastEngine
import HoldfastModel
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A drill that could not be made says why, and is no drill: it tells nothing of the snapshot.
@Suite struct DrillPlaceTests {
  private func refusal(_ shop: DrillShop, in place: Path) -> String { shop.refusal { $0.directory = place } }

  @Test func noDrillIsMadeInASourceInARepositoryOrInTheDataOfAServer() throws {
    let shop = try DrillShop()
    let hint = "\nHINT: Name a directory elsewhere with --in DIR."
    #expect(
      refusal(shop, in: shop.shop.source.appending("drills"))
        == "the place for the drill, DIR/source/drills/holdfast-drill-source, lies in the source source, DIR/source\(hint)"
    )
    #expect(
      refusal(shop, in: shop.shop.repositoryPath)
        == "the place for the drill, DIR/repository/holdfast-drill-source, lies in the repository, DIR/repository\(hint)"
    )
    let other = shop.shop.directory.appending("other")
    TestFiles.makeDirectory(other)
    TestFiles.write("{}", to: other.appending("holdfast.json"))
    #expect(
      refusal(shop, in: other.appending("deep"))
        == "the place for the drill, DIR/other/deep/holdfast-drill-source, lies in a repository, DIR/other\(hint)")
    let server = shop.shop.directory.appending("server")
    TestFiles.makeDirectory(server)
    TestFiles.write("15\n", to: server.appending("PG_VERSION"))
    #expect(
      refusal(shop, in: server)
        == "the place for the drill, DIR/server/holdfast-drill-source, lies in the data directory of a PostgreSQL server, DIR/server\(hint)"
    )
    #expect(TestFiles.names(in: server) == ["PG_VERSION"] && TestFiles.names(in: other) == ["holdfast.json"])
    #expect(TestFiles.names(in: shop.shop.source) == ["orders.db"])
  }

  @Test func aLinkIntoTheSourceIsNoWayAround() throws {
    let shop = try DrillShop()
    let link = shop.shop.directory.appending("link")
    TestFiles.symbolicLink(shop.shop.source.text, at: link)
    #expect(refusal(shop, in: link).contains("lies in the source source"))
  }

  /// A bind mount shows the source, or a part of it, at another path.
  @Test(.requires(.mounts)) func aMountOfTheSourceIsNoWayAround() throws {
    let shop = try DrillShop()
    let inner = shop.shop.source.appending("inner"), elsewhere = shop.shop.directory.appending("elsewhere")
    TestFiles.makeDirectory(inner)
    TestFiles.makeDirectory(elsewhere)
    for shown in [shop.shop.source, inner] {
      let mount = try SmallDisk(showing: shown, at: elsewhere)
      #expect(
        refusal(shop, in: mount.path.appending("drills"))
          == "the place for the drill, DIR/elsewhere/drills/holdfast-drill-source, lies in the source source, DIR/source\nHINT: Name a directory elsewhere with --in DIR."
      )
    }
    let within = shop.scratch.appending("data")
    for directory in [shop.place, shop.own, shop.scratch, within] { TestFiles.makeDirectory(directory) }
    let mount = try SmallDisk(showing: shop.shop.source, at: within)
    #expect(
      refusal(shop, in: shop.place)
        == "the place for the drill, DIR/drills/holdfast-drill-source, has another file system in it, at DIR/drills/holdfast-drill-source/scratch/data\nHINT: Name a directory elsewhere with --in DIR."
    )
    _ = mount
    #expect(TestFiles.exists(shop.database))
  }

  @Test func aSnapshotThatIsLargerThanAllowedIsNotRestored() throws {
    let shop = try DrillShop()
    #expect(
      shop.refusal { $0.bytesMax = 4096 }
        == "the snapshot holds 12.0 KiB, and a drill may restore 4.0 KiB\nHINT: Raise max-size of drill in the configuration, or say --max-size."
    )
    #expect(!TestFiles.exists(shop.place))
  }

  @Test(.requires(.mounts)) func whereThereIsTooLittleRoomNothingIsBegun() throws {
    let shop = try DrillShop()
    let disk = try SmallDisk(at: shop.shop.directory.appending("small"), mebibytes: 8)
    #expect(
      refusal(shop, in: disk.path)
        == "there is too little room for the drill in DIR/small: it needs 40.0 MiB, and 8.0 MiB are free\nHINT: Free space there, or name another directory with --in DIR."
    )
    #expect(TestFiles.names(in: disk.path).isEmpty)
  }

  @Test func oneDrillOfASourceIsMadeAtATime() throws {
    let shop = try DrillShop()
    #expect(try shop.drill().failure == nil)
    let holder = RunningProcess(
      RunningProcess.Start(["flock", shop.own.appending("lock").text, "sh", "-c", "echo held; exec sleep 60"]))
    defer { holder.send(9) }
    #expect(
      Pseudoterminal().waits {
        shop.refusal { _ in }
          == "another drill is at work in DIR/drills/holdfast-drill-source\nHINT: Wait until it has ended."
      })
  }

  /// A copy of a cluster may list tablespaces that are in use.
  @Test func aClusterWithAPathOutOfItIsNotStarted() throws {
    let cluster = try TestCluster()
    let shop = try DrillShop()
    TestFiles.remove(shop.database)
    TestFiles.makeDirectory(shop.shop.source.appending("global"))
    let control = try #require(TestFiles.read(cluster.data.appending("global/pg_control")))
    TestFiles.write(control, to: shop.shop.source.appending("global/pg_control"))
    TestFiles.write("15\n", to: shop.shop.source.appending("PG_VERSION"))
    TestFiles.write("16384 /srv/fast\n", to: shop.shop.source.appending("tablespace_map"))
    for name in ["base", "pg_tblspc", "pg_wal"] { TestFiles.makeDirectory(shop.shop.source.appending(name)) }
    try shop.shop.backup()
    #expect(
      shop.refusal { _ in }
        == "DIR/drills/holdfast-drill-source/scratch/data/tablespace_map leads to /srv/fast, out of the restored cluster: a drill of it could change live data\nHINT: Take a snapshot while the server runs, with --postgres: it holds the tablespaces in itself."
    )
    #expect(!TestFiles.exists(shop.scratch))
    #expect(shop.log.contains("the drill could not be made: "), "\(shop.log)")
    // Any link, not only those that PostgreSQL makes: its server writes through each of them.
    TestFiles.remove(shop.shop.source.appending("tablespace_map"))
    TestFiles.symbolicLink("/srv/fast", at: shop.shop.source.appending("base/16384"))
    try shop.shop.backup()
    #expect(
      shop.refusal { _ in }
        == "DIR/drills/holdfast-drill-source/scratch/data/base/16384 leads to /srv/fast, out of the restored cluster: a drill of it could change live data\nHINT: Take a snapshot while the server runs, with --postgres: it holds the tablespaces in itself."
    )
  }
}
