import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What was committed to a WAL since a commit that was seen before.
@Suite struct WALSinceTests {
  private let directory = TemporaryDirectory()

  private func mark(_ log: HandmadeWAL) throws -> [UInt8] {
    let path = directory.appending("earlier")
    TestFiles.write(log.bytes, to: path)
    return try #require(try WriteAheadLog.walked(path)).mark
  }

  private func pages(after mark: [UInt8], in log: HandmadeWAL) throws -> [UInt32]? {
    let path = directory.appending("now")
    TestFiles.write(log.bytes, to: path)
    let last = try #require(try WriteAheadLog.walked(path)).mark
    return try WriteAheadLog.pages(after: mark, upTo: last, in: FileSystem().open(path, .read)) { false }
  }

  private func log(_ pages: [UInt32], content: UInt8 = 7) -> HandmadeWAL {
    var log = HandmadeWAL(pageSize: 512)
    for page in pages { log.add(page: page, pageCount: 9, content: content) }
    return log
  }

  @Test func pagesOfLaterFramesAreToldOnceEachAndInOrder() throws {
    let earlier = log([1, 2])
    #expect(try pages(after: mark(earlier), in: log([1, 2, 8, 3, 8, 1])) == [1, 3, 8])
    #expect(try pages(after: mark(earlier), in: earlier) == [])
  }

  /// The frames of a transaction that was not committed count as little as they do for SQLite.
  @Test func whatIsNotCommittedIsNotTold() throws {
    var later = log([1, 2, 3])
    later.add(page: 4)
    #expect(try pages(after: mark(log([1, 2])), in: later) == [3])
  }

  @Test func aWALThatWasBegunAnewTellsNothing() throws {
    var anew = log([1, 2, 3])
    anew.salts = [0x1234_5679, 0x1111_2222]
    #expect(try pages(after: mark(log([1, 2])), in: anew) == nil)
  }

  /// Without a power supply, frames that were committed and not yet on the disk are lost, and the next program writes
  /// others in their places, with the same salts.
  @Test func framesThatTookThePlaceOfLostOnesAreNoticed() throws {
    let seen = log([1, 2, 3])
    var others = log([1])
    for page in [UInt32(2), 5, 6] { others.add(page: page, pageCount: 9, content: 8) }
    #expect(try pages(after: mark(seen), in: others) == nil)
    #expect(try pages(after: mark(seen), in: log([1, 2])) == nil)
  }

  /// The marks of earlier versions had no checksum.
  @Test func aMarkOfAnotherFormTellsNothing() throws {
    let log = log([1, 2])
    for count in [0, 12, 19, 21] {
      let mark = Array((try mark(log) + [0]).prefix(count))
      #expect(try pages(after: mark, in: log) == nil)
    }
  }
}
