import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A store that does not answer is not damaged: wherever it falls silent, a run fails and says so, nothing is noted,
/// nothing is removed that should stay, and the same
/// command succeeds when the store answers again.
@Suite struct StoreTimeoutTests {
  /// A full, three incrementals and another full with two, in memory, of which each call can fail.
  private struct Place {
    let memory: MemoryStore
    let store: UnansweringStore
    let shop: TestShop
    private(set) var contents: [String: [UInt8]]

    /// - Parameter isNear: whether there is no latency; from a store that is far, much is read ahead and side by side.
    init(isSealed: Bool = false, isNear: Bool) throws {
      var traits = MemoryStore.Traits()
      traits.isNear = isNear
      memory = MemoryStore(traits)
      store = UnansweringStore(memory)
      shop = try TestShop(workers: 1, store: store, isSealed: isSealed)
      try shop.fill([.full, .incremental, .incremental, .full, .incremental, .incremental])
      contents = memory.contents
    }

    /// Adds what the store has now to what `reset` brings back.
    mutating func keepContents() { contents = memory.contents }

    /// Everything as it was, and every call is answered.
    func reset() {
      store.fail(at: nil)
      memory.contents = contents
    }

    var manifests: Set<String> { Set(memory.contents.keys.filter { $0.hasSuffix("manifest.json") }) }
  }

  /// Lets each call fail in turn, by day one in four of them, in each way; shows how many there were.
  /// - Parameters:
  ///   - command: is run on the store that fails.
  ///   - check: is given what came of it, on a store that answers again. From a store that is far, a command may
  ///     succeed without a call that it made ahead.
  private func sweep<Value>(
    _ name: String, _ place: Place, ways: [UnansweringStore.Failure] = UnansweringStore.Failure.allCases,
    _ command: () throws -> Value, check: (Result<Value, any Error>, String) throws -> Void
  ) throws {
    place.reset()
    _ = try command()
    let count = place.store.count
    print("\(name): a store that falls silent at each of \(count) calls, in \(ways.count) ways")
    #expect(count > 5)
    for way in ways {
      for number in Trials.places(count, oneIn: 4).map({ $0 + 1 }) {
        place.reset()
        place.store.fail(at: number, way)
        let outcome = Result { try command() }
        let hasFailed = place.store.hasFailed
        place.store.fail(at: nil)
        // Of calls side by side there are not always as many.
        guard hasFailed || place.store.capabilities.isNear else { continue }
        let label = "\(name): \(way) at call \(number) of \(count)"
        if case .failure(let error) = outcome { expectTransient(error, label) }
        try expectNothingNoted(place, label)
        try check(outcome, label)
      }
    }
  }

  private func expectTransient(_ error: any Error, _ label: String) {
    let known = error as? any OperatorError
    #expect(known?.scope == .transient, "\(label): \(error)")
    #expect(known?.exitStatus == .failed, "\(label): \(error)")
    #expect(known?.hint?.contains("again") == true, "\(label): \(error)")
  }

  private func expectNothingNoted(_ place: Place, _ label: String) throws {
    let repository = try place.shop.open()
    let source = try #require(SourceName("source"))
    #expect(try repository.notes.standingDamage(of: source) == [], "\(label)")
    #expect(try repository.notes.read(source).damage == [], "\(label)")
  }

  private func expectSound(_ place: Place, _ label: String) throws {
    let report = try place.shop.verify(in: place.shop.open())
    #expect(report.exitStatus == .done, "\(label): \(report.snapshots.flatMap(\.findings))")
  }

  // MARK: Verify

