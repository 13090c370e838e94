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

/// The page of a report is well-formed, needs nothing else, and says what is true of the repository.
@Suite struct PageTests {
  private let shop: TestShop

  init() throws {
    shop = try TestShop()
    TestFiles.write("an order", to: shop.source.appending("1"))
  }

  private func facts(
    _ objectives: Objectives = Objectives(), location: String = "/backup/shop", available: UInt64? = nil,
    runs: [JournalEntry] = [], later: Double = 0
  ) throws -> ReportFacts {
    var now = shop.host.clock.now()
    now.seconds += Int64(later)
    let statuses = try SourceStatus.read(from: shop.open(), of: nil, expected: []) { _ in objectives }
    let sources = try statuses.map { status in
      ReportFacts.Source(
        status, snapshots: try shop.repository.catalog.allSnapshots(of: status.name) { _ in }, runs: runs)
    }
    return ReportFacts(
      repository: shop.repository.id, location: location, now: now,
      since: Timestamp(seconds: now.seconds - 30 * 86_400, nanoseconds: 0), sources: sources, redundancy: [],
      availableBytes: available)
  }

  /// Reads the page as XML, which only a well-formed one can be.
  private func page(_ facts: ReportFacts) throws -> XMLElement {
    let text = ReportPage(facts).text.replacing("<!DOCTYPE html>", with: "")
    return try #require(try XMLDocument(xmlString: text, options: [.nodeLoadExternalEntitiesNever]).rootElement())
  }

  private func elements(_ page: XMLElement, _ path: String) throws -> [XMLElement] {
    try page.nodes(forXPath: path).compactMap { $0 as? XMLElement }
  }

  private func texts(_ page: XMLElement, _ path: String) throws -> [String] {
    try elements(page, path).map { $0.stringValue ?? "" }
  }

  // MARK: The verdict

