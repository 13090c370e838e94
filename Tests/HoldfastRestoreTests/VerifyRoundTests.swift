import FoundationEssentials
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Proofs that follow on each other reach everything, and this machine remembers how far they have come.
@Suite struct VerifyRoundTests {
  /// What a machine remembers outlives an update of the program: its bytes stay.
  @Test func theTimeIsStoredInWholeSeconds() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let time = Timestamp(seconds: 1_790_000_000, nanoseconds: 999_999_999)
    let bytes = try encoder.encode(VerifyRound(next: 7, time: time))
    #expect(String(decoding: bytes, as: UTF8.self) == #"{"next":7,"time":1790000000}"#)
    let read = try JSONDecoder().decode(VerifyRound.self, from: bytes)
    #expect(read == VerifyRound(next: 7, time: Timestamp(seconds: 1_790_000_000, nanoseconds: 0)))
  }

  private func filled() throws -> TestShop {
    let shop = try TestShop()
    var random = SeededRandom(seed: 7)
    for number in 0..<12 {
      TestFiles.write(random.bytes(700_000), to: shop.source.appending("orders \(number)"))
      try shop.backup(in: shop.open())
    }
    return shop
  }

  private func prove(_ shop: TestShop, first: Int, count: Int) throws -> Verify.Report {
    try shop.verify(in: shop.open()) { options in
      options.share = Double(count) / Double(VerifyRound.parts)
      options.begin = Double(first) / Double(VerifyRound.parts)
    }
  }

  @Test func stretchesThatFollowOnEachOtherProveEveryFrameOnce() throws {
    let shop = try filled()
    let all = try prove(shop, first: 0, count: VerifyRound.parts).provenFrames
    #expect(all > 30)
    for count in [1 << 13, 2260, 40_000] {
      var (first, proved) = (0, UInt64(0))
      while first < VerifyRound.parts {
        let part = min(count, VerifyRound.parts - first)
        proved += try prove(shop, first: first, count: part).provenFrames
        first += part
      }
      #expect(proved == all, "in stretches of \(count)")
    }
    // Behind the end the order begins again.
    let wrapped = try prove(shop, first: 60_000, count: 20_000).provenFrames
    let rest = try prove(shop, first: 14_464, count: 45_536).provenFrames
    #expect(wrapped + rest == all)
    #expect(wrapped > 0 && rest > 0)
  }

  @Test func aStretchIsTheSameEveryTime() throws {
    let shop = try filled()
    let counts = Set(try (0..<3).map { _ in try prove(shop, first: 0, count: 20_000).provenFrames })
    #expect(counts.count == 1)
  }
}
