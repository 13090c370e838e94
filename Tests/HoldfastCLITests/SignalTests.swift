import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Whatever ends a run in the middle: nothing is committed, nothing committed is harmed, nobody has to clean up.
@Suite(.serialized) struct SignalTests {
  /// Half a second for 4 MiB that do not compress: enough to stop a run in the middle.
  private static let slowly = ["--limit-rate", "8M"]

  private func shop() -> Tool {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("a"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    var random = SeededRandom(seed: 21)
    TestFiles.write(random.bytes(4 << 20), to: tool.source.appending("orders.db"))
    return tool
  }

  /// Stopped when it has begun to write. A run that was too fast is tried again.
  private func stoppedBackup(_ tool: Tool) throws -> RunningProcess {
    for _ in 0..<5 {
      let process = RunningProcess(tool.start(["backup", "source", "--full"] + Self.slowly))
      if process.stop(when: { !tool.unfinishedObjects.isEmpty }) { return process }
    }
    throw TooFast()
  }

  private func stoppedRestore(_ tool: Tool) throws -> RunningProcess {
    let target = tool.directory.appending("restored")
    for _ in 0..<5 {
      TestFiles.removeTree(target)
      let process = RunningProcess(tool.start(["restore", "--target", "restored"] + Self.slowly))
      if process.stop(when: { TestFiles.exists(target.appending(".holdfast-restore/orders.db")) }) { return process }
    }
    throw TooFast()
  }

  private struct TooFast: Error {}

  @Test(arguments: [SIGINT, SIGTERM])
  func anInterruptedBackupLeavesNothing(signal: Int32) throws {
    let tool = shop()
    let process = try stoppedBackup(tool)
    let before = tool.run("list").output
    process.send(signal)
    process.send(SIGCONT)
    let result = process.wait()
    #expect(result.exitStatus == 130)
    #expect(result.output == "")
    #expect(result.error == "holdfast: interrupted\n")
    #expect(tool.unfinishedObjects == [])
    #expect(tool.run("list").output == before)
    #expect(tool.run("verify", "--data").exitStatus == 0)
    #expect(tool.run("backup", "source").exitStatus == 0)
    #expect(tool.run("cat", "latest", "orders.db").outputBytes == TestFiles.read(tool.source.appending("orders.db")))
  }

  @Test func whatAKilledBackupLeavesIsCollectedByTheNext() throws {
    let tool = shop()
    let process = try stoppedBackup(tool)
    let before = tool.run("list").output
    process.send(SIGKILL)
    #expect(process.wait().exitStatus == -SIGKILL)
    #expect(!tool.unfinishedObjects.isEmpty, "a killed process cannot clean up")
    #expect(tool.run("list").output == before)
    #expect(tool.run("verify", "--data").exitStatus == 0)
    let next = tool.run("backup", "source")
    #expect(next.exitStatus == 0, "\(next.error)")
    #expect(tool.unfinishedObjects == [])
    #expect(tool.run("verify", "--data").exitStatus == 0)
    for directory in TestFiles.names(in: tool.repository.appending("sources/source")) where directory != "notes" {
      let snapshot = tool.repository.appending("sources/source").appending(directory)
      #expect(TestFiles.exists(snapshot.appending("manifest.json")), "\(directory) is a leftover")
    }
  }

  /// What is staged stays, and the same command goes on from there.
  @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGKILL])
  func anInterruptedRestoreShowsNoDatabaseAndGoesOn(signal: Int32) throws {
    let tool = shop()
    tool.run("backup", "source")
    let target = tool.directory.appending("restored")
    let process = try stoppedRestore(tool)
    process.send(signal)
    process.send(SIGCONT)
    let result = process.wait()
    #expect(TestFiles.names(in: target) == [".holdfast-restore"])
    if signal == SIGKILL {
      #expect(result.exitStatus == -SIGKILL)
    } else {
      #expect(result.exitStatus == 130)
      #expect(
        tool.plain(result.error).wholeMatch(
          of:
            /holdfast: WARNING: DIR\/restored is unfinished: [0-9.]+ ([KM]i)?B of 4\.0 MiB are there; run the same command again to go on, or remove DIR\/restored\/\.holdfast-restore to begin anew\nholdfast: interrupted\n/
        ) != nil, "\(result.error)")
    }
    let next = tool.run("restore", "--target", "restored")
    #expect(next.exitStatus == 0, "\(next.error)")
    #expect(TreeDescription(of: target) == TreeDescription(of: tool.source))
  }

  /// Over what is there a killed restore leaves the unfinished file hidden; the same command again ends it.
  @Test(arguments: [SIGTERM, SIGKILL])
  func anInterruptedDeltaIsEndedByTheSameCommand(signal: Int32) throws {
    let tool = shop()
    tool.run("backup", "source")
    let target = tool.directory.appending("restored")
    TestFiles.makeDirectory(target)
    TestFiles.write("older", to: target.appending("orders.db"))
    let process = RunningProcess(tool.start(["restore", "--target", "restored", "--delta"] + Self.slowly))
    try #require(process.stop { TestFiles.exists(target.appending(".holdfast-restore/orders.db")) })
    process.send(signal)
    process.send(SIGCONT)
    let result = process.wait()
    #expect(!TestFiles.exists(target.appending("orders.db")), "half a database under its name")
    if signal == SIGTERM {
      #expect(result.exitStatus == 130)
      #expect(
        tool.plain(result.error).wholeMatch(
          of:
            /holdfast: WARNING: DIR\/restored is unfinished: [0-9.]+ ([KM]i)?B of 4\.0 MiB are there; run the same command again to end it, and leave DIR\/restored\/\.holdfast-restore as it is: files of the target wait in it\nholdfast: interrupted\n/
        ) != nil, "\(result.error)")
    }
    #expect(tool.run("restore", "--target", "restored", "--delta").exitStatus == 0)
    #expect(TreeDescription(of: target) == TreeDescription(of: tool.source))
  }
}
