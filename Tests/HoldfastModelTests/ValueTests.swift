import HoldfastModel
import HoldfastTestSupport
import Testing

/// The small values that stand in keys, manifests and on command lines.
@Suite struct ValueTests {
  @Test func hexadecimalRoundTripsEveryByte() {
    let all = (0...255).map { UInt8($0) }
    #expect(Hex.decode(Hex.encode(all)) == all)
    #expect(Hex.encode([0x00, 0x9a, 0xff]) == "009aff")
    #expect(Hex.decode("") == [])
  }

  @Test(arguments: ["0", "0A", "g0", "0x", " 00", "00 ", "０0", "0\u{0}"])
  func hexadecimalHasOneSpellingOnly(_ text: String) {
    #expect(Hex.decode(text) == nil)
  }

  @Test func anIdentifierHasSixteenBytes() throws {
    let text = "000102030405060708090a0b0c0d0e0f"
    let identifier = try #require(Identifier(text))
    #expect(identifier.bytes == (0...15).map { UInt8($0) })
    #expect(identifier.description == text)
    #expect(identifier.short == "00010203")
    #expect(Identifier(text.uppercased()) == nil)
    #expect(Identifier(text + "00") == nil)
    #expect(Identifier(String(text.dropLast(2))) == nil)
    #expect(Identifier(bytes: [UInt8](repeating: 0, count: 15)) == nil)
  }

  @Test func aDigestHasThirtyTwoBytes() throws {
    let bytes = (0..<32).map { UInt8($0) }
    #expect(try #require(Digest(bytes: bytes)).description == Hex.encode(bytes))
    #expect(Digest(bytes: bytes.dropLast()) == nil)
    #expect(Digest(bytes: bytes + [0]) == nil)
    #expect(Digest.byteCount == 32)
    #expect(PageDigest.byteCount == 16)
  }

  @Test(arguments: ["a", "Shop-1_b.c", "0", "_", String(repeating: "x", count: 64)])
  func soundSourceNamesAreAccepted(_ text: String) {
    #expect(SourceName(text)?.text == text)
  }

  @Test(arguments: ["", ".", "..", ".a", "-a", "a/b", "a b", "ä", "a\n", "a\0", String(repeating: "x", count: 65)])
  func sourceNamesThatCouldLeadElsewhereAreRefused(_ text: String) {
    #expect(SourceName(text) == nil)
  }

  @Test(arguments: [
    ("/srv/shop", "shop"), ("/srv/-.-shop", "shop"), ("/srv/my shop", "my_shop"), ("/", "source"), ("...", "source"),
    ("/srv/\u{e4}", "__"), ("/srv/" + String(repeating: "y", count: 100), String(repeating: "y", count: 64)),
  ])
  func aDirectoryGivesASoundSourceName(_ path: String, _ name: String) {
    let made = SourceName(from: Path(path))
    #expect(made.text == name)
    #expect(SourceName(made.text) == made)
  }

  @Test func timestampsAreOrderedByNanosecond() {
    let early = Timestamp(seconds: -1, nanoseconds: 999_999_999)
    let late = Timestamp(seconds: 0, nanoseconds: 0)
    #expect(early < late)
    #expect(late < Timestamp(seconds: 0, nanoseconds: 1))
    #expect(((late - early).seconds * 1e9).rounded() == 1)
    #expect(Timestamp(seconds: 3, nanoseconds: 500_000_000) - late == .seconds(3.5))
  }

  @Test func consistencyClassesAreOrderedFromTheBest() {
    let best: [ConsistencyClass] = [
      .stable, .sqliteReadTransaction, .sqliteQuiesced, .postgresBackup, .retried, .badPages, .torn, .unreadable,
    ]
    #expect(ConsistencyClass.allCases.sorted() == best)
    #expect(best.map(\.rawValue) == [1, 5, 6, 7, 2, 8, 3, 4])
    #expect(best.map(\.isComplete) == [true, true, true, true, true, false, false, false])
    for consistency in ConsistencyClass.allCases {
      #expect(ConsistencyClass(name: consistency.name) == consistency)
    }
    #expect(ConsistencyClass(name: "Stable") == nil)
  }
}
