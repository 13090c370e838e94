import HoldfastModel
import HoldfastSource
import HoldfastTestSupport
import Testing

/// What the header of a database says is taken as SQLite takes it: SQLite itself is asked.
@Suite struct SQLiteHeaderTests {
  private let directory = TemporaryDirectory()
  private var database: Path { directory.appending("orders.db") }

  /// The bytes of a small database.
  private func made(pageSize: Int = 4096, mode: String = "delete") throws -> [UInt8] {
    var program: TestDatabase? = try TestDatabase(
      database, "PRAGMA page_size=\(pageSize); PRAGMA journal_mode=\(mode);" + TestDatabase.orders)
    try program?.order(2)
    program = nil
    return try #require(TestFiles.read(database))
  }

  /// What SQLite says to a database with such bytes; `nil` where it reads it.
  private func complaint(_ bytes: [UInt8]) throws -> String? {
    for suffix in ["", "-wal", "-shm", "-journal"] { TestFiles.remove(Path(database.description + suffix)) }
    TestFiles.write(bytes, to: database)
    let program = try TestDatabase(database)
    do {
      _ = try program.text("SELECT count(*) FROM sqlite_schema")
      return nil
    } catch let failure as TestDatabase.Failure {
      return failure.description
    }
  }

  @Test(arguments: [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536], ["wal", "delete"])
  func theHeaderOfARealDatabase(pageSize: Int, mode: String) throws {
    let bytes = try made(pageSize: pageSize, mode: mode)
    let header = try #require(SQLiteHeader(bytes))
    #expect(header.bytes == Array(bytes.prefix(100)))
    #expect(header.pageSize == UInt32(pageSize))
    #expect(header.pageCount == UInt32(bytes.count / pageSize))
    #expect(header.isWAL == (mode == "wal"))
    #expect(header.unsupported == nil)
  }

  /// A program of before 2010 does not keep the number of pages: then the length of the file counts.
  @Test func aNumberOfPagesThatIsNotKeptDoesNotCount() throws {
    var bytes = try made()
    bytes[27] ^= 1
    #expect(try #require(SQLiteHeader(bytes)).pageCount == nil)
    bytes[27] ^= 1
    bytes.replaceSubrange(28..<32, with: [0, 0, 0, 0])
    #expect(try #require(SQLiteHeader(bytes)).pageCount == nil)
    bytes.replaceSubrange(28..<32, with: [255, 255, 255, 255])
    #expect(try #require(SQLiteHeader(bytes)).pageCount == .max)
  }

  @Test func whatIsTooShortOrBeginsOtherwiseIsNoDatabase() throws {
    let bytes = try made()
    for count in 0..<100 { #expect(SQLiteHeader(bytes.prefix(count)) == nil) }
    #expect(SQLiteHeader(bytes.prefix(100)) != nil)
    for index in 0..<16 {
      var other = bytes
      other[index] ^= 0x20
      #expect(SQLiteHeader(other) == nil, "byte \(index)")
    }
  }

  /// All 65,536 numbers that the two bytes can hold.
  @Test func exactlyTheSizesThatSQLiteHasAreSizes() throws {
    var bytes = Array(try made().prefix(100))
    var sizes: [UInt32] = []
    for number in 0...UInt16.max {
      (bytes[16], bytes[17]) = (UInt8(number >> 8), UInt8(number & 0xff))
      if let header = SQLiteHeader(bytes) { sizes.append(header.pageSize) }
    }
    #expect(sizes == [65_536, 512, 1024, 2048, 4096, 8192, 16_384, 32_768])
  }

  /// What is refused as no database, and as one of a format that is not supported, is what SQLite refuses so.
  @Test(arguments: [512, 4096]) func whatSQLiteDoesNotOpenIsCalledSo(pageSize: Int) throws {
    let seed = UInt64.random(in: 0 ... .max)
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    let sound = try made(pageSize: pageSize)
    // What the format says must be so, and what extensions may change, more often than the rest.
    let places = [16, 17, 18, 19, 20, 21, 22, 23, 44, 45, 46, 47] + Array(16..<100)
    for round in 0..<400 {
      var bytes = sound
      for _ in 0..<(round % 2 + 1) {
        let place = places.randomElement(using: &random) ?? 20
        let small = UInt8.random(in: 0...6, using: &random)
        bytes[place] = Bool.random(using: &random) ? small : UInt8(random.next() & 0xff)
      }
      let said = try complaint(bytes)
      let found = SQLiteHeader(bytes).map(\.unsupported) ?? "file is not a database"
      let isRight =
        switch said {
        case nil, "file is not a database", "unsupported file format": found == said
        // It says what else is wrong before it comes to this.
        default: true
        }
      #expect(isRight, "seed \(seed): \(found ?? "nothing"), and SQLite: \(said ?? "nothing"): \(bytes[16..<100])")
    }
  }

  @Test(arguments: [(pageSize: 512, reserved: 32), (512, 33), (512, 255), (1024, 255)])
  func whatIsReservedLeavesEnoughForSQLite(pageSize: Int, reserved: UInt8) throws {
    var bytes = try made(pageSize: pageSize)
    bytes[20] = reserved
    let isEnough = pageSize - Int(reserved) >= 480
    #expect(try complaint(bytes) != "file is not a database" || !isEnough)
    #expect(try #require(SQLiteHeader(bytes)).unsupported == (isEnough ? nil : "file is not a database"))
  }
}
