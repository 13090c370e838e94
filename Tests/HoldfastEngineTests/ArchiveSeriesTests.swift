import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A snapshot of several archives is as good as one of one.
@Suite struct ArchiveSeriesTests {
  private let shop: TestShop

  init() throws { shop = try TestShop(workers: 2, clock: TestHost.clock(ahead: 10)) }

  private func write(_ name: String, bytes: Int, seed: UInt64) {
    var random = SeededRandom(seed: seed)
    TestFiles.write(random.bytes(bytes), to: shop.source.appending(name))
  }

  @Test(arguments: [Compression.none, .standard]) func manyArchivesComeBackAsOneSnapshot(
    compression: Compression
  ) throws {
    for number in 0..<8 { write("file \(number)", bytes: 900_000, seed: UInt64(number)) }
    let report = try shop.backup {
      $0.archiveBytes = 1 << 20
      $0.compression = compression
    }
    #expect(report.envelope.archives.count > 2)
    #expect(report.envelope.archives.map(\.number) == report.envelope.archives.indices.map { UInt64($0) })
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.verify().exitStatus == .done)
  }

  /// A file that is read again is stored at once, also where it fills several archives, while frames of what comes
  /// after it wait for an older one.
  @Test func aLargeFileThatIsReadAgainDoesNotEndTheArchiveOfOthers() throws {
    // Its last chunk is read together with the small file behind it, which changes it; ten more jobs are to come.
    let size = 22 * Limits.archiveFrameBytes + 4096
    write("f", bytes: size, seed: 1)
    write("g", bytes: 1000, seed: 3)
    for number in 0..<10 { write("h\(number)", bytes: 250_000, seed: UInt64(10 + number)) }
    let place = shop.source.appending("f")
    let again = SeededBytes(seed: 2, count: size)
    let probe = MeddlingProbe(before: .open, of: "g") { time in
      if time == 0 { TestFiles.write(again.bytes, to: place) }
    }
    let report = try shop.backup(in: shop.repository(probe: probe, workers: 1)) {
      $0.archiveBytes = 1 << 20
      $0.compression = .none
    }
    #expect(try shop.entries()["f"]?.file?.consistency == .retried)
    #expect(report.problems == [] && report.envelope.archives.count > 8)
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.verify().exitStatus == .done)
  }
}

private struct SeededBytes: Sendable {
  let bytes: [UInt8]

  init(seed: UInt64, count: Int) {
    var random = SeededRandom(seed: seed)
    bytes = random.bytes(count)
  }
}
