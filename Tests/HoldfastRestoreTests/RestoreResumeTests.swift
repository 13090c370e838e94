import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A restore that was interrupted goes on from what it has staged, and trusts no byte of it that it has not proved. One
/// that was refused leaves nothing.
@Suite struct RestoreResumeTests {
  private let shop: TestShop
  private var target: Path { shop.directory.appending("target") }
  private var stage: Path { target.appending(".holdfast-restore") }

  init() throws {
    shop = try TestShop(workers: 1, clock: TestHost.clock(ahead: 10))
    var random = SeededRandom(seed: 61)
    TestFiles.makeDirectory(shop.source.appending("days"))
    for day in 0..<8 { TestFiles.write(random.bytes(300_000), to: shop.source.appending("days/\(day)")) }
    TestFiles.symbolicLink("days/3", at: shop.source.appending("link"))
    TestFiles.link(shop.source.appending("days/5"), as: shop.source.appending("five"))
  }

  private var whole: TreeDescription { TreeDescription(of: shop.source) }

  /// Stops a restore when it has written three quarters.
  private func interrupt(configure: (inout Restore.Options) -> Void = { _ in }) throws {
    let counter = FaultProbe(.cut, of: [.write])
    try shop.restore(to: "count", in: shop.repository(probe: counter), configure: configure)
    TestFiles.removeTree(shop.directory.appending("count"))
    let probe = FaultProbe(.fail(EIO), at: counter.count * 3 / 4, of: [.write])
    #expect(throws: SystemError.self) {
      try shop.restore(to: "target", in: shop.repository(probe: probe), configure: configure)
    }
    #expect(TestFiles.names(in: target) == [".holdfast-restore"])
  }

  @Test func whatIsStagedIsNotReadAgain() throws {
    try shop.backup()
    let fresh = try shop.restore(to: "fresh")
    try interrupt()
    let report = try shop.restore(to: "target")
    #expect(report.readBytes < fresh.readBytes / 2)
    #expect(TreeDescription(of: target).differences(from: whole) == [])
  }

  /// Whatever happened to it meanwhile, as after a power cut.
  @Test func aStagedByteThatIsWrongIsWrittenAgain() throws {
    try shop.backup()
    try interrupt()
    TestFiles.overwrite(stage.appending("days/0"), at: 5000, with: [0, 0, 0])
    TestFiles.truncate(stage.appending("days/1"), to: 70_000)
    TestFiles.write("stray", to: stage.appending("days/stray"))
    TestFiles.write("stray", to: stage.appending("stray"))
    TestFiles.removeTree(stage.appending("days/2"))
    TestFiles.makeDirectory(stage.appending("days/2"))
    TestFiles.setMode(stage.appending("days"), 0o500)
    try shop.restore(to: "target")
    #expect(TreeDescription(of: target).differences(from: whole) == [])
  }

  @Test func anotherSnapshotIsRestoredOverWhatIsStaged() throws {
    let first = try shop.backup().envelope.snapshot.description
    let before = whole
    TestFiles.overwrite(shop.source.appending("days/0"), at: 100, with: [1, 2, 3])
    TestFiles.remove(shop.source.appending("days/1"))
    TestFiles.remove(shop.source.appending("link"))
    TestFiles.makeDirectory(shop.source.appending("link"))
    try shop.backup()
    try interrupt()
    try shop.restore(first, to: "target")
    #expect(TreeDescription(of: target).differences(from: before) == [])
  }

  @Test func aPartIsRestoredOverWhatIsStagedOfAll() throws {
    try shop.backup()
    try interrupt()
    try shop.restore(to: "target") { $0.paths = [Path("days/0")] }
    #expect(TestFiles.names(in: target.appending("days")) == ["0"])
    #expect(TestFiles.names(in: target) == ["days"])
  }

  /// Files of the target wait in the staging directory then: only the same restore, or one of everything, may go on.
  @Test func aPartialDeltaIsEndedByTheSameCommandOnly() throws {
    try shop.backup()
    TestFiles.copyTree(shop.source, to: target)
    for day in 0..<8 { TestFiles.overwrite(target.appending("days/\(day)"), at: 0, with: [9]) }
    func restore(_ paths: [String], probe: FaultProbe = FaultProbe()) throws {
      try shop.restore(to: "target", in: shop.repository(probe: probe)) {
        $0.isDelta = true
        $0.paths = paths.map { Path($0) }
      }
    }
    #expect(throws: SystemError.self) {
      try restore(["days/0", "days/1"], probe: FaultProbe(.fail(EIO), at: 1, of: [.truncate]))
    }
    do {
      try restore(["days/7"])
      Issue.record("other files may wait there")
    } catch let error as EngineError {
      #expect(
        error.message.replacing("2 files", with: "1 file")
          == "an earlier restore into \(target) did not end: \(stage) holds 1 file of it (such as days/0) that this one would not bring back"
      )
      #expect(error.hint?.hasSuffix(" --target \(target) --delta --path days/0 --path days/1`.") == true)
    }
    try restore(["days/1", "days/0"])
    #expect(TestFiles.read(target.appending("days/0")) == TestFiles.read(shop.source.appending("days/0")))
    #expect(!TestFiles.exists(stage))
  }

  // MARK: Refused

  @Test func aRefusedRestoreLeavesNothing() throws {
    try shop.backup()
    TestFiles.makeDirectory(target)
    TestFiles.symbolicLink("/nowhere", at: target.appending("days"))
    #expect(throws: EngineError.self) {
      try shop.restore(to: "target") {
        $0.isDelta = true
        $0.paths = [Path("days/0")]
      }
    }
    #expect(TestFiles.names(in: target) == ["days"])
  }

  /// The repository is damaged: to go on from what is staged would not help.
  @Test func aRestoreThatCannotBeEndedLeavesNoDirectoryThatItMade() throws {
    try shop.backup()
    for path in TestFiles.allFiles(in: shop.repositoryPath) where path.lastComponent.starts(with: Array("archive".utf8))
    {
      guard let size = TestFiles.status(path)?.size else { continue }
      TestFiles.overwrite(path, at: Int(size) / 2, with: [UInt8](repeating: 0xA5, count: 64))
    }
    #expect(throws: DamageError.self) { try shop.restore(to: "new/deep/target") }
    #expect(!TestFiles.exists(shop.directory.appending("new")))
  }

  // MARK: Directories above

  @Test func directoriesAboveAPathAreAsInTheSnapshot() throws {
    let place = shop.source.appending("days")
    TestFiles.setMode(place, 0o2751)
    if geteuid() == 0 { TestFiles.setOwner(place, userID: 1234, groupID: 1234) }
    TestFiles.setMode(place, 0o2751)
    TestFiles.setMode(shop.source, 0o751)
    TestFiles.setModified(place, seconds: 1_600_000_000, nanoseconds: 7)
    try shop.backup()
    let mask = umask(0o022)
    defer { umask(mask) }
    try shop.restore(to: "new/deep/target") { $0.paths = [Path("days/0")] }
    let restored = TreeDescription(of: shop.directory.appending("new/deep/target")).nodes
    #expect(restored["days"] == whole.nodes["days"])
    #expect(TestFiles.permissions(shop.directory.appending("new/deep/target")) == 0o751)
    for above in ["new", "new/deep"] { #expect(TestFiles.permissions(shop.directory.appending(above)) == 0o755) }
    try shop.restore(to: "over") { $0.paths = [Path("link")] }
    TestFiles.setMode(shop.directory.appending("over"), 0o711)
    try shop.restore(to: "over") {
      $0.paths = [Path("days/0")]
      $0.isDelta = true
    }
    #expect(TreeDescription(of: shop.directory.appending("over")).nodes["days"] == whole.nodes["days"])
    #expect(TestFiles.permissions(shop.directory.appending("over")) == 0o711, "what was there stays as it is")
  }
}
