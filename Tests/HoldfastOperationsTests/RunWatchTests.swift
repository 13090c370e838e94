import HoldfastArchive
import HoldfastModel
import HoldfastOperations
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// However a run ends, its observers get one record of it, and its end is passed on as it was.
@Suite struct RunWatchTests {
  private final class Recorder: RunObserver {
    private(set) var begun = 0
    private(set) var records: [RunRecord] = []
    func began(_ beginning: RunBeginning) { begun += 1 }
    func ended(_ record: RunRecord) { records.append(record) }
  }

  private struct Strange: Error {}
  private let site = Site()
  private let listener = Listener()
  private let recorder = Recorder()

  private func watch(isDryRun: Bool = false) -> RunWatch {
    let watch = RunWatch(.verify, site.machine(), notices: listener, isDryRun: isDryRun)
    watch.add(recorder)
    return watch
  }

  @Test func aRunThatReturnsIsDone() throws {
    #expect(try watch().run { 7 } == 7)
    #expect(recorder.begun == 1)
    let record = try #require(recorder.records.first)
    #expect(record.status == .done && record.failure == nil)
    #expect(record.host == "shop-1", "the name of the machine is that of its environment")
  }

  @Test func aCommandThatHasSaidEverythingEndsWithItsStatus() throws {
    #expect(throws: Outcome.self) { try watch().run { throw Outcome(status: .dataLoss) } }
    #expect(recorder.records.map(\.status) == [.dataLoss])
    #expect(recorder.records.first?.failure == nil)
  }

  @Test func anErrorIsTheReasonOfTheFailure() throws {
    let error = EngineError(.machine, "the disk is full", hint: nil, exitStatus: .incomplete)
    #expect(throws: error) { try watch().run { throw error } }
    #expect(throws: Strange.self) { try watch().run { throw Strange() } }
    #expect(recorder.records.map(\.status) == [.incomplete, .failed])
    #expect(recorder.records.map(\.failure) == ["the disk is full", "Strange()"])
  }

  /// The journal gives the share of runs that failed. A wrong key or a target that is not empty says nothing about what
  /// can be restored; whoever waits for the end of the run is told nevertheless.
  @Test(arguments: [(RunCommand.restore, ErrorScope.usage, 0), (.restore, .machine, 1), (.backup, .usage, 1)])
  func anOperatorsMistakeAtARestoreIsNoFailedRun(_ command: RunCommand, _ scope: ErrorScope, _ count: Int) throws {
    let shop = try TestShop()
    let source = SourceName(from: Path("source"))
    TestFiles.write("an order", to: shop.source.appending("1"))
    try shop.backup()
    let watch = RunWatch(command, site.machine(), notices: listener)
    watch.add(recorder)
    let error = EngineError(scope, "it cannot be done", hint: nil, exitStatus: .failed)
    #expect(throws: error) {
      try watch.run {
        watch.opened(shop.repository, source: source)
        throw error
      }
    }
    #expect(recorder.records.map(\.status) == [.failed])
    #expect(try shop.open().journal.read(source).entries.count == count)
  }

  @Test func nobodyIsToldOfADryRun() throws {
    try watch(isDryRun: true).run {}
    #expect(recorder.begun == 0 && recorder.records.isEmpty)
  }

  @Test func whatIsNotWholeIsToldToTheOperatorAndKeptForTheRecord() throws {
    let watch = watch()
    try watch.run {
      watch.name([Problem(path: Path("orders/1"), reason: "changed while it was read")], of: Site.orders)
      watch.makeProgress(of: Site.orders).warn("it is slow")
    }
    #expect(
      listener.notices == [Notice(.incomplete, "orders/1: changed while it was read", of: Site.orders)])
    let record = try #require(recorder.records.first)
    #expect(record.warningCount == 2)
    #expect(
      record.warnings == ["INCOMPLETE: orders/1: changed while it was read", "orders: it is slow"])
  }
}
