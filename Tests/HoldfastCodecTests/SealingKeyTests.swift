import HoldfastCodec
import HoldfastModel
import HoldfastTestSupport
import Testing

/// What a key seals opens under that key, number and context alone, and nothing of it can change.
@Suite struct SealingKeyTests {
  private let plain = Array("forty-two orders".utf8)

  @Test func nothingElseOpens() throws {
    let key = SealingKey()
    let sealed = try key.seal(plain, number: 5, associated: [1, 2])
    #expect(sealed.count == plain.count + SealingKey.tagByteCount)
    #expect(key.open(sealed, number: 5, associated: [1, 2]) == plain)
    for index in sealed.indices {
      for bit in 0..<8 {
        var damaged = sealed
        damaged[index] ^= 1 << UInt8(bit)
        #expect(key.open(damaged, number: 5, associated: [1, 2]) == nil, "bit \(bit) of byte \(index)")
      }
      #expect(key.open(Array(sealed.prefix(index)), number: 5, associated: [1, 2]) == nil, "\(index) bytes")
    }
    for number in [0, 4, 6, 5 << 8, 5 << 24, UInt32.max] {
      #expect(key.open(sealed, number: number, associated: [1, 2]) == nil, "number \(number)")
    }
    for associated in [[], [1], [2, 1], [1, 2, 0]] as [[UInt8]] {
      #expect(key.open(sealed, number: 5, associated: associated) == nil, "\(associated)")
    }
    #expect(SealingKey().open(sealed, number: 5, associated: [1, 2]) == nil)
  }

  @Test func nothingAtAllCanBeSealed() throws {
    let key = SealingKey()
    let tag = try key.seal([], number: .max, associated: [3])
    #expect(tag.count == SealingKey.tagByteCount)
    #expect(key.open(tag, number: .max, associated: [3]) == [])
    #expect(key.open(tag, number: .max, associated: [4]) == nil)
  }

  /// The same bytes under another number, or another derived key, look like others.
  @Test func equalBytesDoNotLookEqual() throws {
    let key = SealingKey()
    var seen: Set<[UInt8]> = []
    for number in UInt32(0)..<8 { seen.insert(try key.seal(plain, number: number, associated: [])) }
    for salt in UInt8(0)..<8 { seen.insert(try key.derived(salt: [salt]).seal(plain, number: 0, associated: [])) }
    #expect(seen.count == 16)
  }

  @Test func aBufferWithoutRoomIsNotWrittenTo() {
    var output = [UInt8](repeating: 0xee, count: plain.count + SealingKey.tagByteCount - 1)
    #expect(
      throws: KeyError("a buffer without room for its tag is not a usable key", hint: "Take another copy of the key.")
    ) {
      try plain.withUnsafeBytes { plain in
        try output.withUnsafeMutableBytes { try SealingKey().seal(plain, number: 0, associated: [], into: $0) }
      }
    }
    #expect(output.allSatisfy { $0 == 0xee })
  }

  /// A root says nothing to who has no key, and is another one under each.
  @Test func aSealedRootDependsOnKeyAndRoot() throws {
    let key = SealingKey()
    let roots = [Hasher.digest([1]), Hasher.digest([2])]
    let sealed = roots.map { key.sealedRoot($0) }
    #expect(sealed == roots.map { key.sealedRoot($0) })
    #expect(Set(sealed + roots + roots.map { SealingKey().sealedRoot($0) }).count == 6)
  }
}
