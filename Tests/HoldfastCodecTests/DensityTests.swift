import HoldfastCodec
import HoldfastTestSupport
import Testing

/// What is encrypted is told apart from what a shop writes.
@Suite struct DensityTests {
  private func sample(_ bytes: [UInt8]) -> Density.Count { bytes.withUnsafeBytes { Density.sample($0) } }

  private func randomBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var random = SeededRandom(seed: seed)
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  /// As an encrypted page looks.
  @Test(arguments: 0..<200 as Range<UInt64>)
  func randomBytesAreDense(seed: UInt64) {
    let count = sample(randomBytes(4096, seed: seed))
    #expect(count.samples == 1 && count.dense == 1, "seed \(seed)")
  }

  @Test func textNumbersAndZerosAreNot() {
    let text = (0..<500).map { "2026-03-01 12:00:00 order \($0) paid\n" }.joined()
    #expect(sample(Array(text.utf8)).dense == 0)
    let records = (0..<2048).flatMap { number -> [UInt8] in [UInt8(number & 0xFF), UInt8(number >> 8), 0, 7] }
    #expect(sample(records).dense == 0)
    #expect(sample([UInt8](repeating: 0, count: 1 << 20)) == sample([UInt8](repeating: 9, count: 1 << 20)))
  }

  /// Base64 has six bits a byte.
  @Test func armouredBytesAreNot() {
    #expect(sample(randomBytes(4096).map { UInt8(65 + $0 % 64) }).dense == 0)
  }

  @Test func aFewBytesTellNothing() {
    #expect(sample(randomBytes(2047)).samples == 0)
    #expect(sample([]).samples == 0)
    #expect(sample(randomBytes(256 << 10)).samples == 2)
  }
}
