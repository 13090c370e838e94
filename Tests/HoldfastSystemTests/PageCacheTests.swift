import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A read for a capture leaves the page cache as it found it, whichever way the kernel offers.
@Suite struct PageCacheTests {
  private static let pageBytes = 4096
  private static let chunkBytes = 256 << 10
  private let directory = TemporaryDirectory.inCheckout()
  private var path: Path { directory.appending("orders") }

  @Test(.requires(.droppablePageCache), arguments: [PageCacheUse.sparing, .sparingByAdvice])
  func whatWasCachedStaysAndWhatIsBroughtInGoes(use: PageCacheUse) throws {
    #expect(try ResidentPages.complaint { try cacheChange(of: use) } == nil)
  }

  /// Reads a file of which a part is cached, in one way.
  /// - Returns: what of it is cached then, where that is something else than before.
  private func cacheChange(of use: PageCacheUse) throws -> String? {
    var random = SeededRandom(seed: 11)
    // The last page is not full.
    let bytes = random.bytes(4 << 20) + [1, 2, 3]
    TestFiles.write(bytes, to: path)
    ResidentPages.drop(path)
    ResidentPages.cache(path, at: 1 << 20, bytes: 1 << 20)
    for page in stride(from: 512, to: 768, by: 16) {
      ResidentPages.cache(path, at: page * Self.pageBytes, bytes: Self.pageBytes)
    }
    let counts = {
      (0..<4).map { ResidentPages.count(path, at: $0 << 20, bytes: 1 << 20) }
        + [ResidentPages.count(path, at: 4 << 20, bytes: 3)]
    }
    // The kernel may take some of what is cached for others who need memory, but it brings nothing in.
    let isAsCached = { (found: [Int]) in
      (240...256).contains(found[1]) && (12...16).contains(found[2]) && [found[0], found[3], found[4]] == [0, 0, 0]
    }
    let before = counts()
    guard isAsCached(before) else { return "it could not be cached in part: \(before)" }
    let files = FileSystem()
    let file = try files.openForCapture(Path("orders"), in: files.open(directory.path, .directory), use)
    let buffer = Buffer(capacity: Self.chunkBytes)
    // As a capture does: the head first, then everything.
    buffer.count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<100]), at: 0)
    #expect(buffer.used.elementsEqual(bytes[..<100]))
    for start in stride(from: 0, to: bytes.count, by: Self.chunkBytes) {
      buffer.count = try file.read(into: buffer.bytes, at: UInt64(start))
      #expect(buffer.used.elementsEqual(bytes[start..<min(start + Self.chunkBytes, bytes.count)]))
    }
    let after = counts()
    return isAsCached(after) ? nil : "\(after)"
  }

  @Test(arguments: [PageCacheUse.ordinary, .sparing, .sparingByAdvice])
  func everyWayReadsTheSame(use: PageCacheUse) throws {
    var random = SeededRandom(seed: 12)
    let bytes = random.bytes(300_001)
    TestFiles.write(bytes, to: path)
    let files = FileSystem()
    let file = try files.openForCapture(Path("orders"), in: files.open(directory.path, .directory), use)
    let buffer = Buffer(capacity: 8 << 20)
    for (offset, count) in [(0, 0), (0, 1), (4095, 2), (5000, 200_000), (300_000, 100), (300_001, 10), (0, 8 << 20)] {
      buffer.count = try file.read(
        into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count]), at: UInt64(offset))
      #expect(buffer.used.elementsEqual(bytes[min(offset, bytes.count)..<min(offset + count, bytes.count)]))
    }
  }
}
