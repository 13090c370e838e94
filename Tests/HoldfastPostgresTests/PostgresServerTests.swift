import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What the server of a cluster is doing decides how the cluster is captured, and whether it is.
@Suite(.serialized) struct PostgresServerTests {
  private let shop: TestShop

  init() throws { shop = try TestShop() }

  // MARK: Cold

  @Test func aStoppedClusterIsCapturedAsItLies() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.initializePgbench()
    try cluster.pgbench(transactions: 100)
    let sums = try cluster.pgbenchSums()
    try shop.capture(cluster)
    try cluster.stop()
    let progress = QuietProgress()
    let report = try shop.captureCold(cluster, progress: progress)
    #expect(report.envelope.consistency == .postgresBackup, "of what did not change since")
    #expect(report.envelope.postgres == nil && progress.warnings == [])
    #expect(try shop.entries()["backup_label"] == nil)
    #expect(try shop.started().pgbenchSums() == sums)
  }

  @Test func aClusterThatCrashedIsCapturedWithAWarning() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.initializePgbench()
    try cluster.pgbench(transactions: 100)
    let sums = try cluster.pgbenchSums()
    try cluster.stop("immediate")
    let progress = QuietProgress()
    _ = try shop.captureCold(cluster, progress: progress)
    #expect(
      progress.warnings == [
        "the PostgreSQL cluster \(cluster.data) was not shut down: it is captured as it lies there, and recovers when it is started"
      ])
    #expect(try shop.started().pgbenchSums() == sums)
  }

  @Test func aServerThatStartsDuringAColdCaptureEndsIt() throws {
    let cluster = try TestCluster()
    let starter = Starter(cluster)
    let probe = MeddlingProbe(before: .open, of: "postgresql.conf") { time throws(SystemError) in
      if time == 0 { starter.start() }
    }
    let watched = try shop.repository(probe: probe)
    #expect(
      refusal { _ = try shop.captureCold(cluster, in: watched) } == """
        a PostgreSQL server was started on the source while it was captured; nothing was committed
        HINT: Run the same command again, with --postgres while the server runs.
        """)
    #expect(probe.times > 0)
    #expect(throws: EngineError.self) { try shop.snapshot() }
  }

  // MARK: Refusals

  @Test func aRunningServerIsNotCapturedAsPlainFiles() throws {
    let cluster = try TestCluster()
    try cluster.start()
    #expect(
      refusal { _ = try shop.captureCold(cluster) } == """
        a PostgreSQL server runs on \(cluster.data): a plain copy of it would be worth nothing
        HINT: Say --postgres 'host=/var/run/postgresql user=postgres' to capture it while it runs, or stop it first, or leave it out with --exclude.
        """)
  }

  @Test func theServerOfAnotherClusterIsRefused() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let other = try TestCluster(isUnlikeOthers: true)
    try other.start()
    #expect(
      refusal { try shop.capture(cluster, connection: other.connection) } == """
        the server that --postgres names does not run on the source
        HINT: Name the server of this data directory: compare its port and socket with the file postmaster.pid there.
        """)
    try other.stop()
    #expect(
      refusal { try shop.capture(cluster, connection: other.connection) }.hasPrefix(
        "cannot connect to PostgreSQL\nHINT: Give --postgres what psql needs, such as 'host=/var/run/postgresql user=postgres'. PostgreSQL says: connection to server on socket"
      ))
    try cluster.stop()
    #expect(
      refusal { try shop.capture(cluster) } == """
        no PostgreSQL server runs on a data directory in \(cluster.data)
        HINT: Name the data directory of the server, or leave out --postgres for one that is stopped.
        """)
    // Variables of the environment may be there for other programs.
    #expect(try shop.capture(cluster, isExpected: false).envelope.postgres == nil)
  }

  /// Without the server's word that the backup is whole, nothing counts.
  @Test func aSessionThatIsLostEndsTheBackup() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let starter = Starter(cluster)
    let probe = MeddlingProbe(before: .open, of: "postgresql.conf") { time throws(SystemError) in
      if time == 0 { starter.endSessions() }
    }
    let message = refusal { try shop.capture(cluster, in: shop.repository(probe: probe)) }
    #expect(message.hasPrefix("PostgreSQL says: "))
    #expect(throws: EngineError.self) { try shop.snapshot() }
  }

  @Test func aServerWithoutASlotToSpareIsCapturedWithAWarning() throws {
    let cluster = try TestCluster(settings: ["max_replication_slots": "0"])
    try cluster.start()
    let progress = QuietProgress()
    try shop.capture(cluster, progress: progress)
    #expect(progress.warnings.count == 1)
    #expect(
      progress.warnings[0].hasPrefix("the WAL of the capture is not kept by a replication slot (PostgreSQL says: "))
    _ = try shop.started()
  }

  @Test func aServerThatWritesTooLittleWALSaysWhatToChange() throws {
    let cluster = try TestCluster(settings: ["wal_level": "minimal", "max_wal_senders": "0"])
    try cluster.start()
    #expect(
      refusal { try shop.capture(cluster) } == """
        PostgreSQL says: WAL level not sufficient for making an online backup
        HINT: PostgreSQL says: wal_level must be set to "replica" or "logical" at server start.
        """)
  }

  /// What docs/operations.md grants.
  @Test func aRoleWithFewRightsIsEnough() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.psql("CREATE ROLE holdfast LOGIN REPLICATION")
    let message = refusal {
      try shop.capture(cluster, connection: cluster.connection + " user=holdfast")
    }
    #expect(message == "PostgreSQL says: permission denied for function pg_backup_start")
    try cluster.psql("GRANT EXECUTE ON FUNCTION pg_backup_start, pg_backup_stop TO holdfast")
    let progress = QuietProgress()
    #expect(
      try shop.capture(cluster, connection: cluster.connection + " user=holdfast", progress: progress).problems == [])
    #expect(progress.warnings == [])
  }

  @Test func aRunningServerIsNotRestoredOver() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try shop.capture(cluster)
    let message = refusal {
      try shop.restore(to: "unused") { options in
        options.target = cluster.data
        options.isDelta = true
      }
    }
    #expect(message.hasPrefix("a PostgreSQL server, process "))
    #expect(
      message.hasSuffix(
        """
        , runs on \(cluster.data)
        HINT: Stop it before you restore over its data, or name another --target.
        """))
    try cluster.psql("SELECT 1")
    try cluster.stop()
    try shop.restore(to: "unused") { options in
      options.target = cluster.data
      options.isDelta = true
    }
    try cluster.start()
  }
}

/// What a test does to a server from within a probe.
private final class Starter: @unchecked Sendable {
  // Sendable because the probe of one worker is one thread.
  private let cluster: TestCluster
  init(_ cluster: TestCluster) { self.cluster = cluster }

  func start() {
    do { try cluster.start() } catch { Issue.record(error) }
  }

  func endSessions() {
    do {
      try cluster.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'")
    } catch { Issue.record(error) }
  }
}