  @Test func aShopThatIsWellIsSaidToBeInOneSentence() throws {
    try shop.backup()
    let page = try page(facts())
    let verdict = try texts(page, "//p[@role='status']")
    #expect(
      verdict.first?.replacing(/\d+ s old/, with: "N s old")
        == "The source can be restored, to a state that is at most N s old. How long a restore takes is not known: none was measured."
    )
    #expect(try elements(page, "//p[@class='verdict fine']").count == 1)
    #expect(try texts(page, "//title") == ["holdfast: OK"])
  }

  @Test func whatIsWrongComesFirst() throws {
    try shop.backup()
    var objectives = Objectives()
    (objectives.maxAge, objectives.maxChain) = (.zero, 0)
    let page = try page(facts(objectives))
    let verdict = try #require(try texts(page, "//p[@class='verdict critical']").first)
    #expect(verdict.hasPrefix("source: the newest complete snapshot is "), "\(verdict)")
    #expect(verdict.hasSuffix(" There is 1 more below."), "\(verdict)")
    #expect(try texts(page, "//section//li").count == 2)
    #expect(try texts(page, "//span[@class='level critical']") == ["CRITICAL"])
  }

  @Test func withoutASnapshotNothingCanBeRestored() throws {
    let page = try page(facts())
    #expect(try texts(page, "//p[@role='status']") == ["Nothing can be restored: there is no snapshot."])
  }

  @Test func thePageSaysWhenTheDiskIsFull() throws {
    try shop.backup()
    var facts = try facts(available: 5 << 30)
    #expect(facts.timeUntilFull == nil, "one snapshot shows no growth")
    var status = facts.sources[0].status
    status.growthPerDay = Double(1 << 30)
    facts = ReportFacts(
      repository: facts.repository, location: "x", now: facts.now, since: facts.since,
      sources: [ReportFacts.Source(status, snapshots: [], runs: [])], redundancy: [], availableBytes: 5 << 30)
    #expect(facts.timeUntilFull == .days(5))
    #expect(
      try texts(page(facts), "//main/p[@class='note']")
        == ["5.0 GiB are free in the repository; at the growth of the last 30 days that lasts for 5 d."])
  }

  // MARK: Charts

  @Test func eachChainIsDrawnWithItsSnapshots() throws {
    for order in ["2", "3"] {
      try shop.backup()
      TestFiles.write("an order", to: shop.source.appending(order))
    }
    try shop.backup(.full)
    let page = try page(facts())
    let labels = try elements(page, "//svg[@class='chain']").map {
      $0.attribute(forName: "aria-label")?.stringValue ?? ""
    }
    #expect(labels.count == 2)
    #expect(labels.first?.contains(": 1 snapshot, ") == true, "the newest chain is first: \(labels)")
    #expect(labels.last?.contains(": 2 snapshots, ") == true, "\(labels)")
    #expect(try elements(page, "//svg[@class='chain']/rect").count == 3)
  }

  /// Each drawing says in words what it shows, for those who do not see it.
  @Test func everyDrawingHasWords() throws {
    try shop.backup()
    var objectives = Objectives()
    objectives.maxAge = .hours(26)
    let page = try page(facts(objectives, later: 7200))
    let drawings = try elements(page, "//*[@role='img']")
    #expect(drawings.count == 5)
    for drawing in drawings { #expect(drawing.attribute(forName: "aria-label")?.stringValue?.isEmpty == false) }
    let age = try #require(try elements(page, "//svg[polyline[@class='objective']]").first)
    let summary = age.attribute(forName: "aria-label")?.stringValue
    #expect(
      summary == "Age of the newest complete snapshot: It was at most 2 h; the objective, the dashed line, is 26 h.")
  }

  @Test func theDaysShowWhatWasProvedAndWhatFailed() throws {
    try shop.backup()
    let now = shop.host.clock.now()
    func verify(daysAgo: Int64, _ status: HoldfastModel.ExitStatus, _ share: Double) -> JournalEntry {
      let time = Timestamp(seconds: now.seconds - daysAgo * 86_400, nanoseconds: 0)
      var entry = JournalEntry(
        command: .verify, host: "shop-1", began: time, ended: time, took: .seconds(1), status: status.rawValue)
      entry.share = share
      return entry
    }
    let runs = [verify(daysAgo: 9, .dataLoss, 1), verify(daysAgo: 5, .done, 0.25), verify(daysAgo: 2, .done, 1)]
    let page = try page(facts(runs: runs))
    let titles = try elements(page, "(//div[@class='days'])[1]/span[not(@class='day p0')]").map {
      ($0.attribute(forName: "class")?.stringValue ?? "", $0.attribute(forName: "title")?.stringValue?.suffix(15) ?? "")
    }
    #expect(titles.map(\.0) == ["day bad", "day p1", "day p4"])
    #expect(
      titles.map(\.1).map { $0.split(separator: ": ").last.map(String.init) } == [
        "failed", "25.0 % proved", "100 % proved",
      ])
    #expect(try texts(page, "//table[caption='Runs']//td").prefix(3) == ["verify", "3", "1"])
  }

  // MARK: Safety

  /// The names of files, of sources and of places come from others.
  @Test func nothingOfTheRepositoryIsReadAsMarkup() throws {
    try shop.backup()
    let hostile = "\"><script>alert('1')</script>&amp;\u{1B}[2J\u{202E}"
    var run = JournalEntry(
      command: .restore, host: hostile, began: shop.host.clock.now(), ended: shop.host.clock.now(), took: .seconds(1),
      status: 1)
    run.keep(texts: [hostile])
    let facts = try facts(location: hostile, runs: [run])
    let text = ReportPage(facts).text
    #expect(!text.contains("<script"))
    #expect(!text.unicodeScalars.contains { $0.properties.isBidiControl || $0 == "\u{1B}" })
    #expect(try texts(page(facts), "//header/p").first?.contains("\"><script>alert('1')</script>&amp;?[2J?") == true)
  }

  @Test func thePageAsksForNothing() throws {
    try shop.backup()
    let page = try page(facts())
    let referring = try elements(page, "//*[@src or @href or @action or self::script or self::link or self::iframe]")
    #expect(referring.isEmpty)
    #expect(!ReportPage(try facts()).text.contains("url("))
  }

  @Test func theJSONSaysTheSame() throws {
    try shop.backup()
    let facts = try facts(available: 7)
    let data = try JSONEncoder().encode(ReportJSON(facts))
    let told = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(told["level"] as? String == "OK" && told["schema"] as? Int == 1 && told["availableBytes"] as? Int == 7)
    #expect(told["fullInSeconds"] is NSNull)
    #expect(told["verdict"] as? String == (try texts(page(facts), "//p[@role='status']").first))
    let sources = try #require(told["sources"] as? [[String: Any]])
    #expect((sources.first?["snapshots"] as? [Any])?.count == 1)
  }
}
