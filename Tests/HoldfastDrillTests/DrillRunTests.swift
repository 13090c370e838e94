import HoldfastArchive
import HoldfastConfiguration
import HoldfastEngine
import HoldfastModel
import HoldfastOperations
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// `holdfast run` drills when it is due, and tells of a drill that fails.
@Suite struct DrillRunTests {
  private let directory = TemporaryDirectory()
  private var own: Path { directory.appending("drills/holdfast-drill-orders") }

  /// Keeps what runs tell.
  private final class Listener: SourceRunObserver {
    private final class Silent: RunProgress {
      func begin(phase: String, totalBytes: UInt64?) {}
      func advance(bytes: UInt64, files: UInt64) {}
      func skip(bytes: UInt64) {}
      func note(_ message: String) {}
      func warn(_ message: String) {}
      func end() {}
    }

    private(set) var notices: [Notice] = []
    private(set) var done: [SourceRun.Done] = []
    func tell(_ notice: Notice) { notices.append(notice) }
    func makeProgress() -> any RunProgress { Silent() }
    func planned(_ report: SourceRun.Report, isDryRun: Bool) {}
    func ended(_ step: SourceRun.Done, of source: SourceName) { done.append(step) }
  }

  private func machine(hoursLater hours: Double = 0) -> MachineContext {
    let home = directory.path.description
    let variables = [
      "HOME": home, "HOLDFAST_CONFIG": home + "/holdfast.yaml",
      "HOLDFAST_NOTIFY_COMMAND": "echo $HOLDFAST_EVENT $HOLDFAST_COMMAND $HOLDFAST_EXIT_STATUS >>'\(home)/told'",
      "HOLDFAST_NOTIFY_ON": "failure",
    ]
    let environment = ProcessEnvironment(
      userID: FileSystem.userID, hostName: "shop-1", currentDirectory: directory.path
    ) { variables[$0] ?? ["HOLDFAST_STATE_DIR": home + "/state", "HOLDFAST_CACHE_DIR": home + "/cache"][$0] }
    let clock = TestHost.clock(ahead: Int64(hours * 3600))
    return MachineContext(
      host: Host(clock: clock, workers: 2, scratchDirectories: [directory.path]), environment: environment)
  }

  private func prepare(_ assertion: String, every: String = "7d", olderEvery: Int = 1000) throws {
    TestFiles.write(
      """
      repositories:
        shop: {path: \(directory.appending("shop"))}
      sources:
        orders:
          path: \(directory.appending("orders"))
          drill:
            every: \(every)
            older-every: \(olderEvery)
            in: \(directory.appending("drills"))
            assertions: [{\(assertion)}]
          objectives: {restore-within: 30min, drilled-within: 8d}
      """, to: directory.appending("holdfast.yaml"))
    TestFiles.setMode(directory.appending("holdfast.yaml"), 0o600)
    guard !TestFiles.exists(directory.appending("shop")) else { return }
    TestFiles.makeDirectory(directory.appending("orders"))
    _ = try TestDatabase(
      directory.appending("orders/orders.db"), "CREATE TABLE orders (id); INSERT INTO orders VALUES (1)")
    let context = try RepositoryContext(RepositoryRequest(), on: machine())
    _ = try Repository.create(in: context.store(), host: context.machine.host)
  }

  /// - Returns: the steps that were done.
  private func run(hoursLater hours: Double = 0, _ listener: Listener = Listener()) throws -> [SourceRun.Done] {
    let machine = machine(hoursLater: hours)
    let run = ConfiguredRun(settings: try machine.neededSettings(), machine: machine, observer: listener)
    var keys = KeyRequest()
    (keys.opens, keys.signs) = (true, true)
    _ = run.performDue(try run.sources([]), RepositoryRequest(keys: keys))
    return listener.done
  }

  private func status(hoursLater hours: Double = 0) throws -> SourceStatus {
    let machine = machine(hoursLater: hours)
    let settings = try #require(try machine.neededSettings().source("orders")?.objectives)
    var objectives = Objectives()
    (objectives.restoreWithin, objectives.drilledWithin) = (settings.restoreWithin, settings.drilledWithin)
    let repository = try RepositoryContext(RepositoryRequest(), on: machine).open { _ in }
    return try #require(SourceStatus.read(from: repository, of: nil, { _ in objectives }).first)
  }

