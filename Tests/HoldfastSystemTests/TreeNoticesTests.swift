import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What changes in a tree is told, and what is only read is not.
@Suite struct TreeNoticesTests {
  private let directory = TemporaryDirectory()
  private let files = FileSystem()
  private var root: Path { directory.appending("source") }

  init() {
    TestFiles.makeDirectory(directory.appending("source"))
    TestFiles.makeDirectory(directory.appending("source/old"))
    TestFiles.write("an order", to: directory.appending("source/old/1"))
  }

  private func notices(_ isLeftOut: @escaping (Path) -> Bool = { _ in false }) throws -> TreeNotices {
    try TreeNotices(root, files: files, isLeftOut: isLeftOut)
  }

  @Test func everyKindOfChangeIsTold() throws {
    let notices = try notices()
    #expect(notices.count == 2 && notices.gap == nil)
    #expect(notices.take() == TreeNotices.News())
    let changes: [(String, () throws -> Void)] = [
      ("a new file", { TestFiles.write("b", to: directory.appending("source/2")) }),
      ("new contents", { TestFiles.write("c", to: directory.appending("source/old/1")) }),
      ("a mode", { chmod(directory.appending("source/old/1").text, 0o600) }),
      ("a name", { rename(directory.appending("source/2").text, directory.appending("source/old/3").text) }),
      ("a removal", { unlink(directory.appending("source/old/3").text) }),
      ("a new directory", { TestFiles.makeDirectory(directory.appending("source/new")) }),
    ]
    for (name, change) in changes {
      try change()
      #expect(notices.take() == TreeNotices.News(isChanged: true), "\(name)")
      #expect(notices.take() == TreeNotices.News(), "\(name) is told once")
    }
  }

  /// A backup reads, lists and locks everything: that must not lead to the next one.
  @Test func readingIsNoChange() throws {
    let notices = try notices()
    let file = try files.open(directory.appending("source/old/1"), .read)
    _ = try file.contents(max: 100)
    _ = try file.lockShared(0..<1)
    _ = try files.open(root, .directory).listing()
    #expect(notices.take() == TreeNotices.News())
  }

  /// What is made in a directory before it is watched is seen by whoever looks after the news of that directory.
  @Test func newDirectoriesAreWatchedWithAllThatIsInThem() throws {
    let notices = try notices()
    mkdir(directory.appending("source/a").text, 0o700)
    mkdir(directory.appending("source/a/b").text, 0o700)
    mkdir(directory.appending("elsewhere").text, 0o700)
    mkdir(directory.appending("elsewhere/c").text, 0o700)
    rename(directory.appending("elsewhere").text, directory.appending("source/moved").text)
    #expect(notices.take() == TreeNotices.News(isChanged: true))
    for place in ["source/a/b/1", "source/moved/c/1"] {
      TestFiles.write("an order", to: directory.appending(place))
      #expect(notices.take() == TreeNotices.News(isChanged: true), "\(place)")
    }
  }

  /// What was moved out of the source is no part of it any more, and what was moved within it still is.
  @Test func aDirectoryThatIsMovedAwayIsWatchedNoMore() throws {
    mkdir(directory.appending("source/old/deep").text, 0o700)
    let notices = try notices()
    #expect(notices.count == 3)
    rename(directory.appending("source/old").text, directory.appending("aside").text)
    #expect(notices.take() == TreeNotices.News(isChanged: true))
    #expect(notices.count == 1)
    TestFiles.write("b", to: directory.appending("aside/1"))
    TestFiles.write("b", to: directory.appending("aside/deep/1"))
    #expect(notices.take() == TreeNotices.News())
    rename(directory.appending("aside").text, directory.appending("source/new").text)
    #expect(notices.take() == TreeNotices.News(isChanged: true))
    rename(directory.appending("source/new").text, directory.appending("source/newer").text)
    #expect(notices.take() == TreeNotices.News(isChanged: true))
    #expect(notices.count == 3)
    TestFiles.write("c", to: directory.appending("source/newer/deep/1"))
    #expect(notices.take() == TreeNotices.News(isChanged: true))
  }

  @Test func whatIsLeftOutIsNotTold() throws {
    let notices = try notices { $0 == Path("old") || $0 == Path("index") }
    #expect(notices.count == 1)
    TestFiles.write("b", to: directory.appending("source/old/2"))
    TestFiles.write("b", to: directory.appending("source/index"))
    #expect(notices.take() == TreeNotices.News())
  }

  @Test(arguments: ["moved", "removed"]) func aSourceThatGoesIsTold(how: String) throws {
    let notices = try notices()
    if how == "moved" {
      rename(root.text, directory.appending("aside").text)
    } else {
      TestFiles.removeTree(root)
    }
    #expect(notices.take().isGone)
  }

  @Test(.requires(.mounts)) func aSourceThatIsUnmountedIsTold() throws {
    let disk = try SmallDisk(at: directory.appending("disk"), mebibytes: 1)
    let notices = try TreeNotices(disk.path, files: files)
    umount2(disk.path.text, 0)
    #expect(notices.take().isGone)
  }

  /// The kernel keeps a limited number of events.
  @Test func moreThanTheKernelKeepsIsToldAsUnknown() throws {
    let notices = try notices()
    let limit = try files.open(Path("/proc/sys/fs/inotify/max_queued_events"), .read).contents(max: 100)
    let count = Int(String(decoding: limit, as: UTF8.self).trimmingPrefix(" ").prefix { $0.isNumber }) ?? 16_384
    guard count <= 100_000 else {
      print("the kernel keeps \(count) events: too many to make more of them in a test")
      return
    }
    for index in 0...count / 2 {
      let name = directory.appending("source/\(index % 2)").text
      close(open(name, O_CREAT | O_WRONLY, 0o600))
      unlink(name)
    }
    #expect(notices.take().isOverflown)
    #expect(!notices.take().isOverflown)
  }

  @Test func whatIsNoDirectoryCannotBeWatched() {
    #expect(throws: SystemError.self) { try TreeNotices(directory.appending("nowhere"), files: files) }
  }
}
