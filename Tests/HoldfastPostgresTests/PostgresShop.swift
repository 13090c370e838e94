import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport

/// What tests of clusters do with a shop.
extension TestShop {
  /// Captures a cluster whose server runs.
  @discardableResult
  func capture(
    _ cluster: TestCluster, _ kind: SnapshotKind? = nil, in other: Repository? = nil, connection: String? = nil,
    isExpected: Bool = true, progress: QuietProgress = QuietProgress()
  ) throws -> Backup.Report {
    try backup(kind, in: other, progress: progress) { options in
      options.source = cluster.data
      options.name = SourceName("shop")
      options.postgres = connection ?? cluster.connection
      options.expectsPostgres = isExpected
    }
  }

  /// Captures a data directory as it lies there.
  func captureCold(
    _ cluster: TestCluster, in other: Repository? = nil, progress: QuietProgress = QuietProgress()
  ) throws -> Backup.Report {
    try backup(in: other, progress: progress) { options in
      options.source = cluster.data
      options.name = SourceName("shop")
    }
  }

  /// Restores a snapshot and starts its server, whose user owns it, as in the snapshot.
  func started(_ text: String = "latest") throws -> TestCluster {
    let name = "restored \(host.random.identifier().short)"
    try restore(text, to: name)
    let cluster = try TestCluster(restored: directory.appending(name))
    try TestCluster.giveToServer(directory.path)
    try cluster.start()
    return cluster
  }
}
