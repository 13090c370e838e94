import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// The names of sources as bytes: what is written is read, and no revision gives a name twice or takes one back.
@Suite struct SourceNamesTests {
  private static let time = RecordedTime(text: "2026-11-30T04:05:06.000Z")
  private let id = identifier(0x0a)

  private func descriptor(isSealed: Bool = false) -> Descriptor {
    Descriptor(repository: id, created: Self.time, keyring: isSealed ? digest(1) : nil)
  }

  private func sample(isSealed: Bool = false) -> SourceNames {
    var names = SourceNames(repository: id, isSealed: isSealed, time: Self.time)
    names.revision = 1
    names.program = "holdfast test"
    renames(&names, "orders", to: "shop")
    return names
  }

  private func renames(
    _ names: inout SourceNames, _ stored: String, to name: String, is expected: Bool = true,
    at location: SourceLocation = #_sourceLocation
  ) {
    let isRenamed = names.rename(stored, to: name)
    #expect(isRenamed == expected, "\(stored) to \(name)", sourceLocation: location)
  }

  private func parse(
    _ names: SourceNames, after previous: SignedRevision<SourceNames>? = nil, signedBy writer: WriterKey? = nil
  ) throws -> SignedRevision<SourceNames> {
    try SignedRevision(
      parsing: names.serialized(signedBy: writer?.signing), after: previous,
      of: descriptor(isSealed: writer != nil), name: "names")
  }

  private func next(
    _ revision: SignedRevision<SourceNames>, _ change: (inout SourceNames) -> Void
  ) throws -> SignedRevision<SourceNames> {
    var names = revision.contents
    (names.revision, names.previous) = (names.revision + 1, revision.digest)
    change(&names)
    return try parse(names, after: revision)
  }

  @Test func theBytesAreThoseOfTheDocument() throws {
    let bytes = try sample().serialized()
    #expect(
      String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        == #"{"features":[],"format":1,"previous":null,"program":"holdfast test","repository":"\#(id)","revision":1,"#
        + #""signature":null,"sources":[{"earlier":[],"name":"shop","source":"orders"}],"#
        + #""time":"2026-11-30T04:05:06.000Z"}"#)
    #expect(try parse(sample()).contents == sample())
  }

  @Test func aNameMeansOneSourceForEver() throws {
    let first = try parse(sample())
    let second = try next(first) {
      renames(&$0, "letters", to: "shop", is: false)
      renames(&$0, "letters", to: "orders", is: false)
      renames(&$0, "orders", to: "shop-2")
      renames(&$0, "letters", to: "mail")
      // An earlier name.
      renames(&$0, "letters", to: "shop", is: false)
    }
    for name in ["shop", "orders"] { #expect(second.contents.entry(of: name)?.name == "shop-2") }
    // A host that did not know of it began a source under a name that was given.
    let astray = try next(second) { renames(&$0, "shop", to: "found") }
    #expect(astray.contents.entry(of: "shop")?.source == "orders")
    #expect(astray.contents.entry(stored: "shop")?.name == "found")
    let back = try next(second) { renames(&$0, "orders", to: "orders") }
    #expect(back.contents.entry(of: "shop-2")?.name == "orders")
    #expect(back.contents.entry(of: "unknown") == nil)
    for wrong in [
      #"[{"earlier":[],"name":"shop","source":"orders"},{"earlier":[],"name":"shop","source":"letters"}]"#,
      #"[{"earlier":[],"name":"shop","source":"orders"},{"earlier":["orders"],"name":"x","source":"letters"}]"#,
      #"[{"earlier":["shop"],"name":"shop","source":"orders"}]"#, #"[{"earlier":[],"name":".shop","source":"orders"}]"#,
    ] {
      let line = String(decoding: try sample().serialized().prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        .replacing(#"[{"earlier":[],"name":"shop","source":"orders"}]"#, with: wrong)
      let bytes = Array((line + "\n").utf8)
      let whole = bytes + Array("\"\(Hasher.digest(bytes))\"\n".utf8)
      #expect(throws: DamageError.self, "\(wrong)") {
        try SignedRevision<SourceNames>(parsing: whole, after: nil, of: descriptor(), name: "names")
      }
    }
    // A revision that has forgotten a name.
    var forgetful = sample()
    (forgetful.revision, forgetful.previous) = (3, second.digest)
    #expect(throws: DamageError.self) { try parse(forgetful, after: second) }
    forgetful.revision = 2
    #expect(throws: DamageError.self) { try parse(forgetful, after: first) }
  }

  /// Two revisions that were written once, from the document alone: every later version reads them.
  @Test(arguments: [("plain", "format-1"), ("sealed", "format-1-sealed")])
  func whatWasWrittenOnceIsReadForEver(name: String, repository: String) throws {
    let fixtures = (Path(#filePath).parent?.parent ?? .root).appending("Fixtures")
    let described = try #require(TestFiles.read(fixtures.appending(repository).appending("holdfast.json")))
    let descriptor = try Descriptor(parsing: described, name: "holdfast.json")
    var revision: SignedRevision<SourceNames>?
    for number in 1...2 {
      let file = fixtures.appending("format-1-names/\(name)/000000000\(number).json")
      revision = try SignedRevision(
        parsing: try #require(TestFiles.read(file)), after: revision, of: descriptor, name: file.text)
    }
    let names = try #require(revision).contents
    #expect(names.entry(of: "orders")?.name == "orders-2026" && names.entry(of: "shop")?.earlier == ["orders"])
    #expect(names.entry(of: "example")?.name == "sample")
  }

  @Test func noBitOfItCanBeChanged() throws {
    let bytes = try sample(isSealed: true).serialized(signedBy: WriterKey().signing)
    for index in stride(from: 0, to: bytes.count, by: 5) {
      var damaged = bytes
      damaged[index] ^= 4
      #expect(throws: (any Error).self, "byte \(index)") {
        try SignedRevision<SourceNames>(
          parsing: damaged, after: nil, of: descriptor(isSealed: true), name: "names")
      }
    }
  }

  @Test func twoNamesAreOneSourceIfTheyAreStoredUnderOne() {
    let given = SourceName("orders")
    let called = SourceName(stored: "orders", shown: "shop")
    #expect(given == called && called.description == "shop" && called.key == "orders" && !(given?.isResolved ?? true))
    #expect(Keys.source(called) == "sources/orders/" && Keys.wal(called) == "wal/orders/")
  }
}
