import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

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
      (FormatError("a", "it has format 9"), .usage), (EngineError("a", hint: nil, exitStatus: .usage), .usage),
      (EngineError("a", hint: nil, exitStatus: .dataLoss), .repository),
      (EngineError("a", hint: nil, exitStatus: .locked), .transient), (Interrupted(), .transient),
      (system(Self.busy), .transient), (system(Self.timedOut), .transient), (system(Self.stale), .transient),
      (system(Self.forbidden), .machine), (system(Self.full), .machine), (system(Self.tooManyFiles), .machine),
      (system(Self.deviceFailure), .repository), (SystemError.endOfFile("a"), .repository),
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

  private enum Outcome: Equatable {
    case ended(ErrorScope)
    case found(HoldfastModel.ExitStatus)
  }

  /// Verifies a repository of which one read fails, and then notes what was found.
  /// - Returns: what came of it, and whether a snapshot is noted as damaged.
  private func verify(failing error: any OperatorError) throws -> (Outcome, isNoted: Bool) {
    let store = UnansweringStore(MemoryStore())
    let shop = try TestShop(workers: 1, store: store)
    try shop.fill([.full, .incremental])
    let source = try #require(SourceName("source"))
    store.fail(at: nil)
    _ = try shop.verify(in: shop.open())
    // The last thing that a verify reads of the snapshots comes long before its end.
    let number = store.count / 2
    let repository = try shop.open()
    store.fail(at: number, with: error)
    let outcome = Result { try shop.verify(in: shop.open()) }
    store.fail(at: nil)
    switch outcome {
    case .failure(let failure as any OperatorError):
      return (.ended(failure.scope), try !repository.standingDamage(of: source).isEmpty)
    case .failure(let failure): throw failure
    case .success(let report):
      try repository.notePassed(report, share: 1)
      return (.found(report.exitStatus), try !repository.standingDamage(of: source).isEmpty)
    }
  }

  @Test func usageIsNoDamage() throws {
    let (outcome, isNoted) = try verify(failing: FormatError("a", "it has format 9"))
    #expect(outcome == .ended(.usage) && !isNoted)
  }

  @Test func ofThisMachineIsNoDamage() throws {
    for code in [Self.forbidden, Self.tooManyFiles] {
      let (outcome, isNoted) = try verify(failing: system(code))
      #expect(outcome == .ended(.machine) && !isNoted, "\(code)")
    }
  }

  @Test func whatIsTransientIsNoDamage() throws {
    let silence = StoreError.unavailable(location: "a store", reason: "it timed out")
    for error in [silence, system(Self.timedOut), system(Self.stale)] as [any OperatorError] {
      let (outcome, isNoted) = try verify(failing: error)
      #expect(outcome == .ended(.transient) && !isNoted, "\(error)")
    }
  }

  @Test func ofTheRepositoryIsDamage() throws {
    for error in [DamageError("a", "it is cut"), system(Self.deviceFailure)] as [any OperatorError] {
      let (outcome, isNoted) = try verify(failing: error)
      #expect(outcome == .found(.dataLoss) && isNoted, "\(error)")
    }
  }
}
