import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A running standby is captured as whole as its primary; never across a promotion; and what its primary has not
/// archived is named.
@Suite(.serialized) struct PostgresStandbyTests {
  /// A primary and a standby that streams from it, with a capture of the primary in a repository.
  private struct Pair {
    let shop: TestShop
    let primary: TestCluster
    let standby: TestCluster

    init() throws {
      shop = try TestShop()
      primary = try TestCluster(options: ["--data-checksums", "--wal-segsize=1"])
      try primary.start()
      try primary.initializePgbench()
      let snapshot = try shop.capture(primary).envelope.snapshot
      let connection = primary.connection
      try shop.restore(to: "standby") { options in
        options.recovery = RecoverySettings(
          .standby(.init(primary: connection, slot: nil, timeline: nil, archived: nil)), from: snapshot,
          restoreCommand: nil)
      }
      standby = try TestCluster(restored: shop.directory.appending("standby"))
      try TestCluster.giveToServer(shop.directory.path)
      try standby.start()
      try primary.wait(until: "EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')")
    }

    func push(_ segment: String) throws {
      var options = WALPush.Options(
        path: primary.data.appending("pg_wal/\(segment)"), source: try #require(SourceName("shop")),
        clusterDirectory: primary.data)
      options.ahead = 0
      _ = try WALPush(repository: shop.repository, options: options).run()
    }

    /// Ends the segment that the primary writes to.
    /// - Returns: its name.
    func endSegment() throws -> String {
      let name = try primary.psql("SELECT pg_walfile_name(pg_create_restore_point('end'))")
      try primary.psql("SELECT pg_switch_wal()")
      return name
    }
  }

  @Test func aStandbyIsCapturedUnderTheLoadOfItsPrimary() throws {
    let pair = try Pair()
    let bench = pair.primary.beginPgbench(clients: 2, seconds: 300)
    try pair.standby.wait(until: "(SELECT count(*) FROM pgbench_history) > 100")
    func orders() throws -> Int { try #require(Int(pair.primary.psql("SELECT count(*) FROM pgbench_history"))) }
    let before = try orders()
    let progress = QuietProgress()
    let report = try pair.shop.capture(pair.standby, progress: progress)
    let between = try orders()
    #expect(between > before, "the load went on during the capture")
    #expect(report.problems == [] && progress.warnings == [])
    #expect(report.envelope.postgres?.timeline == 1)
    let entries = try pair.shop.entries()
    #expect(entries["standby.signal"] == nil && entries["recovery.signal"] != nil && entries["backup_label"] != nil)
    let increment = try pair.shop.capture(pair.standby)
    #expect(increment.envelope.kind == .incremental)
    // A restart, or pg_checksums, leaves nothing of itself in the log of a standby.
    #expect(increment.logUse?.refusal == "the server is a standby")
    #expect(try orders() > between)
    bench.send(SIGINT)
    _ = bench.wait()
    for name in [report.envelope.snapshot, increment.envelope.snapshot] {
      let restored = try pair.shop.started(name.description)
      try restored.wait(until: "NOT pg_is_in_recovery()")
      #expect(try restored.pgbenchSums().count == 1)
      #expect(try restored.psql("SELECT count(*) > 100 FROM pgbench_history") == "t")
      try restored.run(
        restored.program("pg_amcheck"), "--host", restored.directory.path.text, "--username=postgres",
        "--install-missing", "postgres")
      try restored.psql("INSERT INTO pgbench_history (tid) VALUES (1)")
    }
  }

  /// The log of the standby may have gone another way by then.
  @Test func aPromotionEndsTheBackup() throws {
    let pair = try Pair()
    let standby = Server(pair.standby)
    let probe = MeddlingProbe(before: .open, of: "postgresql.conf") { time throws(SystemError) in
      if time == 0 { standby.promote() }
    }
    let newest = try pair.shop.snapshot().id
    let message = refusal { try pair.shop.capture(pair.standby, in: pair.shop.repository(probe: probe)) }
    #expect(message.hasPrefix("PostgreSQL says: the standby was promoted during online backup"), "\(message)")
    #expect(try pair.shop.snapshot().id == newest)
  }

  @Test func whatThePrimaryHasNotArchivedIsNamed() throws {
    let pair = try Pair()
    // Without any archived log nothing is waited for.
    #expect(try pair.shop.capture(pair.standby).problems == [])
    let first = try pair.endSegment()
    try pair.push(first)
    try pair.primary.pgbench(transactions: 50)
    let end = try pair.primary.psql("SELECT pg_current_wal_lsn()")
    try pair.standby.wait(until: "pg_last_wal_replay_lsn() >= '\(end)'")
    try pair.primary.psql("CHECKPOINT")
    let report = try pair.shop.backup { options in
      options.source = pair.standby.data
      options.name = SourceName("shop")
      options.postgres = pair.standby.connection
      options.standbyLogWait = .milliseconds(300)
    }
    let problem = try #require(report.problems.first)
    #expect(report.exitStatus == .incomplete && report.problems.count == 1)
    #expect(
      problem.reason.hasPrefix("the primary has not archived 0000000100000000")
        && problem.reason.hasSuffix("`holdfast wal status`"))
    #expect(try pair.shop.snapshot().id == report.envelope.snapshot, "the snapshot counts")
    // A signal ends the wait, and not the backup.
    let signal = SignalInTheWait(pair.shop.host.cancellation)
    var options = Backup.Options(source: pair.standby.data)
    options.name = SourceName("shop")
    options.postgres = pair.standby.connection
    options.standbyLogWait = .seconds(600)
    let ended = try Backup(
      repository: pair.shop.repository, options: options, cache: StateCache(directory: pair.shop.cachePath),
      progress: signal
    ).run()
    #expect(ended.problems.map { $0.reason.hasPrefix("a signal ended the wait for the log") } == [true])
    #expect(pair.shop.host.cancellation.isRaised)
  }
}

/// Raises a signal when the wait for the log begins.
private final class SignalInTheWait: ProgressObserver {
  private let cancellation: Cancellation
  init(_ cancellation: Cancellation) { self.cancellation = cancellation }
  func begin(phase: String, totalBytes: UInt64?) {}
  func advance(bytes: UInt64, files: UInt64) {}
  func skip(bytes: UInt64) {}
  func note(_ message: String) { if message.contains("waiting until the primary") { cancellation.raise() } }
  func warn(_ message: String) {}
}

/// A server that a test changes from within a probe.
private final class Server: @unchecked Sendable {
  // Sendable because the probe of one worker is one thread.
  private let cluster: TestCluster
  init(_ cluster: TestCluster) { self.cluster = cluster }

  func promote() {
    do {
      try cluster.psql("SELECT pg_promote()")
    } catch { Issue.record(error) }
  }
}
