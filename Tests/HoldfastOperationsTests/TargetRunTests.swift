import HoldfastArchive
import HoldfastConfiguration
import HoldfastEngine
import HoldfastModel
import HoldfastOperations
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// What runs and readers do where a target does not answer.
@Suite(.timeLimit(.minutes(10))) struct TargetRunTests {
  private let site = Site()
  private let memories = ["here": MemoryStore(), "barn": MemoryStore()]

  /// A machine that reaches `sftp:a@here/x` and `sftp:a@barn/x`.
  /// - Parameter changed: what stands in for one of them.
  private func machine(_ changed: [String: any Store] = [:]) -> MachineContext {
    let usual = site.machine()
    let memories = memories
    return MachineContext(
      host: usual.host, environment: usual.environment,
      schemes: StoreSchemes([
        .sftp: { location, _, _ in
          guard case .sftp(_, let server, _) = location, let memory = memories[server.host] else {
            throw StoreError.unavailable(location: location.description, reason: "unknown")
          }
          return changed[server.host] ?? memory
        }
      ]))
  }

  /// Makes the repository in both places, and two sources.
  private func make(_ keys: String = "") throws {
    site.configure(
      "repositories:\n  shop:\n    targets:\n      - {name: here, url: 'sftp:a@here/x'}\n"
        + "      - {name: barn, url: 'sftp:a@barn/x'}\n\(keys)sources:\n"
        + ["orders", "stock"].map { "  \($0): {path: \(site.directory.appending($0))}\n" }.joined())
    for name in ["orders", "stock"] {
      TestFiles.makeDirectory(site.directory.appending(name))
      TestFiles.write("of \(name)", to: site.directory.appending(name).appending("1"))
    }
    let context = try RepositoryContext(site.request("shop"), on: machine())
    let home = try Repository.create(
      in: context.store(), host: context.machine.host, sealing: nil, memory: context.machine.memory())
    _ = try RepositoryTargets(context).make(of: home) { _ in }
  }

  private func run(_ machine: MachineContext) throws -> (listener: Listener, reports: [SourceRun.Report]) {
    let listener = Listener()
    let settings = try machine.neededSettings()
    let run = ConfiguredRun(settings: settings, machine: machine, observer: listener)
    return (listener, run.performDue(try run.sources([]), site.request()))
  }

  @Test func aRunWritesToAllTargets() throws {
    try make()
    let (listener, reports) = try run(machine())
    #expect(listener.notices == [])
    #expect(reports.map(\.status) == [.done, .done])
    #expect(reports.allSatisfy { $0.done.first?.outcome.summary.hasSuffix("; on here, barn") ?? false })
    let sources = memories.mapValues { $0.contents.filter { $0.key.hasPrefix("sources/") } }
    #expect(sources["here"] == sources["barn"])
    #expect(sources["here"]?.keys.filter { $0.hasSuffix("manifest.json") }.count == 2)
  }

  @Test func aTargetThatDoesNotAnswerIsAskedForOneSourceOnly() throws {
    try make()
    var faults = FaultyStore.Faults()
    (faults.refused, faults.unanswered) = (100, 0)
    let away = FaultyStore(try #require(memories["barn"]), faults, seed: 1)
    let (listener, reports) = try run(machine(["barn": away]))
    #expect(reports.map(\.status) == [.incomplete, .incomplete])
    let behind = listener.notices.filter { $0.kind == .warning }.map { "\($0.source?.text ?? ""): \($0.text)" }
    #expect(
      behind == [
        "orders: barn is behind: memory does not answer: refused",
        "stock: barn is behind: it was not asked again, because it did not answer earlier in this run (memory does not answer: refused)",
      ])
    // Once to look whether it is in step, and once by the sync.
    #expect(away.failures == 2)
  }

  /// The scrub of a run does not wait again either.
  @Test func aScrubDoesNotAskATargetThatWasAway() throws {
    try make("defaults:\n  verify: {share: 100%}\n")
    var faults = FaultyStore.Faults()
    (faults.refused, faults.unanswered) = (100, 0)
    let away = FaultyStore(try #require(memories["barn"]), faults, seed: 1)
    let (listener, reports) = try run(machine(["barn": away]))
    #expect(reports.map(\.status) == [.incomplete, .incomplete])
    #expect(away.failures == 2)
    let left = listener.notices.map(\.text).filter { $0.hasPrefix("barn was not scrubbed: it was not asked again, ") }
    #expect(left.count == 2, "\(listener.notices.map(\.text))")
  }

  // MARK: Another home

  private func promoteBarn() throws {
    let context = try RepositoryContext(site.request("shop"), on: machine())
    let place = try context.on(context.target(named: "barn"))
    _ = try RepositoryTargets(place, isChosen: true).promote(place.open { _ in }) { _ in }
  }

  @Test func aRunAtAPromotedHomeWritesToTheOldOneToo() throws {
    try make()
    try promoteBarn()
    let (listener, reports) = try run(machine())
    let text = "barn is home by revision 2 of the list of targets, not here"
    #expect(
      listener.notices.map(\.text) == [
        "\(text): name it first in the configuration", "\(text): name it first in the configuration",
      ])
    #expect(reports.map(\.status) == [.done, .done])
    #expect(reports.allSatisfy { $0.done.first?.outcome.summary.hasSuffix("; on barn, here") ?? false })
  }

  @Test func whoWritesToTheOldHomeIsRefused() throws {
    try make()
    try promoteBarn()
    let context = try RepositoryContext(site.request("shop"), on: machine())
    do {
      _ = try context.openToWrite { _ in }
      Issue.record("it was opened")
    } catch let error as EngineError {
      #expect(
        "\(error)" == """
          barn is home by revision 2 of the list of targets, not here
          HINT: Name it first in the configuration.
          """)
      #expect(error.exitStatus == .usage)
    }
    let told = Mutex<[String]>([])
    _ = try context.openToRead(from: .one) { text in told.withLock { $0.append(text) } }
    #expect(
      told.withLock { $0 } == [
        "barn is home by revision 2 of the list of targets, not here: name it first in the configuration"
      ])
  }

  @Test func aPromotedHomeIsFoundWhereTheOldOneIsGone() throws {
    try make()
    try promoteBarn()
    var told: [String] = []
    let context = try RepositoryContext(site.request("shop"), on: machine(["here": MemoryStore()]))
    let (repository, place) = try context.openToCommit(for: Site.orders) { told.append($0) }
    #expect(repository.isHome && place.target?.name == "barn")
    #expect(
      told == [
        "barn is home by revision 2 of the list of targets, and here is away: name barn first in the configuration"
      ])
  }

  @Test func aSilentHomeIsWaitedForByOneSourceOnly() throws {
    try make("    when-home-is-away: continue\n")
    let hanging = HangingStore(FarStore(try #require(memories["here"])))
    defer { hanging.goOn() }
    let away = AwayTargets()
    var told: [String] = []
    let context = try RepositoryContext(site.request("shop"), on: machine(["here": hanging]))
    for _ in 1...2 {
      let (repository, place) = try context.openToCommit(
        for: Site.orders, patience: .milliseconds(200), away: away
      ) { told.append($0) }
      #expect(!repository.isHome && place.target?.name == "barn")
    }
    #expect(told.count == 2)
    #expect(told.first?.hasPrefix("HOME IS AWAY: sftp:a@here/x does not answer: no answer within") == true, "\(told)")
    #expect(told.last?.hasPrefix("HOME IS AWAY: it was not asked again, because") == true, "\(told)")
  }

  @Test func aTargetThatHasSomethingAloneIsNotTakenOut() throws {
    try make("    when-home-is-away: continue\n")
    _ = try run(machine(["here": MemoryStore()]))
    let context = try RepositoryContext(site.request("shop"), on: machine())
    let home = try context.open { _ in }
    let targets = RepositoryTargets(context)
    do {
      try targets.checkHasNothingAlone("barn", of: home) { Issue.record("\($0)") }
      Issue.record("it may be taken out")
    } catch let error as EngineError {
      #expect(
        "\(error)" == """
          barn has what home does not have: 1 snapshot of orders, 1 snapshot of stock
          HINT: Run `holdfast sync`; if that does not bring it home, `holdfast scrub --repair`.
          """)
    }
    var told: [String] = []
    try targets.checkHasNothingAlone("shed", of: home) { told.append($0) }
    let gone = try RepositoryContext(site.request("shop"), on: machine(["barn": MemoryStore()]))
    try RepositoryTargets(gone).checkHasNothingAlone("barn", of: home) { told.append($0) }
    #expect(
      told == [
        "shed is not in the configuration, so it is not known what only it has",
        "it is not known what only barn has: there is no repository in memory",
      ])
  }

  @Test func aSilentHomeIsNotWaitedForByWhoReads() throws {
    try make()
    _ = try run(machine())
    let hanging = HangingStore(FarStore(try #require(memories["here"])))
    defer { hanging.goOn() }
    let told = Mutex<[String]>([])
    func open(_ place: ReadingPlace) throws -> Repository {
      try RepositoryContext(site.request("shop"), on: machine(["here": hanging])).openToRead(
        from: place, patience: .seconds(1)
      ) { text in told.withLock { $0.append(text) } }
    }
    for place in [ReadingPlace.all, .one] {
      let repository = try open(place)
      #expect(!repository.isHome)
      #expect(try repository.catalog.sourceNames().map(\.text) == ["orders", "stock"])
    }
    let text =
      "sftp:a@here/x does not answer: no answer within 1s; reading from the target barn, memory"
    #expect(told.withLock { $0 } == [text, text])
  }
}

/// A store that is far away.
private struct FarStore: StoreLayer {
  let base: any Store

  init(_ base: any Store) { self.base = base }

  var capabilities: StoreCapabilities {
    var capabilities = base.capabilities
    capabilities.isNear = false
    return capabilities
  }
}
