import HoldfastModel
import HoldfastStore
import HoldfastTestSupport
import Testing

/// The lengths and names of shards, as format.md, section 16, has them.
@Suite struct ShardLayoutTests {
  @Test(arguments: ["1+1", "4+2", "3+5", "15+1"]) func theShardsOfDataTogetherAreTheObject(_ text: String) throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    let scheme = try #require(ErasureScheme(text))
    for length in ShardPropertyTests.lengths(scheme, seed: seed).map({ UInt64($0) }) + [
      1 << 30, .random(in: 0...1 << 40, using: &random),
    ] {
      let layout = ShardLayout(scheme, length: length)
      let lengths = (0..<scheme.shards).map { layout.payloadLength($0) }
      #expect(lengths.prefix(scheme.data).reduce(0, +) == length, "\(length) bytes, seed \(seed)")
      #expect(lengths == lengths.prefix(scheme.data).sorted(by: >) + lengths.dropFirst(scheme.data))
      let longest = lengths.prefix(scheme.data).max()
      #expect(lengths.dropFirst(scheme.data).filter { $0 != longest } == [], "\(length) bytes, seed \(seed)")
    }
  }

  /// Numbers worked out by hand from the document.
  @Test func aSmallObjectIsDividedEvenly() throws {
    let layout = ShardLayout(try #require(ErasureScheme("4+2")), length: 10)
    #expect((0..<6).map { layout.payloadLength($0) } == [3, 3, 3, 1, 3, 3])
    #expect((0..<6).map { layout.shardLength($0) } == [103, 103, 103, 101, 103, 103])
    let tiny = ShardLayout(try #require(ErasureScheme("4+2")), length: 2)
    #expect((0..<6).map { tiny.payloadLength($0) } == [1, 1, 0, 0, 1, 1])
    #expect((0..<6).map { tiny.shardLength($0) } == [101, 101, 96, 96, 101, 101])
    let long = ShardLayout(try #require(ErasureScheme("2+1")), length: 2 << 20 | 3)
    #expect((0..<3).map { long.payloadLength($0) } == [1 << 20 | 2, 1 << 20 | 1, 1 << 20 | 2])
    #expect(long.shardLength(0) == 1 << 20 | 2 + 8 + 96)
  }

  @Test func namesAreParsedAsTheyAreWritten() throws {
    let scheme = try #require(ErasureScheme("4+2"))
    #expect(ShardKey("a/b-0", scheme, 5).description == "a/b-0.4-2.5")
    #expect(ShardKey("a/b-0.4-2.5") == ShardKey("a/b-0", scheme, 5))
    for text in [
      "a/b-0", "a/b-0.4-2.6", "a/b-0.4-2.05", "a/b.04-2.1", "a/b.4+2.1", "a.0-2.0", "a.9-8.1", "a.4-2.-1", ".4-2",
    ] {
      #expect(ShardKey(text) == nil, "\(text)")
    }
  }

  @Test func schemesAreParsedAsTheyAreWritten() {
    #expect(ErasureScheme("4+2")?.description == "4+2" && ErasureScheme("8+8")?.shards == 16)
    for text in ["4", "4+", "+2", "0+2", "4+0", "04+2", "4+2+1", "-4+2", "9+8", "4 + 2", "99999999999999999999+1"] {
      #expect(ErasureScheme(text) == nil, "\(text)")
    }
  }
}
