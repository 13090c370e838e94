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
    ("./cache", "cache", true), ("./cache", "a/cache", false), ("a/./cache", "a/cache", true),
    ("a//cache", "a/cache", true),
    ("a/cache//", "a/cache", true), ("**/cache", "cache", true), ("**/cache", "a/b/cache", true),
    ("**/cache", "a/cachex", false), ("a/**/cache", "a/cache", true), ("a/**/cache", "a/b/c/cache", true),
    ("a/**/cache", "b/cache", false), ("a/**", "a/b", true), ("a/**", "a/b/c", true), ("a/**", "a", false),
    ("a/**", "ab/c", false), ("**/a/**/b", "x/a/y/a/z/b", true), ("**/a/*/b", "x/a/y/z/b", false), ("**/", "a/b", true),
    ("a/**/b/**/c", "a/b/x/b/c", true), ("a/**/b/**/c", "a/x/c", false), ("/**", "a/b", true),
    (".*", ".hidden", true), ("*", ".hidden", true), ("", "a", false), ("/", "a", false), ("*", "", false),
  ])
  func patternsMatchAsDocumented(_ pattern: String, _ path: String, _ expected: Bool) {
    #expect(Glob(pattern).matches(Path(path)) == expected)
  }

  @Test(arguments: [
    ("/srv/orders/cache", "cache", true), ("/srv/orders/cache/", "cache", true),
    ("/srv/orders/cache", "a/cache", false),
    ("/srv/orders/**/cache", "a/cache", true), ("/data/orders/*.tmp", "a.tmp", true),
    ("/srv/orders2/cache", "cache", false), ("/srv/orders", "orders", false), ("/cache", "cache", true),
  ])
  func aPatternMayBeginWithTheSource(_ pattern: String, _ path: String, _ expected: Bool) {
    #expect(Glob(pattern, below: [Path("/srv/orders"), Path("/data/orders")]).matches(Path(path)) == expected)
  }

  @Test(arguments: [("../cache", false), ("a/../b", false), ("", false), ("/", false), (".", false), ("..a", true)])
  func whatCanMatchNothingIsKnown(_ pattern: String, _ expected: Bool) { #expect(Glob(pattern).canMatch == expected) }

  @Test func namesThatAreNotTextAreMatchedByTheirBytes() {
    #expect(Glob("*.tmp").matches(Path(bytes: [0xff, 0xfe] + Array(".tmp".utf8))))
  }
}
