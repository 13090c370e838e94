import HoldfastModel
import HoldfastTestSupport
import Testing

/// Paths are bytes: their order, their soundness and how they are shown (format.md, section 3).
@Suite struct PathTests {
  @Test func slashSortsBelowEveryOtherByte() {
    let inOrder = ["", "a", "a/\u{1}", "a/b", "a/b/c", "a\u{1}", "a b", "a.b", "a0", "b"].map { Path($0) }
    #expect(inOrder.shuffled().sorted() == inOrder)
  }

  @Test func whatLiesBelowADirectoryFollowsItAtOnce() {
    var random = SeededRandom(seed: 11)
    for _ in 0..<200 {
      let paths = Set((0..<40).map { _ in randomPath(&random) }).sorted()
      for (index, directory) in paths.enumerated() {
        let below = paths.indices.filter { $0 != index && directory.contains(paths[$0]) }
        #expect(below == Array(index + 1..<index + 1 + below.count), "seed 11: below \(directory)")
      }
    }
  }

  /// The order as the document says it: components compared one after the other, each by its bytes.
  @Test func orderIsThatOfComponents() {
    var random = SeededRandom(seed: 12)
    for _ in 0..<20_000 {
      let left = randomPath(&random)
      let right = randomPath(&random)
      #expect((left < right) == naivelyPrecedes(left, right), "seed 12: \(left) and \(right)")
      #expect(!(left < right && right < left), "seed 12: \(left) and \(right)")
    }
  }

  private func naivelyPrecedes(_ left: Path, _ right: Path) -> Bool {
    let lefts = left.bytes.split(separator: Path.separator, omittingEmptySubsequences: false)
    let rights = right.bytes.split(separator: Path.separator, omittingEmptySubsequences: false)
    for (one, other) in zip(lefts, rights) where !one.elementsEqual(other) {
      return one.lexicographicallyPrecedes(other)
    }
    return lefts.count < rights.count
  }

  /// Short components of few different bytes, so that prefixes are frequent.
  private func randomPath(_ random: inout SeededRandom) -> Path {
    let alphabet: [UInt8] = [1, 0x20, 0x2e, 0x30, 0x61, 0xff]
    let components = (0..<Int.random(in: 1...3, using: &random)).map { _ in
      (0..<Int.random(in: 1...3, using: &random)).map { _ in alphabet[Int.random(in: 0..<6, using: &random)] }
    }
    return Path(bytes: Array(components.joined(separator: [Path.separator])))
  }

  @Test(arguments: [
    ("a", "a", true), ("a", "a/b", true), ("a", "a.b", false), ("a", "ab", false), ("a/b", "a", false),
    ("", "a", true), ("", "", true), ("/", "/a", true), ("a", "", false), ("/a", "/a/b", true),
  ])
  func containsMeansSameOrBelow(_ outer: String, _ inner: String, _ expected: Bool) {
    #expect(Path(outer).contains(Path(inner)) == expected)
  }

  @Test(arguments: [
    "", "a", "a/b", "...", "a/..b", ".a", " ", "\u{1}", "ä", String(repeating: "n", count: 255),
    Array(repeating: String(repeating: "n", count: 255), count: 15).joined(separator: "/")
      + "/" + String(repeating: "n", count: 255),
  ])
  func soundEntryPathsAreAccepted(_ text: String) {
    #expect(Path(text).isSoundEntryPath)
  }

  @Test(arguments: [
    "/", "/a", "a/", "a//b", ".", "..", "a/.", "a/..", "./a", "../a", "a/../b", "a\0b", "\0",
    String(repeating: "n", count: 256),
    Array(repeating: String(repeating: "n", count: 255), count: 16).joined(separator: "/") + "/n",
  ])
  func pathsThatLeadAwayOrCannotBeAreRefused(_ text: String) {
    #expect(!Path(text).isSoundEntryPath)
  }

  @Test func namesThatUnicodeCallsEqualAreTwoPaths() {
    let composed = Path(bytes: [0xc3, 0xa4])
    let decomposed = Path(bytes: [0x61, 0xcc, 0x88])
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed]).count == 2)
    #expect(Array(composed.description.utf8) != Array(decomposed.description.utf8))
  }

  @Test(
    arguments: [
      ([], "."), ([0x61, 0x20, 0x62], "a b"), ([0xc3, 0xa4], "ä"), ([0x5c], #"\\"#), ([0x1b, 0x5b], #"\x1b["#),
      ([0xff, 0x61], #"\xffa"#), ([0xe2, 0x80, 0xae], #"\xe2\x80\xae"#), ([0xc2, 0x85], #"\xc2\x85"#),
      ([0x7f], #"\x7f"#),
      ([0xc0, 0xaf], #"\xc0\xaf"#), ([0xed, 0xa0, 0x80], #"\xed\xa0\x80"#), ([0xe2, 0x80, 0xa8], #"\xe2\x80\xa8"#),
    ] as [([UInt8], String)])
  func aPathIsShownAsDocumented(_ bytes: [UInt8], _ shown: String) {
    #expect(Path(bytes: bytes).description == shown)
  }

  @Test func aShownPathHasNoControlBytesAndCanBeTurnedBack() {
    var random = SeededRandom(seed: 13)
    for _ in 0..<20_000 {
      var bytes = random.bytes(Int.random(in: 1...8, using: &random))
      if Bool.random(using: &random) { bytes += Array("ä\\x1b\u{202e}n".utf8).shuffled(using: &random) }
      let shown = Path(bytes: bytes).description
      #expect(shown.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "seed 13: \(bytes)")
      #expect(unescaped(shown) == bytes, "seed 13: \(bytes) is shown as \(shown)")
    }
  }

  /// What `\xNN` and `\\` stand for; `nil` for a backslash that is neither. That there is an inverse
  /// means that no two paths look alike.
  private func unescaped(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        continue
      }
      switch rest.popFirst() {
      case UInt8(ascii: "\\"): bytes.append(byte)
      case UInt8(ascii: "x"):
        guard let value = Hex.decode(String(decoding: rest.prefix(2), as: UTF8.self)), value.count == 1 else {
          return nil
        }
        bytes += value
        rest = rest.dropFirst(2)
      default: return nil
      }
    }
    return bytes
  }

  @Test func partsOfAPath() {
    #expect(Path("a/b").parent == Path("a"))
    #expect(Path("a").parent == .root)
    #expect(Path("").parent == nil)
    #expect(Path("a/b").lastComponent.elementsEqual(Array("b".utf8)))
    #expect(Path("").appending("a") == Path("a"))
    #expect(Path("a").appending("b") == Path("a/b"))
    #expect(Path("/").appending("b") == Path("/b"))
  }
}
