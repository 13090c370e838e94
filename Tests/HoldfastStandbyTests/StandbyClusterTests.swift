import HoldfastEngine
import HoldfastModel
import HoldfastStandby
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// The copies of a real PostgreSQL cluster.
@Suite(.serialized, .timeLimit(.minutes(30))) struct StandbyClusterTests {
  private let site: StandbyShop
  private let cluster: TestCluster
  private let name = SourceName(from: Path("shop"))

  init() throws {
    site = try StandbyShop()
    cluster = try TestCluster()
    try cluster.start()
  }

  private func capture() throws {
    let (data, connection) = (cluster.data, cluster.connection)
    try site.shop.backup { options in
      (options.source, options.name, options.postgres) = (data, name, connection)
    }
  }

  /// Also after copies have taken turns over a running server, a server starts on the one that serves, and has what was
  /// committed before the snapshot.
  @Test func aServerStartsOnTheNewestCopy() throws {
    for round in 1...4 {
      try cluster.psql("CREATE TABLE day_\(round) AS SELECT generate_series(1, 1000 * \(round)) AS number")
      if round > 1 { try cluster.psql("DROP TABLE day_\(round - 1)") }
      try capture()
      let report = try site.standby(of: name).once()
      #expect(report.serving?.record.sequence == UInt64(round) && report.lag.snapshots == 0)
    }
    #expect(
      site.heard.withLock { $0 }.last
        == "the copy is the newest snapshot, and archived log after it is not replayed: `holdfast restore --to-end` into a directory elsewhere goes on to its end"
    )
    try cluster.psql("DROP TABLE day_4")
    let copy = cluster.directory.appending("copy")
    let copied = Tool().other("cp", "-aH", site.directory.appending("current").text, copy.text)
    #expect(copied.exitStatus == 0, "\(copied.error)")
    try cluster.stop()
    let restored = try TestCluster(restored: copy)
    try TestCluster.giveToServer(cluster.directory.path)
    try restored.start()
    #expect(try restored.psql("SELECT count(*) FROM day_4") == "4000")
    #expect(try restored.psql("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'day_%'") == "1")
  }
}
