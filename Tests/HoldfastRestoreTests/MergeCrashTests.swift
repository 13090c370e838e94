import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A kill, a power cut, a full disk or a failing device at any instruction of a merge harms nothing, and the next run
/// goes on.
@Suite struct MergeCrashTests {
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

  /// A full and two days, and what the source is by now: frames to carry over, to make anew and to gather.
  private func makeShop(isSealed: Bool) throws -> (shop: TestShop, tree: TreeDescription) {
    let shop = try TestShop(workers: 1, isSealed: isSealed)
    var random = SeededRandom(seed: 6)
    let database = shop.source.appending("orders.db")
    TestFiles.write(random.text(500_000), to: database)
    TestFiles.write(random.text(100), to: shop.source.appending("invoice"))
    try shop.backup(.full)
    for day in 0..<2 {
      TestFiles.overwrite(database, at: 5000, with: [UInt8(day)])
      TestFiles.overwrite(database, at: 300_000 * day, with: random.text(10_000))
      try shop.backup()
    }
    return (shop, TreeDescription(of: shop.source))
  }

  private func merge(_ shop: TestShop, onto base: MergeBase, _ probe: FaultProbe) throws -> Merge.Report {
    try shop.merge(in: shop.repository(probe: probe)) { ($0.listBytes, $0.base) = (1024, base) }
  }

  @Test(arguments: Damage.allCases) func aMergeThatIsDisturbedAnywhereHarmsNothing(damage: Damage) throws {
    try disturb(damage, isSealed: false)
  }

  @Test(arguments: [Damage.cutAndDropped, .noSpace])
  func aMergeOfIncrementsThatIsDisturbedAnywhereHarmsNothing(damage: Damage) throws {
    try disturb(damage, onto: .increments, isSealed: false)
  }

  @Test(arguments: [Damage.noSpace, .cutAndDropped])
  func aSealedMergeThatIsDisturbedAnywhereHarmsNothing(damage: Damage) throws {
    try disturb(damage, isSealed: true)
  }

  private func disturb(_ damage: Damage, onto base: MergeBase = .nothing, isSealed: Bool) throws {
    let undisturbed = FaultProbe()
    _ = try merge(try makeShop(isSealed: isSealed).shop, onto: base, undisturbed)
    #expect(undisturbed.count > 20)
    for index in Trials.places(undisturbed.count) {
      let (shop, tree) = try makeShop(isSealed: isSealed)
      let before = try shop.repository.catalog.allSnapshots { _ in }
      let probe = damage.probe(at: index)
      let outcome = Result { try merge(shop, onto: base, probe) }
      if damage == .cutAndDropped { probe.dropUnsynced() }
      let place = "\(damage), operation \(index): \(probe.log.last?.operation.rawValue ?? "-")"
      let snapshots = try shop.repository.catalog.allSnapshots { Issue.record("\(place): \($0)") }
      #expect(Array(snapshots.prefix(3)) == before, "\(place)")
      switch outcome {
      case .success(let report): #expect(snapshots.last?.id == report.envelope?.snapshot, "\(place)")
      case .failure(let error):
        #expect(error is any OperatorError, "\(place): \(error)")
        #expect(snapshots.count <= 4, "\(place)")
      }
      try expectSound(shop, tree, place)
      // Either kind of run goes on behind it, and takes away what is left.
      if index.isMultiple(of: 2) { try shop.merge(before[2].id.description) } else { try shop.backup() }
      try expectSound(shop, tree, place)
      expectClean(shop, place)
    }
  }

  private func expectSound(_ shop: TestShop, _ tree: TreeDescription, _ place: String) throws {
    let report = try shop.verify()
    #expect(report.exitStatus == .done, "\(place): \(report.snapshots.flatMap(\.findings).map(\.message))")
    let target = shop.directory.appending("restored")
    TestFiles.removeTree(target)
    try shop.restore(to: "restored")
    #expect(TreeDescription(of: target).differences(from: tree) == [], "\(place)")
  }

  private func expectClean(_ shop: TestShop, _ place: String) {
    let directories = shop.repositoryPath.appending("sources/source")
    for name in TestFiles.names(in: directories) {
      #expect(TestFiles.exists(directories.appending(name).appending("manifest.json")), "\(place): \(name)")
    }
    let unfinished = TestFiles.allFiles(in: shop.repositoryPath).filter { $0.lastComponent.first == UInt8(ascii: ".") }
    #expect(unfinished == [], "\(place)")
  }
}
