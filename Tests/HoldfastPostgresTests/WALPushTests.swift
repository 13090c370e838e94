import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What is pushed is in the archive as it was, once, and comes back as it was.
@Suite struct WALPushTests {
  private let wal = WALSample()

  @Test(arguments: [false, true]) func whatWasPushedIsFetchedByteForByte(isSealed: Bool) throws {
    let shop = try TestShop(isSealed: isSealed)
    let host = try shop.open(as: .backupHost)
    for segment in WALSample.log().segments {
      let report = try wal.push(segment.name.text, segment.bytes, shop, in: host)
      #expect(!report.isRepeated && report.storedBytes > 0 && report.storedBytes < 1 << 20)
      #expect(try wal.fetch(segment.name.text, shop, in: shop.open(as: .owner)) == segment.bytes)
    }
    let again = try wal.push(WALSample.log().segments[0].name.text, WALSample.log().segments[0].bytes, shop, in: host)
    #expect(again.isRepeated && again.storedBytes == 0)
    #expect(TestFiles.names(in: shop.directory.path).allSatisfy { !$0.contains("unfinished") })
  }

  @Test(arguments: [false, true]) func theFactsOfEachSegmentAreKeptWithIt(isSealed: Bool) throws {
    let shop = try TestShop(isSealed: isSealed)
    let log = WALSample.log()
    for segment in log.segments { _ = try wal.push(segment.name.text, segment.bytes, shop) }
    let archive = WALArchive(shop.repository, of: wal.source)
    let facts = try log.segments.map { segment in
      try archive.facts(of: #require(try archive.find(segment.name, of: log.system)))
    }
    #expect(facts.map(\.digest) == log.segments.map { Hasher.digest($0.bytes) })
    #expect(facts.map { $0.log?.transactions } == [1, 2, 0])
    #expect(facts.map { $0.log?.latest?.microseconds } == [WALSample.noon, WALSample.noon + 5, nil])
    #expect(facts.map { $0.log?.openRecord != nil } == [false, true, false])
    #expect(facts.allSatisfy { ($0.log?.lastRecord ?? LogSequenceNumber(0)) < ($0.log?.end ?? LogSequenceNumber(0)) })
    let point = try #require(facts[0].log?.restorePoints.first)
    #expect(point.name == "release 7" && point.time == Timestamp(microseconds: WALSample.noon + 1))
    #expect(point.lsn > LogSequenceNumber(1 << 20) && point.lsn < LogSequenceNumber(2 << 20))
  }

  @Test(arguments: [false, true]) func anotherFileOfTheSameNameIsRefused(isSealed: Bool) throws {
    let shop = try TestShop(isSealed: isSealed)
    let segment = WALSample.log().segments[0]
    _ = try wal.push(segment.name.text, segment.bytes, shop)
    var other = segment.bytes
    other[other.count - 1] ^= 1
    let error = #expect(throws: EngineError.self) { try wal.push(segment.name.text, other, shop) }
    #expect(error?.message == "000000010000000000000001 is archived already for orders, with other contents")
    #expect(
      error?.hint
        == "Nothing was stored. Two servers may be archiving under one name: give each a --name of its own, and take a full of it."
    )
    #expect(error?.exitStatus == .failed)
    #expect(try wal.fetch(segment.name.text, shop) == segment.bytes)
  }

