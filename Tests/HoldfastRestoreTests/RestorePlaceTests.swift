import Glibc
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// Where a restore goes is settled once; it goes on file systems that keep no owners and modes too, and what it made
/// there goes when it is refused.
@Suite struct RestorePlaceTests {
  private let shop: TestShop
  private var target: Path { shop.directory.appending("above/target") }

  init() throws {
    shop = try TestShop(workers: 1)
    TestFiles.write("an order", to: shop.source.appending("orders"))
    TestFiles.makeDirectory(shop.directory.appending("above"))
    try shop.backup()
  }

  // MARK: The way there

  /// Does something when the repository is read, after the target was looked at.
  private final class LateProbe: OperationProbe {
    private let target: Path
    private let repository: Path
    private let state = Mutex((isArmed: false, isDone: false))
    private let meddle: @Sendable () -> Void

    init(target: Path, repository: Path, _ meddle: @escaping @Sendable () -> Void) {
      (self.target, self.repository, self.meddle) = (target, repository, meddle)
    }

    var isDone: Bool { state.withLock { $0.isDone } }

    func willPerform(_ operation: Operation, _ path: Path) throws(SystemError) {
      try willPerform(operation, path, in: .root)
    }

    func willPerform(_ operation: Operation, _ path: Path, in directory: Path) throws(SystemError) {
      let isNow = state.withLock { state in
        if operation == .status, path == target { state.isArmed = true }
        let isRead = operation == .open && (repository.contains(path) || repository.contains(directory))
        guard state.isArmed, !state.isDone, isRead else { return false }
        state.isDone = true
        return true
      }
      if isNow { meddle() }
    }

    func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
  }

  /// Whoever owns a directory above the target leads the restore nowhere else.
  @Test(arguments: [false, true]) func aLinkThatAppearsAboveTheTargetIsNotFollowed(exists: Bool) throws {
    let (above, away) = (shop.directory.appending("above"), shop.directory.appending("away"))
    let elsewhere = shop.directory.appending("elsewhere")
    TestFiles.makeDirectory(elsewhere)
    if exists { for place in [target, elsewhere.appending("target")] { TestFiles.makeDirectory(place) } }
    let probe = LateProbe(target: target, repository: shop.repositoryPath) {
      TestFiles.rename(above, to: away)
      TestFiles.symbolicLink(elsewhere.text, at: above)
    }
    try shop.restore(to: "above/target", in: shop.repository(probe: probe))
    #expect(probe.isDone)
    #expect(TestFiles.names(in: away.appending("target")) == ["orders"])
    #expect(TestFiles.allFiles(in: elsewhere) == [])
  }

  // MARK: What is made there

  @Test func aStagingDirectoryThatCannotBeUsedIsTakenBack() throws {
    TestFiles.makeDirectory(target)
    TestFiles.write("mine", to: target.appending("mine"))
    let probe = MeddlingProbe(before: .lock, of: ".holdfast-restore") { _ throws(SystemError) in
      throw SystemError("lock", Path(".holdfast-restore"), code: ENOLCK)
    }
    #expect(throws: SystemError.self) {
      try shop.restore(to: "above/target", in: shop.repository(probe: probe)) { $0.isDelta = true }
    }
    #expect(probe.times == 1)
    #expect(TestFiles.names(in: target) == ["mine"])
  }

  /// As vfat, exFAT and CIFS do, and NFS where root has no rights: each file is shown with the same owner and mode.
  @Test(.requires(.root, .bindfs), arguments: [false, true]) func aFileSystemWithoutOwnersAndModesIsRestoredTo(
    isNew: Bool
  ) throws {
    let (mounted, behind) = (shop.directory.appending("mounted"), shop.directory.appending("behind"))
    for directory in [mounted, behind] { TestFiles.makeDirectory(directory) }
    let tool = Tool()
    let mounting = tool.other(
      "sh", "-c", "bindfs --force-user=1234 --force-group=1234 --perms=a+rwx \"$0\" \"$1\"", behind.text, mounted.text)
    try #require(mounting.exitStatus == 0, "\(mounting.error)")
    defer { umount2(mounted.text, Int32(MNT_DETACH)) }
    let name = isNew ? "mounted/new" : "mounted"
    let place = shop.directory.appending(name)
    for isDelta in [false, true] {
      let progress = QuietProgress()
      if isDelta { TestFiles.write("another", to: place.appending("orders")) }
      try shop.restore(to: name, progress: progress) { $0.isDelta = isDelta }
      #expect(
        progress.warnings == [
          "the file system of \(place) shows other owners or modes than files are given: who can read and change what is restored there is up to how it is mounted"
        ])
      #expect(TestFiles.names(in: place) == ["orders"])
      #expect(TestFiles.read(place.appending("orders")) == Array("an order".utf8))
    }
  }

  // MARK: Tablespaces

  /// The parts of a restore are made whole before the first gets its names.
  @Test func aRestoreWithTablespacesIsEndedByTheSameCommand() throws {
    for directory in ["pg_tblspc", "tablespaces", "tablespaces/9"] {
      TestFiles.makeDirectory(shop.source.appending(directory))
    }
    TestFiles.symbolicLink("../tablespaces/9", at: shop.source.appending("pg_tblspc/9"))
    var random = SeededRandom(seed: 91)
    TestFiles.write(random.bytes(200_000), to: shop.source.appending("tablespaces/9/rows"))
    TestFiles.write(random.bytes(200_000), to: shop.source.appending("base"))
    try shop.backup()
    let space = shop.directory.appending("space")
    func restore(_ probe: FaultProbe = FaultProbe()) throws {
      try shop.restore(to: "above/target", in: shop.repository(probe: probe)) { $0.tablespaces = ["9": space] }
    }
    let counter = FaultProbe(of: [.write])
    try restore(counter)
    for index in 0..<counter.count {
      for place in [target, space] { TestFiles.removeTree(place) }
      #expect(throws: (any Error).self) { try restore(FaultProbe(.cut, at: index, of: [.write])) }
      try restore()
      for name in ["orders", "base"] {
        #expect(TestFiles.read(target.appending(name)) == TestFiles.read(shop.source.appending(name)))
      }
      #expect(TestFiles.read(space.appending("rows")) == TestFiles.read(shop.source.appending("tablespaces/9/rows")))
      #expect(TestFiles.names(in: space) == ["rows"])
    }
  }
}
