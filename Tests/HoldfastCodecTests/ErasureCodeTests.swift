import HoldfastCodec
import HoldfastTestSupport
import Testing

/// Whatever is lost within the parity comes back, and nothing is made up beyond it.
@Suite struct ErasureCodeTests {
  /// Blocks of data with their parity.
  private struct Sample {
    let code: ErasureCode
    let blocks: [[UInt8]]

    init(_ data: Int, _ parity: Int, count: Int, _ random: inout SeededRandom) throws {
      let code = try #require(ErasureCode(data: data, parity: parity))
      let plain = (0..<data).map { _ in random.bytes(count) }
      var made = [UInt8](repeating: 0xEE, count: parity * count)
      made.withUnsafeMutableBufferPointer { made in
        withPointers(to: plain) { plain in
          guard let base = made.baseAddress else { return }
          code.encode(plain, count: count, into: (0..<parity).map { base + $0 * count })
        }
      }
      self.code = code
      blocks = plain + (0..<parity).map { Array(made[$0 * count..<($0 + 1) * count]) }
    }

    func rebuild(_ lost: [Int], from available: [Int]) throws -> [[UInt8]] {
      let count = blocks[0].count
      var rebuilt = [UInt8](repeating: 0xEE, count: lost.count * count)
      try rebuilt.withUnsafeMutableBufferPointer { rebuilt in
        try withPointers(to: blocks) { blocks in
          guard let base = rebuilt.baseAddress else { return }
          try code.rebuild(
            lost, from: available.map { ($0, blocks[$0]) }, count: count, into: lost.indices.map { base + $0 * count })
        }
      }
      return lost.indices.map { Array(rebuilt[$0 * count..<($0 + 1) * count]) }
    }
  }

  @Test(arguments: [(1, 1), (1, 3), (2, 2), (4, 2), (5, 3), (6, 4), (3, 6)])
  func everyChoiceOfLostBlocksComesBack(_ data: Int, _ parity: Int) throws {
    var random = SeededRandom(seed: UInt64(data * 100 + parity))
    let sample = try Sample(data, parity, count: 97, &random)
    for choice in 0..<(1 << (data + parity)) where choice.nonzeroBitCount <= parity {
      let lost = (0..<data + parity).filter { choice >> $0 & 1 == 1 }.shuffled(using: &random)
      let rest = (0..<data + parity).filter { choice >> $0 & 1 == 0 }.shuffled(using: &random)
      #expect(try sample.rebuild(lost, from: rest) == lost.map { sample.blocks[$0] }, "\(lost)")
    }
  }