  @Test func anotherWriterCanCompareOnlyWithAnIdentity() throws {
    let shop = try TestShop(isSealed: true)
    let segment = WALSample.log().segments[0]
    _ = try wal.push(segment.name.text, segment.bytes, shop)
    let second = try WriterKey()
    var change = try KeyringChange(shop.repository)
    try change.enrol(Keyring.Writer(name: "shop-2", key: second.signing.publicKey))
    _ = try change.publish()
    let keys = try #require(shop.keys)
    func open(_ identities: [RecoveryIdentity]) throws -> Repository {
      try Repository.open(
        shop.repository.store, host: shop.host,
        credentials: Credentials(identities: { _ in identities }, writer: { second }))
    }
    let error = #expect(throws: EngineError.self) { try wal.push(segment.name.text, segment.bytes, shop, in: open([])) }
    #expect(
      error?.message
        == "000000010000000000000001 is archived already for orders, by another writer, and this machine cannot open it to compare"
    )
    #expect(
      error?.hint
        == "Run the same push once with --identity FILE, as the same user: what is the same is then archived for this writer too. Or give this server a --name of its own."
    )
    #expect(try !wal.push(segment.name.text, segment.bytes, shop, in: open([keys.identity])).isRepeated)
    // From then on it recognises it without.
    for identities in [[], [keys.identity]] {
      #expect(try wal.push(segment.name.text, segment.bytes, shop, in: open(identities)).isRepeated)
    }
    #expect(try wal.push(segment.name.text, segment.bytes, shop).isRepeated)
    var other = segment.bytes
    other[100] ^= 1
    #expect(throws: EngineError.self) { try wal.push(segment.name.text, other, shop, in: open([keys.identity])) }
  }

  /// Of what nobody can open, the stored bytes tell whether it is sound.
  @Test func aDamagedCopyOfAnotherWriterIsArchivedAnew() throws {
    let shop = try TestShop(isSealed: true)
    let segment = WALSample.log().segments[0]
    _ = try wal.push(segment.name.text, segment.bytes, shop)
    let second = try WriterKey()
    var change = try KeyringChange(shop.repository)
    try change.enrol(Keyring.Writer(name: "shop-2", key: second.signing.publicKey))
    _ = try change.publish()
    let host = try Repository.open(
      shop.repository.store, host: shop.host, credentials: Credentials(identities: { _ in [] }, writer: { second }))
    let object = try #require(
      TestFiles.allFiles(in: shop.repositoryPath).first { $0.text.contains(segment.name.text + "-") })
    TestFiles.overwrite(object, at: 200, with: [0xff, 0xfe, 0xfd])
    #expect(try wal.push(segment.name.text, segment.bytes, shop, in: host).replaced == 1)
    #expect(try wal.fetch(segment.name.text, shop, in: shop.open(as: .owner)) == segment.bytes)
    #expect(try wal.push(segment.name.text, segment.bytes, shop, in: host).isRepeated)
  }

  /// What recovery reads by no name of its own is kept beside that of another writer.
  @Test func theUnfinishedSegmentOfAnotherWriterKeepsNobodyOut() throws {
    let shop = try TestShop(isSealed: true)
    var log = TestLog()
    log.commit(at: WALSample.noon)
    let count = Int(log.place.value % UInt64(TestLog.segmentBytes))
    log.switchSegment()
    let (name, bytes) = (log.segments[0].name.text, log.segments[0].bytes)
    let cut = Array(bytes[..<count]) + [UInt8](repeating: 0, count: TestLog.segmentBytes - count)
    _ = try wal.push(name, cut, shop)
    let second = try WriterKey()
    var change = try KeyringChange(shop.repository)
    try change.enrol(Keyring.Writer(name: "shop-2", key: second.signing.publicKey))
    _ = try change.publish()
    let host = try Repository.open(
      shop.repository.store, host: shop.host, credentials: Credentials(identities: { _ in [] }, writer: { second }))
    #expect(try !wal.push(name, cut, shop, in: host).isRepeated)
    #expect(try wal.push(name, bytes, shop, in: host).file.text == name)
    #expect(try wal.fetch(name, shop, in: shop.open(as: .owner)) == bytes)
  }

  @Test func equalSegmentsHaveUnequalCodesWhereTheyAreSealed() throws {
    let shop = try TestShop(isSealed: true)
    let segment = WALSample.log().segments[0]
    let archive = WALArchive(shop.repository, of: wal.source)
    _ = try wal.push(segment.name.text, segment.bytes, shop)
    let first = try #require(try archive.find(segment.name, of: WALSample.log().system)).manifest
    #expect(first.content != Hasher.digest(segment.bytes))
    let other = try #require(SourceName("other"))
    _ = try WALPush(
      repository: shop.repository,
      options: WALPush.Options(
        path: shop.directory.appending(segment.name.text), source: other, clusterDirectory: shop.directory.path)
    ).run()
    let second = try #require(try WALArchive(shop.repository, of: other).find(segment.name, of: WALSample.log().system))
    #expect(second.manifest.content != first.content)
  }

  // MARK: What is no such file

  private func refusal(_ name: String, _ bytes: [UInt8]) throws -> String {
    let shop = try TestShop()
    do {
      _ = try wal.push(name, bytes, shop)
      return "accepted"
    } catch let error as any OperatorError {
      #expect(TestFiles.allFiles(in: shop.repositoryPath).count == 1, "nothing is stored")
      return shop.directory.path.description == ""
        ? "" : error.message.replacing(shop.directory.path.description, with: "DIR")
    }
  }

  @Test func aFileThatIsNotWhatItsNameSaysIsRefused() throws {
    let no = "is not a file of a write-ahead log that can be archived: "
    let (name, bytes) = WALSample.log().segments[0]
    #expect(try refusal(name.text, bytes) == "accepted")
    #expect(
      try refusal(name.text, [UInt8](repeating: 0, count: 1 << 20))
        == "DIR/\(name) \(no)it does not begin with a page of a write-ahead log (PostgreSQL 12 or later)")
    #expect(try refusal(name.text, []).hasSuffix("(PostgreSQL 12 or later)"))
    #expect(
      try refusal(name.text, Array(bytes.dropLast()))
        == "DIR/\(name) \(no)it has 1048575 bytes, and the segments of its cluster have 1048576")
    #expect(
      try refusal("000000010000000000000002", bytes)
        == "DIR/000000010000000000000002 \(no)it begins at 0/100000 of the log, and its name says 0/200000")
    #expect(
      try refusal("000000010000000000001000", bytes)
        == "DIR/000000010000000000001000 \(no)a cluster with segments of 1048576 bytes has none of this name")
    var later = bytes
    later[4] = 2
    #expect(
      try refusal(name.text, later)
        == "DIR/\(name) \(no)it belongs to timeline 2, and its name says 1")
    #expect(try refusal("000000020000000000000001", bytes) == "accepted", "a timeline begins with what was before")
    #expect(
      try refusal("postgresql.conf", bytes) == "postgresql.conf is not the name of a file that PostgreSQL archives")
    #expect(
      try refusal("00000002.history", Array("nonsense\n".utf8))
        == "DIR/00000002.history \(no)it is not the history of timeline 2")
    #expect(
      try refusal("000000010000000000000001.00000028.backup", Array("x".utf8))
        == "DIR/000000010000000000000001.00000028.backup \(no)it does not begin as the note of a backup does")
  }

  @Test func whatHoldsNoLogBelongsToTheClusterThatIsKnown() throws {
    let shop = try TestShop()
    let history = Array("1\t0/200000\tno recovery target specified\n".utf8)
    let error = #expect(throws: EngineError.self) { try wal.push("00000002.history", history, shop) }
    #expect(error?.message == "no write-ahead log is archived for orders")
    let segment = WALSample.log().segments[0]
    _ = try wal.push(segment.name.text, segment.bytes, shop)
    _ = try wal.push(segment.name.text + ".partial", segment.bytes, shop)
    #expect(try wal.push("00000002.history", history, shop).system == WALSample.log().system)
    #expect(try wal.fetch("00000002.history", shop) == history)
    let note = Array("START WAL LOCATION: 0/100028 (file 000000010000000000000001)\n".utf8)
    let name = "000000010000000000000001.00000028.backup"
    #expect(try wal.push(name, note, shop).system == WALSample.log().system)
    #expect(try wal.fetch(name, shop) == note)
    // A control file in the directory tells, whatever else there is.
    var control = [UInt8](repeating: 0, count: 8192)
    control.replaceSubrange(0..<8, with: withUnsafeBytes(of: UInt64(42).littleEndian) { Array($0) })
    control.replaceSubrange(8..<10, with: [0x14, 0x05])
    TestFiles.makeDirectory(shop.directory.appending("global"))
    TestFiles.write(control, to: shop.directory.appending("global").appending("pg_control"))
    #expect(try wal.push("00000003.history", history, shop).system == SystemIdentifier(42))
  }

  // MARK: Killed, and at once

  /// At every change to the disk: what the next push of the same segment finds never stands in its way, and once a push
  /// has ended, power may fail.
  /// - Parameter isPowerCut: whether what was never synchronized is lost with the first push already.
  @Test(arguments: [false, true]) func aKilledPushStopsNobodyAndAnEndedOneIsDurable(isPowerCut: Bool) throws {
    let segment = WALSample.log().segments[0]
    var count = 0
    while true {
      let shop = try TestShop()
      let probe = FaultProbe(.cut, at: count)
      let cut = try shop.repository(probe: probe)
      let isDone = (try? wal.push(segment.name.text, segment.bytes, shop, in: cut)) != nil
      #expect(isDone == !probe.isCut)
      if isPowerCut || isDone { probe.dropUnsynced() }
      if isDone {
        #expect(try wal.fetch(segment.name.text, shop) == segment.bytes)
        break
      }
      let second = FaultProbe(after: probe)
      _ = try wal.push(segment.name.text, segment.bytes, shop, in: shop.repository(probe: second))
      second.dropUnsynced()
      #expect(try wal.fetch(segment.name.text, shop) == segment.bytes, "cut at \(count)")
      count += 1
    }
    #expect(count > 8)
  }

  @Test func noErrorOfTheDiskIsTakenForSuccess() throws {
    let segment = WALSample.log().segments[0]
    for index in 0..<40 {
      let shop = try TestShop()
      let probe = FaultProbe(.fail(5), at: index)
      guard (try? wal.push(segment.name.text, segment.bytes, shop, in: shop.repository(probe: probe))) != nil else {
        #expect(try wal.push(segment.name.text, segment.bytes, shop).file == segment.name)
        continue
      }
      probe.dropUnsynced()
      #expect(try wal.fetch(segment.name.text, shop) == segment.bytes, "failed at \(index)")
    }
  }
}
