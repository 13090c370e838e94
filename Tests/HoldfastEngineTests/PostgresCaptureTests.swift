import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A PostgreSQL cluster is captured as one committed state while its server runs, and starts by itself where it is restored.
@Suite(.serialized) struct PostgresCaptureTests {
  private let shop: TestShop

  init() throws { shop = try TestShop() }

  @discardableResult
  private func capture(
    _ cluster: TestCluster, _ kind: SnapshotKind? = nil, in other: Repository? = nil, connection: String? = nil,
    isExpected: Bool = true, progress: QuietProgress = QuietProgress()
  ) throws -> Backup.Report {
    try shop.backup(kind, in: other, progress: progress) { options in
      options.source = cluster.data
      options.name = SourceName("shop")
      options.postgres = connection ?? cluster.connection
      options.expectsPostgres = isExpected
    }
  }

  private func captureCold(
    _ cluster: TestCluster, in other: Repository? = nil, progress: QuietProgress = QuietProgress()
  ) throws -> Backup.Report {
    try shop.backup(in: other, progress: progress) { options in
      options.source = cluster.data
      options.name = SourceName("shop")
    }
  }

  /// A snapshot restored and started; the server's user owns it, as in the snapshot.
  private func started(_ text: String = "latest") throws -> TestCluster {
    let name = "restored \(shop.host.random.identifier().short)"
    try shop.restore(text, to: name)
    let cluster = try TestCluster(restored: shop.directory.appending(name))
    try TestCluster.giveToServer(shop.directory.path)
    try cluster.start()
    return cluster
  }

  private func refusal(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  // MARK: Live

  @Test func everyCaptureUnderLoadIsOneCommittedState() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.initializePgbench(scale: 2)
    let load = cluster.beginPgbench(seconds: 120)
    var ids: [String] = []
    for kind in [SnapshotKind.full, .incremental, .differential, .incremental] {
      let report = try capture(cluster, kind)
      #expect(report.problems == [] && report.badPages.isEmpty)
      #expect(report.envelope.consistency == "postgres-backup")
      let span = try #require(report.envelope.postgres)
      #expect(span.start < span.stop && span.timeline == 1 && span.version == 15)
      #expect(report.walGrowthBytes == span.stop.value - span.start.value)
      ids.append(report.envelope.snapshot.description)
    }
    load.send(SIGINT)
    _ = load.wait()
    for id in ids {
      let restored = try started(id)
      #expect(try restored.pgbenchSums().count == 1)
      try restored.stop()
      try restored.run(restored.program("pg_checksums"), "--check", "--pgdata", restored.data.text)
    }
    #expect(try cluster.psql("SELECT count(*) FROM pg_replication_slots") == "0", "the slot went with the session")
  }

