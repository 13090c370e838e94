import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A source that was emptied, cut off or encrypted is told apart from one that had a normal day; and what is older
/// stays until somebody has looked.
@Suite struct AnomalyTests {
  private static let names = (0..<40).map { "invoice \($0)" }

  private func path(_ name: String, in shop: TestShop) -> Path { shop.source.appending(name) }

  /// 64 KiB of orders, which differ from day to day in one place.
  private func orders(_ day: Int) -> [UInt8] {
    let lines = (0..<2000).map { "order \($0) of customer \($0 * 7919 % 1000)\n" } + ["day \(day)\n"]
    return Array(lines.joined().utf8)
  }

  private func randomBytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = SeededRandom(seed: seed)
    return random.bytes(count)
  }

  /// A source of 40 files and eight quiet days.
  private func makeShop(isSealed: Bool = false) throws -> TestShop {
    let shop = try TestShop(workers: 1, isSealed: isSealed)
    let first = orders(0)
    for name in Self.names { TestFiles.write(first, to: path(name, in: shop)) }
    for day in 0..<8 {
      TestFiles.write(orders(day), to: path("orders", in: shop))
      try shop.backup()
    }
    return shop
  }

  private func anomalies(_ shop: TestShop, isDryRun: Bool = false) throws -> [Anomaly.Kind] {
    let report = try shop.backup { $0.isDryRun = isDryRun }
    #expect(report.exitStatus == (report.anomalies.isEmpty ? .done : .incomplete))
    return report.anomalies.map(\.kind)
  }

  @Test func aNormalDayIsNone() throws {
    let shop = try makeShop()
    TestFiles.write(orders(9), to: path("orders", in: shop))
    TestFiles.write(randomBytes(20_000, seed: 1), to: path("photograph", in: shop))
    for name in Self.names.prefix(3) { TestFiles.remove(path(name, in: shop)) }
    #expect(try anomalies(shop) == [])
    #expect(try shop.snapshot().envelope.comparison?.entries == 42)
  }

  /// Also where the backup host cannot read what it has written.
  @Test(arguments: [false, true])
  func filesThatVanish(isSealed: Bool) throws {
    let shop = try makeShop(isSealed: isSealed)
    for name in Self.names.prefix(30) { TestFiles.remove(path(name, in: shop)) }
    #expect(try anomalies(shop) == [.massDeletion])
    let found = try #require(try shop.snapshot().envelope.comparison?.anomalies.first)
    #expect(found == Anomaly(kind: .massDeletion, share: 714, usual: 0))
  }

  @Test func filesThatAreCutOff() throws {
    let shop = try makeShop()
    for name in Self.names { TestFiles.truncate(path(name, in: shop), to: 100) }
    #expect(try anomalies(shop) == [.truncation])
  }

  @Test func filesThatAreEncryptedInPlace() throws {
    let shop = try makeShop()
    for (seed, name) in Self.names.prefix(10).enumerated() {
      TestFiles.overwrite(path(name, in: shop), at: 0, with: randomBytes(60_000, seed: UInt64(seed)))
    }
    #expect(try anomalies(shop, isDryRun: true) == [.encryption])
    #expect(try anomalies(shop) == [.encryption])
  }

  /// They get other names as well, and so look deleted, too.
  @Test func filesThatAreEncryptedAndRenamed() throws {
    let shop = try makeShop()
    for (seed, name) in Self.names.prefix(20).enumerated() {
      TestFiles.remove(path(name, in: shop))
      TestFiles.write(randomBytes(60_000, seed: UInt64(seed)), to: path(name + ".locked", in: shop))
    }
    #expect(try anomalies(shop) == [.massDeletion, .encryption])
  }

  @Test func aFullIsComparedWithWhatCameBefore() throws {
    let shop = try makeShop()
    for name in Self.names.prefix(30) { TestFiles.remove(path(name, in: shop)) }
    #expect(try shop.backup(.full).anomalies.map(\.kind) == [.massDeletion])
  }

  @Test func theFirstSnapshotIsComparedWithNothing() throws {
    let shop = try TestShop()
    TestFiles.write(randomBytes(100_000, seed: 1), to: path("photograph", in: shop))
    let report = try shop.backup()
    #expect(report.envelope.comparison?.entries == 0 && report.exitStatus == .done)
  }

  /// Whoever makes the backup host lose its cache forces a full, and must not hide behind it.
  @Test(arguments: [false, true])
  func aFullOfWhatWasEncryptedIsComparedWithTheFirst(isMerged: Bool) throws {
    let shop = try makeShop()
    if isMerged { try shop.merge() }
    for (seed, name) in Self.names.enumerated() {
      TestFiles.overwrite(path(name, in: shop), at: 0, with: randomBytes(60_000, seed: UInt64(seed)))
    }
    #expect(try shop.backup(.full).anomalies.map(\.kind) == [.encryption])
  }

  /// What was accepted once does not hide everything that comes after it.
  @Test func nearlyEverythingIsAlwaysWorthALook() throws {
    let shop = try makeShop()
    func emptyAndFill() throws -> [Anomaly.Kind] {
      for name in Self.names { TestFiles.remove(path(name, in: shop)) }
      let found = try anomalies(shop)
      for name in Self.names { TestFiles.write(orders(0), to: path(name, in: shop)) }
      try shop.backup()
      return found
    }
    #expect(try emptyAndFill() == [.massDeletion])
    let emptied = try #require(
      try shop.open().catalog.allSnapshots { _ in }.first { $0.envelope.comparison?.anomalies != [] })
    try shop.open().notes.accept(emptied, reason: "")
    #expect(try emptyAndFill() == [.massDeletion])
  }

  // MARK: What follows

  @Test(arguments: [false, true])
  func nothingIsPrunedUntilItIsAccepted(isSealed: Bool) throws {
    let shop = try makeShop(isSealed: isSealed)
    for name in Self.names.prefix(30) { TestFiles.remove(path(name, in: shop)) }
    _ = try anomalies(shop)
    TestFiles.write("quiet again", to: path("orders", in: shop))
    try shop.backup(.full)
    let suspicious = try shop.number(9)
    for isDryRun in [true, false] {
      let held = try shop.prune(graceDays: 0, isDryRun: isDryRun)
      #expect(held.exitStatus == .incomplete)
      #expect(
        held.sources.first?.refusal?.message
          == "nothing of source is removed, because of what \(suspicious.id.short) looks like: mass deletion: 71 % of its entries are gone (at most 0.0 % before)"
      )
    }
    #expect(try shop.numbers(removed: true).count == 10)
    try shop.open().notes.accept(suspicious, reason: "the archive moved")
    #expect(try shop.prune(graceDays: 0).exitStatus == .done)
    #expect(try shop.numbers(removed: true) == [10])
  }

  /// What was accepted once is usual from then on.
  @Test func whatWasAcceptedCountsAsUsual() throws {
    let shop = try makeShop()
    func fillAndEmpty() throws -> [Anomaly.Kind] {
      for name in Self.names { TestFiles.write(orders(0), to: path("again \(name)", in: shop)) }
      try shop.backup()
      for name in Self.names { TestFiles.remove(path("again \(name)", in: shop)) }
      return try anomalies(shop)
    }
    #expect(try fillAndEmpty() == [.massDeletion])
    #expect(try fillAndEmpty() == [.massDeletion])
    try shop.open().notes.accept(shop.snapshot(), reason: "")
    #expect(try fillAndEmpty() == [])
  }

  @Test func whatHasNoAnomalyCannotBeAccepted() throws {
    let shop = try makeShop()
    let id = try shop.snapshot().id.short
    #expect(
      throws: EngineError(
        .usage, "snapshot \(id) has no anomaly", hint: "Run `holdfast list` to see which have.", exitStatus: .usage)
    ) { try shop.open().notes.accept(shop.snapshot(), reason: "") }
  }
}
