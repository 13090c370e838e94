import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A hostile repository cannot crash, exhaust or escape the process that reads it.
@Suite struct HostileTests {
  private typealias Handmade = HandmadeRepository

  private let hostile: HandmadeRepository
  private var outside: Path { hostile.shop.directory.appending("outside") }

  init() throws {
    hostile = try HandmadeRepository()
    TestFiles.makeDirectory(hostile.shop.directory.appending("outside"))
    TestFiles.write("secret", to: hostile.shop.directory.appending("outside/secret"))
  }

  /// Neither verify nor restore takes the repository for sound, and nothing outside of the target is touched.
  private func expectRefused(_ finding: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let before = (TreeDescription(of: outside), TestFiles.status(outside.appending("secret")))
    let report = try hostile.shop.verify(data: true)
    #expect(report.exitStatus == .dataLoss, sourceLocation: sourceLocation)
    let messages = report.snapshots.flatMap(\.findings).map(\.message)
    #expect(messages.contains { $0.contains(finding) }, "\(messages)", sourceLocation: sourceLocation)
    for isDelta in [false, true] {
      #expect(throws: DamageError.self, sourceLocation: sourceLocation) {
        try hostile.shop.restore(to: "target") { $0.isDelta = isDelta }
      }
    }
    #expect(TreeDescription(of: outside) == before.0, sourceLocation: sourceLocation)
    #expect(TestFiles.status(outside.appending("secret")) == before.1, sourceLocation: sourceLocation)
    let target = hostile.shop.directory.appending("target")
    #expect(TestFiles.names(in: target).filter { $0 != ".holdfast-restore" } == [], sourceLocation: sourceLocation)
  }

  // MARK: Paths

  static let impossiblePaths = [
    "../outside/new", "/tmp/new", "a//b", "./a", "a/..", "..", "a/", "nul\0", String(repeating: "n", count: 256),
  ]

  @Test(arguments: impossiblePaths) func aPathThatLeadsOutOrCannotBe(path: String) throws {
    try hostile.add([Handmade.root, Handmade.item(path, .fifo)])
    try expectRefused("is not a possible path of an entry")
  }

  @Test func aFileBehindASymbolicLink() throws {
    let link = Handmade.item("s", .symbolicLink(target: outside.bytes))
    try hostile.add([Handmade.root, link, Handmade.file("s/new", size: 0, extents: [])])
    try expectRefused("s/new lies in no directory")
  }

  /// The directory becomes a link in a later snapshot, which does not remove what was below it.
  @Test func aDirectoryThatBecomesALinkAboveAFile() throws {
    let file = Handmade.file("d/new", size: 0, extents: [])
    try hostile.add([Handmade.root, Handmade.item("d", .directory), file])
    let full = try hostile.shop.snapshot()
    let link = Handmade.item("d", .symbolicLink(target: outside.bytes))
    try hostile.add([link], parent: full, state: [Handmade.root, link, file])
    try expectRefused("d/new lies in no directory")
  }

  @Test func aTreeWithoutARoot() throws {
    try hostile.add([Handmade.item("a", .fifo)])
    try expectRefused("a lies in no directory")
  }

  @Test func aRootThatIsALink() throws {
    try hostile.add([Handmade.item("", .symbolicLink(target: outside.bytes))])
    try expectRefused("its root is not a directory")
  }

  // MARK: Hard links

  @Test(arguments: ["s", "s/secret", "z", "none"]) func aHardLinkToWhatIsNoFileOfTheState(target: String) throws {
    let path = target == "s" ? outside.appending("secret") : outside
    let link = Handmade.item("s", .symbolicLink(target: path.bytes))
    try hostile.add([Handmade.root, link, Handmade.item("t", .hardLink(to: Path(target)))])
    try expectRefused(target == "z" ? "t links to" : "a hard link leads to")
  }

  @Test(arguments: ["../outside/secret", "/etc/passwd"]) func aHardLinkThatLeadsOut(target: String) throws {
    try hostile.add([Handmade.root, Handmade.item("t", .hardLink(to: Path(target)))])
    try expectRefused("is not a possible path of an entry")
  }

  // MARK: Sizes

  /// Nothing covers the pages: found at once, whatever the size is.
  @Test func aHugeFileWithoutPages() throws {
    try hostile.add([Handmade.root, Handmade.file("huge", size: 1 << 62, extents: [])])
    try expectRefused("is in no snapshot of the chain")
  }

  /// Eight tebibytes of zeros cost nothing.
  @Test func manyZeros() throws {
    let zeros = PageExtent(first: 0, count: 1 << 25, location: nil, digests: [])
    try hostile.add([Handmade.root, Handmade.file("zeros", size: 1 << 43, pageSize: 1 << 18, extents: [zeros])])
    try hostile.shop.restore(to: "target")
    let status = TestFiles.status(hostile.shop.directory.appending("target/zeros"))
    #expect(status?.size == 1 << 43)
    #expect(status?.allocated == 0)
  }

  @Test(arguments: [100, 513, 1 << 19, 0]) func anImpossiblePageSize(pageSize: UInt32) throws {
    let content = FileContent(
      size: 0, pageSize: pageSize, consistency: .stable, digest: Handmade.digest([]))
    try hostile.add([Handmade.root, Handmade.item("file", .file(content))])
    try expectRefused("a page size of \(pageSize) is not possible")
  }

  // MARK: Pages

  private static let page = [UInt8](repeating: 7, count: 4096)

  @Test func aPageOfAMissingArchive() throws {
    let extent = Handmade.extent(Self.page, archive: 5)
    try hostile.add([Handmade.root, Handmade.file("file", size: 4096, extents: [extent])], frames: [Self.page])
    try expectRefused("it refers to archive 5, which it does not have")
  }

  @Test func aPageOfAMissingFrame() throws {
    let extent = Handmade.extent(Self.page, frame: 9)
    try hostile.add([Handmade.root, Handmade.file("file", size: 4096, extents: [extent])], frames: [Self.page])
    try expectRefused("it has no frame 9")
  }

  @Test(arguments: [UInt32(1), 4096, 4 << 20]) func aPageBeyondItsFrame(offset: UInt32) throws {
    let extent = Handmade.extent(Self.page, offset: offset)
    try hostile.add([Handmade.root, Handmade.file("file", size: 4096, extents: [extent])], frames: [Self.page])
    try expectRefused(offset > 4096 ? "lies outside its frame" : "is shorter than its manifest says")
  }

  @Test func aPageWithAnotherDigest() throws {
    var extent = Handmade.extent(Self.page)
    extent.digests[3] ^= 1
    try hostile.add([Handmade.root, Handmade.file("file", size: 4096, extents: [extent])], frames: [Self.page])
    try expectRefused("a page in frame 0 does not have its digest")
  }

  @Test func anExtentBeyondItsFile() throws {
    let extent = PageExtent(first: 0, count: 1 << 50, location: nil, digests: [])
    let content = FileContent(
      size: 4096, pageSize: 4096, consistency: .stable, digest: Handmade.digest([]))
    var item = Handmade.item("file", .file(content))
    item.extents = [extent]
    try hostile.add([Handmade.root, item])
    try expectRefused("a run of pages lies outside its file")
  }

  @Test func aFileWithAnotherDigest() throws {
    let content = FileContent(
      size: 4096, pageSize: 4096, consistency: .stable, digest: Handmade.digest([]))
    var item = Handmade.item("file", .file(content))
    item.extents = [PageExtent(first: 0, count: 1, location: nil, digests: [])]
    try hostile.add([Handmade.root, item])
    try expectRefused("the pages of file do not add up to its digest")
  }

  // MARK: States

  @Test func anotherStateRoot() throws {
    let state = [Handmade.root, Handmade.item("b", .fifo)]
    try hostile.add([Handmade.root, Handmade.item("a", .fifo)], state: state)
    try expectRefused("replaying its chain gives another state than it records")
  }

  @Test func pagesThatAreInheritedFromNothing() throws {
    try hostile.add([Handmade.root, Handmade.file("file", size: 4096, extents: [], inherits: true)])
    try expectRefused("file inherits pages from nothing")
  }

  @Test func pagesThatAreInheritedFromAnotherPageSize() throws {
    let zeros = PageExtent(first: 0, count: 1, location: nil, digests: [])
    try hostile.add([Handmade.root, Handmade.file("file", size: 4096, extents: [zeros])])
    let full = try hostile.shop.snapshot()
    let file = Handmade.file("file", size: 4096, pageSize: 512, extents: [], inherits: true)
    try hostile.add([file], parent: full, state: [Handmade.root, file])
    try expectRefused("file inherits pages from what has none")
  }

  @Test func aRemovalOfWhatIsNotThere() throws {
    try hostile.add([Handmade.root], removed: [Path("a")])
    try expectRefused("it removes what is not there")
  }

  @Test func entriesOutOfOrder() throws {
    try hostile.add([Handmade.root, Handmade.item("b", .fifo), Handmade.item("a", .fifo)])
    try expectRefused("a is out of order")
  }

  /// Devices come back as devices, in the target and nowhere else.
  @Test func deviceNodes() throws {
    let before = TreeDescription(of: outside)
    try hostile.add([
      Handmade.root, Handmade.item("block", .blockDevice(major: 4095, minor: 1_048_575)),
      Handmade.item("null", .characterDevice(major: 1, minor: 3)),
    ])
    _ = try? hostile.shop.restore(to: "target")
    #expect(TreeDescription(of: outside) == before)
    #expect(try hostile.shop.verify().exitStatus == .done)
  }

  /// JSON that is nested without end is refused like any other that is not sound.
  @Test func aManifestThatIsNestedTooDeep() throws {
    try hostile.add([Handmade.root])
    let snapshot = try hostile.shop.snapshot()
    let key = Keys.manifest(snapshot.sourceName, 1)
    let line = Array("{\"format\":".utf8) + [UInt8](repeating: UInt8(ascii: "["), count: 1 << 20) + [10]
    hostile.store.contents[key] = line + Array("\"\(HandmadeRepository.digest(line))\"\n".utf8)
    #expect(try hostile.shop.verify().unreadable.map(\.finding) == ["it is not sound JSON"])
  }
}
