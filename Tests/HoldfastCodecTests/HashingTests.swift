import HoldfastCodec
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Digests are what format.md, section 6, says. The expected values were computed with Python's hashlib.
@Suite struct HashingTests {
  /// Two equal pages, a page of zeros and a short last one, of 512 bytes.
  private static let sample =
    Array(repeating: (0...255).map { UInt8($0) }, count: 4).flatMap { $0 } + [UInt8](repeating: 0, count: 512)
    + Array("abc".utf8)
  private static let samplePageDigests = [
    "110009dcee21620b166f3abfecb5eff7", "110009dcee21620b166f3abfecb5eff7", "00000000000000000000000000000000",
    "ba7816bf8f01cfea414140de5dae2223",
  ]

  private func pageDigests(_ bytes: [UInt8], pageSize: Int) -> [UInt8] {
    let count = (bytes.count + pageSize - 1) / pageSize
    var digests = [UInt8](repeating: 0xee, count: count * PageDigest.byteCount)
    bytes.withUnsafeBytes { bytes in
      digests.withUnsafeMutableBytes { PageHasher.hash(bytes, pageSize: pageSize, into: $0) }
    }
    return digests
  }

  @Test func pagesHaveTheirDocumentedDigests() {
    #expect(
      pageDigests(Self.sample, pageSize: 512) == Self.samplePageDigests.compactMap { Hex.decode($0) }.flatMap { $0 })
  }

  /// What a caller has forgotten must not be written behind the end, not in a release build either.
  @Test func noDigestIsWrittenWhereThereIsNoRoom() async {
    await #expect(processExitsWith: .failure) {
      let pages = [UInt8](repeating: 1, count: 513)
      var digests = [UInt8](repeating: 0, count: PageDigest.byteCount)
      pages.withUnsafeBytes { pages in
        digests.withUnsafeMutableBytes { PageHasher.hash(pages, pageSize: 512, into: $0) }
      }
    }
  }

  /// Pages are digested two at a time where the processor can, and a page of zeros or a short one comes between: each
  /// must have the digest that it has alone.
  @Test(arguments: [512, 1000, 4096, 4151, 4152, 4159, 65_536]) func everyPageHasItsOwnDigest(pageSize: Int) {
    var random = SeededRandom(seed: 83)
    for pageCount in 1...7 {
      var pages = (0..<pageCount).map { _ in random.bytes(pageSize) }
      if pageCount > 3 { pages[Int.random(in: 0..<pageCount, using: &random)] = [UInt8](repeating: 0, count: pageSize) }
      pages[pageCount - 1].removeLast(Int.random(in: 0..<pageSize, using: &random))
      let alone = pages.map { page in
        page.allSatisfy { $0 == 0 }
          ? [UInt8](repeating: 0, count: PageDigest.byteCount)
          : Array(Hasher.digest(page).bytes.prefix(PageDigest.byteCount))
      }
      #expect(
        pageDigests(Array(pages.joined()), pageSize: pageSize) == Array(alone.joined()), "seed 83, \(pageCount) pages")
    }
  }

  /// Messages are digested two at a time where the processor can, and are seldom of one length: each must have the
  /// digest that it has alone.
  @Test(arguments: [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 131_072]) func everyMessageHasItsOwnDigest(
    length: Int
  ) {
    var random = SeededRandom(seed: 89)
    for otherLength in [0, 1, 55, 56, 64, 120, 127, 4096, 131_071] {
      let lengths = [length, otherLength, 64]
      random.bytes(lengths.reduce(0, +)).withUnsafeBytes { all in
        var rest = all[...]
        let messages = lengths.map { length in
          defer { rest = rest.dropFirst(length) }
          return UnsafeRawBufferPointer(rebasing: rest.prefix(length))
        }
        for count in 0...messages.count {
          let alone = messages.prefix(count).map { Hasher.digest($0) }
          #expect(Hasher.digests(Array(messages.prefix(count))) == alone, "seed 89, \(length) and \(otherLength)")
        }
      }
    }
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    #expect(Hasher.digests([nothing, nothing]) == [Hasher.digest([]), Hasher.digest([])])
  }

  @Test func aShortLastPageOfZerosIsAZeroPage() {
    #expect(pageDigests([UInt8](repeating: 0, count: 513), pageSize: 512) == [UInt8](repeating: 0, count: 32))
  }

  @Test func oneByteMakesAPageNotZero() {
    for position in [0, 1, 7, 8, 511] {
      var page = [UInt8](repeating: 0, count: 512)
      page[position] = 1
      #expect(pageDigests(page, pageSize: 512) != [UInt8](repeating: 0, count: 16), "byte \(position)")
    }
  }

  @Test func zerosAreRecognisedAtEveryLengthAndPlace() {
    for count in 0...40 {
      for start in 0..<8 {
        var bytes = [UInt8](repeating: 0, count: 64)
        let range = start..<start + count
        for index in bytes.indices where !range.contains(index) { bytes[index] = 0xff }
        #expect(bytes.withUnsafeBytes { PageHasher.isZero(UnsafeRawBufferPointer(rebasing: $0[range])) })
        guard let last = range.last else { continue }
        bytes[last] = 1
        #expect(!bytes.withUnsafeBytes { PageHasher.isZero(UnsafeRawBufferPointer(rebasing: $0[range])) })
      }
    }
  }

  @Test func aFileHasItsDocumentedDigest() {
    var stream = PageDigestStream()
    stream.add(pageDigests(Self.sample, pageSize: 512))
    #expect(
      stream.finish(size: 1539, pageSize: 512).description
        == "3a6b031e973c7110beaef0e538eef2895c885e1969aa7b80e6c5c46786e061e0")
  }

  @Test func anEmptyFileHasItsDocumentedDigest() {
    #expect(
      PageDigestStream().finish(size: 0, pageSize: 4096).description
        == "da1e758bead73354ccc8db47bde0fb99ee70fe3a07eb655486c9fce95ab68320")
  }

  @Test func aFileOfZerosHasItsDocumentedDigest() {
    var stream = PageDigestStream()
    stream.addZeros(3000)
    #expect(
      stream.finish(size: 3000 * 4096, pageSize: 4096).description
        == "43c884d0412bcb0352f9991e26c4cb32f1bd7bff3e79a0841b61a24cc76dbd24")
  }

  @Test func piecesAddUpToTheWhole() {
    #expect(
      Hasher.digest(Array("abc".utf8)).description
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    var random = SeededRandom(seed: 81)
    let bytes = random.bytes(10_000)
    var hasher = Hasher()
    var offset = 0
    while offset < bytes.count {
      let count = min(Int.random(in: 0...700, using: &random), bytes.count - offset)
      hasher.update(Array(bytes[offset..<offset + count]))
      offset += count
    }
    #expect(hasher.finish() == Hasher.digest(bytes), "seed 81")
  }
}