  @Test func aDrillIsMadeWhenItIsDueAndTheStatusTakesItIn() throws {
    try prepare("sql: SELECT count(*) FROM orders, equals: 1")
    let first = try run()
    #expect(first.map(\.line.step) == [.take(.full), .drill])
    #expect(first.last?.outcome.status == .done && first.last?.line.reason == "this machine has made no drill yet")
    #expect(
      first.last?.outcome.summary.hasSuffix("1 database is sound, and 1 assertion holds") == true,
      "\(first.last?.outcome.summary ?? "")")
    let status = try status()
    #expect(status.drills.passed == 1 && status.missed.isEmpty && status.drills.worstTime != nil)
    // Not again before its time.
    #expect(try run(hoursLater: 24).map(\.line.step) == [.take(.incremental)])
    #expect(try run(hoursLater: 7 * 24).map(\.line.step) == [.take(.incremental), .drill])
    #expect(try self.status(hoursLater: 7 * 24).drills.count == 2)
    #expect(!TestFiles.exists(directory.appending("told")))
  }

  @Test func aDrillThatFailsIsToldAndMadeAgainTheNextDay() throws {
    try prepare("sql: SELECT count(*) FROM orders, at-least: 2")
    let listener = Listener()
    let drill = try #require(try run(listener).last)
    #expect(drill.line.step == .drill && drill.outcome.status == .drillFailed)
    let log = own.appending("log")
    let text =
      "the drill failed at assertions: assertion 1 does not hold: it answers \"1\", and not 2 or more: SELECT count(*) FROM orders; the log is \(log)"
    #expect(listener.notices.contains(Notice(.refusal, text, of: SourceName(from: Path("orders")))))
    #expect(TestFiles.exists(log))
    #expect(String(decoding: TestFiles.read(directory.appending("told")) ?? [], as: UTF8.self) == "failure run 22\n")
    let status = try status()
    #expect(status.drills.count == 1 && status.drills.passed == 0 && status.level == .critical)
    #expect(try run(hoursLater: 1).map(\.line.step) == [.take(.incremental)])
    try prepare("sql: SELECT count(*) FROM orders, at-least: 1")
    #expect(try run(hoursLater: 25).last?.line.step == .drill)
    #expect(try self.status(hoursLater: 25).level == nil)
  }

  /// Each third drill is one of an older snapshot, and its evidence says so.
  @Test func olderSnapshotsHaveTheirTurn() throws {
    try prepare("sql: SELECT 1", every: "1h", olderEvery: 3)
    var sequences: [UInt64?] = []
    for hour in 0..<6 {
      #expect(try run(hoursLater: Double(2 * hour)).last?.outcome.status == .done)
      let repository = try RepositoryContext(RepositoryRequest(), on: machine()).open { _ in }
      let name = SourceName(from: Path("orders"))
      let last = try #require(
        try repository.journal.entriesIfReadable(of: name).filter { $0.drill != nil }.max { $0.ended < $1.ended })
      sequences.append(last.drill?.isOlder == true ? nil : last.sequence)
      #expect(try repository.catalog.allSnapshots { _ in }.contains { $0.id == last.snapshot })
      #expect(try status(hoursLater: Double(2 * hour)).drills.isLastOlder == (hour % 3 == 2))
    }
    #expect(sequences == [1, 2, nil, 4, 5, nil])
  }

  /// A drill that could not be made proves nothing: it fails as a run, and the drills that passed still count.
  @Test func aDrillThatCouldNotBeMadeIsNoDrill() throws {
    try prepare("sql: SELECT 1")
    TestFiles.write("in the way", to: directory.appending("drills"))
    let drill = try #require(try run().last)
    #expect(drill.line.step == .drill && drill.outcome.status == .failed)
    let status = try status()
    #expect(status.drills.count == 0 && status.missed.map(\.objective) == [.restore, .drill])
    #expect(status.failedRuns == 1)
  }

  // MARK: Due

  @Test func aDrillIsDueByTheTimeOfTheLastOne() {
    let now = Timestamp(seconds: 1_800_000_000, nanoseconds: 0)
    func reason(_ last: LastDrill?, opens: Bool = true) -> String? {
      var history = RunHistory()
      history.lastDrill = last
      var policy = RunPolicy()
      policy.drillEvery = .days(7)
      let line = RunPlan(history, policy, now: now, opens: opens, mayPrune: true).lines.last
      guard let line, line.step == (opens ? .drill : .drillElsewhere) else { return nil }
      return line.reason
    }
    func last(hoursAgo: Int64, passed: Bool = true) -> LastDrill {
      LastDrill(at: Timestamp(seconds: now.seconds - hoursAgo * 3600, nanoseconds: 0), passed: passed)
    }
    #expect(reason(nil) == "this machine has made no drill yet")
    #expect(reason(nil, opens: false) == "this machine has made no drill yet")
    #expect(reason(last(hoursAgo: 167)) == nil)
    #expect(reason(last(hoursAgo: 168)) == "the last drill was 168 h 0 min ago")
    #expect(reason(last(hoursAgo: 23, passed: false)) == nil)
    #expect(reason(last(hoursAgo: 24, passed: false)) == "the last drill was 24 h 0 min ago, and did not pass")
    #expect(reason(last(hoursAgo: -1)) == "the last drill lies ahead of the clock")
  }
}
