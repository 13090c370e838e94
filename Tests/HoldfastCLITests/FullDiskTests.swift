import HoldfastModel
import HoldfastTestSupport
import Testing

/// A disk that is full or read-only ends in a clear error, and costs nothing that is there.
@Suite(.requires(.mounts)) struct FullDiskTests {
  private func shop(bytes: Int) -> Tool {
    let tool = Tool()
    var random = SeededRandom(seed: 31)
    TestFiles.write(random.bytes(bytes), to: tool.source.appending("orders.db"))
    return tool
  }

  @Test func aBackupThatFillsTheRepositoryLosesNothing() throws {
    let tool = shop(bytes: 500_000)
    let disk = try SmallDisk(at: tool.directory.appending("repository"), mebibytes: 2)
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    let before = tool.run("list").output
    var random = SeededRandom(seed: 32)
    TestFiles.write(random.bytes(3_000_000), to: tool.source.appending("shop.log"))
    let result = tool.run("backup", "source")
    #expect(result.exitStatus == 1)
    #expect(result.output == "")
    #expect(
      tool.plain(result.error).wholeMatch(
        of:
          /holdfast: cannot write DIR\/repository\/\S+: No space left on device\nHINT: Free space on the file system of DIR\/repository\/\S+, then run the same command again.\n/
      ) != nil, "\(result.error)")
    #expect(tool.unfinishedObjects == [], "the room is free again")
    #expect(tool.run("list").output == before)
    #expect(tool.run("verify", "--data").exitStatus == 0)
    TestFiles.remove(tool.source.appending("shop.log"))
    #expect(tool.run("backup", "source").exitStatus == 0)
    withExtendedLifetime(disk) {}
  }

  @Test func aTargetThatIsTooSmallIsRefusedBeforeAnythingIsWritten() throws {
    let tool = shop(bytes: 3 << 20)
    let disk = try SmallDisk(at: tool.directory.appending("target"), mebibytes: 1)
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    for target in ["target", "target/new"] {
      let result = tool.run("restore", "--target", target)
      #expect(result.exitStatus == 1)
      #expect(
        tool.plain(result.error) == """
          holdfast: the file system of DIR/\(target) is too small: the restore needs 3.0 MiB, and 1.0 MiB are free
          HINT: Free space there, name another --target, or restore a part with --path.

          """)
      #expect(TestFiles.names(in: disk.path) == [])
    }
  }

  /// Over existing content the room cannot be known beforehand.
  @Test func aRestoreThatFillsTheTargetNamesTheWholePath() throws {
    let tool = shop(bytes: 3 << 20)
    let disk = try SmallDisk(at: tool.directory.appending("target"), mebibytes: 1)
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    let result = tool.run("restore", "--target", "target", "--delta")
    #expect(result.exitStatus == 1)
    #expect(
      tool.plain(result.error).hasSuffix(
        """
        holdfast: cannot write DIR/target/.holdfast-restore/orders.db: No space left on device
        HINT: Free space on the file system of DIR/target/.holdfast-restore/orders.db, then run the same command again.

        """), "\(result.error)")
    #expect(TestFiles.names(in: disk.path) == [".holdfast-restore"])
  }

  @Test func aReadOnlyRepositoryCanBeReadFrom() throws {
    let tool = shop(bytes: 500_000)
    let disk = try SmallDisk(at: tool.directory.appending("repository"), mebibytes: 2)
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    try disk.makeReadOnly()
    #expect(tool.run("list").exitStatus == 0)
    #expect(tool.run("verify", "--data").exitStatus == 0)
    #expect(tool.run("restore", "--target", "restored").exitStatus == 0)
    #expect(TreeDescription(of: tool.directory.appending("restored")) == TreeDescription(of: tool.source))
    let result = tool.run("backup", "source")
    #expect(result.exitStatus == 1)
    #expect(
      tool.plain(result.error) == """
        holdfast: cannot open DIR/repository/locks/source.lock: Read-only file system
        HINT: The file system is mounted read-only: remount it, or name another directory.

        """)
  }

  @Test(arguments: ["target", "target/new"])
  func aReadOnlyTargetIsNamed(target: String) throws {
    let tool = shop(bytes: 5000)
    let disk = try SmallDisk(at: tool.directory.appending("target"), mebibytes: 1)
    try disk.makeReadOnly()
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    let result = tool.run("restore", "--target", target)
    #expect(result.exitStatus == 1)
    let refused = target == "target" ? "target/.holdfast-restore" : target
    #expect(
      tool.plain(result.error) == """
        holdfast: cannot make directory DIR/\(refused): Read-only file system
        HINT: The file system is mounted read-only: remount it, or name another directory.

        """)
  }
}
