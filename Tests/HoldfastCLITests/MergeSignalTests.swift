import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Whatever ends a merge in the middle: nothing is committed, nothing committed is harmed, nobody has to clean up.
@Suite(.serialized) struct MergeSignalTests {
  /// A chain that takes a while: an order, then 24 MiB that do not compress.
  private func shop() -> Tool {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("a"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    var random = SeededRandom(seed: 22)
    let part = random.bytes(1 << 20)
    TestFiles.write([[UInt8]](repeating: part, count: 24).flatMap { $0 }, to: tool.source.appending("orders.db"))
    tool.run("backup", "source")
    return tool
  }

  /// Stopped when it has begun to write. Where a merge was too fast, another shop is made.
  private func stoppedMerge() throws -> (Tool, RunningProcess) {
    for _ in 0..<5 {
      let tool = shop()
      let process = RunningProcess(tool.start(["merge"]))
      if process.stop(when: { !tool.unfinishedObjects.isEmpty }) { return (tool, process) }
    }
    throw TooFast()
  }

  private struct TooFast: Error {}

  @Test(arguments: [SIGINT, SIGTERM]) func anInterruptedMergeLeavesNothing(signal: Int32) throws {
    let (tool, process) = try stoppedMerge()
    let before = tool.run("list").output
    process.send(signal)
    process.send(SIGCONT)
    let result = process.wait()
    #expect(result.exitStatus == 130)
    #expect(result.output == "")
    #expect(result.error == "holdfast: interrupted\n")
    #expect(tool.unfinishedObjects == [])
    #expect(tool.run("list").output == before)
    #expect(tool.run("merge").exitStatus == 0)
    #expect(tool.run("verify", "--data").exitStatus == 0)
  }

  @Test(arguments: ["backup", "merge"]) func whatAKilledMergeLeavesIsCollectedByTheNextRun(next: String) throws {
    let (tool, process) = try stoppedMerge()
    let before = tool.run("list").output
    process.send(SIGKILL)
    #expect(process.wait().exitStatus == -SIGKILL)
    #expect(!tool.unfinishedObjects.isEmpty, "a killed process cannot clean up")
    #expect(tool.run("list").output == before)
    #expect(tool.run("verify", "--data").exitStatus == 0)
    let result = next == "merge" ? tool.run("merge") : tool.run("backup", "source")
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(tool.unfinishedObjects == [])
    #expect(tool.run("verify", "--data").exitStatus == 0)
    #expect(TestFiles.names(in: tool.repository.appending("sources/source")).count { $0.hasPrefix("0") } == 3)
    #expect(tool.run("cat", "latest", "orders.db").outputBytes == TestFiles.read(tool.source.appending("orders.db")))
  }
}
