import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A kill, a power cut, a full disk or a failing device at any instruction of a backup harms no committed snapshot.
@Suite struct CrashTests {
  enum Stage: CaseIterable, Sendable { case first, next }

  enum Damage: CaseIterable, Sendable {
    case cut, cutAndDropped, noSpace, failingDevice

    func probe(at index: Int?) -> FaultProbe {
      switch self {
      case .cut, .cutAndDropped: FaultProbe(.cut, at: index)
      case .noSpace: FaultProbe(.fail(28), at: index)
      case .failingDevice: FaultProbe(.fail(5), at: index)
      }
    }
  }

  /// A small shop, with one snapshot and changes since then for the next one.
  private func makeShop(_ stage: Stage, isSealed: Bool = false) throws -> (shop: TestShop, tree: TreeDescription?) {
    let shop = try TestShop(workers: 1, isSealed: isSealed)
    var random = SeededRandom(seed: 5)
    TestFiles.write(random.text(isSealed ? 30_000 : 300_000), to: shop.source.appending("orders.db"))
    TestFiles.makeDirectory(shop.source.appending("invoices"))
    TestFiles.write(random.text(100), to: shop.source.appending("invoices/1"))
    TestFiles.link(shop.source.appending("invoices/1"), as: shop.source.appending("one"))
    guard stage == .next else { return (shop, nil) }
    try shop.backup(.full)
    let tree = TreeDescription(of: shop.source)
    TestFiles.overwrite(shop.source.appending("orders.db"), at: 5000, with: [1, 2, 3])
    TestFiles.write(random.text(100), to: shop.source.appending("invoices/2"))
    TestFiles.remove(shop.source.appending("invoices/1"))
    return (shop, tree)
  }

  /// How many operations change something in an undisturbed backup.
  private func countOperations(_ stage: Stage, isSealed: Bool = false) throws -> Int {
    let (shop, _) = try makeShop(stage, isSealed: isSealed)
    let probe = FaultProbe()
    try shop.backup(in: shop.repository(probe: probe, as: .backupHost))
    return probe.count
  }

  @Test(arguments: Stage.allCases, Damage.allCases)
  func aBackupThatIsDisturbedAnywhereHarmsNothing(stage: Stage, damage: Damage) throws {
    try disturb(stage, damage, isSealed: false)
  }

  /// Among the operations are those on what the machine remembers of the repository.
  @Test(arguments: zip(Stage.allCases, [Damage.noSpace, .cutAndDropped]))
  func aSealedBackupThatIsDisturbedAnywhereHarmsNothing(stage: Stage, damage: Damage) throws {
    try disturb(stage, damage, isSealed: true)
  }

  private func disturb(_ stage: Stage, _ damage: Damage, isSealed: Bool) throws {
    let count = try countOperations(stage, isSealed: isSealed)
    #expect(count > 15)
    for index in Trials.places(count) {
      let (shop, tree) = try makeShop(stage, isSealed: isSealed)
      let probe = damage.probe(at: index)
      let outcome = Result { try shop.backup(in: shop.repository(probe: probe, as: .backupHost)) }
      if damage == .cutAndDropped { probe.dropUnsynced() }
      let place = "\(stage), \(damage), operation \(index): \(probe.log.last?.operation.rawValue ?? "-")"
      try checkOutcome(outcome, of: shop, before: tree == nil ? 0 : 1, probe, place)
      if let tree { try expect(tree, in: shop, sequence: 1, place) }
      try checkNextBackup(of: shop, place)
    }
  }

  /// What was reported done is there; what was not is there in whole or not at all.
  private func checkOutcome(
    _ outcome: Result<Backup.Report, any Error>, of shop: TestShop, before: Int, _ probe: FaultProbe, _ place: String
  ) throws {
    let snapshots = try shop.repository.catalog.allSnapshots { Issue.record("\(place): \($0)") }
    let report = try shop.verify()
    #expect(report.exitStatus == .done, "\(place): \(report.snapshots.flatMap(\.findings).map(\.message))")
    switch outcome {
    case .success(let backup):
      #expect(snapshots.map(\.id).last == backup.envelope.snapshot, "\(place)")
      try expect(TreeDescription(of: shop.source), in: shop, sequence: backup.envelope.sequence, place)
    case .failure(let error):
      #expect(error is any OperatorError, "\(place): \(error)")
      #expect(snapshots.count == before || snapshots.count == before + 1, "\(place)")
      if snapshots.count > before {
        try expect(TreeDescription(of: shop.source), in: shop, sequence: UInt64(before + 1), place)
      }
    }
  }

  private func expect(_ tree: TreeDescription, in shop: TestShop, sequence: UInt64, _ place: String) throws {
    let snapshot = try shop.repository.catalog.allSnapshots { _ in }.first { $0.sequence == sequence }
    let target = shop.directory.appending("restored \(sequence)")
    TestFiles.removeTree(target)
    guard let snapshot else {
      Issue.record("\(place): there is no snapshot \(sequence)")
      return
    }
    try shop.restore(snapshot.id.description, to: "restored \(sequence)")
    #expect(TreeDescription(of: target).differences(from: tree) == [], "\(place)")
  }

  /// The next run works, and collects what the killed one left.
  private func checkNextBackup(of shop: TestShop, _ place: String) throws {
    let report = try shop.backup(in: shop.open(as: .backupHost))
    #expect(report.exitStatus == .done, "\(place)")
    #expect(try shop.verify().exitStatus == .done, "\(place)")
    try expect(TreeDescription(of: shop.source), in: shop, sequence: report.envelope.sequence, place)
    let directories = shop.repositoryPath.appending("sources/source")
    for name in TestFiles.names(in: directories) {
      #expect(TestFiles.exists(directories.appending(name).appending("manifest.json")), "\(place): \(name)")
    }
    let unfinished = TestFiles.allFiles(in: shop.repositoryPath).filter { $0.lastComponent.first == UInt8(ascii: ".") }
    #expect(unfinished == [], "\(place)")
  }

  /// Directories that a killed run made, and never made durable, are made durable by the next run that relies on them.
  @Test func aBackupIsDurableThoughAnEarlierRunMadeItsDirectories() throws {
    let count = try countOperations(.first)
    for index in Trials.places(count) {
      let (shop, _) = try makeShop(.first)
      let killed = FaultProbe(.cut, at: index)
      _ = try? shop.backup(in: shop.repository(probe: killed))
      let probe = FaultProbe(after: killed)
      let report = try shop.backup(in: shop.repository(probe: probe, as: .backupHost))
      probe.dropUnsynced()
      try expect(
        TreeDescription(of: shop.source), in: shop, sequence: report.envelope.sequence, "operation \(index)")
    }
  }

  /// The cache is a convenience: a disk that has no room for it takes no backup from anybody.
  @Test func aBackupSucceedsWithoutRoomForTheCache() throws {
    let (undisturbed, _) = try makeShop(.first)
    let counting = FaultProbe()
    try undisturbed.backup(in: undisturbed.repository(probe: counting, as: .backupHost))
    let places = counting.log.indices.filter { undisturbed.cachePath.contains(counting.log[$0].path) }
    #expect(places.count > 3)
    for index in places {
      let (shop, _) = try makeShop(.first)
      let probe = FaultProbe(.fail(28), at: index)
      let outcome = Result { try shop.backup(in: shop.repository(probe: probe, as: .backupHost)) }
      #expect(shop.cachePath.contains(probe.log[index].path))
      let report = try? outcome.get()
      #expect(report?.exitStatus == .done, "operation \(index): \(probe.log[index].operation), \(outcome)")
    }
  }
}
