import HoldfastArchive
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// A backup removes what a killed run left. A removal that arrives late reaches nothing that another run has committed.
@Suite struct LeftoverRemovalTests {
  private let far: FarShop
  private let name: SourceName

  init() throws {
    far = try FarShop()
    try far.backUp(1)
    name = try #require(far.open().catalog.sourceNames().first)
  }

  /// Looks for the newest snapshot as a backup does.
  private func look(over store: any Store) throws -> Snapshot? {
    let repository = try far.open(over: store)
    let lease = try #require(try Lease.take(name.text, in: store, host: repository.host, waits: false))
    return try repository.catalog.newestSnapshot(
      of: name, removingLeftoversUnder: lease, progress: QuietProgress())
  }

  private func put(_ keys: [String]) {
    for key in keys { far.memory.contents[key] = [1, 2, 3] }
  }

  @Test func whatAKilledRunLeftIsRemoved() throws {
    let left = [Keys.snapshot(name, 2) + "archive-a", Keys.snapshot(name, 2) + "body-b"]
    put(left)
    #expect(try look(over: far.memory)?.sequence == 1)
    #expect(left.allSatisfy { far.memory.contents[$0] == nil })
  }

  /// What was begun shows in no listing. Notes are added without the lease, so they may be in the making.
  @Test func aPruneRemovesWhatIsUnfinishedUnderEveryNumber() throws {
    let shop = try TestShop()
    TestFiles.write("an order", to: shop.source.appending("order"))
    try shop.backup(.full)
    let source = shop.repositoryPath.appending(Keys.source(try shop.snapshot().sourceName))
    for folder in ["0000000009", "notes", "notes/0000000009"] { TestFiles.makeDirectory(source.appending(folder)) }
    let left = ["0000000001/.unfinished-a", "0000000009/.unfinished-b"].map { source.appending($0) }
    let begun = source.appending("notes/0000000009/.unfinished-c")
    for path in left + [begun] { TestFiles.write("x", to: path) }
    try shop.prune(graceDays: 0)
    #expect(left.filter { TestFiles.exists($0) } == [])
    #expect(TestFiles.exists(begun))
    try shop.expectSound()
  }

  @Test func aRemovalThatArrivesLateLeavesWhatWasCommittedMeanwhile() throws {
    put([Keys.snapshot(name, 2) + "archive-a"])
    let committed = [Keys.manifest(name, 2), Keys.snapshot(name, 2) + "archive-c"]
    _ = try look(over: LateRemovals(far.memory) { put(committed) })
    #expect(committed.allSatisfy { far.memory.contents[$0] != nil })
  }
}

/// Does something just before the first removal of an object of a snapshot.
private final class LateRemovals: StoreLayer {
  let base: any Store
  private let before: @Sendable () -> Void
  private let isDone = Atomic(false)

  init(_ base: any Store, _ before: @escaping @Sendable () -> Void) { (self.base, self.before) = (base, before) }

  private func arrive(_ key: String) {
    guard key.hasPrefix(Keys.sources), !isDone.exchange(true, ordering: .relaxed) else { return }
    before()
  }

  func remove(_ key: String) throws {
    arrive(key)
    try base.remove(key)
  }

  func removeAll(below prefix: String) throws {
    arrive(prefix)
    try base.removeAll(below: prefix)
  }
}
