import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A PostgreSQL cluster is captured as one committed state while its server runs, and starts by itself where it is
/// restored.
@Suite(.serialized) struct PostgresCaptureTests {
  private let shop: TestShop

  init() throws { shop = try TestShop() }

  // MARK: Live

  @Test func everyCaptureUnderLoadIsOneCommittedState() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.initializePgbench(scale: 2)
    let load = cluster.beginPgbench(seconds: 120)
    var ids: [String] = []
    for kind in [SnapshotKind.full, .incremental, .differential, .incremental] {
      let report = try shop.capture(cluster, kind)
      #expect(report.problems == [] && report.badPages.isEmpty)
      #expect(report.envelope.consistency == .postgresBackup)
      let span = try #require(report.envelope.postgres)
      #expect(span.start < span.stop && span.timeline == 1 && span.version == 15)
      #expect(report.walGrowthBytes == span.stop.value - span.start.value)
      ids.append(report.envelope.snapshot.description)
    }
    load.send(SIGINT)
    _ = load.wait()
    for id in ids {
      let restored = try shop.started(id)
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
    try shop.capture(cluster)
    let entries = try shop.entries()
    #expect(entries[basket] == nil && entries[basket + "_init"] != nil)
    #expect(entries["postmaster.pid"] == nil && entries["postmaster.opts"] == nil)
    #expect(entries["backup_label"]?.file?.consistency == .postgresBackup)
    let empty = ["pg_replslot", "pg_stat_tmp", "pg_subtrans", "pg_wal/archive_status"]
    for name in empty {
      #expect(entries[name]?.content == .directory)
      #expect(entries.keys.filter { $0.hasPrefix(name + "/") } == [])
    }
    let restored = try shop.started()
    #expect(try restored.psql("SELECT (SELECT count(*) FROM basket), (SELECT count(*) FROM orders)") == "0|5000")
  }

  /// A file of an index is there as soon as that begins to be built, and what tells that it is not logged at the end
  /// only. Were it in the snapshot, the server that recovers could not make it anew.
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
      #expect(try shop.capture(cluster).problems == [])
      cluster.set(["work_mem": "5MB"])  // so that the file is read again
    }
    let releaser = Releaser(cluster, waiting: builder)
    let probe = MeddlingProbe(before: .open, of: "postgresql.conf") { time throws(SystemError) in
      if time == 0 { releaser.release() }
    }
    #expect(try shop.capture(cluster, in: shop.repository(probe: probe)).problems == [])
    #expect(releaser.exitStatus == 0)
    #expect(holder.wait().exitStatus != 0)
    let index = try cluster.psql("SELECT pg_relation_filepath('basket_held')")
    let entries = try shop.entries()
    #expect(entries[index] == nil && entries[index + "_init"] == nil, "it is in the WAL")
    #expect(try shop.started().psql("SELECT count(*) FROM basket") == "0")
    #expect(try shop.capture(cluster).problems == [])
    #expect(try shop.started().psql("SELECT count(*) FROM basket") == "0")
  }

  @Test func theSameEntriesAreInTheSealedRepositoryAndInTheOtherImplementation() throws {
    let cluster = try TestCluster()
    try cluster.start()
    try cluster.initializePgbench()
    try shop.capture(cluster)
    try cluster.pgbench(transactions: 50)
    try shop.capture(cluster)
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
    let place = try cluster.makeTablespace("fast").place
    try cluster.psql("CREATE TABLE lines TABLESPACE fast AS SELECT generate_series(1, 5000) AS number")
    try shop.capture(cluster)
    try cluster.psql("DELETE FROM lines WHERE number > 4000")
    try shop.capture(cluster)
    let before = TreeDescription(of: place)
    let restored = try shop.started()
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
    #expect(again.problems == [] && again.envelope.consistency == .postgresBackup)
  }

  /// PostgreSQL only warns of such a place; a link to it by its full path would lead back into the original.
  @Test func aTablespaceWithinTheDataDirectoryStaysWithinTheRestoredOne() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let inner = cluster.data.appending("inner")
    try cluster.makeTablespace("inner_space", at: inner)
    try cluster.psql("CREATE TABLE lines TABLESPACE inner_space AS SELECT generate_series(1, 5000) AS number")
    try shop.capture(cluster)
    let before = TreeDescription(of: inner)
    let restored = try shop.started()
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
      try cluster.makeTablespace(name)
      try cluster.psql("CREATE TABLE in_\(name) TABLESPACE \(name) AS SELECT generate_series(1, 1000) AS number")
    }
    try makeTablespace("first", in: cluster)
    try shop.capture(cluster)
    let restored = try shop.started()
    try makeTablespace("second", in: restored)
    try shop.capture(restored)
    let again = try shop.started()
    #expect(try again.psql("SELECT (SELECT count(*) FROM in_first), (SELECT count(*) FROM in_second)") == "1000|1000")
    #expect(TestFiles.names(in: again.data.appending("tablespaces")).count == 2)
  }

  @Test func aTablespaceCanBeRestoredElsewhere() throws {
    let cluster = try TestCluster()
    try cluster.start()
    let name = try cluster.makeTablespace("fast").oid
    try cluster.psql("CREATE TABLE lines TABLESPACE fast AS SELECT generate_series(1, 5000) AS number")
    try shop.capture(cluster)
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
    let cluster = try TestCluster(options: ["--data-checksums", "--waldir=\(wal.text)"], isUnlikeOthers: true)
    try cluster.start()
    try cluster.initializePgbench()
    try shop.capture(cluster)
    let restored = try shop.started()
    #expect(try restored.pgbenchSums() == ["0"])
    try cluster.stop()
    #expect(try shop.captureCold(cluster).problems == [])
    #expect(try shop.started().pgbenchSums() == ["0"])
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
      let report = try shop.capture(cluster)
      #expect(report.exitStatus == .incomplete && report.envelope.consistency == .badPages)
      #expect(report.badPages == [Path(name): [7, 400]])
      #expect(
        report.problems == [
          Problem(path: Path(name), reason: "pages 7, 400 fail the checksums that their database gave them")
        ])
      #expect(try shop.entries()[name]?.file?.badPages == [7, 400])
    }
    try cluster.stop()
    #expect(try shop.captureCold(cluster).badPages == [Path(name): [7, 400]])
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
    #expect(try shop.capture(cluster).exitStatus == .done)
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
