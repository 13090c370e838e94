import CZlib
import HoldfastCodec
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Whatever is compressed comes back, and nothing gets larger.
@Suite struct CompressionTests {
  static let all: [Compression] = [
    .none, .deflate(level: nil), .deflate(level: 1), .deflate(level: 6), .deflate(level: 9), .zstd(level: 1),
    .zstd(level: 3), .zstd(level: 19),
  ]
  private static let sizes = [1, 2, 3, 63, 64, 65, 511, 4095, 4096, 4097, 65_535, 65_536, 262_144, 307_200]

  @Test(arguments: all)
  func everySizeOfEveryKindOfBytesComesBack(_ compression: Compression) throws {
    var random = SeededRandom(seed: 61)
    let compressor = try Compressor(compression)
    let decompressor = Decompressor()
    for size in Self.sizes {
      for plain in [random.text(size), random.bytes(size), [UInt8](repeating: 0, count: size), rows(size)] {
        let (codec, stored) = try compress(plain, with: compressor)
        #expect(stored.count <= plain.count, "seed 61, \(size) bytes")
        #expect((codec == .stored) == (stored == plain), "seed 61, \(size) bytes")
        #expect(try decompress(stored, codec, size, with: decompressor) == plain, "seed 61, \(size) bytes")
      }
    }
  }

  @Test(arguments: all)
  func randomSizesComeBack(_ compression: Compression) throws {
    let compressor = try Compressor(compression)
    let decompressor = Decompressor()
    for seed in UInt64(100)..<110 {
      var random = SeededRandom(seed: seed)
      let size = Int.random(in: 1...100_000, using: &random)
      let plain = Array((random.text(size) + random.bytes(size / 2)).suffix(size))
      let (codec, stored) = try compress(plain, with: compressor)
      #expect(try decompress(stored, codec, size, with: decompressor) == plain, "seed \(seed), \(size) bytes")
    }
  }

  @Test(arguments: all)
  func whatDoesNotGetSmallerIsStored(_ compression: Compression) throws {
    var random = SeededRandom(seed: 62)
    let plain = random.bytes(50_000)
    let (codec, stored) = try compress(plain, with: Compressor(compression))
    #expect(codec == .stored)
    #expect(stored == plain)
  }

  @Test(arguments: all.dropFirst())
  func whatIsRegularGetsSmaller(_ compression: Compression) throws {
    let plain = rows(100_000)
    let (codec, stored) = try compress(plain, with: Compressor(compression))
    #expect(codec != .stored)
    #expect(stored.count < plain.count / 4)
  }

  /// Everything deflated is a standard zlib stream: libz, an implementation of its own, decodes it to the last byte.
  @Test(arguments: [Compression.deflate(level: nil), .deflate(level: 6)])
  func libzDecodesWhatIsDeflated(_ compression: Compression) throws {
    var random = SeededRandom(seed: 63)
    let compressor = try Compressor(compression)
    for size in [100, 4096, 65_536, 262_144] {
      for plain in [random.text(size), rows(size), [UInt8](repeating: 0, count: size)] {
        let (codec, stored) = try compress(plain, with: compressor)
        try #require(codec == .zlib)
        #expect(inflate(stored, count: size) == plain, "seed 63, \(size) bytes")
      }
    }
  }

  private func inflate(_ stored: [UInt8], count: Int) -> [UInt8]? {
    var plain = [UInt8](repeating: 0, count: count)
    var plainCount = uLong(count)
    var storedCount = uLong(stored.count)
    guard uncompress2(&plain, &plainCount, stored, &storedCount) == Z_OK, storedCount == uLong(stored.count),
      plainCount == uLong(count)
    else { return nil }
    return plain
  }

  /// Something like the pages of an order database.
  private func rows(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var number = 0
    while bytes.count < count {
      bytes += Array("order \(number);customer \(number % 97);shipped;\(number * 31 % 1000).00 EUR\n".utf8)
      number += 1
    }
    return Array(bytes.prefix(count))
  }

  @Test(
    arguments: [
      ("none", .none), ("deflate", .deflate(level: nil)), ("deflate:1", .deflate(level: 1)),
      ("deflate:9", .deflate(level: 9)),
      ("zstd:1", .zstd(level: 1)), ("zstd:19", .zstd(level: 19)),
    ] as [(String, Compression)])
  func aCompressionIsReadAsItIsWritten(_ text: String, _ compression: Compression) {
    #expect(Compression(text) == compression)
    #expect(compression.description == text)
  }

  @Test func plainZstdIsItsFirstLevel() {
    #expect(Compression("zstd") == .zstd(level: 1))
    #expect(Compression.standard.description == "deflate")
  }

  @Test(arguments: [
    "", "gzip", "None", "none:1", "deflate:", "deflate:0", "deflate:10", "deflate:-1", "deflate:+6", "deflate:06",
    "deflate:6:1", "deflate 6", " deflate", "zstd:0", "zstd:20", "zstd:x", "zstd:99999999999999999999", ":1",
  ])
  func anythingElseIsNoCompression(_ text: String) {
    #expect(Compression(text) == nil)
  }
}
