import HoldfastCodec
import HoldfastTestSupport
import Testing

/// Stored bytes may be hostile: whatever is not exactly one whole stream of the expected length is an error, and never
/// a crash or a write behind the end of the output (which `decompress` in CodecSupport.swift looks for).
@Suite(.timeLimit(.minutes(30))) struct HostileStreamTests {
  private static let compressed: [Compression] = [.deflate(level: nil), .deflate(level: 6), .zstd(level: 3)]

  private func sample(
    _ compression: Compression, seed: UInt64 = 71, count: Int = 3000
  ) throws -> (
    plain: [UInt8], codec: FrameCodec, stored: [UInt8]
  ) {
    var random = SeededRandom(seed: seed)
    let plain = random.text(count)
    let (codec, stored) = try compress(plain, with: Compressor(compression))
    try #require(codec != .stored)
    return (plain, codec, stored)
  }

  @Test(arguments: compressed)
  func everyTruncationIsAnError(_ compression: Compression) throws {
    let (plain, codec, stored) = try sample(compression)
    let decompressor = Decompressor()
    for count in 0..<stored.count {
      #expect(throws: CodecError.self, "cut to \(count) of \(stored.count) bytes") {
        _ = try decompress(Array(stored.prefix(count)), codec, plain.count, with: decompressor)
      }
    }
  }

  @Test(arguments: compressed)
  func anotherPlainLengthIsAnError(_ compression: Compression) throws {
    let (plain, codec, stored) = try sample(compression)
    let decompressor = Decompressor()
    for count in [1, plain.count - 1, plain.count + 1, 2 * plain.count, 300_000] {
      #expect(throws: CodecError.self, "\(count) instead of \(plain.count) plain bytes") {
        _ = try decompress(stored, codec, count, with: decompressor)
      }
    }
    #expect(try decompress(stored, codec, plain.count, with: decompressor) == plain)
  }

  @Test(arguments: compressed)
  func bytesBehindTheStreamAreAnError(_ compression: Compression) throws {
    let (plain, codec, stored) = try sample(compression)
    let decompressor = Decompressor()
    for more in [[0], [0xff], [UInt8](repeating: 0, count: 100), stored] {
      #expect(throws: CodecError.self, "\(more.count) bytes more") {
        _ = try decompress(stored + more, codec, plain.count, with: decompressor)
      }
    }
  }

  @Test func twoStreamsAreNotOne() throws {
    for compression in Self.compressed {
      let (first, codec, one) = try sample(compression, seed: 72)
      let (second, _, two) = try sample(compression, seed: 73)
      #expect(throws: CodecError.self, "\(compression)") {
        _ = try decompress(one + two, codec, first.count + second.count, with: Decompressor())
      }
    }
  }

  @Test func aSkippableZstandardFrameIsNotPartOfAFrame() throws {
    let (plain, codec, stored) = try sample(.zstd(level: 1))
    let skippable: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]
    for stored in [skippable + stored, stored + skippable] {
      #expect(throws: CodecError.self) { _ = try decompress(stored, codec, plain.count, with: Decompressor()) }
    }
  }

  /// zlib streams carry a checksum: no flipped bit may give other bytes. (Zstandard frames have
  /// none here; the index has.)
  @Test(arguments: [Compression.deflate(level: nil), .deflate(level: 6)])
  func aFlippedBitIsAnError(_ compression: Compression) throws {
    let (plain, codec, stored) = try sample(compression, count: 600)
    let decompressor = Decompressor()
    for index in stored.indices {
      for bit in 0..<8 {
        var flipped = stored
        flipped[index] ^= 1 << bit
        let result = try? decompress(flipped, codec, plain.count, with: decompressor)
        #expect(result == nil || result == plain, "byte \(index), bit \(bit)")
      }
    }
  }

  @Test(arguments: FrameCodec.allCases)
  func garbageNeverCrashes(_ codec: FrameCodec) throws {
    let decompressor = Decompressor()
    let heads: [[UInt8]] = [[], [0x78, 0x01], [0x78, 0x9c], [0x28, 0xb5, 0x2f, 0xfd], [0x1f, 0x8b, 8, 0]]
    for seed in UInt64(0)..<400 {
      var random = SeededRandom(seed: seed)
      let garbage = heads[Int(seed) % heads.count] + random.bytes(Int.random(in: 0...600, using: &random))
      let count = Int.random(in: 1...5000, using: &random)
      let result = try? decompress(garbage, codec, count, with: decompressor)
      #expect(result == nil || codec == .stored && result == garbage, "seed \(seed)")
    }
  }

  @Test(arguments: compressed)
  func mutatedStreamsNeverCrash(_ compression: Compression) throws {
    let (plain, codec, stored) = try sample(compression, count: 20_000)
    let decompressor = Decompressor()
    for seed in UInt64(0)..<300 {
      var random = SeededRandom(seed: seed)
      var mutated = stored
      for _ in 0..<Int.random(in: 1...20, using: &random) {
        mutated[Int.random(in: 0..<mutated.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      _ = try? decompress(mutated, codec, plain.count, with: decompressor)
    }
    #expect(try decompress(stored, codec, plain.count, with: decompressor) == plain, "damage before leaves no trace")
  }

  @Test func aStoredFrameHasEqualLengths() {
    #expect(throws: CodecError.self) { _ = try decompress([1, 2], .stored, 3, with: Decompressor()) }
    #expect(throws: CodecError.self) { _ = try decompress([1, 2, 3, 4], .stored, 3, with: Decompressor()) }
  }
}
