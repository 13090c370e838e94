import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What is archived is proved when it is pushed again; what is damaged is archived anew, and what a server still wrote
/// into makes way for the whole.
@Suite struct WALRepeatTests {
  private let pushes = WALSample()
  private let log = WALSample.log()
  private var name: String { log.segments[0].name.text }

  private func object(_ shop: TestShop) throws -> Path {
    try #require(TestFiles.allFiles(in: shop.repositoryPath).first { $0.text.contains(name + "-") })
  }

  private func manifest(_ shop: TestShop) throws -> Path {
    try #require(TestFiles.allFiles(in: shop.repositoryPath).first { $0.text.hasSuffix(name + ".json") })
  }

  // MARK: Damage

  private static let damages: [(String, @Sendable (TestShop, WALRepeatTests) throws -> Void)] = [
    ("a flipped byte", { TestFiles.overwrite(try $1.object($0), at: 200, with: [0xff, 0xfe, 0xfd]) }),
    ("no object", { TestFiles.remove(try $1.object($0)) }),
    (
      "a cut object",
      { TestFiles.write(Array((TestFiles.read(try $1.object($0)) ?? []).dropLast(9)), to: try $1.object($0)) }
    ),
    ("an unreadable manifest", { TestFiles.write("{}\n", to: try $1.manifest($0)) }),
    ("an empty manifest", { TestFiles.write("", to: try $1.manifest($0)) }),
  ]

  @Test(arguments: [false, true], Self.damages.indices) func whatIsDamagedIsArchivedAnew(
    isSealed: Bool, index: Int
  ) throws {
    let (what, damage) = Self.damages[index]
    let clock = TestClock("2026-11-22T14:00:00Z")
    let shop = try TestShop(clock: clock.clock, isSealed: isSealed)
    let host = try shop.open(as: .backupHost)
    let segment = log.segments[0]
    _ = try pushes.push(name, segment.bytes, shop, in: host)
    try damage(shop, self)
    #expect(throws: (any Error).self, "\(what)") { try pushes.fetch(name, shop, in: shop.open(as: .owner)) }
    let report = try pushes.push(name, segment.bytes, shop, in: host)
    #expect(!report.isRepeated && report.replaced == 1, "\(what)")
    #expect(try pushes.fetch(name, shop, in: shop.open(as: .owner)) == segment.bytes, "\(what)")
    // Nothing of what was damaged is left but an object that nothing named any more; later pushes collect that: two of
    // them, or a few more where a process that another test starts has their lock until it executes its program.
    var count: Int { TestFiles.allFiles(in: shop.repositoryPath.appending("wal")).count }
    for round in 0..<10 where round < 2 || count > 2 {
      #expect(try pushes.push(name, segment.bytes, shop, in: host).isRepeated)
      clock.advance(.minutes(10))
    }
    #expect(count == 2, "\(what)")
    try shop.expectSound()
  }

  /// The other contents of a file that is damaged are no reason to take it.
  @Test func whatIsDamagedIsReplacedByTheSameOnly() throws {
    let shop = try TestShop()
    _ = try pushes.push(name, log.segments[0].bytes, shop)
    TestFiles.remove(try object(shop))
    var other = log.segments[0].bytes
    other[other.count - 1] ^= 1
    #expect(throws: EngineError.self) { try pushes.push(name, other, shop) }
  }

  /// Where nothing can be removed, both stay, and the sound one counts.
  @Test func aDamagedCopyBesideASoundOneCostsNothing() throws {
    let shop = try TestShop()
    let segment = log.segments[0]
    _ = try pushes.push(name, segment.bytes, shop)
    let (path, place) = (try manifest(shop), try object(shop))
    let (first, bytes) = (TestFiles.read(path) ?? [], TestFiles.read(place) ?? [])
    TestFiles.remove(place)
    _ = try pushes.push(name, segment.bytes, shop)
    TestFiles.write(first, to: path)
    TestFiles.write(bytes, to: place)
    TestFiles.overwrite(place, at: 200, with: [0xff, 0xfe, 0xfd])
    #expect(try pushes.fetch(name, shop) == segment.bytes)
    #expect(try pushes.push(name, segment.bytes, shop).isRepeated)
    #expect(try WALArchive(shop.repository, of: pushes.source).files(of: log.system).map(\.text) == [name])
    var options = Verify.Options()
    options.readsData = true
    let result = try Verify(repository: shop.repository, options: options, progress: QuietProgress()).run(nil)
    let found = try #require(result.logs.first)
    #expect(found.files == 1 && found.soundFiles == 1)
    #expect(found.findings.count == 1)
    #expect(found.findings.allSatisfy { !$0.costsData && $0.message.hasSuffix("; another copy of the file is sound") })
  }

