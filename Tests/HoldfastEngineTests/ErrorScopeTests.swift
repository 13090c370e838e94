import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Fails an operation on some paths as a broken disk does.
private final class BrokenDisk: OperationProbe {
  private let operation: Operation
  private let isBroken: @Sendable (_ path: String) -> Bool

  init(_ operation: Operation, _ isBroken: @escaping @Sendable (_ path: String) -> Bool) {
    (self.operation, self.isBroken) = (operation, isBroken)
  }

  func willPerform(_ operation: Operation, _ path: Path) throws(SystemError) {
    if operation == self.operation, isBroken(path.description) { throw SystemError("access", path, code: 5) }
  }

  func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
}

/// Whose fault an error is decides what is made of it: only the repository's own is damage.
@Suite struct ErrorScopeTests {
  private static let busy: Int32 = 11
  private static let forbidden: Int32 = 13
  private static let full: Int32 = 28
  private static let timedOut: Int32 = 110
  private static let stale: Int32 = 116
  private static let deviceFailure: Int32 = 5
  private static let tooManyFiles: Int32 = 24

  private func system(_ code: Int32) -> SystemError { SystemError("read", Path("/repository"), code: code) }

  @Test func eachErrorHasOne() {
    let of: [(any OperatorError, ErrorScope)] = [
      (StoreError.unavailable(location: "a store", reason: "it timed out"), .transient),
      (StoreError.alreadyExists(key: "a", location: "a store"), .transient),
      (StoreError.notFound(key: "a", location: "a store"), .repository),
      (StoreError.foreign(key: "a", location: "a store"), .repository),
      (StoreError.removalRefused(key: "a", location: "a store"), .machine),
      (StoreError.invalidKey("../a"), .usage), (DamageError("a", "it is missing"), .repository),
      (FormatError("a", "it has format 9"), .usage), (EngineError(.usage, "a", hint: nil, exitStatus: .usage), .usage),
      (EngineError(.repository, "a", hint: nil, exitStatus: .dataLoss), .repository),
      (EngineError(.transient, "a", hint: nil, exitStatus: .locked), .transient), (Interrupted(), .transient),
      (system(Self.busy), .transient), (system(Self.timedOut), .transient), (system(Self.stale), .transient),
      (system(Self.forbidden), .machine), (system(Self.full), .machine), (system(Self.tooManyFiles), .machine),
      (system(Self.deviceFailure), .machine), (SystemError.endOfFile("a"), .machine),
      (StoreError.unreadable(key: "a", reason: "Input/output error", isOfDevice: true), .repository),
    ]
    for (error, scope) in of {
      #expect(error.scope == scope, "\(error)")
      #expect(error.isDamage == (scope == .repository), "\(error)")
      #expect(error.isTransient == (scope == .transient), "\(error)")
      let isOfDamage = [.repairableDamage, .dataLoss].contains(error.exitStatus)
      #expect(!isOfDamage || error.isDamage, "\(error)")
    }
  }

  @Test func whoeverTriesAgainIsToldTo() {
    for error in [StoreError.unavailable(location: "a store", reason: "it timed out") as any OperatorError]
      + [Self.busy, Self.timedOut, Self.stale].map(system)
    {
      #expect(error.exitStatus == .failed)
      #expect(error.hint?.contains("again") == true, "\(error)")
    }
  }

  // MARK: What becomes of them

  private enum Outcome: Hashable {
    case ended(ErrorScope)
    case found(HoldfastModel.ExitStatus)
    /// What was found is noted: a snapshot counts as damaged from here on.
    case noted
  }

  /// Verifies a repository again and again. Each time another call of the store fails; what was found is then noted.
  private func outcomes(failing error: any OperatorError) throws -> Set<Outcome> {
    let memory = MemoryStore()
    let store = UnansweringStore(memory)
    let shop = try TestShop(workers: 1, store: store)
    try shop.fill([.full, .incremental])
    let source = try #require(SourceName("source"))
    let contents = memory.contents
    store.fail(at: nil)
    _ = try shop.verify(in: shop.open())
    var outcomes: Set<Outcome> = []
    for number in 1...max(1, store.count) {
      memory.contents = contents
      store.fail(at: number, with: error)
      let result = Result { try shop.verify(in: shop.open()) }
      store.fail(at: nil)
      switch result {
      case .failure(let failure as any OperatorError): outcomes.insert(.ended(failure.scope))
      case .failure(let failure): throw failure
      case .success(let report):
        try shop.open().notes.notePassed(report, share: 1)
        outcomes.insert(.found(report.exitStatus))
      }
      if try !shop.open().notes.standingDamage(of: source).isEmpty { outcomes.insert(.noted) }
    }
    return outcomes
  }

