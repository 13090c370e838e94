import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Whoever restores over something at a terminal is asked first; whoever cannot be asked never waits.
@Suite(.serialized) struct RestoreConfirmationTests {
  /// A target that has what the snapshot has, one file changed, and one more.
  private func shop() -> Tool {
    let tool = Tool()
    for name in ["orders", "customers", "invoices"] { TestFiles.write("one", to: tool.source.appending(name)) }
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    tool.run("restore", "--target", "target")
    TestFiles.write("another", to: tool.directory.appending("target/orders"))
    TestFiles.write("later", to: tool.directory.appending("target/later"))
    return tool
  }

  private func start(_ tool: Tool, _ options: [String], _ terminal: Pseudoterminal) -> RunningProcess {
    var start = tool.start(["restore", "--target", "target", "--delta"] + options)
    start.input = .terminal(terminal.name)
    start.error = .file(terminal.name)
    start.hasOwnSession = true
    return RunningProcess(start)
  }

  @Test(arguments: [("yes", 0), ("no", 1), ("", 1)] as [(String, Int32)])
  func atATerminalItAsks(answer: String, status: Int32) {
    let tool = shop()
    let terminal = Pseudoterminal()
    let process = start(tool, [], terminal)
    #expect(terminal.waits(for: "Type yes to go on: "), "\(terminal.shown)")
    let question = tool.plain(terminal.shown.replacing("\r\n", with: "\n"))
    #expect(
      question.contains(
        """
        holdfast: restore ID of source, taken TIME, from DIR/repository over DIR/target?
          of 4 entries in DIR/target it would change at least 1, and remove 1 (5 B)
        Type yes to go on:
        """), "\(question)")
    terminal.type(answer + "\n")
    #expect(process.wait().exitStatus == status)
    let names = TestFiles.names(in: tool.directory.appending("target")).sorted()
    #expect(names == ["customers", "invoices"] + (status == 0 ? [] : ["later"]) + ["orders"])
    if status != 0 {
      #expect(
        terminal.shown.contains(
          "holdfast: it was not confirmed, and nothing was changed\r\nHINT: Answer yes, or say --yes.\r\n"))
    }
  }

  @Test func nobodyIsAskedWhereNothingWouldChange() {
    let tool = shop()
    tool.run("restore", "--target", "target", "--delta")
    let terminal = Pseudoterminal()
    #expect(start(tool, [], terminal).wait().exitStatus == 0)
    #expect(start(tool, ["--yes"], terminal).wait().exitStatus == 0)
    TestFiles.write("later", to: tool.directory.appending("target/later"))
    #expect(start(tool, ["--missing-only"], terminal).wait().exitStatus == 0)
    #expect(start(tool, ["--yes"], terminal).wait().exitStatus == 0)
    #expect(!terminal.shown.contains("Type yes"))
    #expect(TestFiles.names(in: tool.directory.appending("target")).count == 3)
  }

  /// As under cron: the standard input is no terminal, whatever the rest is.
  @Test func withoutATerminalNothingWaits() throws {
    let tool = shop()
    let result = tool.run("restore", "--target", "target", "--delta", "--json")
    #expect(result.exitStatus == 0, "\(result.error)")
    let told = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect(told["removed"] as? [String] == ["later"])
    #expect(told["removedEntries"] as? Int == 1)
    #expect(told["removedBytes"] as? Int == 5)
    for option in ["--no-remove", "--missing-only"] {
      TestFiles.write("later", to: tool.directory.appending("target/later"))
      TestFiles.remove(tool.directory.appending("target/orders"))
      let kept = tool.run("restore", "--target", "target", option)
      #expect(kept.exitStatus == 0, "\(kept.error)")
      #expect(kept.output.contains("  removed 0 paths that the snapshot does not have\n"))
      #expect(TestFiles.names(in: tool.directory.appending("target")).count == 4)
    }
  }

  @Test func whatExcludesEachOtherIsToldWithTheUsage() {
    let tool = Tool()
    for (options, message) in [
      (["--no-remove", "--missing-only"], "--no-remove and --missing-only exclude each other"),
      (
        ["--to-end", "--missing-only"],
        "--to-time, --to-lsn, --to-xid, --to-name and --to-end exclude --no-remove and --missing-only"
      ),
    ] {
      let result = RunningProcess(tool.start(["restore", "--target", "x"] + options)).wait()
      #expect(result.exitStatus == 2)
      #expect(result.error.hasPrefix("holdfast: \(message)\n"))
    }
  }
}
