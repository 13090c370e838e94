import Foundation
import FoundationXML
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastPage
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// The report names what was not as usual, each in a sentence, and is silent about what happens every week.
@Suite struct UnusualTests {
  private let clock = TestClock("2026-10-01T03:00:00Z")
  private let shop: TestShop

  init() throws {
    shop = try TestShop(clock: clock.clock)
    TestFiles.write("an order", to: shop.source.appending("1"))
  }

  private func run(
    _ command: RunCommand = .backup, hours: Double, _ status: HoldfastModel.ExitStatus = .done,
    configure: (inout JournalEntry) -> Void = { _ in }
  ) -> JournalEntry {
    var time = Timestamp(seconds: 1_790_823_600, nanoseconds: 0)  // 2026-10-01 03:00 UTC
    time.seconds += Int64(hours * 3600)
    var entry = JournalEntry(
      command: command, host: "shop-1", began: time, ended: time, took: .seconds(1), status: status.rawValue)
    configure(&entry)
    return entry
  }

  /// The sentences of the report at a time, without the time that each begins with.
  private func events(_ runs: [JournalEntry], hours: Double) throws -> [String] {
    if try shop.open().catalog.allSnapshots(onDamage: { _ in }).isEmpty { try shop.backup() }
    let events = try shop.reportFacts(runs: runs, later: hours * 3600).page().texts("//ol[@class='events']/li")
    return events.map { String($0.dropFirst("2026-10-01 03:00 ".count)) }
  }

  // MARK: Runs

