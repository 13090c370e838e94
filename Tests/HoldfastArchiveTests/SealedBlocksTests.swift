import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A private file of this machine reads as what was written to it, at any place; blocks of it can neither change,
/// change places, nor be missing.
@Suite struct SealedBlocksTests {
  private static let block = 64 << 10
  private static let storedBlock = block + SealingKey.tagByteCount
  private static let context = Array("a state of one repository".utf8)
  private let key = SealingKey()

  private func seal(_ plain: [UInt8], steps: [Int] = []) throws -> [UInt8] {
    let sink = MemoryBytes()
    let writer = SealedWriter(to: sink, key: key, context: Self.context)
    var start = 0
    for step in steps + [plain.count] {
      let end = min(plain.count, start + step)
      try plain[start..<end].withUnsafeBytes { try writer.append($0) }
      start = end
    }
    try writer.finish()
    return sink.contents
  }

  private func open(
    _ stored: [UInt8], key other: SealingKey? = nil, context: [UInt8] = SealedBlocksTests.context
  ) throws -> SealedReader {
    try SealedReader(MemoryBytes(stored, name: "private file"), key: other ?? key, context: context)
  }

  private func readAll(_ reader: SealedReader) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(reader.length))
    try bytes.withUnsafeMutableBytes { try reader.read(into: $0, at: 0) }
    return bytes
  }

  @Test(arguments: [1, 15, 16, 17, block - 1, block, block + 1, 2 * block, 2 * block + 1, 3 * block - 1])
  func everyLengthComesBackHoweverItWasWritten(count: Int) throws {
    var random = SeededRandom(seed: UInt64(count))
    let plain = random.bytes(count)
    for steps in [[], [1, 2, 3], [Self.block, 1], [count / 2, Self.block + 5]] {
      let stored = try seal(plain, steps: steps)
      let blocks = (count + Self.block - 1) / Self.block
      #expect(stored.count == count + blocks * SealingKey.tagByteCount)
      let reader = try open(stored)
      #expect(reader.length == UInt64(count))
      #expect(try readAll(reader) == plain, "\(steps)")
    }
  }

  @Test func anEmptyFileIsSealedToo() throws {
    let stored = try seal([])
    #expect(stored.count == SealingKey.tagByteCount)
    #expect(try open(stored).length == 0)
    #expect(throws: DamageError("private file", "it is no whole number of sealed blocks")) { try open([]) }
  }

  @Test func anyPlaceCanBeRead() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    // More blocks than the reader keeps.
    let plain = random.bytes(7 * Self.block + 1234)
    let reader = try open(seal(plain))
    for _ in 0..<300 {
      let start = Int(random.next() % UInt64(plain.count + 1))
      let longest = random.next().isMultiple(of: 4) ? plain.count - start : min(5000, plain.count - start)
      let count = Int(random.next() % UInt64(longest + 1))
      var bytes = [UInt8](repeating: 0xee, count: count)
      try bytes.withUnsafeMutableBytes { try reader.read(into: $0, at: UInt64(start)) }
      #expect(bytes == Array(plain[start..<start + count]), "seed \(seed): \(count) bytes at \(start)")
    }
    for (offset, count) in [(plain.count, 1), (plain.count - 1, 2), (plain.count + 1, 0), (Int.max, 1)] {
      var bytes = [UInt8](repeating: 0, count: count)
      #expect(throws: SystemError.self, "\(count) bytes at \(offset)") {
        try bytes.withUnsafeMutableBytes { try reader.read(into: $0, at: UInt64(offset)) }
      }
    }
  }

  // MARK: Damage

  private let damaged = DamageError("private file", "a block of it cannot be opened")

  @Test func everyFlippedByteIsFound() throws {
    var stored = try seal(Array("a small file".utf8))
    for index in stored.indices {
      stored[index] ^= 0x04
      #expect(throws: damaged, "byte \(index)") { try readAll(open(stored)) }
      stored[index] ^= 0x04
    }
  }

  @Test func aFlippedByteCostsItsBlockOnly() throws {
    var random = SeededRandom(seed: 4)
    let plain = random.bytes(3 * Self.block)
    var stored = try seal(plain)
    stored[Self.storedBlock + 77] ^= 1
    let reader = try open(stored)
    for number in 0..<3 {
      var bytes = [UInt8](repeating: 0, count: Self.block)
      let result = Result {
        try bytes.withUnsafeMutableBytes { try reader.read(into: $0, at: UInt64(number * Self.block)) }
      }
      if number == 1 {
        #expect(throws: damaged) { try result.get() }
      } else {
        try result.get()
        #expect(bytes == Array(plain[number * Self.block..<(number + 1) * Self.block]))
      }
    }
  }

  /// At the border of two blocks what is left is whole blocks, of which the last was not sealed as one. It is found by
  /// who reads none of them.
  @Test(arguments: [1, 2]) func aCutAtTheBorderOfBlocksIsFoundAtOnce(blocks: Int) throws {
    let stored = try seal([UInt8](repeating: 3, count: 3 * Self.block))
    #expect(throws: damaged) { try open(Array(stored.prefix(blocks * Self.storedBlock))) }
  }

  @Test(arguments: [
    1, 15, 16, 17, storedBlock - 1, storedBlock + 1, storedBlock + 15, storedBlock + 16, 2 * storedBlock - 1,
  ])
  func aCutAnywhereIsFound(count: Int) throws {
    let stored = try seal([UInt8](repeating: 3, count: 2 * Self.block))
    #expect(throws: DamageError.self) { try open(Array(stored.prefix(count))) }
  }

  @Test func blocksThatAreExchangedRepeatedOrAddedAreFound() throws {
    let stored = try seal((0..<3 * Self.block).map { UInt8($0 / Self.block) })
    let blocks = (0..<3).map { Array(stored[$0 * Self.storedBlock..<($0 + 1) * Self.storedBlock]) }
    for order in [[1, 0, 2], [0, 2, 1], [0, 0, 2], [0, 1, 1], [0, 1, 2, 2], [0, 2], [2]] {
      #expect(throws: damaged, "\(order)") { try readAll(open(order.flatMap { blocks[$0] })) }
    }
    #expect(throws: DamageError("private file", "it is no whole number of sealed blocks")) { try open(stored + [0]) }
  }

  @Test func aFileIsNotTakenForAnother() throws {
    let stored = try seal(Array("a small file".utf8))
    #expect(throws: damaged) { try readAll(open(stored, key: SealingKey())) }
    for context in [[], Array(Self.context.dropLast()), Self.context + [0]] as [[UInt8]] {
      #expect(throws: damaged, "\(context.count) bytes") { try readAll(open(stored, context: context)) }
    }
  }
}
