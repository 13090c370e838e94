import HoldfastDrill
import HoldfastEngine
import HoldfastModel
import HoldfastTestShop
import HoldfastTestSupport

/// A shop whose source is a PostgreSQL cluster that was shut down, and drills of its snapshots by a private server.
struct DrillCluster {
  let cluster: TestCluster
  let shop: TestShop
  /// Its user can reach it, so that the private server can.
  var place: Path { cluster.directory.appending("drills") }
  var own: Path { place.appending("holdfast-drill-source") }
  var log: String { String(decoding: TestFiles.read(own.appending("log")) ?? [], as: UTF8.self) }

  /// - Parameters:
  ///   - settings: those of the live server.
  ///   - prepare: changes the running cluster, which has a database `shop`.
  init(settings: [String: String] = [:], prepare: (TestCluster) throws -> Void = { _ in }) throws {
    cluster = try TestCluster(settings: settings, options: ["--data-checksums", "--wal-segsize=1"])
    try cluster.start()
    try cluster.psql("CREATE DATABASE shop")
    try cluster.psql("CREATE TABLE orders AS SELECT generate_series(1, 3) AS id", database: "shop")
    try prepare(cluster)
    try cluster.stop("fast")
    shop = try TestShop()
    let start = RunningProcess.Start(["cp", "-a", cluster.data.appending(".").text, shop.source.text])
    let copied = RunningProcess(start).wait()
    guard copied.exitStatus == 0 else { throw TestCluster.Failure(description: copied.error) }
    try shop.backup()
  }

  func drill(
    _ assertions: [DrillAssertion] = [], configure: (inout Drill.Options) -> Void = { _ in }
  ) throws -> Drill.Report {
    var options = Drill.Options(directory: place) { _ in "false" }
    (options.assertions, options.isRoot, options.database) = (assertions, Tool.isRoot, "shop")
    configure(&options)
    return try Drill(
      repository: shop.repository, snapshot: shop.snapshot(), options: options, progress: QuietProgress()
    ).run()
  }

  /// Returns how a drill ends: what is wrong with the snapshot, or why no drill could be made; `nil` if it passes.
  func outcome(
    _ assertions: [DrillAssertion] = [], configure: (inout Drill.Options) -> Void = { _ in }
  ) -> String? {
    do {
      let failure = try drill(assertions, configure: configure).failure
      return failure.map { "failed at \($0.phase.rawValue): \($0.error)" }
    } catch {
      return "not made: \(error)"
    }
  }
}
