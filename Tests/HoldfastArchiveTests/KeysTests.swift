import HoldfastArchive
import HoldfastModel
import Testing

/// What lies where (format.md, section 1).
@Suite struct KeysTests {
  @Test func keysAreThoseOfTheDocument() throws {
    let shop = try #require(SourceName("shop"))
    let id = identifier(0x0a)
    #expect(Keys.descriptor == "holdfast.json")
    #expect(Keys.source(shop) == "sources/shop/")
    #expect(Keys.snapshot(shop, 1) == "sources/shop/0000000001/")
    #expect(Keys.snapshot(shop, 9_999_999_999) == "sources/shop/9999999999/")
    #expect(Keys.manifest(shop, 42) == "sources/shop/0000000042/manifest.json")
    #expect(Keys.body(shop, 42, id) == "sources/shop/0000000042/body-\(String(repeating: "0a", count: 16))")
    #expect(Keys.archive(shop, 42, id) == "sources/shop/0000000042/archive-\(String(repeating: "0a", count: 16))")
  }

  @Test(arguments: [("0000000001", 1), ("9999999999", 9_999_999_999)] as [(String, UInt64)])
  func aSequenceIsTenDigits(_ text: String, _ sequence: UInt64) {
    #expect(Keys.sequence(text) == sequence)
  }

  /// Numbers begin at 1.
  @Test(arguments: [
    "", "0000000000", "1", "000000001", "00000000001", "+000000001", "-000000001", "000000000a", " 000000001",
  ])
  func anythingElseIsNoSequence(_ text: String) {
    #expect(Keys.sequence(text) == nil)
  }
}
