import HoldfastArchive
import HoldfastConfiguration
import HoldfastEngine
import HoldfastModel
import HoldfastOperations
import HoldfastRepository
import HoldfastStore
import HoldfastTestSupport
import Testing

/// What runs by itself needs no console: it works on what is configured, and tells an observer.
@Suite struct SourceRunTests {
  private let site = Site()

  /// Two sources in one repository that is not sealed; of the first there is no directory.
  private func settings() throws -> Settings {
    site.configure(
      """
      repositories:
        shop: {path: \(site.directory.appending("shop"))}
      defaults:
        repository: shop
        schedule: {full: 1d}
        keep: {last: 3}
      sources:
        gone: {path: \(site.directory.appending("gone"))}
        orders: {path: \(site.directory.appending("orders"))}
      """)
    TestFiles.makeDirectory(site.directory.appending("orders"))
    TestFiles.write("an order", to: site.directory.appending("orders/1"))
    if !TestFiles.exists(site.directory.appending("shop")) {
      let context = try RepositoryContext(site.request(), on: site.machine())
      _ = try Repository.create(in: context.store(), host: context.machine.host)
    }
    return try site.machine().neededSettings()
  }

  private func run(_ listener: Listener, _ variables: [String: String] = [:]) throws -> ConfiguredRun {
    ConfiguredRun(settings: try settings(), machine: site.machine(variables), observer: listener)
  }

  private func snapshotCount() throws -> Int {
    let repository = try RepositoryContext(site.request(), on: site.machine()).open { _ in }
    return try repository.catalog.sourceNames().reduce(0) {
      $0 + (try repository.catalog.allSnapshots(of: $1, onDamage: { _ in }).count)
    }
  }

  @Test func aSourceThatFailsStopsNoOtherAndEveryStepIsTold() throws {
    let listener = Listener()
    let run = try run(listener)
    let reports = run.performDue(try run.sources([]), site.request())
    #expect(reports.map(\.source.text) == ["gone", "orders"])
    #expect(reports.map { $0.status == .done } == [false, true])
    #expect(reports.first?.outcomes.first?.error != nil, "why it failed is kept for whoever asks")
    #expect(try snapshotCount() == 1)
    // Every source is captured before any is looked after.
    let firstPlan = try #require(listener.heard.firstIndex { $0.hasPrefix("planned gone") })
    let secondPlan = try #require(listener.heard.firstIndex { $0.hasPrefix("planned orders") })
    let prune = try #require(listener.heard.lastIndex { $0 == "orders: done" })
    #expect(firstPlan < secondPlan && secondPlan < prune, "\(listener.heard)")
  }

  @Test func aDryRunPlansAndTakesNothing() throws {
    let listener = Listener()
    let run = try run(listener)
    let reports = run.planDue(try run.sources([]), site.request())
    #expect(reports.allSatisfy { $0.plan != nil && $0.done.isEmpty })
    #expect(listener.heard.allSatisfy { $0.hasPrefix("would do") } && listener.heard.count == 2, "\(listener.heard)")
    #expect(try snapshotCount() == 0)
  }

  /// What cannot be told to anybody is said once by a command, however many runs it makes, and again by the next one.
  @Test func oneCommandRepeatsNoWarningAndTheNextOneSaysItAgain() throws {
    let variables = ["HOLDFAST_NOTIFY_ON": "nonsense", "HOLDFAST_NOTIFY_COMMAND": "true"]
    for _ in 1...2 {
      let listener = Listener()
      let run = try run(listener, variables)
      for _ in 1...3 {
        _ = run.run(.backup, try #require(run.settings.sources.first), isDryRun: false) { _ in
          SourceOutcome(source: Site.orders, summary: "done")
        }
      }
      let expected = Notice(
        .warning,
        "nobody is told of this run: HOLDFAST_NOTIFY_ON does not list start, success, failure or incomplete")
      #expect(listener.notices == [expected])
    }
  }
}