  // MARK: Unfinished

  /// A segment with zeros behind its records, and the same when it is whole.
  private func unfinished(_ commits: Int, isWhole: Bool = false) -> [UInt8] {
    var log = TestLog()
    for index in 0..<commits { log.commit(at: WALSample.noon + Int64(index)) }
    var whole = log
    whole.switchSegment()
    guard isWhole else {
      let count = Int(log.place.value % UInt64(TestLog.segmentBytes))
      return Array(whole.segments[0].bytes[..<count]) + [UInt8](repeating: 0, count: TestLog.segmentBytes - count)
    }
    return whole.segments[0].bytes
  }

  @Test(arguments: [false, true]) func anUnfinishedSegmentMakesWayForTheWhole(isSealed: Bool) throws {
    let shop = try TestShop(isSealed: isSealed)
    let host = try shop.open(as: .backupHost)
    func fetched() throws -> [UInt8]? { try pushes.fetch(name, shop, in: shop.open(as: .owner)) }
    let report = try pushes.push(name, unfinished(2), shop, in: host)
    #expect(report.file.text == name + ".unfinished")
    #expect(try fetched() == unfinished(2))
    #expect(try pushes.push(name, unfinished(2), shop, in: host).isRepeated)
    // After the next crash it is longer; an older one that comes late changes nothing.
    #expect(try !pushes.push(name, unfinished(4), shop, in: host).isRepeated)
    #expect(try !pushes.push(name, unfinished(3), shop, in: host).isRepeated)
    #expect(try fetched() == unfinished(4))
    #expect(try pushes.push(name, unfinished(6, isWhole: true), shop, in: host).file.text == name)
    #expect(try fetched() == unfinished(6, isWhole: true))
    #expect(try pushes.push(name, unfinished(6, isWhole: true), shop, in: host).isRepeated)
    try shop.expectSound()
  }

  @Test func whatDoesNotBeginTheSameIsRefused() throws {
    let shop = try TestShop()
    var other = TestLog()
    other.commit(at: WALSample.noon + 77)
    other.switchSegment()
    _ = try pushes.push(name, unfinished(2), shop)
    let error = #expect(throws: EngineError.self) { try pushes.push(name, other.segments[0].bytes, shop) }
    #expect(error?.message.hasPrefix("\(name) does not begin as what was archived of it for orders") == true)
    _ = try pushes.push(name, unfinished(6, isWhole: true), shop)
    // What is pushed by hand too late changes nothing: the whole is there.
    #expect(throws: EngineError.self) { try pushes.push(name, unfinished(5), shop) }
    #expect(throws: EngineError.self) { try pushes.push(name, unfinished(7), shop) }
  }

  @Test func recoveryEndsInWhatIsUnfinishedAndIsNotGivenItBeforeAGap() throws {
    let shop = try TestShop()
    _ = try pushes.push(name, unfinished(2), shop)
    try pushes.snapshot(
      shop, from: LogSequenceNumber(0x100028), to: LogSequenceNumber(0x100030), ended: WALSample.noon - 1)
    func plan() throws -> RecoveryPlan {
      try RecoveryPlanner(shop.repository, target: .end, timeline: nil).plan(from: nil, of: nil) { _ in }
    }
    #expect(try plan().last.text == name + ".unfinished")
    let reach = try #require(WALStatus(shop.repository) { _ in }.run(nil).first?.snapshots.first)
    #expect(reach.lastTransaction == Timestamp(microseconds: WALSample.noon + 1))
    _ = try pushes.push(log.segments[1].name.text, log.segments[1].bytes, shop)
    #expect(throws: EngineError.self) { try plan() }
    let error = #expect(throws: EngineError.self) { try pushes.fetch(name, shop) }
    #expect(error?.exitStatus == .dataLoss)
  }