  @Test(arguments: [false, true], [true, false])
  func aVerifyThatIsCutOffFindsNothing(isSealed: Bool, isNear: Bool) throws {
    let place = try Place(isSealed: isSealed, isNear: isNear)
    let whole = try place.shop.verify(in: place.shop.open())
    try sweep("verify", place, ways: [.once, .fromThenOn]) {
      try place.shop.verify(in: place.shop.open())
    } check: { outcome, label in
      guard case .success(let report) = outcome else { return }
      let isWhole = report.exitStatus == .done && report.provenBytes == whole.provenBytes
      #expect(
        !isNear && isWhole, "\(label): it passed over what it could not read, and ended with \(report.exitStatus)")
    }
    place.reset()
    try expectSound(place, "again")
  }

  /// What was found stands, and is noted by whoever finds it again.
  @Test(arguments: [true, false]) func aVerifyThatCannotNoteWhatItFoundSaysSo(isNear: Bool) throws {
    let place = try Place(isNear: isNear)
    let report = try place.shop.verify(in: place.shop.open())
    try sweep("noting", place) {
      try place.shop.open().notes.notePassed(report, share: 1)
    } check: { outcome, label in
      try place.shop.open().notes.notePassed(report, share: 1)
      let notes = try place.shop.open().notes.read(#require(SourceName("source")))
      #expect(notes.notes.notes.count { $0.proved?.share == 100 } == 2, "\(label)")
    }
  }

  // MARK: Prune

  @Test(arguments: [true, false])
  func aPruneRemovesNothingOnTheStrengthOfWhatItCouldNotRead(isNear: Bool) throws {
    let place = try Place(isNear: isNear)
    let kept = Set(try [4, 5, 6].map { Keys.manifest(try #require(SourceName("source")), $0) })
    try sweep("prune", place) {
      try place.shop.prune(graceDays: 0, in: place.shop.open())
    } check: { outcome, label in
      if case .success(let report) = outcome { #expect(report.exitStatus == .done, "\(label)") }
      #expect(place.manifests.isSuperset(of: kept), "\(label)")
      try expectSound(place, label)
      #expect(try place.shop.prune(graceDays: 0).exitStatus == .done, "\(label)")
      #expect(place.manifests == kept, "\(label)")
      try expectSound(place, label)
    }
  }

  // MARK: Backup

  /// Near only: where there is no lock, a lease that could not be given back holds for its duration.
  @Test(arguments: [true])
  func aBackupDoesNotBecomeAFullBecauseItsParentDoesNotAnswer(isNear: Bool) throws {
    let place = try Place(isNear: isNear)
    TestFiles.write("one more order", to: place.shop.source.appending("order 7"))
    // Without a cache the parent's state comes from the store.
    func backup() throws -> Backup.Report {
      try Backup(
        repository: place.shop.open(), options: Backup.Options(source: place.shop.source),
        cache: StateCache(directory: nil), progress: QuietProgress()
      ).run()
    }
    try sweep("backup", place) {
      try backup()
    } check: { outcome, label in
      if case .success(let report) = outcome { #expect(report.envelope.kind == .incremental, "\(label)") }
      let again = try backup()
      #expect(again.envelope.kind == .incremental, "\(label)")
      #expect(try place.shop.differencesAfterRestore(again.envelope.snapshot.description) == [], "\(label)")
    }
    try expectSound(place, "in the end")
  }

  // MARK: Merge

  /// Near only: where there is no lock, a lease that could not be given back holds for its duration.
  @Test(arguments: [true]) func aMergeTakesNothingForDamaged(isNear: Bool) throws {
    let place = try Place(isNear: isNear)
    try sweep("merge", place) {
      try place.shop.merge(in: place.shop.open())
    } check: { outcome, label in
      _ = try place.shop.merge(in: place.shop.open())
      let merged = try place.shop.snapshot(in: place.shop.open())
      #expect(merged.envelope.kind == .full && merged.standsFor == 6, "\(label)")
      #expect(try place.shop.differencesAfterRestore(merged.id.description) == [], "\(label)")
    }
    try expectSound(place, "in the end")
  }

  // MARK: Restore

  @Test(arguments: [true, false]) func aRestoreGoesOnWhereItWasCutOff(isNear: Bool) throws {
    let place = try Place(isNear: isNear)
    let target = place.shop.directory.appending("restored")
    try sweep("restore", place, ways: [.once, .fromThenOn]) {
      TestFiles.removeTree(target)
      return try place.shop.restore(to: "restored", in: place.shop.open())
    } check: { outcome, label in
      if case .failure = outcome {
        try place.shop.restore(to: "restored", in: place.shop.open())
      } else {
        #expect(!isNear, "\(label): it did without what it could not read")
      }
      let differences = TreeDescription(of: target).differences(from: TreeDescription(of: place.shop.source))
      #expect(differences == [], "\(label)")
    }
  }

  // MARK: The log

  @Test(arguments: [true, false]) func aPushThatIsCutOffIsMadeGood(isNear: Bool) throws {
    let place = try Place(isNear: isNear)
    let (segment, wal) = (WALSample.log().segments[0], WALSample())
    func push() throws -> WALPush.Report {
      try wal.push(segment.name.text, segment.bytes, place.shop, in: place.shop.open())
    }
    try sweep("wal push", place) {
      try push()
    } check: { _, label in
      _ = try push()
      #expect(try wal.fetch(segment.name.text, place.shop, in: place.shop.open()) == segment.bytes, "\(label)")
    }
  }

  /// A server takes a file that is not archived for the end of the log, and ends its recovery.
  @Test(arguments: [true, false]) func aFetchThatIsCutOffDoesNotEndTheLog(isNear: Bool) throws {
    var place = try Place(isNear: isNear)
    let (segment, wal) = (WALSample.log().segments[0], WALSample())
    _ = try wal.push(segment.name.text, segment.bytes, place.shop, in: place.shop.open())
    place.keepContents()
    let shop = place.shop
    func fetch() throws -> [UInt8]? { try wal.fetch(segment.name.text, shop, in: shop.open()) }
    try sweep("wal fetch", place) {
      try fetch()
    } check: { outcome, label in
      if case .success(let bytes) = outcome { #expect(bytes == segment.bytes, "\(label)") }
      let again = try fetch()
      #expect(again == segment.bytes, "\(label)")
    }
  }
}
