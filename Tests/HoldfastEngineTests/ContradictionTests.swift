import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// A store that lists an object and says, when it is asked for it, that it is not there: a replica that lags, a gateway
/// whose index and data disagree. Nothing is removed because of that.
@Suite struct ContradictionTests {
  private let far: FarShop
  private let store: DenyingStore

  init() throws {
    far = try FarShop()
    store = DenyingStore(far.memory)
  }

  private func open() throws -> Repository { try far.open(on: "elsewhere", over: store) }

  private func manifest(_ sequence: UInt64) throws -> String {
    Keys.manifest(try #require(far.open().catalog.sourceNames().first), sequence)
  }

  @Test func aBackupLeavesTheSnapshotAndTellsOfIt() throws {
    try far.backUp(3)
    let before = far.memory.contents.filter { $0.key.hasPrefix("sources/") }
    store.deny(try manifest(3))
    let progress = QuietProgress()
    TestFiles.write("one more", to: far.shop.source.appending("one more"))
    let report = try far.shop.backup(in: open(), progress: progress)
    #expect(report.envelope.sequence == 4)
    #expect(progress.warnings.contains { $0.contains("lists it, and answers that it is not there") })
    #expect(before.allSatisfy { far.memory.contents[$0.key] == $0.value })
    store.deny()
    #expect(try far.list(on: "here").count == 4)
  }

  @Test func aPruneRemovesNothing() throws {
    try far.backUp(3)
    let repository = try far.open()
    let name = try #require(repository.catalog.sourceNames().first)
    let tagged = try #require(try repository.catalog.snapshotIfCommitted(name, 2))
    let tag = try #require(Tag("release"))
    _ = try repository.notes.tag(tagged, add: [tag], remove: [])
    let before = far.memory.contents.filter { $0.key.hasPrefix("sources/") }
    store.deny(try manifest(2))
    var policy = RetentionPolicy()
    policy.last = 1
    var options = Prune.Options(policy: policy)
    options.grace = .zero
    let report = try Prune(repository: open(), options: options).run()
    #expect(report.exitStatus == .dataLoss)
    #expect(far.memory.contents.filter { $0.key.hasPrefix("sources/") } == before)
  }

  @Test func aListSaysThatItIsDamaged() throws {
    try far.backUp(2)
    store.deny(try manifest(1))
    var damage: [String] = []
    let listed = try open().catalog.allSnapshots { damage.append($0.message) }
    #expect(listed.map(\.sequence) == [2])
    #expect(damage.count == 1 && damage[0].contains("lists it, and answers that it is not there"), "\(damage)")
  }

  /// One wrong answer is asked for again.
  @Test func aSingleWrongAnswerChangesNothing() throws {
    try far.backUp(2)
    store.deny(try manifest(1), times: 1)
    #expect(try open().catalog.allSnapshots { Issue.record("\($0.message)") }.count == 2)
  }

  /// What another run has removed meanwhile is neither listed nor there.
  @Test func whatIsGoneIsGone() throws {
    try far.backUp(2)
    let repository = try open()
    let name = try #require(repository.catalog.sourceNames().first)
    #expect(try repository.catalog.sequences(of: name) == [1, 2])
    let key = try manifest(2)
    far.memory.contents[key] = nil
    #expect(try repository.catalog.snapshotIfCommitted(name, 2) == nil)
  }

  /// A body that this run has read is not there because it was read.
  @Test func presenceIsAskedOfTheStore() throws {
    try far.backUp(1)
    let repository = try open()
    let name = try #require(repository.catalog.sourceNames().first)
    let snapshot = try #require(try repository.catalog.snapshotIfCommitted(name, 1))
    _ = try repository.containers.openBody(of: snapshot)
    try repository.containers.checkPresence(of: snapshot)
    for object in snapshot.objects { far.memory.contents[object.key] = nil }
    repository.store.refresh()
    #expect(throws: DamageError.self) { try repository.containers.checkPresence(of: snapshot) }
  }
}

/// Says of one object that it is not there, though listings show it.
private final class DenyingStore: StoreLayer {
  let base: any Store
  private let denied = Mutex<(key: String, times: Int)?>(nil)

  init(_ base: any Store) { self.base = base }

  func deny(_ key: String? = nil, times: Int = .max) { denied.withLock { $0 = key.map { ($0, times) } } }

  func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    let isDenied = denied.withLock { denied in
      guard let now = denied, now.key == key, now.times > 0 else { return false }
      denied = (key, now.times - 1)
      return true
    }
    if isDenied { throw StoreError.notFound(key: key, location: location) }
    return try base.open(key, length: length)
  }
}
