import HoldfastModel
import HoldfastTestSupport
import Testing

/// Progress is for people at a terminal; logs and pipes never see it.
@Suite(.serialized) struct TerminalTests {
  private func shop() -> Tool {
    let tool = Tool()
    var random = SeededRandom(seed: 41)
    let part = random.bytes(1 << 20)
    var bytes: [UInt8] = []
    for _ in 0..<32 { bytes += part }
    TestFiles.write(bytes, to: tool.source.appending("orders.db"))
    tool.run("init", "--unsealed")
    return tool
  }

  /// A backup that reads for longer than the tenth of a second after which a terminal sees progress.
  private func slowBackup(_ tool: Tool, error: RunningProcess.Output, _ options: String...) -> ProcessResult {
    var start = tool.start(["backup", "source", "--full", "--limit-rate", "32M"] + options)
    start.error = error
    return RunningProcess(start).wait()
  }

  @Test func onATerminalALineChangesAndIsTakenAway() throws {
    let tool = shop()
    let result = slowBackup(tool, error: .terminal)
    #expect(result.exitStatus == 0)
    let clear = "\r\u{1B}[K"
    #expect(
      result.error.contains(/\r\u{1B}\[Kreading  [0-9.]+ [KM]iB of 32.0 MiB  (1 file  )?[0-9.]+ [KM]iB\/s/),
      "\(result.error.debugDescription)")
    #expect(result.error.hasSuffix(clear), "the line is taken away at the end")
    #expect(!result.error.contains("\n"))
    #expect(!result.output.contains("\r"))
    let again = slowBackup(tool, error: .terminal)
    #expect(again.exitStatus == 0)
  }

  @Test func withoutATerminalThereIsNone() throws {
    let tool = shop()
    let result = slowBackup(tool, error: .captured)
    #expect(result.exitStatus == 0)
    #expect(result.error == "")
    #expect(!result.output.contains { $0 == "\r" || $0 == "\u{1B}" })
  }

  @Test func quietIsQuietOnATerminalToo() throws {
    let tool = shop()
    let result = slowBackup(tool, error: .terminal, "--quiet")
    #expect(result.exitStatus == 0)
    #expect(result.error == "")
    #expect(result.output == "")
  }

  @Test(arguments: [["list"], ["show", "--files"], ["diff", "latest", "latest"], ["cat", "latest", "orders.db"]])
  func aReaderThatGoesAwayIsNoCrash(command: [String]) {
    let tool = shop()
    tool.run("backup", "source")
    var start = tool.start(command)
    start.output = .closedPipe
    let result = RunningProcess(start).wait()
    #expect(result.exitStatus >= 0, "ended by signal \(-result.exitStatus)")
    let lines = result.error.split(separator: "\n").filter { !$0.hasPrefix("holdfast: from ") }
    #expect(lines == [])
    var piped = RunningProcess.Start(
      ["sh", "-c", #""$@" | head -n 1 | wc -l"#, "sh", Tool.binary.text] + command)
    piped.environment = tool.environment
    piped.directory = tool.directory.path
    #expect(RunningProcess(piped).wait().error.split(separator: "\n").filter { !$0.hasPrefix("holdfast: from ") } == [])
  }
}
