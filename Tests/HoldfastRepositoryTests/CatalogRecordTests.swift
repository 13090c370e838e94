import HoldfastCodec
import HoldfastModel
import HoldfastRepository
import Testing

/// A record of the catalog cache is exactly what was kept, or it is none.
@Suite struct CatalogRecordTests {
  private static let repository = Sample.repository(1)
  private static let key = "sources/shop/0000000001/manifest.json"

  private func record(key: String = key, tag: String? = "t1", bytes: [UInt8] = [9, 8, 7]) -> CatalogRecord? {
    CatalogRecord(key: key, tag: tag, bytes: bytes)
  }

  @Test func aRecordHasTheDocumentedBytes() throws {
    let bytes = try #require(record(bytes: [UInt8](repeating: 5, count: 300))).serialized(for: Self.repository)
    let rest = [37, 0, 2, 0, 44, 1, 0, 0] + Array("\(Self.key)t1".utf8) + [UInt8](repeating: 5, count: 300)
    #expect(bytes == Hasher.digest(Self.repository.bytes + rest).bytes + rest)
    let lengths = try #require(CatalogRecord.Lengths(Array(bytes.prefix(CatalogRecord.headCount))))
    #expect(lengths.key == 37 && lengths.tag == 2 && lengths.object == 300)
    #expect(CatalogRecord.isWhole(bytes, for: Self.repository))
    let untagged = try #require(record(tag: nil)).serialized(for: Self.repository)
    #expect(untagged[34..<36].elementsEqual([0, 0]))
  }

  @Test func onlyWhatIsShortEnoughIsKept() {
    let long = String(repeating: "k", count: 1024)
    #expect(record(key: long) != nil && record(key: "k") != nil)
    #expect(record(key: long + "k") == nil && record(key: "") == nil)
    #expect(record(key: String(repeating: "ü", count: 513)) == nil, "bytes count, not characters")
    #expect(record(tag: String(repeating: "t", count: 256)) != nil && record(tag: nil) != nil)
    #expect(record(tag: String(repeating: "t", count: 257)) == nil)
    #expect(record(tag: "") == nil, "it would be read back as none")
    #expect(record(bytes: [UInt8](repeating: 0, count: 256 << 10)) != nil && record(bytes: []) != nil)
    #expect(record(bytes: [UInt8](repeating: 0, count: (256 << 10) + 1)) == nil)
  }

  private func lengths(key: Int, tag: Int, object: Int) -> CatalogRecord.Lengths? {
    let numbers = [(key, 2), (tag, 2), (object, 4)].flatMap { number, width in
      (0..<width).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
    return CatalogRecord.Lengths([UInt8](repeating: 0, count: 32) + numbers)
  }

  /// Nothing longer than what is written is ever read into memory.
  @Test func lengthsBeyondTheirLimitsAreNoRecord() {
    #expect(lengths(key: 1024, tag: 256, object: 256 << 10) != nil && lengths(key: 1, tag: 0, object: 0) != nil)
    for key in [0, 1025, 65_535] { #expect(lengths(key: key, tag: 0, object: 0) == nil, "\(key)") }
    for tag in [257, 65_535] { #expect(lengths(key: 1, tag: tag, object: 0) == nil, "\(tag)") }
    for object in [(256 << 10) + 1, 1 << 31, 0xffff_ffff] {
      #expect(lengths(key: 1, tag: 0, object: object) == nil, "\(object)")
    }
    for count in [0, 1, 39, 41] { #expect(CatalogRecord.Lengths([UInt8](repeating: 1, count: count)) == nil) }
  }

  @Test func aRecordOfWhichAnythingIsWrongIsNotWhole() throws {
    let bytes = try #require(record()).serialized(for: Self.repository)
    for bit in 0..<bytes.count * 8 {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(!CatalogRecord.isWhole(damaged, for: Self.repository), "bit \(bit)")
    }
    for count in 0..<bytes.count {
      #expect(!CatalogRecord.isWhole(Array(bytes.prefix(count)), for: Self.repository), "\(count) bytes")
    }
    #expect(!CatalogRecord.isWhole(bytes + [0], for: Self.repository))
    #expect(!CatalogRecord.isWhole(bytes, for: Sample.repository(2)), "it is of another repository")
  }
}
