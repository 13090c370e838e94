import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Of a WAL exactly the transactions count that SQLite takes from it, whatever stands behind them.
@Suite struct WriteAheadLogTests {
  private let directory = TemporaryDirectory()
  private var database: Path { directory.appending("orders.db") }
  private var log: Path { directory.appending("orders.db-wal") }

  // MARK: Known answers

  /// SQLite itself writes the pages back: what the index names for a page is what then lies in the main file.
  @Test(arguments: [512, 1024, 4096, 65_536]) func theNewestPagesAreThoseThatSQLiteWritesBack(size: Int) throws {
    var program: TestDatabase? = try TestDatabase(
      database,
      "PRAGMA page_size=\(size); PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0;" + TestDatabase.orders)
    for _ in 0..<3 { try program?.order(4) }
    try program?.run("UPDATE orders SET total = total + 1; DELETE FROM orders WHERE id = 5")
    let (before, bytes) = try (#require(TestFiles.read(database)), #require(TestFiles.read(log)))
    let pageCount = try #require(UInt32(try program?.text("PRAGMA page_count") ?? ""))
    let found = try #require(try WriteAheadLog.walked(log))
    #expect(found.isSupported && found.pageSize == UInt32(size) && found.pageCount == pageCount)
    #expect(found.frameCount == (bytes.count - 32) / HandmadeWAL.frameBytes(UInt32(size)))
    let index = found.index
    try program?.run("PRAGMA wal_checkpoint(TRUNCATE)")
    program = nil
    let after = try #require(TestFiles.read(database))
    #expect(after.count == Int(pageCount) * size)
    for page in 1...pageCount {
      let start = (Int(page) - 1) * size
      let shown = index.offset(of: page).map { bytes[Int($0)..<Int($0) + size] } ?? before[start..<start + size]
      #expect(shown.elementsEqual(after[start..<start + size]), "page \(page)")
    }
  }

  /// The shared memory of programs that have it open names the same commit.
  @Test func theIndexOfProgramsNamesTheSameCommit() throws {
    let program = try TestDatabase(
      database, "PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0;" + TestDatabase.orders)
    try program.order(10)
    let shared = directory.appending("orders.db-shm")
    let commit = try #require(try WriteAheadLogIndex(FileSystem().open(shared, .read)))
    let found = try #require(try WriteAheadLog.walked(log))
    #expect(Int(commit.frameCount) == found.frameCount && commit.pageCount == found.pageCount)
    #expect(commit.salts == Array(found.header[16..<24]))
    #expect(found.ends(at: commit))
    let shorter = try #require(try WriteAheadLog.walked(log, max: found.frameCount - 1))
    #expect(!shorter.ends(at: commit))

    // Its two copies differ while a program changes it, and a part of it is nothing.
    let bytes = try #require(TestFiles.read(shared, at: 0, count: 96))
    let copy = directory.appending("copy")
    for (index, byte) in bytes.enumerated() {
      var torn = bytes
      torn[index] = byte ^ 1
      TestFiles.write(torn, to: copy)
      #expect(try WriteAheadLogIndex(FileSystem().open(copy, .read)) == nil, "byte \(index)")
    }
    for count in [0, 1, 47, 48, 95] {
      TestFiles.write(Array(bytes.prefix(count)), to: copy)
      #expect(try WriteAheadLogIndex(FileSystem().open(copy, .read)) == nil, "\(count) bytes")
    }
    try program.order(1)
  }

  @Test(arguments: [0x377f_0682, 0x377f_0683] as [UInt32]) func eitherOrderOfChecksumsIsRead(magic: UInt32) throws {
    var made = HandmadeWAL(magic: magic, pageSize: 512)
    made.add(page: 2, content: 1)
    made.add(page: 1, pageCount: 2, content: 2)
    made.add(page: 2, pageCount: 3, content: 3)
    TestFiles.write(made.bytes, to: log)
    let found = try #require(try WriteAheadLog.walked(log))
    #expect(found.frameCount == 3 && found.pageCount == 3)
    #expect(found.index.offset(of: 1) == 32 + 536 + 24 && found.index.offset(of: 2) == 32 + 2 * 536 + 24)
    #expect(found.index.offset(of: 3) == nil && found.index.count == 2)
  }

  // MARK: Headers

  @Test(arguments: [0, 1, 2, 256, 511, 513, 1000, 32_769, 65_535, 65_537, 131_072, 1 << 31, .max] as [UInt32])
  func pagesOfASizeThatSQLiteDoesNotHaveAreNoWAL(size: UInt32) throws {
    TestFiles.write(HandmadeWAL(pageSize: size).bytes, to: log)
    #expect(try WriteAheadLog.walked(log) == nil)
  }

  @Test(arguments: [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536] as [UInt32])
  func pagesOfEverySizeThatSQLiteHasAreRead(size: UInt32) throws {
    var made = HandmadeWAL(pageSize: size)
    made.add(page: 1, pageCount: 1)
    TestFiles.write(made.bytes, to: log)
    #expect(try WriteAheadLog.walked(log)?.frameCount == 1)
  }

  @Test func aHeaderOfWhichABitIsWrongIsNone() throws {
    let sound = HandmadeWAL(pageSize: 512).bytes
    for bit in 0..<sound.count * 8 {
      var damaged = sound
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      TestFiles.write(damaged, to: log)
      #expect(try WriteAheadLog.walked(log) == nil, "bit \(bit)")
    }
    for count in 0..<sound.count {
      TestFiles.write(Array(sound.prefix(count)), to: log)
      #expect(try WriteAheadLog.walked(log) == nil, "\(count) bytes")
    }
  }

  /// SQLite does not open the database then: to leave the WAL out in silence would lose what is in it.
  @Test func anotherVersionIsNotSupported() throws {
    for version in [0, 3_006_999, 3_007_001, .max] as [UInt32] {
      TestFiles.write(HandmadeWAL(version: version, pageSize: 512).bytes, to: log)
      #expect(try WriteAheadLog.walked(log)?.isSupported == false, "\(version)")
    }
  }

  // MARK: Frames

  /// A page number of zero ends the log for SQLite, whatever its checksum says.
  @Test func whatStandsBehindAFrameOfNoPageDoesNotCount() throws {
    var made = HandmadeWAL(pageSize: 512)
    made.add(page: 1, pageCount: 1)
    made.add(page: 0, pageCount: 1)
    made.add(page: 2, pageCount: 2)
    TestFiles.write(made.bytes, to: log)
    #expect(try WriteAheadLog.walked(log)?.frameCount == 1)
  }

  @Test func framesOfAnEarlierGenerationDoNotCount() throws {
    var made = HandmadeWAL(pageSize: 512)
    made.add(page: 1, pageCount: 1)
    let sound = made.bytes
    for salt in 0..<2 {
      var old = made
      old.salts[salt] += 1
      old.add(page: 2, pageCount: 2)
      TestFiles.write(sound + old.bytes.suffix(HandmadeWAL.frameBytes(512)), to: log)
      #expect(try WriteAheadLog.walked(log)?.frameCount == 1, "salt \(salt)")
    }
  }

  @Test func aTransactionWithoutItsEndDoesNotCount() throws {
    var made = HandmadeWAL(pageSize: 512)
    made.add(page: 1)
    made.add(page: 2)
    TestFiles.write(made.bytes, to: log)
    let found = try #require(try WriteAheadLog.walked(log))
    #expect(found.frameCount == 0 && found.pageCount == 0 && found.index.count == 0)
  }

  /// Pages and counts of pages as large as the format has room for.
  @Test func theGreatestNumbersAreRead() throws {
    var made = HandmadeWAL(pageSize: 512)
    made.add(page: .max)
    made.add(page: 1, pageCount: .max)
    TestFiles.write(made.bytes, to: log)
    let found = try #require(try WriteAheadLog.walked(log))
    #expect(found.frameCount == 2 && found.pageCount == .max)
    #expect(found.index.offset(of: .max) == 32 + 24 && found.index.offset(of: .max - 1) == nil)
  }

  @Test func noMoreFramesAreReadThanAskedFor() throws {
    var made = HandmadeWAL(pageSize: 512)
    // More than one block of a walk holds.
    for page in 1...2500 as ClosedRange<UInt32> { made.add(page: page, pageCount: page) }
    TestFiles.write(made.bytes, to: log)
    for frames in [0, 1, 2, 1955, 1956, 1957, 2499, 2500, 2501, .max] {
      let found = try #require(try WriteAheadLog.walked(log, max: frames))
      #expect(found.frameCount == min(frames, 2500) && found.pageCount == UInt32(min(frames, 2500)))
    }
    let file = try FileSystem().open(log, .read)
    var stopped = try #require(try WriteAheadLog(file))
    try stopped.walk(file, max: .max) { true }
    #expect(stopped.frameCount == 0)
  }

  // MARK: Any WAL

  /// Of any WAL that is cut off or damaged anywhere, exactly the transactions count that lie whole before that.
  @Test func whatLiesBeforeTheDamageCounts() throws {
    let seed = UInt64.random(in: 0 ... .max)
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    for _ in 0..<60 {
      let size: UInt32 = [512, 1024, 4096].randomElement(using: &random) ?? 512
      var made = HandmadeWAL(magic: Bool.random(using: &random) ? 0x377f_0682 : 0x377f_0683, pageSize: size)
      for _ in 0..<Int.random(in: 0...12, using: &random) {
        let pageCount: UInt32 = Int.random(in: 0..<3, using: &random) == 0 ? .random(in: 1...99, using: &random) : 0
        made.add(page: .random(in: 1...6, using: &random), pageCount: pageCount, content: UInt8(random.next() & 0xff))
      }
      var bytes = made.bytes
      let frameBytes = HandmadeWAL.frameBytes(size)
      let place = Int.random(in: 32...max(32, bytes.count), using: &random)
      if Bool.random(using: &random) {
        bytes.removeLast(bytes.count - place)
      } else if place < bytes.count {
        bytes[place] ^= 1 << UInt8(random.next() & 7)
      }
      TestFiles.write(bytes, to: log)
      let whole = place < made.bytes.count ? (place - 32) / frameBytes : made.frames.count
      let sound = made.frames.prefix(whole)
      let committed = (sound.lastIndex { $0.pageCount > 0 } ?? -1) + 1
      let found = try #require(try WriteAheadLog.walked(log))
      #expect(found.frameCount == committed, "seed \(seed)")
      #expect(found.pageCount == (committed > 0 ? made.frames[committed - 1].pageCount : 0), "seed \(seed)")
      for page in 1...6 as ClosedRange<UInt32> {
        let last = made.frames.prefix(committed).lastIndex { $0.page == page }
        #expect(found.index.offset(of: page) == last.map { UInt64(32 + $0 * frameBytes + 24) }, "seed \(seed)")
      }
    }
  }
}
