import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import HoldfastWatch
import Synchronization
import Testing

/// A source is watched also where the kernel tells of no changes.
@Suite struct WatchedTreeTests {
  private let directory = TemporaryDirectory()
  private var source: Path { directory.appending("source") }

  init() {
    TestFiles.makeDirectory(directory.appending("source"))
    TestFiles.write("an order", to: directory.appending("source/1"))
  }

  /// Other programs may have used up what the kernel gives to one user: fs.inotify.max_user_instances and
  /// max_user_watches.
  @Test(arguments: [ENOSPC, EMFILE, ENFILE, ENOSYS]) func withoutNoticesLooksFindWhatChanged(code: Int32) throws {
    let refuse: WatchedTree.Opening = { path, _ throws(SystemError) in
      throw SystemError("watch", path, code: code)
    }
    var tree = WatchedTree(source, exclusions: [], files: FileSystem(), makeNotices: refuse)
    try tree.open()
    #expect(tree.isOpen && tree.notices == nil && tree.gap?.code == code)
    _ = try tree.look()
    #expect(try !tree.look())
    TestFiles.write("an order", to: directory.appending("source/2"))
    #expect(try tree.look())
  }

  @Test func aDirectoryThatIsNotThereIsNotOpen() {
    var tree = WatchedTree(directory.appending("nowhere"), exclusions: [], files: FileSystem())
    #expect(throws: SystemError.self) { try tree.open() }
    #expect(!tree.isOpen && tree.gap == nil)
  }

  /// A look at millions of files gives signs of life, and a signal ends it.
  @Test func aLookAsksForEachFileIfItGoesOn() throws {
    let asked = Mutex(0)
    let cancellation = Cancellation()
    var tree = WatchedTree(
      source, exclusions: [], files: FileSystem(),
      check: {
        asked.withLock { $0 += 1 }
        try cancellation.check()
      })
    try tree.open()
    let before = asked.withLock { $0 }
    _ = try tree.look()
    #expect(asked.withLock { $0 } > before)
    cancellation.raise()
    #expect(throws: Interrupted.self) { try tree.look() }
  }
}
