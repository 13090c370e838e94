package import HoldfastArchive
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem
package import HoldfastTestSupport
internal import Testing

/// A short log of the server of `orders`, and the calls that tests make on its archive.
package struct WALSample {
  package init() {}

  package static let noon: Int64 = 1_790_000_000_000_000
  package let source = SourceName(from: Path("orders"))

  /// Three segments, the second with a commit that ends in the third.
  package static func log() -> TestLog {
    var log = TestLog()
    log.commit(at: noon)
    log.restorePoint("release 7", at: noon + 1)
    log.switchSegment()
    log.commit(at: noon + 2)
    log.commit(at: noon + 5, isAbort: true)
    log.fill(leaving: 32)
    while TestLog.segmentBytes - Int(log.place.value % UInt64(TestLog.segmentBytes)) > 40 { log.filler(1) }
    log.commit(at: noon + 9)
    log.switchSegment()
    return log
  }

  package func push(
    _ name: String, _ bytes: [UInt8], _ shop: TestShop, in repository: Repository? = nil
  ) throws -> WALPush.Report {
    let path = shop.directory.appending(name)
    TestFiles.write(bytes, to: path)
    return try WALPush(
      repository: repository ?? shop.repository,
      options: WALPush.Options(path: path, source: source, clusterDirectory: shop.directory.path)
    ).run()
  }

  package func fetch(_ name: String, _ shop: TestShop, in repository: Repository? = nil) throws -> [UInt8]? {
    let target = shop.directory.appending("RECOVERYXLOG")
    TestFiles.remove(target)
    let file = try #require(WALFileName(name))
    try WALFetch(
      repository: repository ?? shop.repository,
      options: WALFetch.Options(file: file, target: target, source: source, clusterDirectory: shop.directory.path)
    ).run()
    return TestFiles.read(target)
  }

  /// A snapshot of what looks like a cluster, from one place of a log to another, that ended at a time.
  @discardableResult
  package func snapshot(
    _ shop: TestShop, from start: LogSequenceNumber, to stop: LogSequenceNumber, ended: Int64, timeline: UInt32 = 1,
    system: SystemIdentifier = TestLog().system
  ) throws -> Snapshot {
    for (name, text) in [("PG_VERSION", "15\n"), ("backup_label", "label \(ended)\n"), ("postgresql.auto.conf", "")] {
      TestFiles.write(text, to: shop.source.appending(name))
    }
    let report = try shop.backup(.full) { $0.name = source }
    var envelope = report.envelope
    envelope.postgres = Envelope.Postgres(
      system: system.description, version: 15, timeline: timeline, start: start, stop: stop)
    let time = RecordedTime(Timestamp(microseconds: ended))
    envelope.time = Envelope.Time(started: time, finished: time)
    let key = Keys.manifest(source, envelope.sequence)
    TestFiles.write(try envelope.serialized(), to: shop.repositoryPath.appending(key))
    return try #require(try shop.repository.catalog.snapshotIfCommitted(source, envelope.sequence))
  }
}
