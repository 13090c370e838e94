import HoldfastModel
import HoldfastSystem
import Testing

/// The patterns of `--exclude`.
@Suite struct GlobTests {
  @Test(arguments: [
    ("*.tmp", "a.tmp", true), ("*.tmp", "deep/below/a.tmp", true), ("*.tmp", "a.tmp/b", false),
    ("*.tmp", "a.tmpx", false),
    ("cache", "cache", true), ("cache", "a/cache", true), ("cache/", "a/cache", true), ("/cache", "cache", true),
    ("/cache", "a/cache", false), ("logs/*.log", "logs/1.log", true), ("logs/*.log", "logs/old/1.log", false),
    ("logs/*.log", "x/logs/1.log", false), ("logs/old/", "logs/old", true), ("?", "a", true), ("?", "ab", false),
    ("[ab]c", "bc", true), ("[!ab]c", "bc", false), ("\\*", "*", true), ("\\*", "a", false), ("*", "a/b", true),
    (".*", ".hidden", true), ("*", ".hidden", true), ("", "a", false), ("/", "a", false), ("*", "", false),
  ])
  func patternsMatchAsDocumented(_ pattern: String, _ path: String, _ expected: Bool) {
    #expect(Glob(pattern).matches(Path(path)) == expected)
  }

  @Test func namesThatAreNotTextAreMatchedByTheirBytes() {
    #expect(Glob("*.tmp").matches(Path(bytes: [0xff, 0xfe] + Array(".tmp".utf8))))
  }
}
