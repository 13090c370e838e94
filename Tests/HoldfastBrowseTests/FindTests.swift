import HoldfastArchive
import HoldfastBrowse
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

@Suite struct FindTests {
  private let shop: TestShop
  private let clock = TestClock("2026-01-01T00:00:00Z")

  /// Three days: `old.db` goes on the second, `new.db` comes on the third.
  init() throws {
    shop = try TestShop(workers: 1, store: MemoryStore(), clock: clock.clock)
    TestFiles.write("1", to: shop.source.appending("orders.db"))
    TestFiles.write("1", to: shop.source.appending("old.db"))
    try shop.backup()
    clock.advance(days: 1)
    TestFiles.remove(shop.source.appending("old.db"))
    try shop.backup()
    clock.advance(days: 1)
    TestFiles.write("1", to: shop.source.appending("new.db"))
    try shop.backup()
  }

  private func paths(
    _ patterns: [String], isDeletedOnly: Bool = false, configure: (inout SnapshotChoice) -> Void = { _ in }
  ) throws -> [String] {
    var choice = SnapshotChoice()
    configure(&choice)
    var found: [String] = []
    try Find(patterns, choice, isDeletedOnly: isDeletedOnly, in: shop.repository).sources.forEach { source in
      source.forEach { found.append($0.newest.path.description) }
    }
    return found
  }

  @Test func snapshotsAreChosen() throws {
    #expect(try paths(["*.db"]) == ["new.db", "old.db", "orders.db"])
    #expect(try paths(["*.db"]) { $0.isNewestOnly = true } == ["new.db", "orders.db"])
    #expect(try paths(["*.db"]) { $0.since = TimeText.parse("2026-01-02T00:00:00Z") } == ["new.db", "orders.db"])
    let second = try #require(try shop.repository.catalog.allSnapshots { _ in }.dropFirst().first)
    #expect(try paths(["*.db"]) { $0.snapshot = second } == ["orders.db"])
    #expect(try paths(["*.db"], isDeletedOnly: true) == ["old.db"])
  }

  @Test func patternsAreThoseOfExclusions() throws {
    #expect(try paths(["o*", "new.db"]) == ["new.db", "old.db", "orders.db"])
    #expect(try paths([shop.source.appending("o*.db").description]) == ["old.db", "orders.db"])
    #expect(try paths(["./orders.db"]) == ["orders.db"])
    for pattern in ["", "/", "../x", "a/.."] {
      let error = #expect(throws: EngineError.self) { try paths([pattern]) }
      #expect(
        error?.message
          == "the pattern \(pattern.isEmpty ? "\"\"" : pattern) can match nothing in a snapshot")
      #expect(error?.exitStatus == .usage)
    }
  }

  @Test func removedSnapshotsAreNotLookedAt() throws {
    var policy = RetentionPolicy()
    policy.last = 1
    let all = try shop.open().catalog.allSnapshots { _ in }
    try shop.backup(.full, in: shop.open())
    _ = try Prune(repository: shop.open(), options: Prune.Options(policy: policy)).run()
    #expect(try shop.open().catalog.allSnapshots { _ in }.count == 1, "\(all.count) were removed")
    #expect(try paths(["*.db"]) == ["new.db", "orders.db"])
    #expect(try paths(["*.db"]) { $0.snapshot = all.first } == ["old.db", "orders.db"], "one that is named")
  }

  // MARK: ls

  private func listed(_ path: String, isRecursive: Bool = false) throws -> [String] {
    var found: [String] = []
    try DirectoryListing(of: shop.snapshot(in: shop.open()), in: shop.open()).forEachEntry(
      of: TypedPath(path).entryPath(), isRecursive: isRecursive
    ) { found.append($0.path.description) }
    return found
  }

  @Test func aDirectoryIsListedWithoutWhatLiesBelowItsOwn() throws {
    TestFiles.makeDirectory(shop.source.appending("d"))
    TestFiles.makeDirectory(shop.source.appending("d/e"))
    TestFiles.write("1", to: shop.source.appending("d/e/f"))
    TestFiles.write("1", to: shop.source.appending("d.x"))
    try shop.backup(in: shop.open())
    #expect(try listed(".") == ["d", "d.x", "new.db", "orders.db"])
    #expect(try listed("d") == ["d/e"])
    #expect(try listed("d", isRecursive: true) == ["d/e", "d/e/f"])
    #expect(try listed("d/e/f") == ["d/e/f"])
    let error = #expect(throws: EngineError.self) { try listed("d/g") }
    #expect(
      error?.description == "the snapshot has no d/g\nHINT: Run `holdfast ls SNAPSHOT` to see what it has.")
  }
}
