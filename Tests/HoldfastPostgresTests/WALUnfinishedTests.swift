import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// What was archived of a segment while it was unfinished never keeps the whole one out that its server makes of it,
/// and whoever is refused learns why.
@Suite struct WALUnfinishedTests {
  private static let noon = WALSample.noon
  private let pushes = WALSample()
  private static let segmentEnd = LogSequenceNumber(0x200000)

  /// The only segment of a log.
  private func whole(_ log: TestLog) -> [UInt8] {
    var log = log
    log.switchSegment()
    return log.segments[0].bytes
  }

  /// What a crash leaves of it: the log up to a place, and zeros.
  private func cut(_ log: TestLog, at place: UInt64) -> [UInt8] {
    let count = Int(place % UInt64(TestLog.segmentBytes))
    return Array(whole(log)[..<count]) + [UInt8](repeating: 0, count: TestLog.segmentBytes - count)
  }

  private var start: TestLog {
    var log = TestLog()
    log.commit(at: Self.noon)
    return log
  }
  private var name: String { "000000010000000000000001" }

  private func facts(_ shop: TestShop) throws -> WALFacts.Log {
    let archive = WALArchive(shop.repository, of: pushes.source)
    let file = try #require(WALFileName(name + ".unfinished"))
    let archived = try #require(try archive.find(file, of: TestLog().system))
    return try #require(try archive.facts(of: archived).log)
  }

  /// Where the writers of several records fill one page at the same time, a killed server leaves heads without what
  /// belongs to them.
  @Test(arguments: [40, 2000, 9000]) func aTornLastRecordIsNoPartOfTheLog(count: UInt64) throws {
    let shop = try TestShop()
    var torn = start
    let end = torn.place
    torn.filler(12_000)
    #expect(try pushes.push(name, cut(torn, at: end.value + count), shop).file.text == name + ".unfinished")
    let facts = try facts(shop)
    #expect(facts.end == end && facts.openRecord == nil)
    // The server that starts again goes on behind the last record that is whole.
    var log = start
    log.commit(at: Self.noon + 7)
    #expect(try pushes.push(name, whole(log), shop).file.text == name)
    #expect(try pushes.fetch(name, shop) == whole(log))
  }

  @Test func aTornRecordWithinOnePageIsNoPartOfTheLogEither() throws {
    let shop = try TestShop()
    var torn = start
    let end = torn.place
    torn.filler(500)
    // As long as its head says, and zeros from its middle on.
    var bytes = cut(torn, at: torn.place.value)
    let first = Int(end.value % UInt64(TestLog.segmentBytes)) + 200
    for index in first..<first + 328 { bytes[index] = 0 }
    _ = try pushes.push(name, bytes, shop)
    #expect(try facts(shop).end == end)
    var log = start
    log.commit(at: Self.noon + 7)
    #expect(try pushes.push(name, whole(log), shop).file.text == name)
  }

  // MARK: Refusals

