import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// Everything that is read of a source, or of a repository, passes the limit.
@Suite struct LimitedReadTests {
  private final class Waited: Sendable {
    private let amount = Mutex(TimeSpan.zero)
    var span: TimeSpan { amount.withLock { $0 } }
    func wait(_ span: TimeSpan) { amount.withLock { $0 += span } }
  }

  private let shop: TestShop
  private let waited = Waited()
  private let limit: RateLimit

  init() throws {
    shop = try TestShop()
    let waited = waited
    // Time passes only when somebody waits.
    let clock = Clock(now: Clock.system.now, uptime: { waited.span })
    limit = RateLimit(try #require(ByteRate("1M")), clock: clock, cancellation: Cancellation()) { waited.wait($0) }
  }

  private func limited() throws -> Repository {
    let host = shop.host.reading(within: limit)
    return try Repository.open(LocalStore(directory: shop.repositoryPath, host: host), host: host)
  }

  @Test func aBackupReadsSmallFilesLargeFilesAndDatabasesWithinTheLimit() throws {
    var random = SeededRandom(seed: 3)
    TestFiles.write(random.bytes(3 << 20), to: shop.source.appending("large"))
    for number in 0..<64 { TestFiles.write(random.bytes(16 << 10), to: shop.source.appending("small \(number)")) }
    let database = try TestDatabase(
      shop.source.appending("orders.db"), "PRAGMA journal_mode = WAL;" + TestDatabase.orders)
    try database.order(700)
    let report = try shop.backup(in: limited())
    #expect(report.envelope.consistency == .sqliteReadTransaction)
    let mebibytes = Double(report.envelope.changes.readBytes) / Double(1 << 20)
    #expect(mebibytes > 5.9)
    #expect(waited.span.seconds > mebibytes - 0.3, "all but the last stretch waits")
  }

  @Test func theOutputOfACommandIsTakenWithinTheLimit() async throws {
    let (shop, limited) = (shop, try limited())
    _ = try await onOwnThread {
      try shop.backup(in: limited) {
        $0.command = ShellCommand("head -c 4194304 /dev/zero")
        $0.source = Path("zeros")
        $0.name = SourceName("zeros")
      }
    }
    #expect(waited.span > .seconds(3.7) && waited.span < .seconds(4))
  }

  @Test func aRepositoryIsReadWithinTheLimit() throws {
    var random = SeededRandom(seed: 4)
    TestFiles.write(random.bytes(3 << 20), to: shop.source.appending("large"))
    try shop.backup()
    let store = RateLimitedStore(LocalStore(directory: shop.repositoryPath, host: shop.host), reading: limit)
    let repository = try Repository.open(store, host: shop.host)
    #expect(try shop.verify(in: repository).exitStatus == .done)
    #expect(waited.span > .seconds(2.5))
    let before = waited.span
    try shop.restore(to: "restored", in: repository)
    #expect(waited.span - before > .seconds(2.5))
  }
}
