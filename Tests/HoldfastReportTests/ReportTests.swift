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
    #expect(
      try JSONText.document(value)
        == "{\n  \"age\" : \"1\",\n  \"repository\" : \"/backup/shop\",\n  \"schema\" : 1\n}")
  }

  /// Whoever reads a list that was cut short sees that it was.
  @Test func aDocumentInPiecesIsOneDocumentHoweverItEnds() throws {
    func parsed(_ text: String) throws -> [String: Any] {
      try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }
    let opening = try JSONText.opening(["path": "."], array: "entries")
    let empty = try parsed(opening + JSONText.closing(isEmpty: true))
    #expect(empty["schema"] as? Int == 1 && (empty["entries"] as? [Any])?.isEmpty == true)
    let two = try opening + JSONText.element("a", isFirst: true) + JSONText.element("b", isFirst: false)
    #expect(two == "{\"path\":\".\",\"schema\":1,\"entries\":[\n\"a\",\n\"b\"")
    #expect(try parsed(two + JSONText.closing(isEmpty: false))["entries"] as? [String] == ["a", "b"])
    let rest = try parsed(two + JSONText.closing(["more": "c"], isEmpty: false))
    #expect(rest["more"] as? String == "c")
    let failure = EngineError(.machine, "the disk is full", hint: nil)
    let cut = try parsed(two + JSONText.closing(failure: failure, isEmpty: false))
    #expect(cut["entries"] as? [String] == ["a", "b"])
    #expect((cut["error"] as? [String: Any])?["message"] as? String == "the disk is full")
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
    #expect(sources.first?["expectedRestoreSeconds"] is NSNull, "no restore was measured")
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

  /// Damage that keeps a repository from being opened is no reason to say that nothing is known.
  @Test func whatOpeningShowsOfARepositoryIsCritical() {
    func line(_ scope: ErrorScope, _ status: HoldfastModel.ExitStatus) -> String {
      NagiosLine(EngineError(scope, "the reason", hint: nil, exitStatus: status)).text
    }
    for (scope, status) in [(ErrorScope.repository, HoldfastModel.ExitStatus.failed), (.usage, .noRepository)] {
      #expect(line(scope, status) == "HOLDFAST CRITICAL - the reason")
    }
    #expect(line(.repository, .dataLoss) == "HOLDFAST CRITICAL - the reason")
    for scope in [ErrorScope.usage, .machine, .transient] {
      #expect(line(scope, .failed) == "HOLDFAST UNKNOWN - the reason")
    }
  }

  /// A source that never had a snapshot, and a repository without any, never end with 0.
  @Test func whatIsCriticalIsNoSuccess() throws {
    #expect(StatusVerdict([], Objectives()).exitStatus == .objectiveMissed)
    let name = try #require(SourceName("orders"))
    let statuses = try SourceStatus.read(from: shop.repository, of: nil, expected: [name]) { _ in Objectives() }
    let verdict = StatusVerdict(statuses, Objectives())
    #expect(verdict.level == .critical && verdict.exitStatus == .objectiveMissed && !verdict.isJudged)
    #expect(StatusText.concerns([], location: "/x").map(\.text) == ["CRITICAL: no snapshots in /x"])
  }

  /// A copy of a repository, such as one made by rsync, has its ID: in one file each sample is there once.
  @Test func copiesOfOneRepositoryAreToldApart() throws {
    try shop.backup()
    let statuses = try SourceStatus.read(from: shop.repository, of: nil, expected: []) { _ in Objectives() }
    var metrics = PrometheusText()
    for name in ["shop", "copy"] {
      metrics.add(
        PrometheusText(
          statuses, repository: shop.repository.id, name: name, now: Timestamp(seconds: 0, nanoseconds: 0)))
    }
    metrics.add(PrometheusText(unanswering: "gone"))
    let samples = metrics.text.split(separator: "\n").filter { !$0.hasPrefix("#") }
    let names = samples.map { $0.prefix { $0 != " " } }
    #expect(names.count > 20 && Set(names).count == names.count)
    #expect(
      samples.filter { $0.hasPrefix("holdfast_repository_answers") } == [
        #"holdfast_repository_answers{name="shop"} 1"#, #"holdfast_repository_answers{name="copy"} 1"#,
        #"holdfast_repository_answers{name="gone"} 0"#,
      ], "the label is the same whether it answers or not")
    let id = shop.repository.id
    #expect(samples.contains("holdfast_sources{name=\"copy\",repository=\"\(id)\"} 1"))
  }

  @Test func metricsAreInBaseUnitsAndWithoutWhatIsUnknown() throws {
    let envelope = try shop.backup().envelope
    let statuses = try SourceStatus.read(from: shop.repository, of: nil, expected: []) { _ in Objectives() }
    let text = PrometheusText(
      statuses, repository: shop.repository.id, name: "shop", now: Timestamp(seconds: 1_700_000_000, nanoseconds: 0)
    ).text
    let id = shop.repository.id
    #expect(text.contains("holdfast_status_time_seconds{name=\"shop\",repository=\"\(id)\"} 1700000000\n"), "\(text)")
    let sample = "holdfast_stored_bytes{name=\"shop\",repository=\"\(id)\",source=\"source\"} \(envelope.storedBytes)\n"
    #expect(text.contains(sample), "\(text)")
    #expect(!text.contains("holdfast_restore_duration_seconds"), "no restore was measured")
  }

  /// A monitor that reads the file sees damage as long as it is there, also when the verify that found it is not the
  /// newest run any more.
  @Test func metricsTellOfDamageUntilItIsMended() throws {
    try shop.backup()
    var objectives = Objectives()
    (objectives.maxAge, objectives.maxChain) = (.hours(26), 30)
    func metrics() throws -> [Substring] {
      let statuses = try SourceStatus.read(from: shop.open(), of: nil, expected: []) { _ in objectives }
      let text = PrometheusText(
        statuses, repository: shop.repository.id, name: "shop", now: Timestamp(seconds: 0, nanoseconds: 0),
        availableBytes: 7
      ).text
      return text.replacing("name=\"shop\",", with: "").replacing("repository=\"\(shop.repository.id)\"", with: "R")
        .split(separator: "\n").filter {
          $0.contains(/^holdfast_(level|known_damage|objective|available_bytes)\b/)
        }
    }
    let sound = [
      "holdfast_available_bytes{R} 7", "holdfast_level{R,source=\"source\"} 0",
      "holdfast_known_damage{R,source=\"source\"} 0", "holdfast_objective{objective=\"age\",R,source=\"source\"} 93600",
      "holdfast_objective{objective=\"chain\",R,source=\"source\"} 30",
    ]
    #expect(try metrics().map(String.init) == sound)
    let archive = try #require(
      TestFiles.allFiles(in: shop.repositoryPath).first { $0.description.contains("archive-") })
    let bytes = try #require(TestFiles.read(archive))
    TestFiles.truncate(archive, to: 10)
    try shop.repository.notes.notePassed(shop.verify(), share: 1)
    let damaged = try metrics()
    #expect(damaged.contains("holdfast_level{R,source=\"source\"} 2"), "\(damaged)")
    #expect(damaged.contains("holdfast_known_damage{R,source=\"source\"} 1"), "\(damaged)")
    TestFiles.setMode(archive, 0o644)
    TestFiles.write(bytes, to: archive)
    #expect(
      try metrics().contains("holdfast_known_damage{R,source=\"source\"} 1"), "nobody has shown that it is mended")
    try shop.repository.notes.notePassed(shop.verify(), share: 1)
    #expect(try metrics().map(String.init) == sound)
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
        [], repository: shop.repository.id, name: "shop", now: Timestamp(seconds: 0, nanoseconds: 0),
        targets: [("barn", standings), ("shed", away)]
      ).text
    }
    let behind = try text()
    let label = "name=\"shop\",repository=\"\(shop.repository.id)\""
    for (target, value) in [("barn", 1), ("shed", 0)] {
      #expect(behind.contains("holdfast_target_answers{\(label),target=\"\(target)\"} \(value)\n"), "\(behind)")
    }
    #expect(
      behind.contains("holdfast_target_behind_snapshots{\(label),source=\"source\",target=\"barn\"} 1\n"), "\(behind)")
    let pass = try TargetPass(
      from: shop.open(), named: "home", to: [Target(name: "barn", store: barn)], TargetPolicy())
    try shop.backup(.full, in: pass.repository)
    #expect(try pass.finish(SourceName(from: Path("source")))["barn"] as? BehindReason == .wasBehind)
    let behindMore = try text()
    #expect(behindMore.contains("target=\"barn\"} 2\n"))
  }

  // MARK: Tables

  /// A list of snapshots fits a terminal of 80 columns, whatever the names and the notes.
  @Test func aListFitsATerminal() throws {
    let shop = try TestShop(workers: 1, store: MemoryStore())
    TestFiles.write("an order", to: shop.source.appending("orders"))
    let name = try #require(SourceName(String(repeating: "orders-", count: 9)))
    for kind in [SnapshotKind.full, .differential, .incremental] {
      try shop.backup(kind) { options in
        options.name = name
        options.tags = Set(["nightly", "before-the-upgrade", "q4"].compactMap { Tag($0) })
      }
    }
    let latest = try shop.snapshot()
    try shop.repository.notes.pin(latest, reason: "the auditors want to see the state of the shop before the migration")
    let notes = try shop.repository.notes.read(name).notes
    let lines = SnapshotTree(try shop.repository.catalog.allSnapshots { _ in }) { notes[$0] }.lines
    #expect(lines.allSatisfy { $0.count <= 80 }, "\(lines.joined(separator: "\n"))")
    let text = lines.joined(separator: " ").replacing(/[ ]+/, with: " ")
    #expect(text.contains("pinned: the auditors want to see the state of the shop before the migration; tagged"))
    #expect(lines.contains { $0.contains("└─ \(latest.id.short)  incr  ") })
  }

  @Test func columnsAreAsWideAsTheirWidestCell() {
    var table = Table(rightAligned: [1])
    table.add(["a", "1", "end"])
    table.add(["long", "22"])
    #expect(table.lines == ["a      1  end", "long  22"])
  }
}