  @Test func usageIsNoDamage() throws {
    let outcomes = try outcomes(failing: FormatError("a", "it has format 9"))
    #expect(outcomes.isSubset(of: [.ended(.usage), .found(.done)]) && outcomes.contains(.ended(.usage)))
  }

  @Test func ofThisMachineIsNoDamage() throws {
    for code in [Self.forbidden, Self.tooManyFiles, Self.deviceFailure] {
      let outcomes = try outcomes(failing: system(code))
      #expect(outcomes.isSubset(of: [.ended(.machine), .found(.done)]) && outcomes.contains(.ended(.machine)))
    }
  }

  @Test func whatIsTransientIsNoDamage() throws {
    let silence = StoreError.unavailable(location: "a store", reason: "it timed out")
    for error in [silence, system(Self.timedOut), system(Self.stale)] as [any OperatorError] {
      #expect(try outcomes(failing: error) == [.ended(.transient)], "\(error)")
    }
  }

  /// A verify writes states and extents that do not fit into memory to a file of its own. Where that cannot be written,
  /// or read back, nothing is known of the repository.
  @Test(arguments: [Operation.write, .read]) func aDeviceThatIsNotTheRepositorysIsNoDamage(
    _ operation: Operation
  ) throws {
    let shop = try TestShop(workers: 1)
    let long = String(repeating: "-order", count: 40)
    for number in 0..<20_000 { TestFiles.write("", to: shop.source.appending("\(number)\(long)")) }
    try shop.backup()
    let probe = BrokenDisk(operation) { $0 == "/tmp" }
    do {
      _ = try shop.verify(in: shop.repository(probe: probe))
      Issue.record("nothing was written to a file")
    } catch {
      #expect((error as? SystemError)?.scope == .machine, "\(error)")
    }
    let source = try #require(SourceName("source"))
    #expect(try shop.open().notes.standingDamage(of: source).isEmpty)
  }

  /// Where the repository's own device fails, that is damage of the object, whatever kind it is.
  @Test(arguments: ["archive-", "body-", "manifest.json"]) func anObjectThatCannotBeReadIsDamage(
    _ part: String
  ) throws {
    let shop = try TestShop(workers: 1)
    TestFiles.write("an order", to: shop.source.appending("orders"))
    try shop.backup()
    let report = try shop.verify(in: shop.repository(probe: BrokenDisk(.read) { $0.contains(part) }))
    #expect(report.exitStatus == .dataLoss)
    let findings = report.unreadable.map(\.message) + report.snapshots.flatMap { $0.findings.map(\.message) }
    #expect(findings.contains { $0.hasSuffix("cannot be read: Input/output error") }, "\(findings)")
  }

  /// What is not noted does not hold back a prune: whoever verifies has to know.
  @Test func damageThatCannotBeNotedIsAnError() throws {
    let memory = MemoryStore()
    let store = UnansweringStore(memory)
    let shop = try TestShop(workers: 1, store: store)
    try shop.fill([.full])
    let sound = try shop.verify()
    let archive = try #require(memory.contents.keys.first { $0.contains("/archive-") })
    memory.contents[archive]?.removeLast()
    let damaged = try shop.verify()
    let isDamaged = damaged.snapshots.contains { !$0.isSound }
    #expect(isDamaged)
    for (report, isTold) in [(sound, false), (damaged, true)] {
      let repository = try shop.open()
      store.fail(at: 1, with: system(Self.full))
      let result = Result { try repository.notes.notePassed(report, share: 1) }
      store.fail(at: nil)
      if case .failure(let error) = result {
        #expect(isTold && (error as? SystemError)?.code == Self.full, "\(error)")
      } else {
        #expect(!isTold)
      }
    }
  }

  @Test func ofTheRepositoryIsDamage() throws {
    let unreadable = StoreError.unreadable(key: "a", reason: "Input/output error", isOfDevice: true)
    for error in [DamageError("a", "it is cut"), unreadable] as [any OperatorError] {
      #expect(try outcomes(failing: error).isSuperset(of: [.found(.dataLoss), .noted]), "\(error)")
    }
  }
}
