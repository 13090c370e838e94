import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A kill, a power cut or a failing device at any instruction of a prune harms no snapshot that is kept, and the next
/// prune ends what was begun.
@Suite struct PruneCrashTests {
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

  private let clock = TestClock("2026-03-01T12:00:00Z")

  /// Two chains and a snapshot that is removed already; of the first chain the tip is pinned.
  private func makeShop(isSealed: Bool) throws -> TestShop {
    let shop = try TestShop(workers: 1, clock: clock.clock, isSealed: isSealed)
    try shop.fill([.full, .incremental, .incremental, .full, .incremental, .full], clock)
    try shop.open().notes.pin(shop.number(2), reason: "")
    return shop
  }

  private func prune(_ shop: TestShop, _ probe: FaultProbe) throws -> Prune.Report {
    try shop.prune(graceDays: 0, in: shop.repository(probe: probe))
  }

  @Test(arguments: Damage.allCases) func aPruneThatIsDisturbedAnywhereHarmsNothing(damage: Damage) throws {
    try disturb(damage, isSealed: false)
  }

  @Test func aSealedPruneThatIsDisturbedAnywhereHarmsNothing() throws {
    try disturb(.cutAndDropped, isSealed: true)
  }

  private func disturb(_ damage: Damage, isSealed: Bool) throws {
    let whole = FaultProbe()
    #expect(
      try prune(makeShop(isSealed: isSealed), whole).actions == [
        "1 keep", "2 keep", "3 collected", "4 collected", "5 collected", "6 keep",
      ])
    #expect(whole.count > 20)
    for index in Trials.places(whole.count) {
      let shop = try makeShop(isSealed: isSealed)
      let probe = damage.probe(at: index)
      let outcome = Result { try prune(shop, probe) }
      if damage == .cutAndDropped { probe.dropUnsynced() }
      let place = "\(damage), operation \(index): \(probe.log.last?.operation.rawValue ?? "-")"
      if case .failure(let error) = outcome { #expect(error is any OperatorError, "\(place): \(error)") }
      try check(shop, place)
    }
  }

  private func check(_ shop: TestShop, _ place: String) throws {
    // Whatever can be seen can be restored.
    try shop.expectSound(place)
    let left = try shop.numbers()
    #expect(Set(left).isSuperset(of: [1, 2, 6]), "\(place): \(left)")
    for snapshot in try shop.open().catalog.allSnapshots(
      includingRemoved: true, onDamage: { Issue.record("\(place): \($0)") })
    {
      try shop.restore(snapshot.id.description, to: "restored \(snapshot.sequence)", in: shop.open())
      TestFiles.removeTree(shop.directory.appending("restored \(snapshot.sequence)"))
    }
    // A backup in between is whole, and the next prune ends it.
    #expect(try shop.backup(in: shop.open()).envelope.sequence == 7, "\(place)")
    try shop.prune(graceDays: 0)
    #expect(try shop.numbers(removed: true) == [1, 2, 6, 7], "\(place)")
    #expect(
      TestFiles.names(in: shop.repositoryPath.appending("sources/source")).sorted() == [
        "0000000001", "0000000002", "0000000006", "0000000007", "notes",
      ], "\(place)")
    try shop.expectSound(place)
  }

  /// A killed run's directory below the newest snapshot is collected as well; one above it is left to the next backup,
  /// as it may be one that is at work.
  @Test func leftoversAreCollected() throws {
    let shop = try makeShop(isSealed: false)
    for number in ["0000000003", "0000000009"] {
      let folder = shop.repositoryPath.appending("sources/source").appending(number)
      TestFiles.makeDirectory(folder)
      for name in TestFiles.names(in: folder) { TestFiles.remove(folder.appending(name)) }
      TestFiles.write("junk", to: folder.appending(".unfinished-1"))
    }
    try shop.prune(last: 9)
    #expect(
      TestFiles.names(in: shop.repositoryPath.appending("sources/source")).sorted() == [
        "0000000001", "0000000002", "0000000004", "0000000005", "0000000006", "0000000009", "notes",
      ])
  }
}
