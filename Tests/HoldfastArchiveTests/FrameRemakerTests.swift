import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A frame is made again byte for byte from its plain bytes, whichever version has compressed it.
@Suite struct FrameRemakerTests {
  /// Earlier versions kept what saved a single byte, and tried what looks random. (libzstd keeps no such block itself.)
  @Test(arguments: [Compression.deflate(level: nil), .deflate(level: 6)])
  func aFrameThatSavesLittleIsMadeAgain(_ compression: Compression) throws {
    var random = SeededRandom(seed: 52)
    let plain = random.bytes(99_500) + [UInt8](repeating: 0, count: 500)
    let old = try Compressor(compression, savesLittle: true)
    let now = try Compressor(compression)
    #expect(try compress(plain, by: now).codec == .stored, "this version stores it")
    let (codec, stored) = try compress(plain, by: old)
    #expect(codec != .stored && stored.count > plain.count - plain.count / 64)
    let reader = try container(plain, codec, stored)
    #expect(try remade(plain, of: reader) == stored)
    #expect(try remade(random.bytes(plain.count), of: reader) == nil)
  }

  @Test func aFrameThatNoCompressionOfThisVersionGivesIsNotMade() throws {
    let plain = Array((0..<2000).map { "order \($0);shipped\n" }.joined().utf8)
    let (codec, stored) = try compress(plain, by: Compressor(.zstd(level: -20)))
    #expect(codec == .zstd)
    #expect(try remade(plain, of: container(plain, codec, stored)) == nil)
  }

  private func remade(_ plain: [UInt8], of reader: ContainerReader) throws -> [UInt8]? {
    let remaker = FrameRemaker()
    return try plain.withUnsafeBytes { try remaker.remake($0, as: 0, of: reader).map { Array($0) } }
  }

  private func compress(_ plain: [UInt8], by compressor: Compressor) throws -> (codec: FrameCodec, stored: [UInt8]) {
    var output = [UInt8](repeating: 0, count: plain.count)
    let (codec, count) = try plain.withUnsafeBytes { plain in
      try output.withUnsafeMutableBytes { try compressor.compress(plain, into: $0) }
    }
    return (codec, Array(output.prefix(count)))
  }

  /// Returns a container with one frame of these stored bytes.
  private func container(_ plain: [UInt8], _ codec: FrameCodec, _ stored: [UInt8]) throws -> ContainerReader {
    let sink = MemoryBytes()
    let head = ContainerHead(
      ContainerName(kind: .archive, repository: SampleContainer.repository, id: SampleContainer.id))
    let writer = try ContainerWriter(head, sink: sink)
    let number = writer.reserveFrame()
    try stored.withUnsafeBytes { bytes in
      let frame = FrameBytes(bytes: bytes, plainCount: plain.count, codec: codec, sealNumber: 0)
      try writer.write(frame: number, StoredFrame(frame))
    }
    let reference = try writer.finish()
    return try SampleContainer(bytes: sink.contents, reference: reference).open()
  }
}
