import HoldfastCodec
import HoldfastTestSupport
import Testing

/// Bytes that do not compress are stored without a try, and whatever compresses is compressed.
@Suite struct CompressibilityTests {
  private static let frameBytes = 256 << 10
  private static let all: [Compression] = [.deflate(level: nil), .deflate(level: 6), .zstd(level: 3)]

  /// The look decides alone. This frame is random wherever the look goes, and zero in between: any codec that tried it
  /// would save a third.
  @Test(arguments: all)
  func whatLooksRandomIsNotTried(_ compression: Compression) throws {
    var random = SeededRandom(seed: 91)
    var frame = random.bytes(Self.frameBytes)
    for start in stride(from: 0, to: frame.count, by: 256) where start % 4096 >= 1280 {
      frame.replaceSubrange(start + 8..<start + 248, with: repeatElement(0, count: 240))
    }
    let (codec, stored) = try compress(frame, with: Compressor(compression))
    #expect(codec == .stored && stored == frame)
    let (tried, saved) = try compress(frame, with: Compressor(compression, savesLittle: true))
    #expect(tried != .stored && saved.count < frame.count * 2 / 3, "\(saved.count)")
    #expect(try decompress(saved, tried, frame.count, with: Decompressor()) == frame)
  }

  @Test(arguments: all)
  func aStretchOfRecordsIsFoundWhereverItLies(_ compression: Compression) throws {
    var random = SeededRandom(seed: 92)
    let records = Array((0..<800).map { "order \($0);shipped;\(20 + $0 % 7).00 EUR\n" }.joined().utf8.prefix(12 << 10))
    for _ in 0..<30 {
      var frame = random.bytes(Self.frameBytes)
      let start = Int.random(in: 0...frame.count - records.count, using: &random)
      frame.replaceSubrange(start..<start + records.count, with: records)
      try expectSaved(6 << 10, of: frame, compression, "records at \(start)")
    }
  }

  /// ISA-L and fast levels of libzstd find few such repetitions themselves.
  @Test func aRepetitionIsFoundWhereverItLies() throws {
    var random = SeededRandom(seed: 93)
    for distance in [9000, 12_288, 12_345, 20_000] {
      for _ in 0..<10 {
        var frame = random.bytes(Self.frameBytes)
        let start = Int.random(in: 0...frame.count - distance - 9000, using: &random)
        frame.replaceSubrange(start + distance..<start + distance + 9000, with: frame[start..<start + 9000])
        try expectSaved(
          8 << 10, of: frame, .deflate(level: 6), "9000 bytes at \(start) again \(distance) behind")
      }
    }
  }

  /// Random keys, such as tokens in a table and in its index: all bytes are as frequent, and short pieces repeat.
  @Test(arguments: all)
  func shortRepetitionsAreFound(_ compression: Compression) throws {
    var random = SeededRandom(seed: 94)
    let keys = (0..<400).map { _ in random.bytes(32) }
    for share in [20, 50, 100] {
      var frame: [UInt8] = []
      while frame.count < Self.frameBytes {
        let isOld = Int.random(in: 0..<100, using: &random) < share
        frame += isOld ? keys[Int.random(in: 0..<keys.count, using: &random)] : random.bytes(32)
      }
      try expectSaved(Self.frameBytes / 64, of: frame, compression, "\(share) % known keys")
    }
  }

  @Test(arguments: all)
  func whatSavesLessThanASixtyFourthIsStored(_ compression: Compression) throws {
    var random = SeededRandom(seed: 95)
    for (count, isStored) in [(400, true), (3000, false)] {
      let plain = random.bytes(50_000) + [UInt8](repeating: 0, count: count)
      let (codec, stored) = try compress(plain, with: Compressor(compression))
      #expect((codec == .stored) == isStored, "\(count) zero bytes")
      #expect((stored == plain) == isStored, "\(count) zero bytes")
      let (tried, saved) = try compress(plain, with: Compressor(compression, savesLittle: true))
      if tried == .stored {
        #expect(isStored && compression == .zstd(level: 3), "libzstd itself stores what saves little")
      } else {
        #expect(saved.count < plain.count, "\(count) zero bytes")
      }
    }
  }

  private func expectSaved(_ bytes: Int, of plain: [UInt8], _ compression: Compression, _ what: String) throws {
    let (codec, stored) = try compress(plain, with: Compressor(compression))
    #expect(plain.count - stored.count >= bytes, "\(what)")
    #expect(try decompress(stored, codec, plain.count, with: Decompressor()) == plain, "\(what)")
  }
}
