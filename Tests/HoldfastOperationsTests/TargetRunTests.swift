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
