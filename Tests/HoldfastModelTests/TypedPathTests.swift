import HoldfastModel
import Testing

/// A path is accepted as a person pastes it, and never means something outside the snapshot.
@Suite struct TypedPathTests {
  private static let sources = [Path("/srv/orders"), Path("/data/orders")]

  @Test(arguments: [
    ("orders.db", "orders.db"), ("./orders.db", "orders.db"), ("a//b/", "a/b"), ("a/./b", "a/b"), (".", "."),
    ("/", "."), ("./", "."), ("/srv/orders/a/b", "a/b"), ("/srv/orders//a/b/", "a/b"), ("//srv/./orders/a", "a"),
    ("/data/orders/a", "a"), ("/srv/orders", "."), ("/srv/orders/", "."),
    // Beside the source, and relative: neither is below its path.
    ("/srv/orders.old/a", "srv/orders.old/a"), ("srv/orders/a", "srv/orders/a"), ("/a", "a"),
    (#"new\x0aline"#, #"new\x0aline"#), (#"back\\slash"#, #"back\\slash"#), (#"a\b"#, #"a\\b"#), ("a b", "a b"),
    ("...", "..."),
  ])
  func whatIsTypedMeansAnEntry(_ text: String, _ expected: String) throws {
    #expect(try TypedPath(text).entryPath(below: Self.sources).description == expected)
  }

  @Test func aByteIsTypedAsItIsPrinted() throws {
    let odd = Path(bytes: [0xff, 0x0a, UInt8(ascii: "\\"), UInt8(ascii: "x")])
    #expect(try TypedPath(odd.description).entryPath() == odd)
  }

  @Test(arguments: ["..", "../secret", "a/../b", "/srv/orders/../secret", #"a\x00b"#])
  func whatNoEntryCanBeIsRefused(_ text: String) {
    let error = #expect(throws: EngineError.self) { try TypedPath(text).entryPath(below: Self.sources) }
    #expect(error?.message == "\"\(Path(text).description)\" is not a path within a snapshot")
    #expect(error?.hint == "Give it as `holdfast show --files` prints it.")
    #expect(error?.exitStatus == .usage)
  }

  @Test func anEmptyTextIsNotTheWholeSource() {
    let error = #expect(throws: EngineError.self) { try TypedPath("").entryPath(below: Self.sources) }
    #expect(error?.message == "\"\" is not a path within a snapshot")
  }
}
