import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import Testing

/// The facts of archived WAL are stored for good: their bytes stay as earlier versions wrote them.
@Suite struct WALFactsTests {
  private static let text =
    #"{"digest":"DIGEST","log":{"end":"0/200000","lastRecord":"0/1FFFD8","latest":1790000000000005,"openRecord":null,"restorePoints":[{"name":"before","place":"0/100028","time":-1}],"transactions":2}}"#
    + "\n"

  @Test func timesAreStoredAsMicroseconds() throws {
    let digest = HoldfastCodec.Hasher.digest([])
    let facts = WALFacts(
      digest: digest,
      log: WALFacts.Log(
        end: LogSequenceNumber(0x200000), lastRecord: LogSequenceNumber(0x1FFFD8), openRecord: nil, transactions: 2,
        latest: Timestamp(seconds: 1_790_000_000, nanoseconds: 5000),
        restorePoints: [
          WALFacts.RestorePoint(
            name: "before", lsn: LogSequenceNumber(0x100028),
            time: Timestamp(seconds: -1, nanoseconds: 999_999_000))
        ], demands: nil))
    let bytes = try facts.serialized()
    #expect(String(decoding: bytes, as: UTF8.self) == Self.text.replacing("DIGEST", with: digest.description))
    #expect(try WALFacts(parsing: bytes, name: "facts") == facts)
    let none = WALFacts(
      digest: digest,
      log: WALFacts.Log(
        end: LogSequenceNumber(0), lastRecord: nil, openRecord: nil, transactions: 0, latest: nil, restorePoints: [],
        demands: nil))
    let empty = try none.serialized()
    #expect(String(decoding: empty, as: UTF8.self).contains(#""latest":null"#))
    #expect(try WALFacts(parsing: empty, name: "facts") == none)
  }
}
