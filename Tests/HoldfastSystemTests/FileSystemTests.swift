import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Names: how directories are listed, and what opening refuses.
@Suite(.timeLimit(.minutes(30))) struct FileSystemTests {
  private let directory = TemporaryDirectory()
  private let files = FileSystem()

  @Test func aListingIsSortedByBytesWhateverTheNamesAre() throws {
    let names: [[UInt8]] = [
      [0x01], [0x0a], Array(" ".utf8), Array("-rf".utf8), Array("...".utf8), Array("A".utf8), Array("a".utf8),
      Array("aa".utf8),
      Array("a\u{308}".utf8), Array("b".utf8), [0xc3, 0xa4], [0xc3, 0xff], [0xff], [UInt8](repeating: 0xff, count: 255),
    ]
    for name in names.reversed() { TestFiles.write("", to: directory.path.appending(name)) }
    let listing = try files.open(directory.path, .directory).listing()
    let listed = (0..<listing.count).map { Array(listing[$0]) }
    #expect(listed == names.sorted { $0.lexicographicallyPrecedes($1) })
    #expect(listing.contains("-rf"))
    #expect(!listing.contains("-r"))
    #expect(!listing.contains("."))
  }

  @Test func aDirectoryCanBeListedTwice() throws {
    TestFiles.write("", to: directory.appending("a"))
    let opened = try files.open(directory.path, .directory)
    #expect(try opened.listing().count == 1)
    TestFiles.write("", to: directory.appending("b"))
    #expect(try opened.listing().count == 2)
  }

  /// inside/file, inside/deep/file, and links: inside/link → deep, inside/out → outside, inside/end → file
  private func makeLinks() throws -> OpenFile {
    for name in ["inside", "inside/deep", "outside"] { TestFiles.makeDirectory(directory.appending(name)) }
    for name in ["inside/file", "inside/deep/file", "outside/file"] {
      TestFiles.write("x", to: directory.appending(name))
    }
    TestFiles.symbolicLink("deep", at: directory.appending("inside/link"))
    TestFiles.symbolicLink("../outside", at: directory.appending("inside/out"))
    TestFiles.symbolicLink("file", at: directory.appending("inside/end"))
    return try files.open(directory.appending("inside"), .directory)
  }

  @Test(arguments: ["file", "deep/file", "./deep/file"])
  func openBeneathOpensWhatLiesBelow(_ path: String) throws {
    let root = try makeLinks()
    #expect(try files.openBeneath(Path(path), in: root, .read).status().size == 1)
  }

  @Test(arguments: [
    ("link/file", ELOOP), ("out/file", ELOOP), ("end", ELOOP), ("../outside/file", EXDEV),
    ("deep/../../outside/file", EXDEV),
    ("/etc/passwd", EXDEV), ("missing", ENOENT),
  ])
  func openBeneathRefusesLinksAndWaysOut(_ path: String, _ code: Int32) throws {
    let root = try makeLinks()
    let whole = root.path.appending(path)
    for mode in [FileSystem.Mode.read, .readWrite] {
      #expect(throws: SystemError("open", whole, code: code)) {
        try files.openBeneath(Path(path), in: root, mode)
      }
    }
    #expect(throws: SystemError("open", whole, code: code)) { try files.openForCapture(Path(path), in: root) }
  }

  @Test(arguments: ["link/new", "out/new", "../new", "/tmp/holdfast-must-not-be"])
  func openBeneathCreatesNothingOutside(_ path: String) throws {
    let root = try makeLinks()
    let before = TreeDescription(of: directory.path)
    #expect(throws: SystemError.self) { try files.openBeneath(Path(path), in: root, .create) }
    #expect(TreeDescription(of: directory.path).differences(from: before) == [])
  }

  @Test func opensDoNotFollowALinkAtTheEnd() throws {
    _ = try makeLinks()
    let link = directory.appending("inside/end")
    for mode in [FileSystem.Mode.read, .readWrite, .openOrCreate] {
      #expect(throws: SystemError("open", link, code: ELOOP)) { try files.open(link, mode) }
    }
    #expect(throws: SystemError("create", link, code: EEXIST)) { try files.open(link, .create) }
    #expect(throws: SystemError("open", directory.appending("inside/link"), code: ENOTDIR)) {
      try files.open(directory.appending("inside/link"), .directory)
    }
    _ = try files.open(directory.appending("inside/link"), .directoryFollowingLinks)
  }

  @Test func aFifoDoesNotBlockTheReader() throws {
    TestFiles.makeFifo(directory.appending("fifo"))
    let opened = try files.open(directory.appending("fifo"), .read)
    #expect(try opened.status().kind == .fifo)
  }

  @Test func aRenameReplacesOnlyWhenTold() throws {
    TestFiles.write("new", to: directory.appending("new"))
    TestFiles.write("old", to: directory.appending("old"))
    #expect(throws: SystemError("rename", directory.appending("new"), code: EEXIST)) {
      try files.rename(directory.appending("new"), to: directory.appending("old"), replacing: false)
    }
    #expect(TestFiles.read(directory.appending("old")) == Array("old".utf8))
    try files.rename(directory.appending("new"), to: directory.appending("old"), replacing: true)
    #expect(TestFiles.read(directory.appending("old")) == Array("new".utf8))
  }

  @Test func statusIsThatOfTheLinkItself() throws {
    _ = try makeLinks()
    let link = directory.appending("inside/link")
    #expect(try files.status(of: link).kind == .symbolicLink)
    #expect(try files.status(of: link, followLink: true).kind == .directory)
    #expect(try files.statusIfPresent(of: directory.appending("missing")) == nil)
    #expect(try files.statusIfPresent(of: directory.appending("inside/file/below")) == nil)
  }
}
