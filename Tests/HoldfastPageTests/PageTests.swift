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
    runs: [JournalEntry] = [], later: Double = 0,
    policy: RetentionPolicy? = nil
  ) throws -> ReportFacts {
    try shop.reportFacts(
      objectives, location: location, available: available, runs: runs, later: later, policy: policy)
  }

  private func page(_ facts: ReportFacts) throws -> XMLElement { try facts.page() }

  private func elements(_ page: XMLElement, _ path: String) throws -> [XMLElement] {
    try page.nodes(forXPath: path).compactMap { $0 as? XMLElement }
  }

  private func texts(_ page: XMLElement, _ path: String) throws -> [String] { try page.texts(path) }

  // MARK: The verdict

  @Test func aShopThatIsWellIsSaidToBeInOneSentence() throws {
    try shop.backup()
    let page = try page(facts())
    let verdict = try texts(page, "//p[@role='status']")
    #expect(
      verdict.first?.replacing(/\d+ s old/, with: "N s old")
        == "Yes, by the manifests; never tried. source can be restored to a state that is at most N s old. How long that takes is not known: no restore was measured."
    )
    #expect(try elements(page, "//p[@class='verdict fine']").count == 1)
    #expect(try texts(page, "//head/title") == ["holdfast: OK"])
  }

  @Test func whatIsWrongComesFirst() throws {
    try shop.backup()
    var objectives = Objectives()
    (objectives.maxAge, objectives.maxChain) = (.zero, 0)
    let page = try page(facts(objectives))
    let verdict = try #require(try texts(page, "//p[@class='verdict critical']").first)
    #expect(verdict.contains(" But the newest complete snapshot is "), "\(verdict)")
    #expect(verdict.hasSuffix(" 1 more concern below."), "\(verdict)")
    #expect(try texts(page, "//ul[@class='concerns']/li").count == 2)
    #expect(try texts(page, "//span[@class='level critical']") == ["CRITICAL"])
  }

  @Test func withoutASnapshotNothingCanBeRestored() throws {
    let page = try page(facts())
    #expect(try texts(page, "//p[@role='status']") == ["No. There is no snapshot."])
  }

  /// Damage is no reason to say that everything can be restored.
  @Test func afterDamageTheAnswerIsNotYes() throws {
    try shop.backup()
    #expect(
      try verdict { $0.notedDamage = [$0.newest?.id].compactMap(\.self) }
        == "Not for certain. Damage to source was found, and nothing shows that it is mended.")
  }

  /// Returns the verdict about sources with other statuses.
  /// - Parameter changes: one for each source, each of the only source of the shop.
  private func verdict(_ changes: (inout SourceStatus) -> Void...) throws -> String {
    let facts = try facts()
    let sources = changes.map { change in
      var status = facts.sources[0].status
      change(&status)
      return ReportFacts.Source(
        status, snapshots: facts.sources[0].snapshots, notes: [], runs: [], kept: facts.sources[0].kept)
    }
    let changed = ReportFacts(
      repository: facts.repository, location: "x", now: facts.now, since: facts.since, sources: sources,
      availableBytes: nil)
    return try #require(try texts(page(changed), "//p[@role='status']").first)
  }

  /// What an attacker has encrypted is a young, complete snapshot, too.
  @Test func aStateThatLooksWrongIsNotPromised() throws {
    try shop.backup()
    func looksWrong(_ goodAge: TimeSpan?) -> (inout SourceStatus) -> Void {
      { status in
        status.suspicions = (status.newest?.id).map { [SourceStatus.Suspicion(id: $0, text: "unusual")] } ?? []
        status.lastGoodAge = goodAge
      }
    }
    let wrong = "Not for certain. Snapshots of source do not look like a normal day, and nobody has accepted them."
    #expect(
      try verdict(looksWrong(.hours(50))) == wrong
        + " The last good state before that is \(Amount.age(.hours(50))) old.")
    #expect(try verdict(looksWrong(nil)) == wrong + " Of source there is no good snapshot before that.")
    let two = try verdict(looksWrong(.hours(50)), looksWrong(.hours(70)))
    #expect(two.contains("Snapshots of source and 1 other source do not"), "\(two)")
    #expect(two.contains(" The last good state before that is at most \(Amount.age(.hours(70))) old."), "\(two)")
  }

  @Test func aSourceThatWasNeverTriedIsNamed() throws {
    try shop.backup()
    func tried(_ status: inout SourceStatus) {
      (status.completeAge, status.restoreDuration) = (.hours(1), .seconds(90))
    }
    func untried(_ status: inout SourceStatus) { status.completeAge = .hours(2) }
    #expect(
      try verdict(tried, tried)
        == "Yes. All 2 sources can be restored to a state that is at most 1 h old, in about \(Amount.duration(.seconds(90))) each."
    )
    #expect(
      try verdict(tried, untried)
        == "Yes, but not all was tried. All 2 sources can be restored to a state that is at most 2 h old, in about \(Amount.duration(.seconds(90))) each where that was measured. Of source nothing was restored, drilled or verified yet."
    )
  }

  // MARK: Targets

  @Test func eachTargetHasALag() throws {
    try shop.backup()
    let facts = try facts()
    let newest = try #require(facts.sources[0].status.newest?.started)
    let name = facts.sources[0].status.name
    let older = Timestamp(seconds: newest.seconds - 7200, nanoseconds: newest.nanoseconds)
    let targets = [
      ReportFacts.Target(
        "office", location: "/a", isHome: true, keeps: nil,
        holdings: .success([ReportFacts.Target.Holding(name, newest: newest, behind: 0)])),
      ReportFacts.Target(
        "barn", location: "/b", isHome: false, keeps: nil,
        holdings: .success([ReportFacts.Target.Holding(name, newest: older, behind: 2)])),
      ReportFacts.Target(
        "cloud", location: "s3:x", isHome: false, keeps: nil, holdings: .failure(ReportFacts.Target.Failure("no route"))
      ),
    ]
    let changed = ReportFacts(
      repository: facts.repository, location: "x", now: facts.now, since: facts.since, sources: facts.sources,
      targets: targets, availableBytes: nil)
    let rows = try elements(page(changed), "//table[caption='Targets']/tbody/tr").map { row in
      try row.nodes(forXPath: "td").map { $0.stringValue ?? "" }
    }
    #expect(rows.map { $0[0] } == ["office (home)", "barn", "cloud"])
    #expect(rows[1][3...4] == ["2 h", "2 snapshots"])
    #expect(rows[2][5] == "does not answer: no route")
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
    #expect(drawings.count == 5, "timeline, age, chain, proofs, calendar")
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
    let titles = try elements(page, "(//svg[@class='weeks'])[1]/rect[not(@class='day p0')]").map {
      ($0.attribute(forName: "class")?.stringValue ?? "", $0.stringValue ?? "")
    }
    #expect(titles.map(\.0) == ["day bad", "day p1", "day p4"])
    #expect(
      titles.map(\.1).map {
        $0.split(separator: ": ").last.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
      } == [
        "failed", "25.0 % proved", "100 % proved",
      ])
    #expect(try texts(page, "//table[caption='Runs']//td").prefix(3) == ["verify", "3", "1"])
  }

  /// The same half that is read twice is half, as `status` counts it.
  @Test func whatIsProvedTwiceOnADayCountsOnce() throws {
    try shop.backup()
    let now = shop.host.clock.now()
    let time = Timestamp(seconds: now.seconds - 3 * 86_400, nanoseconds: 0)
    var entry = JournalEntry(
      command: .verify, host: "shop-1", began: time, ended: time, took: .seconds(1), status: 0)
    (entry.share, entry.begin) = (0.5, 0.25)
    let titles = try elements(
      page(facts(runs: [entry, entry])), "(//svg[@class='weeks'])[1]/rect[not(@class='day p0')]")
    #expect(titles.count == 1 && titles[0].stringValue?.contains("50.0 % proved") == true, "\(titles)")
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
    #expect(told["level"] as? String == "OK" && told["availableBytes"] as? Int == 7)
    #expect(told["fullAt"] is NSNull && told["spaceEnd"] as? String == "unknown")
    #expect(told["verdict"] as? String == (try texts(page(facts), "//p[@role='status']").first))
    let sources = try #require(told["sources"] as? [[String: Any]])
    #expect((sources.first?["snapshots"] as? [Any])?.count == 1)
  }
}
