import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What a dry run of a restore says is what the restore then does: one walk decides for both.
@Suite struct RestorePlanTests {
  private let shop: TestShop
  private var target: Path { shop.directory.appending("target") }
  private static let page = 4096

  init() throws {
    shop = try TestShop(clock: TestHost.clock(ahead: 10))
    TestFiles.makeDirectory(shop.source.appending("invoices"))
    for name in ["changed", "gone", "same", "invoices/1", "invoices/2"] {
      TestFiles.write(Self.pages(of: name), to: shop.source.appending(name))
    }
    try shop.backup()
  }

  /// Eight pages that differ from each other, and from those of other names.
  private static func pages(of name: String) -> [UInt8] {
    let seed = name.utf8.reduce(0) { $0 * 31 + Int($1) }
    return (0..<8 * page).map { UInt8(truncatingIfNeeded: $0 / page &* 31 &+ $0 &* 7 &+ seed) }
  }

  /// A target with a file that is as in the snapshot, one beside which a log lies, one of which a page differs, one
  /// that is missing, and things that the snapshot does not have.
  private func makeTarget() throws {
    try shop.restore(to: "target")
    TestFiles.overwrite(target.appending("changed"), at: 3 * Self.page + 5, with: [1, 2, 3])
    TestFiles.remove(target.appending("gone"))
    TestFiles.write("a log", to: target.appending("invoices/1-wal"))
    TestFiles.makeDirectory(target.appending("more"))
    for name in ["more/one", "more/two", "extra"] { TestFiles.write("not in the snapshot", to: target.appending(name)) }
  }

  private func restore(_ keeps: Restore.Keep?, isDryRun: Bool) throws -> Restore.Report {
    guard let keeps else { return try shop.restore(to: "target") { $0.isDryRun = isDryRun } }
    return try shop.restore(over: "target", review: { _ in }) {
      $0.keeps = keeps
      $0.isDryRun = isDryRun
    }
  }

  @Test(arguments: [nil, .nothing, .others, .everything] as [Restore.Keep?])
  func aDryRunSaysWhatTheRestoreThenDoes(keeps: Restore.Keep?) throws {
    if keeps != nil { try makeTarget() }
    let dry = try restore(keeps, isDryRun: true)
    #expect(TestFiles.read(target.appending("gone")) == nil)
    let done = try restore(keeps, isDryRun: false)
    #expect(dry.isDryRun && !done.isDryRun)
    #expect((dry.entries, dry.bytes) == (done.entries, done.bytes))
    #expect((dry.writtenFiles, dry.writtenBytes) == (done.writtenFiles, done.writtenBytes))
    #expect(dry.readBytes == done.readBytes && done.readBytes > 0)
    #expect(dry.removed == done.removed)
    #expect((dry.removedEntries, dry.removedBytes) == (done.removedEntries, done.removedBytes))
    #expect(dry.problems == [] && done.problems == [])
    #expect(TestFiles.read(target.appending("gone")) == Self.pages(of: "gone"))
  }

  /// The numbers themselves: a page of one file, one whole file, and the one that goes first because a log lies beside
  /// it.
  @Test func onlyWhatDiffersIsWritten() throws {
    try makeTarget()
    let dry = try restore(.nothing, isDryRun: true)
    #expect(dry.writtenFiles == 3)
    #expect(dry.writtenBytes == UInt64(9 * Self.page))
    #expect(dry.removed == ["extra", "invoices/1-wal", "more"].map { Path($0) })
    #expect(dry.removedEntries == 5)
  }
}
