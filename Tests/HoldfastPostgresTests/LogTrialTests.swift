import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// An increment does without the log where that would take too long, where it is damaged, and where the parent may have
/// caught a file while it was built.
@Suite(.serialized) struct LogTrialTests {
  private let shop: TestShop
  private let name = SourceName(from: Path("shop"))

  init() throws { shop = try TestShop() }

  private func increment(
    _ cluster: TestCluster, progress: QuietProgress = QuietProgress(),
    configure: (inout Backup.Options) -> Void = { _ in }
  ) throws -> Backup.Report {
    try shop.backup(.incremental, progress: progress) { options in
      options.source = cluster.data
      options.name = name
      (options.postgres, options.expectsPostgres) = (cluster.connection, true)
      configure(&options)
    }
  }

  /// The server keeps its log as long as a backup fetches what is archived, so that has an end. Damage in the archive
  /// leads to a whole read, and is told.
  @Test func archivedLogIsFetchedWithinLimitsAndItsDamageIsTold() throws {
    let cluster = try TestCluster(
      settings: ["max_wal_size": "'64MB'"], options: ["--data-checksums", "--wal-segsize=1"])
    let archived = cluster.directory.appending("archived")
    TestFiles.makeDirectory(archived)
    try TestCluster.giveToServer(archived)
    try cluster.start()
    cluster.set(["archive_mode": "on", "archive_command": "'cp %p \(archived.text)/%f'"])
    try cluster.stop()
    try cluster.start()
    try cluster.initializePgbench(scale: 2)
    try shop.capture(cluster, .full)
    for _ in 0..<2 {
      try cluster.pgbench(transactions: 50)
      try cluster.psql("SELECT pg_switch_wal()")
      try cluster.psql("CHECKPOINT")
    }
    let last = try cluster.psql("SELECT pg_walfile_name(pg_current_wal_lsn() - 1)")
    try cluster.psql("SELECT pg_switch_wal()")
    try cluster.wait(until: "last_archived_wal >= '\(last)' FROM pg_stat_archiver")
    try cluster.psql("CHECKPOINT")
    for file in TestFiles.names(in: archived).sorted() where !file.contains(".") {
      _ = try WALPush(
        repository: shop.repository,
        options: WALPush.Options(path: archived.appending(file), source: name, clusterDirectory: cluster.data)
      ).run()
    }
    func trial(_ progress: QuietProgress, _ configure: (inout Backup.Options) -> Void) throws -> String {
      let report = try increment(cluster, progress: progress) { options in
        options.isDryRun = true
        configure(&options)
      }
      #expect(report.problems == [])
      return try #require(report.logUse).refusal ?? ""
    }
    let quiet = QuietProgress()
    #expect(try trial(quiet) { _ in } == "")
    #expect(try trial(quiet) { $0.archivedLogBytes = 100 }.contains("of archived log would have to be fetched"))
    #expect(try trial(quiet) { $0.archivedLogTime = .seconds(-1) }.contains("of archived log would have to be fetched"))
    #expect(quiet.warnings == [])
    let objects = TestFiles.allFiles(in: shop.repositoryPath).filter {
      $0.text.contains("/wal/") && $0.text.split(separator: "/").last?.contains("-") == true
    }
    #expect(objects.count > 2)
    for object in objects {
      let bytes = try #require(TestFiles.read(object, at: 200, count: 1))
      TestFiles.overwrite(object, at: 200, with: [bytes[0] ^ 1])
    }
    let told = QuietProgress()
    #expect(try trial(told) { _ in }.contains("the log since the parent cannot be read"))
    #expect(told.warnings.contains { $0.contains("all files that have changed are read whole") }, "\(told.warnings)")
  }

  /// Without page checksums nobody can tell a page of the parent that was half written, so a file that may have been
  /// built then is read whole. Here a page that differs from what the log says stands for one.
  @Test(arguments: [false, true]) func aFileThatMayHaveBeenBuiltIsReadWhole(hasChecksums: Bool) throws {
    let cluster = try TestCluster(
      settings: ["wal_keep_size": "'1GB'"],
      options: (hasChecksums ? ["--data-checksums"] : []) + ["--wal-segsize=1"])
    try cluster.start()
    try cluster.initializePgbench(scale: 1)
    try cluster.psql("VACUUM")
    try shop.capture(cluster, .full)
    let path = Path(try cluster.psql("SELECT pg_relation_filepath('pgbench_accounts')"))
    let place = cluster.data.appending(path.bytes)
    let flags = 100 * 8192 + 11
    let before = try #require(TestFiles.read(place, at: flags, count: 1))
    TestFiles.overwrite(place, at: flags, with: [before[0] ^ 0x80])
    let report = try increment(cluster) { $0.logSampleShare = .max }
    #expect(try #require(report.logUse).refusal == nil)
    #expect((try #require(report.logUse).keptPages > 500) == hasChecksums)
    try shop.restore(to: "restored")
    let restored = shop.directory.appending("restored").appending(path.bytes)
    #expect((TestFiles.read(restored) == TestFiles.read(place)) == !hasChecksums)
  }
}
