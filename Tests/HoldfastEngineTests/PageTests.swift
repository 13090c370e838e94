import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What a snapshot stores is what changed, page by page, and nothing else.
@Suite struct PageTests {
  private let mebibyte = 1 << 20
  private var random = SeededRandom(seed: 7)

  private func settledShop() throws -> TestShop { try TestShop(clock: TestHost.clock(ahead: 10)) }

  @Test func oneChangedPageIsAllThatIsStored() throws {
    var random = random
    let shop = try settledShop()
    let file = shop.source.appending("orders.db")
    TestFiles.write(random.bytes(2 * mebibyte), to: file)
    let full = try shop.backup(.full)
    #expect(full.envelope.changes.pages == 512)
    TestFiles.overwrite(file, at: 4096 * 300 + 17, with: [1, 2, 3])
    let report = try shop.backup()
    #expect(report.envelope.kind == .incremental)
    #expect(report.envelope.changes.pages == 1)
    #expect(report.envelope.changes.pageBytes == 4096)
    #expect(report.envelope.changes.changed == 1)
    #expect(report.envelope.storedBytes < 6000)
    #expect(try shop.differencesAfterRestore() == [])
  }

  @Test func aPageThatIsWrittenWithWhatItHadIsNotStored() throws {
    var random = random
    let shop = try TestShop()
    let bytes = random.bytes(mebibyte)
    TestFiles.write(bytes, to: shop.source.appending("orders.db"))
    try shop.backup(.full)
    TestFiles.overwrite(shop.source.appending("orders.db"), at: 0, with: Array(bytes[..<10_000]))
    #expect(try shop.backup().envelope.changes.pages == 0)
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// Zeros are in no archive, and come back as holes.
  @Test(arguments: ["small", "large"]) func zerosTakeNoSpace(size: String) throws {
    let shop = try TestShop()
    let count = size == "small" ? 200_000 : 3 * mebibyte
    TestFiles.write([UInt8](repeating: 0, count: count), to: shop.source.appending("written"))
    TestFiles.write("", to: shop.source.appending("hole"))
    TestFiles.truncate(shop.source.appending("hole"), to: count)
    let report = try shop.backup(.full)
    #expect(report.envelope.changes.pages == 0)
    #expect(report.envelope.archives == [])
    #expect(try shop.differencesAfterRestore() == [])
    try shop.restore(to: "restored")
    for name in ["written", "hole"] {
      let status = TestFiles.status(shop.directory.appending("restored").appending(name))
      #expect(status?.size == count)
      #expect(status?.allocated == 0)
    }
  }

  /// A hole that is made in a file, and one that is filled, over a delta restore too.
  @Test func holesComeAndGo() throws {
    var random = random
    let shop = try TestShop()
    let file = shop.source.appending("orders.db")
    TestFiles.write(random.bytes(2 * mebibyte), to: file)
    let first = try shop.backup(.full).envelope
    TestFiles.punchHole(file, at: mebibyte / 2, count: mebibyte)
    let report = try shop.backup()
    #expect(report.envelope.changes.pages == 0)
    try shop.restore(first.snapshot.description, to: "target")
    try shop.restore(to: "target") { $0.isDelta = true }
    #expect(TreeDescription(of: shop.directory.appending("target")) == TreeDescription(of: shop.source))
    let allocated = TestFiles.status(shop.directory.appending("target/orders.db"))?.allocated ?? 0
    #expect(allocated < mebibyte + 65_536)
    TestFiles.overwrite(file, at: mebibyte, with: random.bytes(4096))
    #expect(try shop.backup().envelope.changes.pages == 1)
    try shop.restore(to: "target") { $0.isDelta = true }
    #expect(TreeDescription(of: shop.directory.appending("target")) == TreeDescription(of: shop.source))
  }

  /// A database is compared in the pages in which it is written.
  @Test(arguments: [(8192, 100_000), (8192, 600_000), (65_536, 100_000), (65_536, 600_000), (1024, 100_000)])
  func theDatabaseChoosesThePageSize(pageSize: Int, size: Int) throws {
    var random = random
    let shop = try TestShop()
    let field = pageSize == 65_536 ? [0, 1] : [UInt8(pageSize >> 8), UInt8(pageSize & 255)]
    TestFiles.write(
      Array("SQLite format 3".utf8) + [0] + field + random.bytes(size - 18), to: shop.source.appending("orders.db"))
    try shop.backup(.full)
    #expect(try shop.entries()["orders.db"]?.file?.pageSize == UInt32(max(pageSize, 4096)))
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// The page size stays what it was when the file was first captured, whatever its header says later.
  @Test func thePageSizeIsNeverDerivedAgain() throws {
    var random = random
    let shop = try TestShop()
    let file = shop.source.appending("orders.db")
    TestFiles.write(random.bytes(600_000), to: file)
    try shop.backup(.full)
    TestFiles.overwrite(file, at: 0, with: Array("SQLite format 3".utf8) + [0, 0x20, 0])
    #expect(try shop.backup().envelope.changes.pages == 1)
    #expect(try shop.entries()["orders.db"]?.file?.pageSize == 4096)
  }

  @Test func aRenamedFileIsNotStoredAgain() throws {
    var random = random
    let shop = try TestShop()
    TestFiles.write(random.bytes(mebibyte), to: shop.source.appending("orders.log"))
    TestFiles.write(random.bytes(10_000), to: shop.source.appending("small"))
    try shop.backup(.full)
    TestFiles.rename(shop.source.appending("orders.log"), to: shop.source.appending("orders.log.1"))
    TestFiles.rename(shop.source.appending("small"), to: shop.source.appending("also small"))
    let report = try shop.backup()
    #expect(report.envelope.changes.pages == 0)
    #expect(report.envelope.changes.added == 2)
    #expect(report.envelope.changes.removed == 2)
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// logrotate's ordinary way: every name exists before and after, and each has the next one's content.
  @Test func rotatedLogsAreNotStoredAgain() throws {
    var random = random
    let shop = try TestShop()
    let logs = ["shop.log", "shop.log.1", "shop.log.2"].map { shop.source.appending($0) }
    for log in logs { TestFiles.write(random.bytes(mebibyte), to: log) }
    try shop.backup(.full)
    TestFiles.rename(logs[1], to: logs[2])
    TestFiles.rename(logs[0], to: logs[1])
    TestFiles.write(random.bytes(5000), to: logs[0])
    let report = try shop.backup()
    #expect(report.envelope.changes.pages == 2, "only the new log is stored")
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.verify().exitStatus == .done)
  }

  /// logrotate's copytruncate: the copy is another file with the same pages.
  @Test func aCopiedAndTruncatedLogIsNotStoredAgain() throws {
    var random = random
    let shop = try TestShop()
    let log = shop.source.appending("orders.log")
    TestFiles.write(random.bytes(mebibyte), to: log)
    try shop.backup(.full)
    TestFiles.write(TestFiles.read(log) ?? [], to: shop.source.appending("orders.log.1"))
    TestFiles.truncate(log, to: 0)
    TestFiles.write("first line\n", to: log)
    let report = try shop.backup()
    #expect(report.envelope.changes.pages == 1)
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.verify().exitStatus == .done)
  }

  @Test func anAppendedLogStoresItsTail() throws {
    var random = random
    let shop = try TestShop()
    let log = shop.source.appending("orders.log")
    TestFiles.write(random.bytes(mebibyte + 100), to: log)
    try shop.backup(.full)
    TestFiles.overwrite(log, at: mebibyte + 100, with: random.bytes(5000))
    // The short last page, which is longer now, and one more.
    #expect(try shop.backup().envelope.changes.pages == 2)
    #expect(try shop.differencesAfterRestore() == [])
  }

  @Test func metadataAloneStoresNoPages() throws {
    var random = random
    let shop = try TestShop()
    let file = shop.source.appending("orders.db")
    TestFiles.write(random.bytes(mebibyte), to: file)
    try shop.backup(.full)
    TestFiles.setMode(file, 0o640)
    TestFiles.setModified(file, seconds: 1_500_000_000, nanoseconds: 1)
    TestFiles.setExtendedAttribute(file, "user.shop", [1])
    let report = try shop.backup()
    #expect(report.envelope.changes.pages == 0)
    #expect(report.envelope.changes.changed == 1)
    #expect(try shop.differencesAfterRestore() == [])
  }

  @Test func anUnchangedSourceIsNotRead() throws {
    var random = random
    let shop = try settledShop()
    TestFiles.write(random.bytes(mebibyte), to: shop.source.appending("orders.db"))
    TestFiles.write("note", to: shop.source.appending("note"))
    TestFiles.link(shop.source.appending("note"), as: shop.source.appending("same note"))
    TestFiles.symbolicLink("note", at: shop.source.appending("link"))
    try shop.backup(.full)
    let report = try shop.backup()
    #expect(report.envelope.changes == Envelope.Changes())
    #expect(report.envelope.archives == [])
    let paranoid = try shop.backup { $0.isParanoid = true }
    #expect(paranoid.envelope.changes.readBytes == UInt64(mebibyte + 4))
    #expect(paranoid.envelope.changes.pages == 0)
  }

  /// A write in the same tick of the kernel's clock leaves no trace in the metadata, so what was written near the scan
  /// is read again.
  @Test func whatWasWrittenNearTheScanIsReadAgain() throws {
    let shop = try TestShop(clock: TestHost.clock(ahead: 0))
    TestFiles.write("orders", to: shop.source.appending("orders"))
    try shop.backup(.full)
    let report = try shop.backup()
    #expect(report.envelope.changes.readBytes == 6)
    #expect(report.envelope.changes.isEmpty)
  }

  /// The modification time can be set back; the time of the status change cannot.
  @Test func aModificationBehindTheClocksBackIsCaught() throws {
    let shop = try settledShop()
    let file = shop.source.appending("orders")
    TestFiles.write("orders", to: file)
    TestFiles.setModified(file, seconds: 1_000_000_000, nanoseconds: 0)
    try shop.backup(.full)
    TestFiles.overwrite(file, at: 0, with: Array("ORDERS".utf8))
    TestFiles.setModified(file, seconds: 1_000_000_000, nanoseconds: 0)
    #expect(try shop.backup().envelope.changes.pages == 1)
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// A hundred gibibytes of hole cost what is in them.
  @Test func aHugeSparseFileCostsItsData() throws {
    var random = random
    let shop = try TestShop()
    let file = shop.source.appending("huge")
    let data = random.bytes(mebibyte)
    TestFiles.write("", to: file)
    TestFiles.truncate(file, to: 100 << 30)
    TestFiles.overwrite(file, at: 70 << 30, with: data)
    let report = try shop.backup(.full)
    #expect(report.envelope.storedBytes < UInt64(mebibyte + 100_000))
    #expect(report.envelope.changes.readBytes < UInt64(2 * mebibyte))
    try shop.restore(to: "restored")
    let restored = shop.directory.appending("restored/huge")
    #expect(TestFiles.status(restored)?.size == 100 << 30)
    #expect((TestFiles.status(restored)?.allocated ?? 0) < 2 * mebibyte)
    #expect(TestFiles.read(restored, at: 70 << 30, count: mebibyte) == data)
    let again = try shop.restore(to: "restored") { $0.isDelta = true }
    #expect(again.writtenBytes == 0)
  }
}