  // MARK: What recovery does not read

  @Test(arguments: [false, true]) func whatRecoveryNeverReadsMayDiffer(isSealed: Bool) throws {
    let shop = try TestShop(isSealed: isSealed)
    let host = try shop.open(as: .backupHost)
    let notes = ["A", "B"].map { Array("START WAL LOCATION: 0/100028 (file \(name))\nLABEL: \($0)\n".utf8) }
    _ = try pushes.push(name, log.segments[0].bytes, shop, in: host)
    for (suffix, contents) in [
      (".partial", [unfinished(2), unfinished(3)]), (".00000028.backup", notes),
    ] {
      for bytes in contents { #expect(try !pushes.push(name + suffix, bytes, shop, in: host).isRepeated) }
      for bytes in contents { #expect(try pushes.push(name + suffix, bytes, shop, in: host).isRepeated) }
    }
    try shop.expectSound()
    let histories = ["one", "two"].map { Array("1\t0/200000\t\($0)\n".utf8) }
    _ = try pushes.push("00000002.history", histories[0], shop, in: host)
    #expect(throws: EngineError.self) { try pushes.push("00000002.history", histories[1], shop, in: host) }
  }

  // MARK: Leftovers

  @Test func nothingIsCollectedWhileSomebodyPushes() throws {
    let shop = try TestShop()
    let folder = shop.repositoryPath.appending("wal/orders/\(log.system)/0000000100000000")
    func plant() {
      TestFiles.write("x", to: folder.appending(".unfinished-0123456789abcdef0123456789abcdef"))
      TestFiles.write("x", to: folder.appending("\(name)-0123456789abcdef0123456789abcdef"))
      TestFiles.write("x", to: folder.appending("000000010000000000000009-0123456789abcdef0123456789abcdef"))
      TestFiles.write("x", to: folder.appending("something else"))
    }
    _ = try pushes.push(name, log.segments[0].bytes, shop)
    plant()
    // As long as somebody pushes, they may be his.
    let hold = try shop.repository.store.hold(
      "wal/orders/\(log.system)", exclusively: false, cancellation: Cancellation())
    _ = try pushes.push(log.segments[1].name.text, log.segments[1].bytes, shop)
    #expect(TestFiles.allFiles(in: folder).count == 8)
    withExtendedLifetime(hold) {}
  }

  /// What is unfinished goes at once, an object without a manifest when it has been known for ten minutes.
  @Test func whatKilledPushesLeftIsCollectedByLaterPushesAndPrunes() throws {
    let clock = TestClock("2026-11-22T14:00:00Z")
    let shop = try TestShop(clock: clock.clock)
    let folder = shop.repositoryPath.appending("wal/orders/\(log.system)/0000000100000000")
    _ = try pushes.push(name, log.segments[0].bytes, shop)
    try pushes.snapshot(
      shop, from: LogSequenceNumber(0x100028), to: LogSequenceNumber(0x100030), ended: WALSample.noon - 1)
    for isPrune in [false, true] {
      TestFiles.write("x", to: folder.appending(".unfinished-0123456789abcdef0123456789abcdef"))
      let id = isPrune ? "0123456789abcdef0123456789abcdef" : "fedcba9876543210fedcba9876543210"
      TestFiles.write("x", to: folder.appending("\(name)-\(id)"))
      TestFiles.write("x", to: folder.appending("something else"))
      for (minutes, left) in [(0.0, 6), (9.9, 6), (0.1, 5)] {
        clock.advance(.minutes(minutes))
        if isPrune {
          _ = try shop.prune(graceDays: 0)
        } else {
          _ = try pushes.push(log.segments[1].name.text, log.segments[1].bytes, shop)
        }
        #expect(TestFiles.allFiles(in: folder).count == left, "\(TestFiles.allFiles(in: folder))")
      }
    }
    #expect(try pushes.fetch(name, shop) == log.segments[0].bytes)
  }
}
