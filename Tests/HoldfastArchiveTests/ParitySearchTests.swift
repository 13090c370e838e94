import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// The layout of a damaged container is found in few reads, whatever its bytes claim.
@Suite(.timeLimit(.minutes(30))) struct ParitySearchTests {
  // MARK: Hostile

  /// A stripe has at most 255 pages: GF(2⁸) has no more rows for the code.
  @Test(arguments: [(240, 16), (239, 16), (240, 15)])
  func aBlockOfTheLargestCodeIsDamageAtMost(_ code: (data: Int, parity: Int)) throws {
    let core = [UInt8](repeating: 7, count: 5000)
    var block = Array("HOLDFAST\u{1}PARITY\n".utf8) + SampleContainer.id.bytes
    block += Self.littleEndian(UInt64(core.count)) + Self.littleEndian(UInt16(code.data))
    block += Self.littleEndian(UInt16(code.parity)) + Self.littleEndian(UInt32(0))
    // No page has its checksum.
    block += [UInt8](repeating: 0x5A, count: 32 + 4 * code.data + 4096)
    block += Self.littleEndian(block.withUnsafeBytes { CRC32.checksum($0) })
    let rest = [UInt8](repeating: 0, count: block.count * (code.parity - 1) + 80)
    let object = core + block + rest
    let repaired = RepairedBytes("sample", SampleContainer.id, length: UInt64(object.count)) {
      MemoryBytes(object, name: "sample")
    }
    #expect(try repaired.hasParity() == (code.data + code.parity <= 255))
    var page = [UInt8](repeating: 0, count: 4096)
    #expect(throws: DamageError.self) { try page.withUnsafeMutableBytes { try repaired.read(into: $0, at: 0) } }
  }

  private static func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
