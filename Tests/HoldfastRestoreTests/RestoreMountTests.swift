import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A restore over a target in which something is mounted: what the snapshot has there comes back, and what it does not
/// know stays.
@Suite(.requires(.mounts)) struct RestoreMountTests {
  private let shop: TestShop
  private var target: Path { shop.target }

  init() throws {
    shop = try TestShop(workers: 1, clock: TestHost.clock(ahead: 10))
    shop.write("top", "top")
  }

  /// A target with the snapshot in it, and a mount.
  private func mount(_ name: String, isBind: Bool = false) throws -> SmallDisk {
    TestFiles.copyTree(shop.source, to: target)
    let place = target.appending(name)
    let saved = shop.directory.appending("saved")
    if TestFiles.exists(place) { TestFiles.rename(place, to: saved) }
    let disk: SmallDisk
    if isBind {
      let other = shop.directory.appending("other place")
      TestFiles.makeDirectory(other)
      TestFiles.makeDirectory(place)
      disk = try SmallDisk(showing: other, at: place)
    } else {
      disk = try SmallDisk(at: place, mebibytes: 8)
    }
    for name in TestFiles.names(in: saved) {
      // Only files: whoever opens a fifo waits.
      guard TestFiles.status(saved.appending(name))?.kind == .file else { continue }
      TestFiles.write(TestFiles.read(saved.appending(name)) ?? [], to: place.appending(name))
    }
    return disk
  }

  // MARK: Known

  private func makePhotos() {
    TestFiles.makeDirectory(shop.source.appending("photos"))
    shop.write("changed", "photos/big")
    shop.write("lost", "photos/lost")
    TestFiles.symbolicLink("big", at: shop.source.appending("photos/link"))
    TestFiles.makeFifo(shop.source.appending("photos/fifo"))
  }

  private func disturbPhotos() {
    shop.write("xxanged", "photos/big", in: target)
    for name in ["lost", "link", "fifo"] { TestFiles.remove(target.appending("photos").appending(name)) }
    shop.write("new", "photos/new", in: target)
    shop.write("xxx", "top", in: target)
  }

  @Test(arguments: [false, true]) func aKnownMountIsRestoredInItself(isBind: Bool) throws {
    makePhotos()
    try shop.backup()
    let disk = try mount("photos", isBind: isBind)
    disturbPhotos()
    let report = try shop.restoreOver()
    #expect(report.problems == [] && report.leftAlone == [])
    #expect(TreeDescription(of: target).differences(from: TreeDescription(of: shop.source)) == [])
    withExtendedLifetime(disk) {}
  }

  /// Wherever it is cut off, the same restore ends it, and nothing of it stays in either file system.
  @Test func anInterruptedRestoreOverAMountIsEnded() throws {
    makePhotos()
    try shop.backup()
    let disk = try mount("photos")
    disturbPhotos()
    let counter = FaultProbe()
    try shop.restoreOver(in: shop.repository(probe: counter))
    for index in stride(from: 0, to: counter.count, by: 3) {
      disturbPhotos()
      let probe = FaultProbe(.cut, at: index)
      #expect(throws: (any Error).self) { try shop.restoreOver(in: shop.repository(probe: probe)) }
      try shop.restoreOver()
      #expect(
        TreeDescription(of: target).differences(from: TreeDescription(of: shop.source)) == [],
        "operation \(index)")
    }
    withExtendedLifetime(disk) {}
  }

  /// Its staging directory is there as well, and tells a backup that the target is unfinished.
  @Test func whatIsStagedInAMountIsNoContent() throws {
    makePhotos()
    try shop.backup()
    let disk = try mount("photos")
    disturbPhotos()
    let probe = FaultProbe(.fail(ENOSPC), at: 1, of: [.write])
    #expect(throws: SystemError.self) { try shop.restoreOver(in: shop.repository(probe: probe)) }
    #expect(TestFiles.exists(target.appending("photos/.holdfast-restore")))
    let report = try shop.backup { $0.source = target }
    #expect(report.problems.map(\.path).contains(Path("photos/.holdfast-restore")))
    withExtendedLifetime(disk) {}
  }

  // MARK: Unknown

  enum Known: CaseIterable { case nothing, emptyDirectory, inDirectoryThatGoes }

  @Test(arguments: Known.allCases) func whatIsMountedAndNotInTheSnapshotStays(known: Known) throws {
    if known == .emptyDirectory { TestFiles.makeDirectory(shop.source.appending("scratch")) }
    try shop.backup()
    let place = known == .inDirectoryThatGoes ? "gone/scratch" : "scratch"
    TestFiles.makeDirectory(target)
    if known == .inDirectoryThatGoes {
      TestFiles.makeDirectory(target.appending("gone"))
      shop.write("goes", "gone/file", in: target)
    }
    let disk = try SmallDisk(at: target.appending(place), mebibytes: 1)
    shop.write("xxx", "top", in: target)
    shop.write("precious", "\(place)/other", in: target)
    for isDryRun in [true, false] {
      let report = try shop.restoreOver { $0.isDryRun = isDryRun }
      #expect(report.leftAlone == [target.appending(place)])
      #expect(report.removed == (known == .inDirectoryThatGoes ? [Path("gone/file")] : []))
      #expect(report.exitStatus == .done)
    }
    #expect(shop.targetText("top") == "top")
    #expect(shop.targetText("\(place)/other") == "precious")
    #expect(TestFiles.exists(target.appending("gone/file")) == false)
    let report = try shop.restoreOver { $0.crossesMounts = true }
    #expect(report.leftAlone == [])
    #expect(TestFiles.names(in: target.appending(place)) == [])
    withExtendedLifetime(disk) {}
  }

  @Test func aMountWhereTheSnapshotHasAFileIsRefusedBeforeAnythingChanges() throws {
    shop.write("a file", "scratch")
    try shop.backup()
    TestFiles.makeDirectory(target)
    shop.write("xxx", "top", in: target)
    let disk = try SmallDisk(at: target.appending("scratch"), mebibytes: 1)
    for crosses in [false, true] {
      #expect(
        refusal { try shop.restoreOver { $0.crossesMounts = crosses } } == """
          something is mounted at scratch in the target, and the snapshot has something else at scratch
          HINT: Unmount it, or restore the rest with --path.
          """)
    }
    #expect(shop.targetText("top") == "xxx")
    #expect(TestFiles.names(in: target).sorted() == ["scratch", "top"])
    withExtendedLifetime(disk) {}
  }

  /// A file system of another user's process, which even root may not look into.
  @Test(.requires(.fuse), arguments: [false, true]) func whatCannotBeExaminedStays(isKnown: Bool) throws {
    TestFiles.makeDirectory(shop.source.appending("mnt"))
    if isKnown { shop.write("inside", "mnt/inside") }
    try shop.backup()
    TestFiles.copyTree(shop.source, to: target)
    shop.write("xxx", "top", in: target)
    let process = open("/dev/fuse", O_RDWR)
    defer { close(process) }
    let place = target.appending("mnt").text
    let options = "fd=\(process),rootmode=40000,user_id=65534,group_id=65534"
    try #require(process >= 0 && Glibc.mount("fuse", place, "fuse", 0, options) == 0)
    defer { umount2(place, Int32(MNT_DETACH)) }
    let progress = QuietProgress()
    let said = refusal { try shop.restore(to: "target", progress: progress) { $0.isDelta = true } }
    if isKnown {
      #expect(said.hasPrefix("something is mounted at mnt in the target, and the snapshot has something else at mnt\n"))
    } else {
      #expect(progress.warnings == ["\(target)/mnt is mounted there and cannot be examined: it is left as it is"])
    }
    #expect(shop.targetText("top") == (isKnown ? "xxx" : "top"))
  }

  // MARK: Single files

  @Test func aFileThatIsMountedByItselfStaysAndIsNamedWhereItDiffers() throws {
    shop.write("settings", "settings")
    try shop.backup()
    TestFiles.copyTree(shop.source, to: target)
    let other = shop.directory.appending("other settings")
    for (content, problems) in [("settings", 0), ("sxttings", 1), ("longer settings", 1)] {
      TestFiles.write(content, to: other)
      TestFiles.setMode(other, 0o644)
      let disk = try SmallDisk(showing: other, at: target.appending("settings"))
      shop.write("xxx", "top", in: target)
      let report = try shop.restoreOver()
      #expect(
        report.problems.map(\.reason)
          == Array(
            repeating:
              "it is mounted by itself and not as in the snapshot: unmount it, and run the same command again",
            count: problems))
      #expect(shop.targetText("settings") == content)
      #expect(shop.targetText("top") == "top")
      withExtendedLifetime(disk) {}
    }
  }

  // MARK: lost+found

  /// What mkfs makes in the root of a file system, as far as its attributes tell.
  private func makeLostAndFound(in root: Path) {
    TestFiles.makeDirectory(root.appending("lost+found"), mode: 0o700)
    shop.write("recovered", "lost+found/#12", in: root)
  }

  @Test func theLostAndFoundOfAFileSystemIsNoContent() throws {
    try shop.backup()
    let disk = try SmallDisk(at: target, mebibytes: 4)
    makeLostAndFound(in: target)
    try shop.restore(to: "target")
    #expect(shop.targetText("top") == "top")
    try shop.restoreOver()
    #expect(shop.targetText("lost+found/#12") == "recovered")
    let report = try shop.backup { $0.source = target }
    #expect(report.problems == [])
    try shop.restore(report.envelope.snapshot.description, to: "again")
    #expect(TestFiles.names(in: shop.directory.appending("again")) == ["top"])
    withExtendedLifetime(disk) {}
  }

  /// One that was captured as content, by another program or from elsewhere, does not take the place of the target's
  /// own.
  @Test func aCapturedLostAndFoundDoesNotReplaceTheTargetsOwn() throws {
    makeLostAndFound(in: shop.source)
    try shop.backup()
    #expect(try shop.entries()["lost+found"] != nil, "of a directory that is no root of a file system it is content")
    let disk = try SmallDisk(at: target, mebibytes: 4)
    TestFiles.makeDirectory(target.appending("lost+found"), mode: 0o700)
    try shop.restore(to: "target")
    #expect(TestFiles.names(in: target).sorted() == ["lost+found", "top"])
    #expect(TestFiles.names(in: target.appending("lost+found")) == [])
    withExtendedLifetime(disk) {}
  }

  /// Over existing content it is left out as well, there and where something is mounted below.
  @Test func aCapturedLostAndFoundIsNotRestoredOverTheTargetsOwn() throws {
    makeLostAndFound(in: shop.source)
    TestFiles.makeDirectory(shop.source.appending("pg_wal"))
    shop.write("log", "pg_wal/log")
    makeLostAndFound(in: shop.source.appending("pg_wal"))
    try shop.backup()
    let disk = try SmallDisk(at: target, mebibytes: 4)
    let inner = try SmallDisk(at: target.appending("pg_wal"), mebibytes: 4)
    for name in ["lost+found", "pg_wal/lost+found"] {
      TestFiles.makeDirectory(target.appending(name), mode: 0o700)
      shop.write("own", "\(name)/#7", in: target)
    }
    try shop.restoreOver()
    #expect(shop.targetText("top") == "top" && shop.targetText("pg_wal/log") == "log")
    for name in ["lost+found", "pg_wal/lost+found"] {
      #expect(TestFiles.names(in: target.appending(name)) == ["#7"])
    }
    withExtendedLifetime((disk, inner)) {}
  }
}
