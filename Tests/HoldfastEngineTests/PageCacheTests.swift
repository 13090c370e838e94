import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A backup does not push out of the page cache what the servers of the machine have there.
@Suite struct PageCacheTests {
  private static let fileBytes = 6 << 20
  private static let smallBytes = 20_000

  @Test(.requires(.droppablePageCache)) func aFullLeavesThePageCacheAsItWas() throws {
    #expect(try ResidentPages.complaint(cacheChangeOfAFull) == nil)
  }

  /// Takes a full of files of which some are cached.
  /// - Returns: what is cached then, where that is something else than before.
  private func cacheChangeOfAFull() throws -> String? {
    let shop = try TestShop(workers: 1, clock: TestHost.clock(ahead: 10), directory: .inCheckout())
    var random = SeededRandom(seed: 13)
    let place = { (name: String) in shop.source.appending(name) }
    for name in ["cached", "cold", "half"] { TestFiles.write(random.bytes(Self.fileBytes), to: place(name)) }
    for name in ["small cached", "small cold"] { TestFiles.write(random.bytes(Self.smallBytes), to: place(name)) }
    let program = try liveDatabase(at: place("orders.db"), sayingSoIn: shop.directory.appending("said"))
    for name in ["cold", "half", "small cold", "orders.db"] { ResidentPages.drop(place(name)) }
    ResidentPages.cache(place("half"), at: 0, bytes: Self.fileBytes / 2)
    let counts = {
      ["cached", "cold", "half", "orders.db"].map { ResidentPages.count(place($0), bytes: Self.fileBytes) }
        + ["small cached", "small cold"].map { ResidentPages.count(place($0), bytes: Self.smallBytes) }
    }
    let before = counts()
    guard before == [1536, 0, 768, 0, 5, 0] else { return "they could not be cached in part: \(before)" }
    let report = try shop.backup()
    #expect(report.envelope.consistency == .sqliteReadTransaction && report.problems == [])
    #expect(report.envelope.changes.readBytes > 4 * UInt64(Self.fileBytes))
    let after = counts()
    // The kernel may take a little of what was cached for others who need memory. Two threads that want what was read
    // ahead at the same moment may leave it there: some dozen pages.
    let stays = after[0] + 64 >= before[0] && after[4] == before[4]
    let goes = zip(after, before).allSatisfy { $0 + 64 >= $1 && $0 <= $1 + 192 }
    // What it writes does not stay there.
    let archive = try #require(TestFiles.allFiles(in: shop.repositoryPath).first { $0.text.contains("/archive-") })
    let length = try #require(TestFiles.status(archive)?.size)
    #expect(length > 3 * Self.fileBytes)
    let written = ResidentPages.count(archive, bytes: length)
    withExtendedLifetime(program) {}
    return stays && goes && written == 0 ? nil : "\(after), and \(written) pages of what was written"
  }

  /// Of more than `fileBytes`, and another process has it open: this one may not open and close what it has open
  /// through SQLite.
  private func liveDatabase(at path: Path, sayingSoIn said: Path) throws -> RunningProcess {
    let script = """
      import sqlite3, sys, time
      database = sqlite3.connect(sys.argv[1])
      database.execute("PRAGMA journal_mode = WAL")
      database.execute("CREATE TABLE orders (note BLOB)")
      with database: database.execute("INSERT INTO orders VALUES (randomblob(7000000))")
      database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
      with database: database.execute("INSERT INTO orders VALUES (randomblob(20))")
      open(sys.argv[2], "w").write("open")
      time.sleep(1000)
      """
    let start = RunningProcess.Start(["/usr/bin/python3", "-c", script, path.text, said.text])
    let process = RunningProcess(start)
    while TestFiles.read(said) != Array("open".utf8) {
      try #require(TestFiles.exists(Path("/proc/\(process.processID)/fd")), "\(process.wait().error)")
      usleep(1000)
    }
    return process
  }
}