  @Test func backupsThatWereMissedAreCounted() throws {
    let runs = (0..<20).map { run(hours: Double($0)) } + (26..<40).map { run(hours: Double($0)) }
    #expect(
      try events(runs, hours: 39.5) == [
        "No backup began for 7 h; usually one begins every 1 h, so about 6 backups were missed."
      ])
    #expect(
      try events(Array(runs.prefix(20)), hours: 24) == [
        "No backup began for 5 h; usually one begins every 1 h, so about 4 backups were missed."
      ])
  }

  /// A shop that is closed at night misses nothing.
  @Test func intervalsThatComeAgainAreUsual() throws {
    let runs = (0..<10).flatMap { day in (8..<18).map { run(hours: Double(day * 24 + $0)) } }
    #expect(try events(runs, hours: 9 * 24 + 18).isEmpty)
  }

  @Test func failuresInARowAreOneEvent() throws {
    let runs =
      (0..<5).map { run(hours: Double($0)) }
      + (5..<8).map { run(hours: Double($0), .failed) { $0.keep(texts: ["the source is gone"]) } }
      + (8..<12).map { run(hours: Double($0)) } + [
        run(.verify, hours: 11.5, .dataLoss), run(.drill, hours: 11.6, .drillFailed),
      ]
    let found = try events(runs, hours: 12)
    #expect(found.count == 3, "\(found)")
    #expect(found.first?.hasPrefix("3 backups failed in a row, until 2026-") == true, "\(found)")
    #expect(found.first?.hasSuffix(": the source is gone.") == true, "\(found)")
    #expect(found.dropFirst() == ["A verify found damage that costs data.", "A drill failed."])
  }

  @Test func aClockThatWasSetBackIsNamed() throws {
    let runs = [run(hours: 1), run(hours: 50), run(hours: 2), run(hours: 3)]
    let found = try events(runs, hours: 51)
    #expect(found == ["The clock of shop-1 was set back by at least 2 d before this backup."])
  }

  // MARK: Snapshots

  @Test func aSizeFarFromTheUsualIsNamed() throws {
    let runs = (0..<12).map { number in
      run(hours: Double(number)) { entry in
        entry.snapshot = Identifier(String(repeating: "\(number % 10)", count: 31) + (number < 10 ? "a" : "b"))
        (entry.kind, entry.storedBytes) = (.incremental, number == 7 ? 50 << 20 : UInt64(1 << 20 + number * 1000))
      }
    }
    let found = try events(runs, hours: 12)
    #expect(
      found == ["The incremental 77777777 stored 50.0 MiB; usual for an incremental are 1.0 MiB (median of 12)."])
  }

  @Test func aSourceThatShrinksIsNamed() throws {
    for number in 0..<4 {
      TestFiles.write(String(repeating: "orders ", count: 60_000), to: shop.source.appending("big\(number)"))
    }
    try shop.backup()
    clock.advance(days: 1)
    TestFiles.remove(shop.source.appending("big1"))
    try shop.backup()
    let found = try events([], hours: 1)
    #expect(
      found.count == 1 && found[0].hasPrefix("The source shrank from 1.6 MiB to 1.2 MiB, by 25.0 %"), "\(found)")
  }

  // MARK: What is kept, and for how long there is room

  @Test func eachKeptSnapshotHasItsReasons() throws {
    try shop.fill([.full, .incremental, .incremental, .full, .incremental], clock)
    var policy = RetentionPolicy()
    policy.last = 1
    let page = try shop.reportFacts(policy: policy).page()
    let reasons = try page.texts("//table[caption='Kept snapshots']/tbody/tr/td[5]")
    #expect(reasons.first == "the newest; one of the last 1")
    #expect(reasons.last?.hasSuffix("builds on it") == true)
    #expect(reasons.count == 2)
    #expect(
      try page.texts("//p[@class='note']").contains(
        "The rules are last 1. They keep 2 snapshots; the next prune removes 3 snapshots."))
    let everything = try shop.reportFacts().page()
    #expect(try everything.texts("//table[caption='Kept snapshots']/tbody/tr").count == 5)
    #expect(try everything.texts("//p[@class='note']").contains("No rule says what to keep, so all 5 snapshots stay."))
  }

  private static let tooLittle =
    "When the space ends is not known yet: it takes 7 days, and 3 intervals between fulls of each source, to tell."

  @Test func theEndOfTheSpaceIsSaidHonestly() throws {
    try shop.backup()
    func sentence(_ facts: ReportFacts) throws -> String? { try facts.page().texts("//p[@class='space']").first }
    for later in [0, 20 * 86_400.0] {
      #expect(
        try sentence(shop.reportFacts(available: 5 << 30, later: later)) == "5.0 GiB are free. \(Self.tooLittle)")
    }
    #expect(try sentence(shop.reportFacts()) == "The store does not tell how much is free.")
    try shop.fill(Array(repeating: .full, count: 20), clock)
    let end =
      #/100\.0 KiB are free\. At a growth of at most .* a day the space ends on 20\d\d-\d\d-\d\d, in \d+ days\./#
    let told = try #require(try sentence(shop.reportFacts(available: 100 << 10)))
    #expect(told.wholeMatch(of: end) != nil, "\(told)")
    #expect(
      try sentence(shop.reportFacts(available: 100 << 10, areAllSources: false))
        == "100.0 KiB are free. When the space ends is not told here: other sources are stored there, too.")
  }

  /// A shop with few fulls whose disk is nearly full is told so: what is known of it fills the disk already.
  @Test func aFullDiskIsToldWithFewFulls() throws {
    var random = SeededRandom(seed: 4)
    for _ in 0..<9 {
      TestFiles.write(random.bytes(100_000), to: shop.source.appending("noise"))
      try shop.backup()
      clock.advance(days: 1)
    }
    let told = try #require(try shop.reportFacts(available: 300 << 10).page().texts("//p[@class='space']").first)
    #expect(told.hasPrefix("300.0 KiB are free. At a growth of at least "), "\(told)")
    let end =
      #/.* a day, without fulls, of which too few are known, the space ends at the latest on [-\d]+, in [234] days\./#
    #expect(told.wholeMatch(of: end) != nil, "\(told)")
  }

  private func growth(_ facts: ReportFacts) throws -> (bytesPerDay: Double?, bound: String?, end: String?) {
    let data = try JSONEncoder().encode(ReportJSON(facts))
    let told = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    return (told["growthBytesPerDay"] as? Double, told["growthBound"] as? String, told["spaceEnd"] as? String)
  }

  /// Fulls that come once a week fill the disk, also when a report shows the days between two of them.
  @Test func rareFullsAreInTheGrowth() throws {
    var random = SeededRandom(seed: 3)
    TestFiles.write(random.bytes(100_000), to: shop.source.appending("noise"))
    let week = [SnapshotKind.full] + Array(repeating: .incremental, count: 6)
    try shop.fill(week + week + week, clock)
    let early = try growth(shop.reportFacts(available: 1 << 20, sinceDays: 5))
    #expect(early.bound == "at-least", "only two intervals between fulls are known")
    #expect(try #require(early.bytesPerDay) < 100_000 / 7)
    try shop.fill(week, clock)
    let facts = try shop.reportFacts(available: 1 << 20, sinceDays: 5)
    let (bytesPerDay, bound, end) = try growth(facts)
    let stored = facts.sources[0].snapshots.reduce(0) { $0 + Double($1.envelope.storedBytes) }
    #expect(stored > 400_000)
    #expect(try #require(bytesPerDay) > 100_000 / 7, "at least what a full is, each week")
    #expect(bound == "at-most" && end == "full")
    let log = LogAmount(
      storedBytes: 28_000_000, oldest: Timestamp(seconds: facts.now.seconds - 28 * 86_400, nanoseconds: 0))
    let logged = try growth(shop.reportFacts(available: 1 << 20, log: log))
    #expect(try #require(logged.bytesPerDay) > 1_000_000, "the archived log fills the disk, too")
    let unknown = try growth(shop.reportFacts(available: 1 << 20, log: LogAmount(storedBytes: nil, oldest: nil)))
    #expect(unknown.bytesPerDay == nil && unknown.bound == nil)
  }
}
