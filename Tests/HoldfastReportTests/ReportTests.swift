import Foundation
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastReport
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What a result looks like to a program that reads it: without a repository's command line, and without a console.
@Suite struct ReportTests {
  private let shop: TestShop

  init() throws {
    shop = try TestShop()
    TestFiles.write("an order", to: shop.source.appending("1"))
  }

  private func object(_ value: some Encodable) throws -> [String: Any] {
    let text = try JSONText.document(value)
    return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  // MARK: JSON

  @Test func keysAreSortedAndSlashesStayAsTheyAre() throws {
    let value = ["repository": "/backup/shop", "age": "1"]
    #expect(try JSONText.line(value) == #"{"age":"1","repository":"/backup/shop"}"#)
    #expect(try JSONText.document(value) == "{\n  \"age\" : \"1\",\n  \"repository\" : \"/backup/shop\"\n}")
  }

  /// A script that asks for a field finds it: what a snapshot does not have is `null`, not absent.
  @Test func everyFieldOfASnapshotIsThere() throws {
    let full = try shop.backup().envelope
    TestFiles.write("another order", to: shop.source.appending("2"))
    let incremental = try shop.backup().envelope
    let (first, second) = (try object(SnapshotJSON(full)), try object(SnapshotJSON(incremental)))
    #expect(first.keys.sorted() == second.keys.sorted())
    #expect(first["parent"] is NSNull)
    #expect(second["parent"] as? String == full.snapshot.description)
    #expect(second["stateFiles"] as? Int == 2)
  }

  @Test func whatIsNotKnownOfASourceIsNull() throws {
    try shop.backup()
    let statuses = try SourceStatus.read(from: shop.repository, of: nil, expected: []) { _ in Objectives() }
    let told = try object(StatusJSON(statuses, Objectives(), location: "/backup/shop"))
    #expect(told["met"] is NSNull, "nothing was promised")
    let sources = try #require(told["sources"] as? [[String: Any]])
    #expect(sources.first?["restoreSeconds"] is NSNull, "no restore was measured")
    var objectives = Objectives()
    objectives.maxChain = 1
    let judged = try SourceStatus.read(from: shop.repository, of: nil, expected: []) { _ in objectives }
    #expect(try object(StatusJSON(judged, objectives, location: "/backup/shop"))["met"] as? Bool == true)
  }

  // MARK: JUnit

  @Test func aSoundSnapshotIsATestThatPasses() throws {
    let envelope = try shop.backup().envelope
    let xml = JUnitReport.xml(try shop.verify())
    #expect(xml.contains(#"tests="1" failures="0""#), "\(xml)")
    #expect(xml.contains(#"name="\#(envelope.sequence) \#(envelope.snapshot)""#), "\(xml)")
  }

  @Test func aDamagedSnapshotIsATestThatFails() throws {
    try shop.backup()
    let archive = try #require(
      TestFiles.allFiles(in: shop.repositoryPath).first { $0.description.contains("archive-") })
    TestFiles.truncate(archive, to: 10)
    let xml = JUnitReport.xml(try shop.verify())
    #expect(xml.contains(#"failures="1""#), "\(xml)")
    #expect(xml.contains("<failure message="), "\(xml)")
  }

  // MARK: Monitoring

  @Test func withoutSnapshotsAPluginIsCritical() {
    let line = NagiosLine([], Objectives(), location: "/backup/shop|x")
    #expect(line.status == .critical)
    #expect(line.text == "HOLDFAST CRITICAL - no snapshots in /backup/shop/x", "a bar would begin performance data")
  }

  @Test func metricsAreInBaseUnitsAndWithoutWhatIsUnknown() throws {
    let envelope = try shop.backup().envelope
    let statuses = try SourceStatus.read(from: shop.repository, of: nil, expected: []) { _ in Objectives() }
    let text = PrometheusText(
      statuses, repository: shop.repository.id, now: Timestamp(seconds: 1_700_000_000, nanoseconds: 0)
    ).text
    let id = shop.repository.id
    #expect(text.contains("holdfast_status_time_seconds{repository=\"\(id)\"} 1700000000\n"), "\(text)")
    #expect(text.contains("holdfast_stored_bytes{source=\"source\"} \(envelope.storedBytes)\n"), "\(text)")
    #expect(!text.contains("holdfast_restore_duration_seconds"), "no restore was measured")
  }

  @Test func metricsTellHowFarEachTargetIs() throws {
    try shop.backup()
    let barn = MemoryStore()
    _ = try TargetSync.make(barn, of: shop.open()) { _ in }
    func text() throws -> String {
      let standings = Result<[TargetStanding], any Error> {
        try TargetStanding.read(barn, home: shop.open(), host: shop.host)
      }
      let away = Result<[TargetStanding], any Error>.failure(
        EngineError(.usage, "there is no repository in shed", hint: nil, exitStatus: .noRepository))
      return PrometheusText(
        [], repository: shop.repository.id, now: Timestamp(seconds: 0, nanoseconds: 0),
        targets: [("barn", standings), ("shed", away)]
      ).text
    }
    let behind = try text()
    #expect(behind.contains("holdfast_target_answers{target=\"barn\"} 1\nholdfast_target_answers{target=\"shed\"} 0\n"))
    #expect(behind.contains("holdfast_target_behind_snapshots{source=\"source\",target=\"barn\"} 1\n"), "\(behind)")
    let pass = try TargetPass(
      from: shop.open(), named: "home", to: [Target(name: "barn", store: barn)], TargetPolicy())
    try shop.backup(.full, in: pass.repository)
    #expect(try pass.finish(SourceName(from: Path("source")))["barn"] as? BehindReason == .wasBehind)
    let behindMore = try text()
    #expect(behindMore.contains("target=\"barn\"} 2\n"))
  }

  // MARK: Tables

  @Test func columnsAreAsWideAsTheirWidestCell() {
    var table = Table(rightAligned: [1])
    table.add(["a", "1", "end"])
    table.add(["long", "22"])
    #expect(table.lines == ["a      1  end", "long  22"])
  }
}
