import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A source that is as the parent has it is walked once, and nothing that differs is missed.
@Suite struct UnchangedSourceTests {
  private func makeShop() throws -> TestShop {
    let shop = try TestShop(clock: TestHost.clock(ahead: 10))
    for name in ["a", "b", "b/c", "z"] { TestFiles.makeDirectory(shop.source.appending(name)) }
    for name in ["a/1", "b/2", "b/c/3", "z/4"] { TestFiles.write("order \(name)", to: shop.source.appending(name)) }
    TestFiles.link(shop.source.appending("a/1"), as: shop.source.appending("b/1"))
    TestFiles.symbolicLink("2", at: shop.source.appending("b/link"))
    _ = try TestDatabase(shop.source.appending("b/shop.db"), "PRAGMA journal_mode=DELETE; CREATE TABLE t(a)")
    return shop
  }

  /// The directories below the source that are listed for a backup, each time that one is.
  private func listed(_ shop: TestShop) throws -> (names: [String], report: Backup.Report) {
    let probe = FaultProbe(of: [.list])
    let report = try shop.backup(in: shop.repository(probe: probe))
    return (probe.log.map(\.path.text).filter { ["a", "b", "c", "z"].contains($0) }, report)
  }

  @Test func itIsWalkedOnce() throws {
    let shop = try makeShop()
    let full = try shop.backup()
    let (names, report) = try listed(shop)
    #expect(names == ["a", "b", "c", "z"])
    #expect(report.envelope.changes.isEmpty && report.envelope.state == full.envelope.state)
    #expect(report.envelope.consistency == full.envelope.consistency)
    #expect(report.envelope.kind == .incremental && report.exitStatus == .done)
    #expect(try shop.verify().exitStatus == .done)
    try shop.restore(to: "restored")
    #expect(TreeDescription(of: shop.directory.appending("restored")) == TreeDescription(of: shop.source))
  }

  enum Change: CaseIterable, Sendable {
    case added, addedLast, removed, removedLast, emptied, written, mode, touchedDirectory, anotherLink, linkRemoved
    case firstNameRemoved, linkTarget, replacedByDirectory
  }

  @Test(arguments: Change.allCases) func whateverDiffersIsCaptured(change: Change) throws {
    let shop = try makeShop()
    try shop.backup()
    func path(_ name: String) -> Path { shop.source.appending(name) }
    switch change {
    case .added: TestFiles.write("new", to: path("a/0"))
    case .addedLast: TestFiles.write("new", to: path("zz"))
    case .removed: TestFiles.remove(path("b/2"))
    case .removedLast: TestFiles.remove(path("z/4"))
    case .emptied: TestFiles.removeTree(path("b/c"))
    case .written: TestFiles.write("another text", to: path("b/c/3"))
    case .mode: TestFiles.setMode(path("z/4"), 0o600)
    case .touchedDirectory: TestFiles.setMode(path("b/c"), 0o700)
    case .anotherLink: TestFiles.link(path("z/4"), as: path("z/5"))
    case .linkRemoved: TestFiles.remove(path("b/1"))
    case .firstNameRemoved: TestFiles.remove(path("a/1"))
    case .linkTarget:
      TestFiles.remove(path("b/link"))
      TestFiles.symbolicLink("c", at: path("b/link"))
    case .replacedByDirectory:
      TestFiles.remove(path("z/4"))
      TestFiles.makeDirectory(path("z/4"))
    }
    let (names, report) = try listed(shop)
    #expect(names.count > 4 && !report.envelope.changes.isEmpty && report.exitStatus == .done)
    #expect(try shop.verify().exitStatus == .done)
    try shop.restore(to: "restored")
    #expect(TreeDescription(of: shop.directory.appending("restored")) == TreeDescription(of: shop.source))
  }

  @Test func exclusionsThatMatchNothingAreStillNamed() throws {
    let shop = try makeShop()
    try shop.backup { $0.exclusions = ["nothing", "b"] }
    let progress = QuietProgress()
    let report = try shop.backup(progress: progress) { $0.exclusions = ["nothing", "b"] }
    #expect(report.envelope.changes.isEmpty)
    #expect(progress.notes == ["nothing in \(shop.source) matches the exclusion nothing"])
  }

  /// Else every run would replay the chain until something changes.
  @Test func aLostCacheIsMadeAnewThoughNothingChanged() throws {
    let shop = try makeShop()
    try shop.backup()
    let cached = TestFiles.allFiles(in: shop.cachePath).map(\.lastComponent)
    TestFiles.removeTree(shop.cachePath)
    #expect(try shop.backup().envelope.changes.isEmpty)
    #expect(TestFiles.allFiles(in: shop.cachePath).map(\.lastComponent).map { Array($0) } == cached.map { Array($0) })
    let probe = FaultProbe(of: [.open])
    try shop.backup(in: shop.repository(probe: probe))
    #expect(!probe.log.contains { $0.path.text.contains("/0000000001/body-") })
  }

  /// A database that a program has open is read as the program sees it, even if its file is as before.
  @Test func aDatabaseInUseIsNotUnchanged() throws {
    let shop = try makeShop()
    let database = try TestDatabase(
      shop.source.appending("live.db"), "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1)")
    try shop.backup()
    try database.run("INSERT INTO t VALUES (2)")
    let report = try shop.backup()
    #expect(!report.envelope.changes.isEmpty)
    try shop.restore(to: "restored")
    let restored = try TestDatabase(shop.directory.appending("restored/live.db"))
    #expect(try restored.text("SELECT sum(a) FROM t") == "3")
  }
}
