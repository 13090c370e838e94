import HoldfastModel
import HoldfastTestSupport
import Testing

/// Errors are red and warnings yellow, and levels have their colours, on a terminal that has colours. Nothing else has
/// one, and no pipe, file or program ever gets any.
@Suite struct ColorTests {
  private let tool = Tool()

  init() {
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
  }

  private func run(
    _ arguments: String..., output: RunningProcess.Output = .captured, error: RunningProcess.Output = .terminal,
    with variables: [String: String] = ["TERM": "xterm-256color"]
  ) -> ProcessResult {
    var start = tool.start(arguments)
    start.environment.merge(variables) { $1 }
    (start.output, start.error) = (output, error)
    return RunningProcess(start).wait()
  }

  private let red = "\u{1B}[31m"
  private let yellow = "\u{1B}[33m"
  private let plain = "\u{1B}[0m"

  @Test func anErrorIsRedAndItsHintIsNot() {
    let result = run("restore", "nothing", "--target", "new")
    #expect(result.error.hasPrefix("\(red)holdfast: "), "\(result.error.debugDescription)")
    #expect(result.error.contains("\(plain)\nHINT: "), "\(result.error.debugDescription)")
    #expect(result.error.ranges(of: "\u{1B}").count == 2)
  }

  @Test func wrongUsageIsRedAndTheUsageIsNot() {
    let result = run("backup", "--frobnicate")
    #expect(
      result.error.hasPrefix("\(red)holdfast: unknown option '--frobnicate'\(plain)\nUsage: holdfast backup "),
      "\(result.error.debugDescription)")
    #expect(result.error.ranges(of: "\u{1B}").count == 2)
  }

  @Test func aWarningIsYellow() {
    let result = run(
      "backup", "source", "--quiet",
      with: ["TERM": "xterm", "HOLDFAST_NOTIFY_COMMAND": "exit 4", "HOLDFAST_NOTIFY_ON": "success"])
    #expect(
      result.error
        == "\(yellow)holdfast: WARNING: nobody was told of this run: the command failed with exit status 4\(plain)\n")
  }

  @Test func levelsOfStatusHaveTheirColours() {
    tool.run("backup", "source", "--name", "shop")
    let well = run("status", output: .terminal, error: .captured)
    #expect(well.output.hasPrefix("shop: \u{1B}[32mOK\(plain)\n"), "\(well.output.debugDescription)")
    #expect(well.output.ranges(of: "\u{1B}").count == 2)
    tool.run("backup", "source", "--name", "shop")
    let late = run("status", "--max-chain", "1", output: .terminal, error: .captured)
    #expect(late.exitStatus == 30)
    #expect(late.output.hasPrefix("shop: \(red)CRITICAL\(plain)\n"), "\(late.output.debugDescription)")
    let quiet = run("status", "--max-chain", "1", "--quiet")
    #expect(quiet.error.hasPrefix("\(red)holdfast: CRITICAL: shop: "), "\(quiet.error.debugDescription)")
  }

  @Test(arguments: [
    ["TERM": "dumb"], ["TERM": ""], [:], ["TERM": "xterm", "NO_COLOR": "1"], ["TERM": "xterm", "NO_COLOR": "false"],
  ])
  func whoWantsNoneGetsNone(variables: [String: String]) {
    tool.run("backup", "source", "--name", "shop")
    #expect(!run("restore", "nothing", "--target", "new", with: variables).error.contains("\u{1B}"))
    #expect(!run("status", output: .terminal, error: .captured, with: variables).output.contains("\u{1B}"))
  }

  /// As https://no-color.org says it.
  @Test func anEmptyVariableForbidsNothing() {
    let result = run("backup", "--frobnicate", with: ["TERM": "xterm", "NO_COLOR": ""])
    #expect(result.error.hasPrefix(red), "\(result.error.debugDescription)")
  }

  @Test func noPipeAndNoJSONGetsColours() {
    tool.run("backup", "source", "--name", "shop")
    #expect(!run("restore", "nothing", "--target", "new", error: .captured).error.contains("\u{1B}"))
    #expect(!run("status", error: .captured).output.contains("\u{1B}"))
    #expect(!run("status", "--json", output: .terminal, error: .captured).output.contains("\u{1B}"))
    #expect(!run("show", "nothing", "--json", output: .terminal, error: .captured).output.contains("\u{1B}"))
  }
}