  @Test(arguments: Trials.seeds(byDay: 10, atNight: 200))
  func randomLossesOfLargeCodesComeBack(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let data = Int.random(in: 1...250, using: &random)
    let parity = Int.random(in: 1...min(16, 255 - data), using: &random)
    let count = [1, 15, 16, 31, 32, 33, 64, 1000, 4096].randomElement(using: &random) ?? 1
    let sample = try Sample(data, parity, count: count, &random)
    let mixed = Array(0..<data + parity).shuffled(using: &random)
    let lost = Array(mixed.prefix(Int.random(in: 0...parity, using: &random)))
    #expect(
      try sample.rebuild(lost, from: Array(mixed.dropFirst(lost.count))) == lost.map { sample.blocks[$0] },
      "seed \(seed): \(data)+\(parity), \(count) bytes, lost \(lost)")
  }

  @Test(arguments: [31, 32, 100, 4096]) func parityThatGrowsWithTheDataIsTheSame(_ count: Int) throws {
    var random = SeededRandom(seed: 3)
    let (data, parity) = (20, 4)
    let sample = try Sample(data, parity, count: count, &random)
    var grown = [UInt8](repeating: 0, count: parity * count)
    grown.withUnsafeMutableBufferPointer { grown in
      withPointers(to: sample.blocks) { blocks in
        guard let base = grown.baseAddress else { return }
        for number in (0..<data).shuffled(using: &random) {
          sample.code.update((0..<parity).map { base + $0 * count }, with: blocks[number], number: number, count: count)
        }
      }
    }
    #expect(grown == Array(sample.blocks[data...].joined()))
  }

  /// format.md, section 4: the coefficient of data j in parity r is the inverse of (k + r) XOR j.
  @Test func theCoefficientsAreThoseOfTheFormat() throws {
    let (data, parity) = (7, 3)
    let code = try #require(ErasureCode(data: data, parity: parity))
    for number in 0..<data {
      var column = [UInt8](repeating: 0, count: parity * 32)
      column.withUnsafeMutableBufferPointer { column in
        withPointers(to: [[UInt8](repeating: 1, count: 32)]) { one in
          guard let base = column.baseAddress else { return }
          code.update((0..<parity).map { base + $0 * 32 }, with: one[0], number: number, count: 32)
        }
      }
      for row in 0..<parity {
        #expect(multiply(column[row * 32], UInt8((data + row) ^ number)) == 1, "row \(row), column \(number)")
      }
    }
  }

  @Test func moreLossesThanParityAreAnError() throws {
    var random = SeededRandom(seed: 4)
    let sample = try Sample(5, 2, count: 40, &random)
    #expect(throws: ErasureError(message: "4 blocks are sound, and 5 are needed")) {
      _ = try sample.rebuild([0, 1, 2], from: [3, 4, 5, 6])
    }
    for (lost, available) in [([0], [0, 1, 2, 3, 4, 5]), ([0, 0], [1, 2, 3, 4, 5]), ([9], [0, 1, 2, 3, 4])] {
      #expect(throws: ErasureError(message: "a block is named twice, or there is none of its number")) {
        let count = 40
        var room = [UInt8](repeating: 0, count: lost.count * count)
        try room.withUnsafeMutableBufferPointer { room in
          try withPointers(to: sample.blocks) { blocks in
            guard let base = room.baseAddress else { return }
            try sample.code.rebuild(
              lost, from: available.map { ($0, blocks[$0]) }, count: count,
              into: lost.indices.map { base + $0 * count })
          }
        }
      }
    }
  }

  @Test(arguments: [(0, 1), (1, 0), (-1, 2), (255, 1), (200, 56), (.max, 1), (1, .max)])
  func numbersOutOfBoundsMakeNoCode(_ data: Int, _ parity: Int) {
    #expect(ErasureCode(data: data, parity: parity) == nil)
  }

  /// The check value of the algorithm.
  @Test func theChecksumIsThatOfZlib() {
    #expect(Array("123456789".utf8).withUnsafeBytes { CRC32.checksum($0) } == 0xCBF4_3926)
    #expect([UInt8]().withUnsafeBytes { CRC32.checksum($0) } == 0)
  }

  /// In GF(2⁸) with the polynomial 0x11D, bit by bit.
  private func multiply(_ left: UInt8, _ right: UInt8) -> UInt8 {
    var (product, factor): (UInt16, UInt16) = (0, UInt16(left))
    for bit in 0..<8 {
      if right >> bit & 1 == 1 { product ^= factor }
      factor <<= 1
      if factor & 0x100 != 0 { factor ^= 0x11D }
    }
    return UInt8(product)
  }
}

/// Passes pointers to blocks that stay where they are meanwhile.
private func withPointers<Result>(
  to blocks: [[UInt8]], _ body: ([UnsafePointer<UInt8>]) throws -> Result
) rethrows -> Result {
  let all = Array(blocks.joined())
  return try all.withUnsafeBufferPointer { all in
    var (pointers, start): ([UnsafePointer<UInt8>], Int) = ([], 0)
    for block in blocks {
      if let base = all.baseAddress { pointers.append(base + start) }
      start += block.count
    }
    return try body(pointers)
  }
}
