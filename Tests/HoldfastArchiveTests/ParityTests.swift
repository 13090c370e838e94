import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A container with parity gives back all its bytes when any part within its promise is lost (format.md, section 4).
@Suite(.timeLimit(.minutes(30))) struct ParityTests {
  /// A MiB, which may begin in the middle of a page.
  private static let lostBytes = 1 << 20

  /// Numbers of pages around the borders of stripes and groups, at 20%: twenty pages a stripe.
  private static let borders = [1, 2, 19, 20, 21, 40, 41, 640, 641, 1299, 1300, 1301, 2600, 2601]

  @Test(arguments: borders) func whatIsLostWithinThePromiseComesBack(pages: Int) throws {
    for seed in Trials.seeds(byDay: 2, atNight: 30) {
      var random = SeededRandom(seed: seed)
      let short = [0, 1, 2000, 3900].randomElement(using: &random) ?? 0
      let sample = try ParitySample(coreBytes: pages * 4096 - short, percent: 20, &random)
      let place = "seed \(seed), \(pages) pages but \(short) bytes"
      #expect(sample.bytes.count == sample.places.sectionEnd + 80, "\(place)")
      let lost = sample.places.choose(&random).map(\.range)
      #expect(try sample.comesBack(from: HoledBytes(bytes: sample.bytes, holes: lost)), "unreadable: \(place)")
      var wrong = sample.bytes
      for range in lost {
        wrong[range.randomElement(using: &random) ?? 0] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
      #expect(try sample.comesBack(from: MemoryBytes(wrong, name: "sample")), "flipped: \(place)")
      for range in lost { wrong.replaceSubrange(range, with: [UInt8](repeating: 0, count: range.count)) }
      #expect(try sample.comesBack(from: MemoryBytes(wrong, name: "sample")), "zeros: \(place)")
    }
  }

  @Test(arguments: borders) func oneLossMoreIsDamageAndNothingElse(pages: Int) throws {
    var random = SeededRandom(seed: UInt64(pages))
    let sample = try ParitySample(coreBytes: pages * 4096, percent: 20, &random)
    let lost = sample.places.choose(beyond: true, &random).map(\.range)
    guard lost.count == 5, lost.contains(where: { $0.lowerBound < sample.places.coreBytes }) else { return }
    let bytes = HoledBytes(bytes: sample.bytes, holes: lost)
    #expect(throws: DamageError.self, "\(pages) pages: \(lost)") { _ = try sample.comesBack(from: bytes) }
  }

  // MARK: A stretch

  /// Archives of more than a group, and of one group with the most stripes.
  @Test(arguments: [(62 << 20, 2), (30 << 20, 2), (16 << 20, 10)])
  func aLostMiBComesBackWhereverItLies(_ coreBytes: Int, _ percent: Int) throws {
    var random = SeededRandom(seed: UInt64(coreBytes + percent))
    let sample = try ParitySample(coreBytes: coreBytes + 1234, percent: percent, &random)
    let (core, count) = (sample.places.coreBytes, sample.bytes.count)
    let places =
      [
        0, 1, core / 2 + 77, core - Self.lostBytes, core - Self.lostBytes / 2 - 3, core - 1, core, core + 5,
        count - Self.lostBytes, sample.places.data * 65 * 4096 - 500_000,
      ] + (0..<4).map { _ in Int.random(in: 0...count - Self.lostBytes, using: &random) }
    for start in places where start >= 0 && start + Self.lostBytes <= count {
      let lost = start..<start + Self.lostBytes
      var wrong = sample.bytes
      wrong.replaceSubrange(lost, with: [UInt8](repeating: 0xDB, count: lost.count))
      #expect(try sample.comesBack(from: MemoryBytes(wrong, name: "sample")), "\(lost) of \(count)")
    }
    let cut = MemoryBytes(Array(sample.bytes.dropLast(Self.lostBytes)), name: "sample")
    #expect(try sample.comesBack(from: cut), "cut")
  }

  @Test func aSmallContainerBearsTheLossOfItsShare() throws {
    var random = SeededRandom(seed: 8)
    for pages in [1, 100, 256, 500, 3000] {
      let sample = try ParitySample(coreBytes: pages * 4096 - 100, percent: 2, &random)
      let lostBytes = max(1, pages / 50 - 1) * 4096
      for _ in 0..<5 {
        let start = Int.random(in: 0...sample.bytes.count - lostBytes, using: &random)
        let holes = HoledBytes(bytes: sample.bytes, holes: [start..<start + lostBytes])
        #expect(try sample.comesBack(from: holes), "\(pages) pages, \(start)")
      }
      // Of a MiB it takes some 40 KiB.
      let most = max(4, 2 * 4 * (pages + 199) / 200) * sample.places.blockBytes + 80
      #expect(sample.bytes.count - sample.places.coreBytes <= most, "\(pages) pages")
    }
  }

  @Test func bytesMoreOrLessAtTheEndDoNotMatter() throws {
    var random = SeededRandom(seed: 9)
    let sample = try ParitySample(coreBytes: 300_000, percent: 10, &random)
    for cut in [1, 31, 32, 79, 80, 81, 5000] {
      #expect(try sample.comesBack(from: MemoryBytes(sample.bytes.dropLast(cut), name: "sample")), "\(cut)")
    }
    #expect(try sample.comesBack(from: MemoryBytes(sample.bytes + [1, 2, 3], name: "sample")))
  }

  @Test func everyFlippedByteOfASmallContainerComesBack() throws {
    var random = SeededRandom(seed: 10)
    let sample = try ParitySample(coreBytes: 2000, percent: 20, &random)
    for index in sample.bytes.indices where index % 7 == 0 || index < 130 || index > sample.bytes.count - 200 {
      var wrong = sample.bytes
      wrong[index] ^= 1
      #expect(try sample.comesBack(from: MemoryBytes(wrong, name: "sample")), "byte \(index)")
    }
  }

  // MARK: What is stored

  @Test func soundBytesAreReadAsTheyAre() throws {
    var random = SeededRandom(seed: 11)
    let sample = try ParitySample(coreBytes: 70_000, percent: 5, &random)
    let reader = try ContainerReader(
      MemoryBytes(sample.bytes, name: "sample"), kind: .archive, repository: SampleContainer.repository,
      reference: sample.reference, access: .unsealed)
    #expect(try ParitySample.copy(of: reader) == sample.bytes)
    #expect(reader.parityBytes == UInt64(sample.bytes.count - sample.places.coreBytes - 32))
    try reader.verifyParity { _ in }
  }

  @Test func damageInTheParityAloneIsFound() throws {
    var random = SeededRandom(seed: 12)
    let sample = try ParitySample(coreBytes: 70_000, percent: 5, &random)
    for _ in 0..<20 {
      var wrong = sample.bytes
      wrong[Int.random(in: sample.places.coreBytes..<sample.places.sectionEnd, using: &random)] ^= 4
      let reader = try ContainerReader(
        MemoryBytes(wrong, name: "sample"), kind: .archive, repository: SampleContainer.repository,
        reference: sample.reference, access: .unsealed)
      #expect(throws: DamageError("sample", "its parity does not have its digest")) {
        try reader.verifyParity { _ in }
      }
      #expect(try ParitySample.copy(of: reader) == sample.bytes, "a copy has its parity computed anew")
    }
  }

  @Test func aSealedContainerComesBackToo() throws {
    var random = SeededRandom(seed: 13)
    let share = try #require(ParityShare("5%"))
    let sample = try SealedSample(
      frames: (0..<20).map { _ in random.bytes(20_000) }, identity: RecoveryIdentity(), parity: ParityCode(share))
    #expect(try sample.readAll().count == 21)
    var damaged = sample
    for start in stride(from: 0, to: 3 * 4096, by: 4096) { damaged.bytes[start + 5] ^= 0xFF }
    damaged.bytes.removeLast(40)
    let bytes = MemoryBytes(damaged.bytes, name: "sample")
    let repaired = RepairedBytes("sample", sample.reference.id, length: sample.reference.length) { bytes }
    let reader = try ContainerReader(
      repaired, kind: .archive, repository: sample.name.repository, reference: sample.reference,
      access: SealedSample.access(sample.identity))
    #expect(try ParitySample.copy(of: reader) == sample.bytes)
    #expect(try reader.label() == SealedSample.label)
  }

  @Test func aContainerWithoutParityHasNone() throws {
    let plain = try SampleContainer(frames: [[1, 2, 3]])
    let repaired = RepairedBytes("sample", plain.reference.id, length: plain.reference.length) {
      MemoryBytes(plain.bytes, name: "sample")
    }
    #expect(try !repaired.hasParity())
    #expect(throws: DamageError("sample", "it has no parity")) {
      var byte: UInt8 = 0
      try withUnsafeMutableBytes(of: &byte) { try repaired.read(into: $0, at: 0) }
    }
  }

  @Test func parityOfAnotherObjectIsNotUsed() throws {
    var random = SeededRandom(seed: 14)
    let sample = try ParitySample(coreBytes: 50_000, percent: 5, &random)
    let other = RepairedBytes("sample", identifier(7), length: sample.reference.length) {
      MemoryBytes(Array(sample.bytes.dropLast(100)), name: "sample")
    }
    #expect(try !other.hasParity())
  }

  // MARK: Hostile

  /// Whoever can write may put anything behind the core: it is refused, and takes neither memory nor time.
  @Test func parityThatLiesIsRefused() throws {
    var random = SeededRandom(seed: 15)
    let sample = try ParitySample(coreBytes: 40_000, percent: 10, &random)
    let end = sample.places.sectionEnd
    for seed in Trials.seeds(byDay: 300, atNight: 5000) {
      var random = SeededRandom(seed: seed)
      var hostile = sample.bytes
      let block = sample.places.coreBytes + sample.places.blockBytes * Int.random(in: 0..<4, using: &random)
      let fields = [32, 40, 42, 44, 48, 80].map { block + $0 } + [0, 8, 10, 12].map { end + $0 }
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let field = fields.randomElement(using: &random) ?? end
        for byte in field..<field + 8 where Bool.random(using: &random) {
          hostile[byte] = Bool.random(using: &random) ? 0xFF : UInt8.random(in: 0...255, using: &random)
        }
      }
      Self.seal(&hostile, block, sample.places.blockBytes, end)
      if Bool.random(using: &random) { hostile[Int.random(in: 0..<40_000, using: &random)] ^= 1 }
      do {
        #expect(try sample.comesBack(from: MemoryBytes(hostile, name: "sample")), "seed \(seed)")
      } catch is DamageError {
      } catch {
        Issue.record("seed \(seed): \(error)")
      }
    }
  }

  /// Lets the checksums vouch for what was written.
  private static func seal(_ bytes: inout [UInt8], _ block: Int, _ blockBytes: Int, _ end: Int) {
    for (start, place) in [(block, block + blockBytes - 4), (end, end + 44)] {
      let checksum = bytes[start..<place].withUnsafeBytes { CRC32.checksum($0) }
      for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index)) }
    }
  }
}
