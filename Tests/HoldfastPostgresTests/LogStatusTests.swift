import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// `status` tells since when no write-ahead log of a cluster was archived, so that monitoring sees that it stops.
@Suite struct LogStatusTests {
  private let sample = WALSample()
  private let log = WALSample.log()

  private func told(_ shop: TestShop) throws -> LogStatus? {
    let statuses = try SourceStatus.read(from: shop.open(), of: nil) { _ in Objectives() }
    return try #require(statuses.first { $0.name == sample.source }).log
  }

  private func makeCluster(_ shop: TestShop) throws {
    let start: UInt64 = 1 << 20
    try sample.snapshot(
      shop, from: LogSequenceNumber(start + 0x20), to: LogSequenceNumber(start + 0x28), ended: WALSample.noon)
  }

  @Test func theNewestSegmentAndItsAgeAreTold() throws {
    let shop = try TestShop()
    try makeCluster(shop)
    #expect(try told(shop) == nil, "nothing is archived")
    for (index, segment) in log.segments.enumerated() {
      _ = try sample.push(segment.name.text, segment.bytes, shop)
      let status = try #require(try told(shop))
      #expect(status.newest == segment.name, "segment \(index)")
      let archived = try #require(try WALArchive(shop.open(), of: sample.source).find(segment.name, of: log.system))
      #expect(status.archived == archived.manifest.time.moment)
      #expect(try #require(status.lag) < .hours(1))
    }
  }

  /// A report counts the log when it tells on which day the space ends.
  @Test func theAmountOfTheLogIsAllOfIt() throws {
    let shop = try TestShop()
    try makeCluster(shop)
    let archive = WALArchive(try shop.open(), of: sample.source)
    #expect(try archive.amount() == nil)
    for segment in log.segments { _ = try sample.push(segment.name.text, segment.bytes, shop) }
    let amount = try #require(try archive.amount())
    let manifests = try log.segments.map { try #require(try archive.find($0.name, of: log.system)).manifest }
    let objects = manifests.reduce(0) { $0 + $1.object.length }
    #expect(try #require(amount.storedBytes) > objects, "with the manifests")
    #expect(amount.oldest == manifests[0].time.moment)
  }

  /// A damaged manifest is for a verify to tell; the status says that it does not know.
  @Test func whatIsDamagedIsNotKnown() throws {
    let shop = try TestShop()
    try makeCluster(shop)
    let segment = log.segments[0]
    _ = try sample.push(segment.name.text, segment.bytes, shop)
    let manifest = Keys.walManifest(sample.source, log.system, segment.name)
    TestFiles.write("no manifest", to: shop.repositoryPath.appending(manifest))
    #expect(try told(shop) == nil)
  }

  @Test func aSourceThatIsNoClusterHasNone() throws {
    let shop = try TestShop()
    TestFiles.write("an order", to: shop.source.appending("1"))
    try shop.backup(.full) { $0.name = sample.source }
    _ = try sample.push(log.segments[0].name.text, log.segments[0].bytes, shop)
    #expect(try told(shop) == nil)
  }
}