  @Test func aWholeThatBeginsInAnotherWayIsRefusedUntilItIsSaidToBeTheRightOne() throws {
    let shop = try TestShop()
    var (one, other) = (start, start)
    one.commit(at: Self.noon + 1)
    other.commit(at: Self.noon + 2)
    _ = try pushes.push(name, cut(one, at: one.place.value), shop)
    let error = #expect(throws: EngineError.self) { try pushes.push(name, whole(other), shop) }
    #expect(
      error?.message
        == "\(name) does not begin as what was archived of it for orders while it was unfinished: the records of that end at \(one.place), those of this file at \(LogSequenceNumber(other.place.value + 24)), and they differ before"
    )
    #expect(
      error?.hint
        == "Nothing was stored. Two servers may be archiving under one name: give each a --name of its own. If this file is the right one, say --replace-unfinished once: then it counts, and the other one does not."
    )
    var options = WALPush.Options(
      path: shop.directory.appending(name), source: pushes.source, clusterDirectory: shop.directory.path)
    options.replacesUnfinished = true
    #expect(try WALPush(repository: shop.repository, options: options).run().file.text == name)
    // As the archiver tries it again.
    #expect(try pushes.push(name, whole(other), shop).isRepeated)
    #expect(try pushes.fetch(name, shop) == whole(other))
  }

  @Test func whatEndsBeforeTheWholeThatIsArchivedIsNamedAsThat() throws {
    let shop = try TestShop()
    _ = try pushes.push(name, whole(start), shop)
    let place = start.place
    let error = #expect(throws: EngineError.self) { try pushes.push(name, cut(start, at: place.value), shop) }
    #expect(
      error?.message
        == "\(name) is archived already for orders, whole up to \(Self.segmentEnd), and the records of this file end at \(place), before it does"
    )
    #expect(
      error?.hint
        == "Nothing was stored, and nothing of it is missing in the archive. Where its server still needs it, `holdfast wal fetch \(name) pg_wal/\(name) --name orders` in the data directory, as the server's user, puts back what is archived."
    )
  }

  @Test func aFileOfTheServersThatIsDamagedIsNamedAsThat() throws {
    let shop = try TestShop()
    var log = start
    let place = log.filler(2000)
    log.fill(leaving: 100)
    log.filler(500)
    log.commit(at: Self.noon + 1)
    log.switchSegment()
    let bytes = log.segments[0].bytes
    _ = try pushes.push(name, bytes, shop)
    var damaged = bytes
    damaged[Int(place.value % UInt64(TestLog.segmentBytes)) + 100] ^= 1
    let error = #expect(throws: EngineError.self) { try pushes.push(name, damaged, shop) }
    #expect(
      error?.message
        == "\(name) is archived already for orders, with other contents; the records of this file end at \(place), before its pages do: it is damaged"
    )
    #expect(
      error?.hint
        == "Nothing was stored. Where its server still needs it, `holdfast wal fetch \(name) pg_wal/\(name) --name orders` in the data directory, as the server's user, puts back what is archived."
    )
  }

  // MARK: A device that fails

  /// Answers reads of some files as a broken disk does.
  private final class BrokenDisk: OperationProbe {
    private let part: String
    init(_ part: String) { self.part = part }

    func willPerform(_ operation: Operation, _ path: Path) throws(SystemError) {
      if operation == .read, path.description.contains(part) { throw SystemError("read", path, code: EIO) }
    }

    func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
  }

  @Test func anUnfinishedCopyThatCannotBeReadKeepsNoWholeOneOut() throws {
    let shop = try TestShop()
    _ = try pushes.push(name, cut(start, at: start.place.value), shop)
    let broken = try shop.repository(probe: BrokenDisk(name + ".unfinished-"))
    #expect(try pushes.push(name, whole(start), shop, in: broken).file.text == name)
    #expect(try pushes.fetch(name, shop) == whole(start))
  }

  @Test func ofTwoCopiesTheOneIsTakenThatCanBeRead() throws {
    let shop = try TestShop()
    _ = try pushes.push(name, whole(start), shop)
    let object = try #require(TestFiles.allFiles(in: shop.repositoryPath).first { $0.text.contains(name + "-") })
    let part = object.lastComponentText
    let broken = try shop.repository(probe: BrokenDisk(part))
    let manifest = try #require(
      TestFiles.read(Path(object.text.replacing("\(part)", with: "\(name).json"))))
    let bytes = try #require(TestFiles.read(object))
    #expect(try pushes.push(name, whole(start), shop, in: broken).replaced == 1)
    // Who may only add leaves it there.
    TestFiles.write(manifest, to: Path(object.text.replacing(part, with: name + ".json")))
    TestFiles.write(bytes, to: object)
    #expect(try pushes.fetch(name, shop, in: broken) == whole(start))
  }
}

extension Path {
  fileprivate var lastComponentText: String { String(decoding: lastComponent, as: UTF8.self) }
}
