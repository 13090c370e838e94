import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A sync brings a target everything that home has, and each target alone restores.
@Suite struct SyncTests {
  @Test(arguments: [false, true], [true, false])
  func theTargetAloneRestoresWhatHomeHas(isSealed: Bool, isNear: Bool) throws {
    let shop = try TargetShop(isSealed: isSealed) { traits in
      (traits.isNear, traits.connections, traits.partBytes, traits.lag) = (isNear, isNear ? 1 : 8, 4096, isNear ? 0 : 1)
    }
    TestFiles.write(SeededRandomText.bytes(3 << 20), to: shop.shop.source.appending("orders.db"))
    try shop.shop.fill([.full, .incremental, .differential, .incremental])
    let dry = try shop.sync(isDryRun: true)
    #expect(dry.sources.map { $0.plan?.snapshots.map(\.snapshot.sequence) ?? [] } == [[1, 2, 3, 4]])
    #expect(try shop.atTarget().catalog.sourceNames() == [], "a dry run writes nothing")
    let counted = CountedCopies()
    let result = try shop.sync(observer: counted)
    #expect(result.isInStep && result.cause == nil && result.exitStatus == .done)
    #expect(result.sources.map { $0.copied.map(\.sequence) } == [[1, 2, 3, 4]])
    #expect(counted.lengths.reduce(0, +) == dry.sources.first?.plan?.bytes)
    shop.expectSame()
    #expect(try shop.expectSoundAtTarget() == [1, 2, 3, 4])
    try shop.shop.restore(to: "restored", in: shop.atTarget())
    #expect(
      TreeDescription(of: shop.shop.directory.appending("restored"))
        .differences(from: TreeDescription(of: shop.shop.source)) == [])
    // What is there is neither read nor written again.
    let again = CountedCopies()
    shop.home.forgetRequests()
    #expect(try shop.sync(observer: again).isInStep)
    #expect(again.lengths == [])
    #expect(!shop.home.fetched.contains { Keys.isArchive($0) || Keys.isBody($0) })
  }

  @Test func aNewSnapshotIsCopiedWithoutReadingTheManifestsOfTheOthers() throws {
    let shop = try TargetShop { ($0.isNear, $0.connections) = (false, 4) }
    try shop.shop.fill([.full, .incremental, .incremental, .incremental])
    try shop.sync()
    try shop.shop.fill([.incremental])
    shop.home.forgetRequests()
    #expect(try shop.sync().sources.map { $0.copied.map(\.sequence) } == [[5]])
    let read = Set(shop.home.fetched.filter { $0.hasSuffix(Keys.manifestName) }.map { $0.split(separator: "/")[2] })
    #expect(read == ["0000000004", "0000000005"], "the newest that both have is compared")
  }

  @Test func notesTagsAndTheJournalCome() throws {
    let shop = try TargetShop(isSealed: true)
    try shop.shop.fill([.full, .incremental])
    let notes = try shop.shop.open().notes
    for tag in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
      _ = try notes.tag(shop.shop.number(2), add: [try #require(Tag(tag))], remove: [])
      if tag == "c" { try shop.sync() }
    }
    try shop.sync()
    shop.expectSame("the last eight revisions are kept in both places")
    #expect(try shop.atTarget().notes.read(shop.shop.number(2).sourceName).notes[shop.shop.number(2)].tags.count == 10)
  }

  @Test func whatIsLostAtTheTargetIsCopiedAgain() throws {
    let shop = try TargetShop()
    try shop.shop.fill([.full, .incremental])
    try shop.sync()
    shop.target.contents[try shop.archive(of: 1)] = nil
    let result = try shop.sync()
    #expect(result.isInStep && result.sources.map { $0.copied.map(\.sequence) } == [[1]])
    shop.expectSame()
  }

  @Test func whatACrashLeftAtTheTargetGoesWithTheSnapshot() throws {
    let shop = try TargetShop()
    try shop.shop.fill([.full, .full])
    // A sync was killed before the manifest; then home pruned the snapshot.
    try shop.sync()
    shop.target.contents[Keys.manifest(try shop.shop.number(1).sourceName, 1)] = nil
    try shop.shop.prune(graceDays: 0)
    #expect(try shop.sync().isInStep)
    shop.expectSame()
  }

  // MARK: Log

  @Test func archivedLogComesAndGoes() throws {
    let pushes = WALSample()
    let log = WALSample.log()
    let shop = try TestShop()
    let place = TemporaryDirectory()
    let target = LocalStore(directory: place.path, host: shop.host)
    #expect(try TargetSync.make(target, of: shop.open()) { _ in })
    for segment in log.segments { _ = try pushes.push(segment.name.text, segment.bytes, shop) }
    for (number, ended) in [(UInt64(1), WALSample.noon - 2), (3, WALSample.noon + 2)] {
      let start = number << 20
      _ = try pushes.snapshot(
        shop, from: LogSequenceNumber(start + 0x20), to: LogSequenceNumber(start + 0x28), ended: ended)
    }
    func contents(_ directory: Path) -> [String: [UInt8]] {
      let files = TestFiles.allFiles(in: directory)
      return Dictionary(
        uniqueKeysWithValues: files.map {
          (String($0.description.dropFirst(directory.description.count)), TestFiles.read($0) ?? [])
        })
    }
    func expectSame(_ files: Int) throws {
      let result = try TargetSync(from: shop.open(), to: "barn", in: target, observer: CountedCopies()).run()
      #expect(result.isInStep, "\(result.cause ?? "")")
      #expect(contents(place.appending("wal")) == contents(shop.repositoryPath.appending("wal")))
      let archive = WALArchive(try Repository.open(target, host: shop.host), of: pushes.source)
      #expect(try archive.files(of: log.system).count == files)
    }
    try expectSame(3)
    // What a prune removes of the log at home goes at the target.
    try shop.prune(graceDays: 0)
    try expectSame(1)
  }
}

/// Bytes that compress a little.
enum SeededRandomText {
  static func bytes(_ count: Int) -> [UInt8] {
    var random = SeededRandom(seed: 7)
    return random.text(count)
  }
}
