import HoldfastStore
import HoldfastTestSupport
import Testing

/// Documents of a server are read as far as S3 needs it, and nothing in them has an effect.
@Suite struct XMLElementTests {
  private func parse(_ text: String) -> XMLElement? { XMLElement.parse(Array(text.utf8)) }

  @Test func elementsAndTheirTextsAreRead() throws {
    let document = try #require(
      parse(
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
          <Contents><Key>a</Key><Size>1</Size></Contents><!-- no more -->
          <Contents><Key>b &amp; &lt;c&gt; &#xe9;</Key><Size/></Contents>
          <IsTruncated attribute="x">false</IsTruncated>
        </ListBucketResult>
        """))
    #expect(document.name == "ListBucketResult")
    #expect(document.all("Contents").map { $0["Key"]?.text } == ["a", "b & <c> é"])
    #expect(document.all("Contents").map { $0["Size"]?.text } == ["1", ""])
    #expect(document["IsTruncated"]?.text == "false")
    #expect(document["Missing"] == nil && document.all("Missing").isEmpty)
  }

  /// The parser gives a text in as many parts as it likes: at entities, line ends and the ends of its buffers.
  @Test func aTextInPartsIsWhole() throws {
    let text = String(repeating: "0123456789é\n", count: 20_000)
    let document = try #require(parse("<R><K>\(text)&amp;<![CDATA[<b>]]>end</K></R>"))
    #expect(document["K"]?.text == text + "&<b>end")
    #expect(try #require(parse("<R>a<K>b</K>c</R>")).text == "ac")
  }

  @Test(arguments: [
    "", " ", "no document", "<R>", "<R></Q>", "<R/><R/>", "<R>&unknown;</R>", "<R a=1/>", "<R>\u{1}</R>", "\0",
    "<R/>\0", "{\"Code\": \"x\"}", "<html><body><br></body></html>",
  ])
  func whatIsNotWellFormedIsNothing(_ text: String) { #expect(parse(text) == nil) }

  @Test func bytesThatAreNoTextAreNothing() {
    #expect(XMLElement.parse(Array("<R>".utf8) + [0xff, 0xc0] + Array("</R>".utf8)) == nil)
  }

  /// Entities could read files of this machine, or grow beyond its memory.
  @Test(arguments: [
    "<!DOCTYPE R><R/>", "<!DOCTYPE R SYSTEM \"http://127.0.0.1/x\"><R/>",
    "<!DOCTYPE R [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><R>&f;</R>",
    "<!DOCTYPE R [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]><R>&b;</R>",
  ])
  func aDocumentTypeIsRefused(_ text: String) { #expect(parse(text) == nil) }

  @Test func aDocumentThatIsTooDeepIsRefused() {
    func nested(_ depth: Int) -> String {
      String(repeating: "<E>", count: depth) + String(repeating: "</E>", count: depth)
    }
    #expect(parse(nested(16)) != nil)
    #expect(parse(nested(17)) == nil)
    #expect(parse(nested(500_000)) == nil)
  }

  @Test(arguments: UInt64(0)..<100) func noiseIsReadOrRefused(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var bytes = Array("<?xml version=\"1.0\"?><R><K a=\"b\">x&amp;y</K><K/><!-- c --></R>".utf8)
    for _ in 0..<Int.random(in: 1...6, using: &random) {
      bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
    }
    if let document = XMLElement.parse(bytes) { #expect(document.children.count <= 4, "seed \(seed)") }
  }
}
