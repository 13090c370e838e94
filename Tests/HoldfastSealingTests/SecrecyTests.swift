import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What is backed up can be seen neither in a sealed repository nor on the disks of the machine that seals it. The same
/// is looked for in an unsealed one and found there, so that the search is one.
@Suite struct SecrecyTests {
  /// A shop whose files, contents and path can be told from everything else on this machine.
  private struct Shop {
    let shop: TestShop
    let mark: String
    let page: [UInt8]
    let fileName: String

    init(isSealed: Bool) throws {
      shop = try TestShop(isSealed: isSealed)
      mark = Hex.encode(Randomness.system.bytes(8))
      fileName = "invoice-\(mark)"
      page = Array("paid by \(mark)\n".utf8)
      TestFiles.write(page, to: shop.source.appending(fileName))
      TestFiles.symbolicLink("target-\(mark)", at: shop.source.appending("link"))
      TestFiles.setExtendedAttribute(shop.source.appending(fileName), "user.\(mark)", Array("value-\(mark)".utf8))
      try backup()
    }

    /// Nothing is compressed: what is in the clear can be read as it is.
    func backup() throws {
      try shop.backup(in: shop.open(as: .backupHost)) { $0.compression = .none }
    }

    /// What nobody may see.
    func secrets() throws -> [(name: String, bytes: [UInt8])] {
      let entries = try shop.entries()
      let file = try #require(entries[fileName]?.file)
      let state = try shop.repository.containers.replay(shop.repository.catalog.chain(to: shop.snapshot()))
      let pageDigest = Array(Hasher.digest(page).bytes.prefix(PageDigest.byteCount))
      let texts: [(name: String, bytes: [UInt8])] = [
        ("the mark", Array(mark.utf8)), ("contents", page), ("a name", Array(fileName.utf8)),
        ("the source's path", shop.source.bytes),
      ]
      let digests: [(name: String, bytes: [UInt8])] = [
        ("a page digest", pageDigest), ("a page's whole digest", Hasher.digest(page).bytes),
        ("a file digest", file.digest.bytes), ("the state root", state.summary.root.bytes),
      ]
      return texts + digests
        + digests.map { (name: $0.name + " in hexadecimal", bytes: Array(Hex.encode($0.bytes).utf8)) }
    }

    /// Which secrets the files below a directory hold.
    func found(below directory: Path) throws -> Set<String> {
      try found(in: TestFiles.allFiles(in: directory).map { TestFiles.read($0) ?? [] })
    }

    func found(in contents: [[UInt8]]) throws -> Set<String> {
      #expect(!contents.isEmpty)
      return Set(try secrets().filter { secret in contents.contains { TestFiles.holds($0, secret.bytes) } }.map(\.name))
    }
  }

  @Test func theRepositoryShowsNothingOfTheSource() throws {
    let sealed = try Shop(isSealed: true)
    #expect(try sealed.found(below: sealed.shop.repositoryPath) == [])
    TestFiles.write(sealed.page + sealed.page, to: sealed.shop.source.appending("another \(sealed.mark)"))
    try sealed.backup()
    #expect(try sealed.found(below: sealed.shop.repositoryPath) == [])
    let plain = try Shop(isSealed: false)
    #expect(
      try plain.found(below: plain.shop.repositoryPath) == [
        "the mark", "contents", "a name", "the source's path", "a page digest", "a page's whole digest",
        "a file digest", "the state root in hexadecimal",
      ])
  }

  @Test func theCacheShowsNothingOfTheSource() throws {
    let sealed = try Shop(isSealed: true)
    #expect(try sealed.found(below: sealed.shop.cachePath) == [])
    let plain = try Shop(isSealed: false)
    #expect(
      try plain.found(below: plain.shop.cachePath) == [
        "the mark", "a name", "a page digest", "a file digest", "the state root",
      ])
  }

  /// A cache is written with the kernel's leave to read it for its owner alone, sealed or not.
  @Test func theCacheIsPrivate() throws {
    let sealed = try Shop(isSealed: true)
    for file in TestFiles.allFiles(in: sealed.shop.cachePath) {
      #expect((TreeDescription(of: file).nodes["."]?.mode ?? 0) & 0o777 == 0o600)
    }
  }

  /// What this machine remembers tells where a source lay, to who can read its disk, and nothing of what is in it.
  @Test func theMemoryShowsWhereTheSourceLay() throws {
    let sealed = try Shop(isSealed: true)
    #expect(try sealed.found(below: sealed.shop.memoryPath) == ["the source's path"])
  }

  /// Files without a name, of this process: they are on a disk all the same.
  private func scratchFiles() -> [[UInt8]] {
    TestFiles.names(in: Path("/proc/self/fd")).compactMap { name in
      let path = Path("/proc/self/fd/\(name)")
      let target = TreeDescription(of: path).nodes["."]?.content ?? []
      guard target.starts(with: Array("/tmp/#".utf8)) else { return nil }
      return TestFiles.read(path)
    }
  }

  @Test(arguments: [false, true]) func aScratchFileShowsNothingOfTheSource(isSealed: Bool) throws {
    let shop = try Shop(isSealed: isSealed)
    let repository = try shop.shop.open(as: .owner)
    let state = try repository.containers.replay(repository.catalog.chain(to: shop.shop.snapshot())).bytes
    // A state as large as those that do not stay in memory.
    var bytes = [UInt8](repeating: 0, count: 5 << 20)
    try bytes.withUnsafeMutableBytes {
      try state.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<Int(state.length)]), at: 0)
    }
    let scratch = ScratchSpace(host: shop.shop.host, isSealed: isSealed).make()
    try bytes.withUnsafeBytes { try scratch.append($0) }
    try scratch.finish()
    let contents = scratchFiles()
    withExtendedLifetime(scratch) {}
    #expect(try shop.found(in: contents) == (isSealed ? [] : ["the mark", "a name", "a page digest", "a file digest"]))
  }

  /// How long a path is can be seen in steps of 128 bytes only, and equal files look different in each snapshot.
  @Test func equalSnapshotsLookDifferent() throws {
    let sealed = try Shop(isSealed: true)
    try sealed.shop.backup(.full, in: sealed.shop.open(as: .backupHost)) { $0.compression = .none }
    let objects = TestFiles.allFiles(in: sealed.shop.repositoryPath.appending("sources"))
      .filter { !$0.description.hasSuffix(".json") }.map { TestFiles.read($0) ?? [] }
    #expect(objects.count == 4)
    // Behind the header and the fixed beginning of the preamble no 16 bytes are the same in two of them.
    var seen: [[UInt8]: Int] = [:]
    for (number, object) in objects.enumerated() {
      let frames = object[(64 + 8 + 16)..<SealedShop.number(object, at: object.count - 32, count: 8)]
      for start in stride(from: frames.startIndex, to: frames.endIndex - 16, by: 1) {
        let bytes = Array(frames[start..<start + 16])
        #expect(seen[bytes] == nil || seen[bytes] == number, "objects \(number) and \(seen[bytes] ?? -1)")
        seen[bytes] = number
      }
    }
  }
}