  @Test func whatAServerMakesAnewIsNotCaptured() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.psql("CREATE UNLOGGED TABLE basket AS SELECT generate_series(1, 5000)")
    try cluster.psql("CREATE TABLE orders AS SELECT generate_series(1, 5000)")
    try cluster.psql("CHECKPOINT")
    let basket = try cluster.psql("SELECT pg_relation_filepath('basket')")
    try capture(cluster)
    let entries = try shop.entries()
    #expect(entries[basket] == nil && entries[basket + "_init"] != nil)
    #expect(entries["postmaster.pid"] == nil && entries["postmaster.opts"] == nil)
    #expect(entries["backup_label"]?.file?.consistency == .postgresBackup)
    let empty = ["pg_replslot", "pg_stat_tmp", "pg_subtrans", "pg_wal/archive_status"]
    for name in empty {
      #expect(entries[name]?.content == .directory)
      #expect(entries.keys.filter { $0.hasPrefix(name + "/") } == [])
    }
    let restored = try started()
    #expect(try restored.psql("SELECT (SELECT count(*) FROM basket), (SELECT count(*) FROM orders)") == "0|5000")
  }

  /// A file of an index is there as soon as that begins to be built, and what tells that it is not logged at the end only. Were it in the snapshot, the server
  /// that recovers could not make it anew.
  @Test(arguments: [false, true])
  func anIndexThatTurnsOutToBeUnloggedKeepsNoServerFromStarting(isInParent: Bool) throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.psql("CREATE UNLOGGED TABLE basket AS SELECT generate_series(1, 3) AS id")
    try cluster.psql(
      """
      CREATE FUNCTION held(n integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_advisory_lock_shared(1); RETURN n; END'
      """)
    let holder = try cluster.session("SELECT pg_advisory_lock(1); SELECT pg_sleep(600)", until: "granted")
    let builder = try cluster.session("CREATE INDEX basket_held ON basket (held(id))", until: "NOT granted")
    if isInParent {
      #expect(try capture(cluster).problems == [])
      cluster.set(["work_mem": "5MB"])  // so that the file is read again
    }
    let releaser = Releaser(cluster, waiting: builder)
    let probe = MeddlingProbe(before: .open, of: "postgresql.conf") { time throws(SystemError) in
      if time == 0 { releaser.release() }
    }
    #expect(try capture(cluster, in: shop.repository(probe: probe)).problems == [])
    #expect(releaser.exitStatus == 0)
    #expect(holder.wait().exitStatus != 0)
    let index = try cluster.psql("SELECT pg_relation_filepath('basket_held')")
    let entries = try shop.entries()
    #expect(entries[index] == nil && entries[index + "_init"] == nil, "it is in the WAL")
    #expect(try started().psql("SELECT count(*) FROM basket") == "0")
    #expect(try capture(cluster).problems == [])
    #expect(try started().psql("SELECT count(*) FROM basket") == "0")
  }

  @Test func theSameEntriesAreInTheSealedRepositoryAndInTheOtherImplementation() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.initializePgbench()
    try capture(cluster)
    try cluster.pgbench(transactions: 50)
    try capture(cluster)
    let sealed = try TestShop(isSealed: true)
    try sealed.backup { options in
      options.source = cluster.data
      options.postgres = cluster.connection
    }
    #expect(try sealed.verify().exitStatus == .done && shop.verify().exitStatus == .done)
    let target = shop.directory.appending("rescued")
    let rescue = try RescueScript.run([shop.repositoryPath.text, "restore", "latest", target.text])
    #expect(rescue.status == 0, "\(rescue.output)")
    let restored = try TestCluster(restored: target)
    try TestCluster.giveToServer(shop.directory.path)
    try restored.start()
    #expect(try restored.pgbenchSums() == cluster.pgbenchSums())
  }

  @Test func tablespacesComeAlongAndTheirOldPlacesStayAsTheyAre() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let place = cluster.directory.appending("fast")
    TestFiles.makeDirectory(place)
    try TestCluster.giveToServer(place)
    try cluster.psql("CREATE TABLESPACE fast LOCATION '\(place.text)'")
    try cluster.psql("CREATE TABLE lines TABLESPACE fast AS SELECT generate_series(1, 5000) AS number")
    try capture(cluster)
    try cluster.psql("DELETE FROM lines WHERE number > 4000")
    try capture(cluster)
    let before = TreeDescription(of: place)
    let restored = try started()
    #expect(try restored.psql("SELECT count(*) FROM lines") == "4000")
    try restored.psql("UPDATE lines SET number = number + 1")
    try restored.psql("CHECKPOINT")
    #expect(TreeDescription(of: place).differences(from: before) == [])
    let map = TestFiles.read(restored.data.appending("tablespace_map.old")) ?? []
    #expect(String(decoding: map, as: UTF8.self).hasSuffix(" \(place.text)\n"))
    // A cluster that was restored like this is a source like any other.
    let again = try shop.backup { options in
      options.source = restored.data
      options.name = SourceName("again")
      options.postgres = restored.connection
    }
    #expect(again.problems == [] && again.envelope.consistency == "postgres-backup")
  }

  /// PostgreSQL only warns of such a place; a link to it by its full path would lead back into the original.
  @Test func aTablespaceWithinTheDataDirectoryStaysWithinTheRestoredOne() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let inner = cluster.data.appending("inner")
    TestFiles.makeDirectory(inner)
    try TestCluster.giveToServer(inner)
    try cluster.psql("CREATE TABLESPACE inner_space LOCATION '\(inner.text)'")
    try cluster.psql("CREATE TABLE lines TABLESPACE inner_space AS SELECT generate_series(1, 5000) AS number")
    try capture(cluster)
    let before = TreeDescription(of: inner)
    let restored = try started()
    let name = try restored.psql("SELECT oid FROM pg_tablespace WHERE spcname = 'inner_space'")
    #expect(try shop.entries()["pg_tblspc/\(name)"]?.content == .symbolicLink(target: Array("../inner".utf8)))
    try restored.psql("DELETE FROM lines WHERE number > 10")
    try restored.psql("CHECKPOINT")
    #expect(TreeDescription(of: inner).differences(from: before) == [])
  }

  /// A cluster that was restored goes on living: it may get further tablespaces elsewhere.
  @Test func aRestoredClusterWithANewTablespaceIsCaptured() throws {
    let cluster = try TestCluster()
    try cluster.start()
    func makeTablespace(_ name: String, in cluster: TestCluster) throws {
      let place = cluster.directory.appending(name)
      TestFiles.makeDirectory(place)
      try TestCluster.giveToServer(place)
      try cluster.psql("CREATE TABLESPACE \(name) LOCATION '\(place.text)'")
      try cluster.psql("CREATE TABLE in_\(name) TABLESPACE \(name) AS SELECT generate_series(1, 1000) AS number")
    }
    try makeTablespace("first", in: cluster)
    try capture(cluster)
    let restored = try started()
    try makeTablespace("second", in: restored)
    try capture(restored)
    let again = try started()
    #expect(try again.psql("SELECT (SELECT count(*) FROM in_first), (SELECT count(*) FROM in_second)") == "1000|1000")
    #expect(TestFiles.names(in: again.data.appending("tablespaces")).count == 2)
  }

  @Test func aTablespaceCanBeRestoredElsewhere() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let place = cluster.directory.appending("fast")
    TestFiles.makeDirectory(place)
    try TestCluster.giveToServer(place)
    try cluster.psql("CREATE TABLESPACE fast LOCATION '\(place.text)'")
    try cluster.psql("CREATE TABLE lines TABLESPACE fast AS SELECT generate_series(1, 5000) AS number")
    try capture(cluster)
    let name = try cluster.psql("SELECT oid FROM pg_tablespace WHERE spcname = 'fast'")
    #expect(
      refusal { try shop.restore(to: "restored") { $0.tablespaces = ["1": Path("/nowhere")] } } == """
        the snapshot has no tablespace 1
        HINT: It has \(name); tablespace_map.old in it says where they were.
        """)
    let elsewhere = shop.directory.appending("elsewhere")
    let report = try shop.restore(to: "restored") { $0.tablespaces = [name: elsewhere] }
    #expect(report.bytes == (try shop.snapshot().envelope.state.bytes))
    try TestCluster.giveToServer(shop.directory.path)
    let restored = try TestCluster(restored: shop.directory.appending("restored"))
    #expect(TestFiles.names(in: restored.data.appending("tablespaces")) == [])
    try restored.start()
    #expect(
      try restored.psql("SELECT count(*), pg_tablespace_location(\(name)) FROM lines") == "5000|\(elsewhere.text)")
    // Over it again: what has changed since is undone in both places.
    try restored.psql("DELETE FROM lines")
    try restored.stop()
    try shop.restore(to: "restored") { options in
      options.tablespaces = [name: elsewhere]
      options.isDelta = true
    }
    try restored.start()
    #expect(try restored.psql("SELECT count(*) FROM lines") == "5000")
  }

  @Test func aWALDirectoryThatLiesElsewhereIsCapturedInItsPlace() throws {
    let elsewhere = TemporaryDirectory()
    try TestCluster.giveToServer(elsewhere.path)
    let wal = elsewhere.appending("wal")
    let cluster = try TestCluster(options: ["--data-checksums", "--waldir=\(wal.text)"])
    try cluster.start()
    try cluster.initializePgbench()
    try capture(cluster)
    let restored = try started()
    #expect(try restored.pgbenchSums() == ["0"])
    try cluster.stop()
    #expect(try captureCold(cluster).problems == [])
    #expect(try started().pgbenchSums() == ["0"])
  }

  // MARK: Pages

  /// Turns a bit in the page of a table, behind the back of the server.
  private func damage(_ cluster: TestCluster, _ table: String, page: Int) throws -> String {
    let name = try cluster.psql("SELECT pg_relation_filepath('\(table)')")
    let path = cluster.data.appending(name)
    let offset = page * 8192 + 4000
    let byte = try #require(TestFiles.read(path, at: offset, count: 1)).map { $0 ^ 4 }
    TestFiles.overwrite(path, at: offset, with: byte)
    return name
  }

  @Test func pagesThatFailTheirChecksumsAreNamedEachTime() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.initializePgbench()
    try cluster.psql("CHECKPOINT")
    _ = try damage(cluster, "pgbench_accounts", page: 7)
    let name = try damage(cluster, "pgbench_accounts", page: 400)
    for _ in 0..<2 {
      let report = try capture(cluster)
      #expect(report.exitStatus == .incomplete && report.envelope.consistency == "bad-pages")
      #expect(report.badPages == [Path(name): [7, 400]])
      #expect(
        report.problems == [
          Problem(path: Path(name), reason: "pages 7, 400 fail the checksums that their database gave them")
        ])
      #expect(try shop.entries()[name]?.file?.badPages == [7, 400])
    }
    try cluster.stop()
    #expect(try captureCold(cluster).badPages == [Path(name): [7, 400]])
    let restored = try shop.restore(to: "restored")
    #expect(
      restored.problems.map(\.reason) == [
        "pages 7, 400 fail the checksums that their database gave them, already when the snapshot was taken"
      ])
    let rescue = try RescueScript.run(
      [shop.repositoryPath.text, "restore", "latest", shop.directory.appending("rescued").text])
    #expect(rescue.output.contains("bad pages: \(name): 7, 400: damaged before the snapshot"))
  }

  @Test func aClusterWithoutChecksumsIsCapturedWithoutThem() throws {
    let cluster = try TestCluster(options: [])
    try cluster.start()
    try cluster.initializePgbench()
    try cluster.psql("CHECKPOINT")
    _ = try damage(cluster, "pgbench_accounts", page: 7)
    #expect(try capture(cluster).exitStatus == .done)
  }

  // MARK: Cold

  @Test func aStoppedClusterIsCapturedAsItLies() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.initializePgbench()
    try cluster.pgbench(transactions: 100)
    let sums = try cluster.pgbenchSums()
    try capture(cluster)
    try cluster.stop()
    let progress = QuietProgress()
    let report = try captureCold(cluster, progress: progress)
    #expect(report.envelope.consistency == "postgres-backup", "of what did not change since")
    #expect(report.envelope.postgres == nil && progress.warnings == [])
    #expect(try shop.entries()["backup_label"] == nil)
    #expect(try started().pgbenchSums() == sums)
  }

  @Test func aClusterThatCrashedIsCapturedWithAWarning() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.initializePgbench()
    try cluster.pgbench(transactions: 100)
    let sums = try cluster.pgbenchSums()
    try cluster.stop("immediate")
    let progress = QuietProgress()
    _ = try captureCold(cluster, progress: progress)
    #expect(
      progress.warnings == [
        "the PostgreSQL cluster \(cluster.data) was not shut down: it is captured as it lies there, and recovers when it is started"
      ])
    #expect(try started().pgbenchSums() == sums)
  }

  @Test func aServerThatStartsDuringAColdCaptureEndsIt() throws {
    let cluster = try TestCluster()
    let starter = Starter(cluster)
    let probe = MeddlingProbe(before: .open, of: "postgresql.conf") { time throws(SystemError) in
      if time == 0 { starter.start() }
    }
    let watched = try shop.repository(probe: probe)
    #expect(
      refusal { _ = try captureCold(cluster, in: watched) } == """
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
      refusal { _ = try captureCold(cluster) } == """
        a PostgreSQL server runs on \(cluster.data): a plain copy of it would be worth nothing
        HINT: Say --postgres 'host=/var/run/postgresql user=postgres' to capture it while it runs, or stop it first, or leave it out with --exclude.
        """)
  }

  @Test func theServerOfAnotherClusterIsRefused() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let other = try TestCluster()
    try other.start()
    #expect(
      refusal { try capture(cluster, connection: other.connection) } == """
        the server that --postgres names does not run on the source
        HINT: Name the server of this data directory: compare its port and socket with the file postmaster.pid there.
        """)
    try other.stop()
    #expect(
      refusal { try capture(cluster, connection: other.connection) }.hasPrefix(
        "cannot connect to PostgreSQL\nHINT: Give --postgres what psql needs, such as 'host=/var/run/postgresql user=postgres'. PostgreSQL says: connection to server on socket"
      ))
    try cluster.stop()
    #expect(
      refusal { try capture(cluster) } == """
        no PostgreSQL server runs on a data directory in \(cluster.data)
        HINT: Name the data directory of the server, or leave out --postgres for one that is stopped.
        """)
    // Variables of the environment may be there for other programs.
    #expect(try capture(cluster, isExpected: false).envelope.postgres == nil)
  }

  @Test func aStandbyIsRefused() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try capture(cluster)
    try shop.restore(to: "standby")
    let standby = try TestCluster(restored: shop.directory.appending("standby"))
    TestFiles.write([], to: standby.data.appending("standby.signal"))
    try TestCluster.giveToServer(shop.directory.path)
    try standby.start()
    #expect(
      refusal { try capture(standby) } == """
        the server is a standby: a live capture needs the primary
        HINT: Back up where the primary runs, or stop the standby and back it up cold.
        """)
  }

  /// Without the server's word that the backup is whole, nothing counts.
  @Test func aSessionThatIsLostEndsTheBackup() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let starter = Starter(cluster)
    let probe = MeddlingProbe(before: .open, of: "postgresql.conf") { time throws(SystemError) in
      if time == 0 { starter.endSessions() }
    }
    let message = refusal { try capture(cluster, in: shop.repository(probe: probe)) }
    #expect(message.hasPrefix("PostgreSQL says: "))
    #expect(throws: EngineError.self) { try shop.snapshot() }
  }

  @Test func aServerWithoutASlotToSpareIsCapturedWithAWarning() throws {
    let cluster = try TestCluster(settings: ["max_replication_slots": "0"])
    try cluster.start()
    let progress = QuietProgress()
    try capture(cluster, progress: progress)
    #expect(progress.warnings.count == 1)
    #expect(
      progress.warnings[0].hasPrefix("the WAL of the capture is not kept by a replication slot (PostgreSQL says: "))
    _ = try started()
  }

  @Test func aServerThatWritesTooLittleWALSaysWhatToChange() throws {
    let cluster = try TestCluster(settings: ["wal_level": "minimal", "max_wal_senders": "0"])
    try cluster.start()
    #expect(
      refusal { try capture(cluster) } == """
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
      try capture(cluster, connection: cluster.connection + " user=holdfast")
    }
    #expect(message == "PostgreSQL says: permission denied for function pg_backup_start")
    try cluster.psql("GRANT EXECUTE ON FUNCTION pg_backup_start, pg_backup_stop TO holdfast")
    let progress = QuietProgress()
    #expect(try capture(cluster, connection: cluster.connection + " user=holdfast", progress: progress).problems == [])
    #expect(progress.warnings == [])
  }

  @Test func aRunningServerIsNotRestoredOver() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try capture(cluster)
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

/// Lets a session go on that waits for an advisory lock.
private final class Releaser: @unchecked Sendable {
  // Sendable because the probe of one worker is one thread.
  private let cluster: TestCluster
  private let waiting: RunningProcess
  private(set) var exitStatus: Int32?

  init(_ cluster: TestCluster, waiting: RunningProcess) { (self.cluster, self.waiting) = (cluster, waiting) }

  /// Ends who holds the advisory lock, and waits until who waits for it is done.
  func release() {
    do {
      try cluster.psql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
      exitStatus = waiting.wait().exitStatus
    } catch { Issue.record(error) }
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
