import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What a server needs to start and has outside of its data directory is in the snapshot, or the operator is told.
@Suite(.serialized, .timeLimit(.minutes(30))) struct PostgresConfigurationTests {
  private let shop: TestShop
  private let cluster: TestCluster
  private let place: Path

  /// A running server with its configuration where Debian has it: in a directory of its own, in several files.
  init() throws {
    shop = try TestShop()
    cluster = try TestCluster()
    place = cluster.directory.appending("etc")
    TestFiles.makeDirectory(place)
    for name in ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"] {
      TestFiles.rename(cluster.data.appending(name), to: place.appending(name))
    }
    let text = String(decoding: TestFiles.read(place.appending("postgresql.conf")) ?? [], as: UTF8.self)
    TestFiles.write(
      text + """
        data_directory = '\(cluster.data.text)'
        hba_file = '\(place.appending("pg_hba.conf").text)'
        ident_file = '\(place.appending("pg_ident.conf").text)'
        include 'more.conf'

        """, to: place.appending("postgresql.conf"))
    TestFiles.write("work_mem = '7MB'\nlog_line_prefix = 'it''s \\\\\\\\ %m '\n", to: place.appending("more.conf"))
    try TestCluster.giveToServer(place)
    try cluster.start(more: "-c config_file='\(place.appending("postgresql.conf").text)'")
  }

  private func capture(_ more: String = "", _ progress: QuietProgress) throws -> Backup.Report {
    let (data, connection) = (cluster.data, cluster.connection + more)
    return try shop.backup(progress: progress) { options in
      options.source = data
      options.name = SourceName("shop")
      options.postgres = connection
    }
  }

  @Test func itIsInTheSnapshotAsTheServerTellsIt() throws {
    let progress = QuietProgress()
    #expect(try capture("", progress).problems == [])
    let places = ["pg_hba.conf", "pg_ident.conf", "postgresql.conf"].map { place.appending($0).text }
    #expect(
      progress.notes.contains(
        "the cluster has its configuration elsewhere (\(places.joined(separator: ", "))): the snapshot has pg_hba.conf, pg_ident.conf, postgresql.conf as the server tells it, so that what is restored starts by itself; back up the originals as well"
      ))
    #expect(progress.warnings == [])
    let prefix = try cluster.psql("SHOW log_line_prefix")
    // An incremental has them where they belong as well.
    #expect(try capture("", QuietProgress()).problems == [])
    #expect(try shop.entries()["postgresql.conf"]?.file != nil)
    try cluster.stop()
    try shop.restore(to: "restored")
    let restored = try TestCluster(restored: shop.directory.appending("restored"))
    try TestCluster.giveToServer(shop.directory.path)
    try restored.start()
    #expect(try restored.psql("SHOW data_directory") == restored.data.text)
    #expect(try restored.psql("SHOW hba_file") == restored.data.appending("pg_hba.conf").text)
    #expect(try restored.psql("SHOW work_mem") == "7MB")
    #expect(try restored.psql("SHOW log_line_prefix") == prefix && prefix.hasPrefix("it's "))
  }

  @Test func aRoleThatMayNotReadItIsTold() throws {
    try cluster.psql("CREATE ROLE holdfast LOGIN REPLICATION")
    try cluster.psql("GRANT EXECUTE ON FUNCTION pg_backup_start, pg_backup_stop TO holdfast")
    let progress = QuietProgress()
    #expect(try capture(" user=holdfast", progress).problems == [])
    #expect(progress.warnings.count == 1)
    #expect(
      progress.warnings.first?.hasPrefix(
        "the configuration of the cluster (pg_hba.conf, pg_ident.conf, postgresql.conf) lies outside of its data directory, and is not in the snapshot (PostgreSQL says: "
      ) == true)
    try cluster.psql("GRANT pg_read_all_settings, pg_read_server_files TO holdfast")
    try cluster.psql("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO holdfast")
    let second = QuietProgress()
    #expect(try capture(" user=holdfast", second).problems == [])
    #expect(second.warnings == [])
  }

  /// Of a stopped cluster nobody tells where it lies.
  @Test func whoRestoresAClusterWithoutItIsTold() throws {
    try cluster.stop()
    try shop.backup { $0.source = cluster.data }
    let progress = QuietProgress()
    let target = shop.directory.appending("restored")
    _ = try Restore(
      repository: shop.repository, snapshot: shop.snapshot(), options: Restore.Options(target: target),
      progress: progress
    ).run()
    #expect(
      progress.warnings == [
        "the cluster in \(target) has no postgresql.conf and no pg_hba.conf: its configuration lay outside of its data directory; before a server starts, put it there, or start the server with -c config_file=PATH (Debian has it in /etc/postgresql)"
      ])
  }

  /// What a link or a setting names is not there where the snapshot is restored.
  @Test func aLinkToConfigurationElsewhereIsNotTakenForIt() throws {
    let other = try TestCluster(isUnlikeOthers: true)
    let place = other.directory.appending("etc")
    TestFiles.makeDirectory(place)
    TestFiles.rename(other.data.appending("pg_hba.conf"), to: place.appending("pg_hba.conf"))
    TestFiles.symbolicLink(place.appending("pg_hba.conf").text, at: other.data.appending("pg_hba.conf"))
    TestFiles.write("# unused\n", to: place.appending("ident"))
    try TestCluster.giveToServer(place)
    other.set(["ident_file": "'\(place.appending("ident").text)'"])
    try other.start()
    let progress = QuietProgress()
    try shop.backup(progress: progress) { options in
      options.source = other.data
      options.name = SourceName("other")
      options.postgres = other.connection
    }
    #expect(
      progress.warnings == [
        "the server reads its pg_ident.conf from \(place.appending("ident")), as ident_file says, and so does the server of a copy: it is not in the snapshot, back it up as well"
      ])
    #expect(try shop.entries()["pg_hba.conf"]?.file != nil)
  }

  /// What a server has committed since it archived a segment is lost with its disk.
  @Test(arguments: [("on", "0", true), ("on", "60s", false), ("off", "0", false)])
  func aServerThatArchivesFullSegmentsOnlyIsTold(mode: String, timeout: String, isTold: Bool) throws {
    let other = try TestCluster(isUnlikeOthers: true)
    other.set(["archive_mode": mode, "archive_command": "true", "archive_timeout": timeout])
    try other.start()
    let progress = QuietProgress()
    try shop.backup(progress: progress) { options in
      options.source = other.data
      options.name = SourceName("other")
      options.postgres = other.connection
    }
    #expect(
      progress.notes.contains(
        "archive_timeout is 0: the server archives a segment when it is full, and what was committed since then is in no archive; archive_timeout = '60s' archives at least once a minute while something is written"
      ) == isTold)
  }
}
