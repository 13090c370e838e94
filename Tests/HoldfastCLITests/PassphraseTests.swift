import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A passphrase is typed at a terminal that does not show it, and whatever ends the asking leaves the terminal as it
/// was.
@Suite(.serialized) struct PassphraseTests {
  private static let words = "ten words that nobody would guess"

  /// Starts `holdfast` at a terminal, types each answer when its prompt has come, and waits for the end.
  private func atTerminal(
    _ tool: SealedTool, _ arguments: [String], _ answers: [(prompt: String, answer: String)]
  ) -> (result: ProcessResult, terminal: Pseudoterminal) {
    let terminal = Pseudoterminal()
    var start = tool.start(arguments)
    start.input = .terminal(terminal.name)
    let process = RunningProcess(start)
    for (prompt, answer) in answers {
      #expect(terminal.waits(for: prompt), "shown: \(terminal.shown)")
      #expect(terminal.waits { !terminal.isEchoing }, "a passphrase may not be shown")
      terminal.type(answer)
    }
    return (process.wait(), terminal)
  }

  private func atNewPassphrase(_ tool: SealedTool, _ first: String, _ second: String) -> (ProcessResult, Pseudoterminal)
  {
    atTerminal(
      tool, ["init", "--passphrase"], [("New passphrase: ", first + "\n"), ("The same again: ", second + "\n")])
  }

  /// A repository that is sealed to `words`, with one snapshot. Each use of a passphrase takes half a second.
  private static let model = Prepared<SealedTool> {
    let tool = SealedTool()
    tool.writePassphrase(words)
    let made = tool.run("init", "--passphrase") { $0.environment["HOLDFAST_PASSPHRASE_FILE"] = "passphrase" }
    try #require(made.exitStatus == 0, "\(made.error)")
    tool.run("backup", "source")
    return tool
  }

  private func sealed() throws -> SealedTool { SealedTool(copyOf: try Self.model.value) }

  @Test func aNewPassphraseIsAskedForTwiceAndNeverShown() {
    let tool = SealedTool()
    let (made, terminal) = atNewPassphrase(tool, Self.words, Self.words)
    #expect(made.exitStatus == 0, "\(made.error)")
    #expect(terminal.shown == "New passphrase: \r\nThe same again: \r\n")
    #expect(terminal.isEchoing, "the terminal is left as it was")
    #expect(tool.plain(made.output).contains("\nit is sealed to passphrase-1 (ID); keep the passphrase safe: "))
    tool.run("backup", "source")
    let (restored, again) = atTerminal(
      tool, ["restore", "--target", "restored"], [("Passphrase: ", Self.words + "\n")])
    #expect(restored.exitStatus == 0, "\(restored.error)")
    #expect(again.shown == "Passphrase: \r\n")
    #expect(TreeDescription(of: tool.directory.appending("restored")) == TreeDescription(of: tool.source))
  }

  @Test func twoThatDifferMakeNothing() {
    let tool = SealedTool()
    let (result, terminal) = atNewPassphrase(tool, Self.words, Self.words + " ")
    result.expectRefusal(12, "the two passphrases differ", hint: "Run the command again.")
    #expect(terminal.isEchoing)
    #expect(!TestFiles.exists(tool.repository.appending("holdfast.json")))
  }

  @Test func aProcessThatMayNotHaveTheMemoryForItSaysSo() {
    let tool = SealedTool()
    tool.writePassphrase(Self.words)
    var start = tool.start([])
    start.arguments = ["sh", "-c", "ulimit -v 120000; exec \"$0\" init --passphrase", Tool.binary.text].map {
      Array($0.utf8)
    }
    start.environment["HOLDFAST_PASSPHRASE_FILE"] = "passphrase"
    RunningProcess(start).wait().expectRefusal(
      1, "there is not enough memory to try a passphrase: it takes 128 MiB",
      hint: "Free some, or raise the limit of this process (ulimit -v).")
    #expect(!TestFiles.exists(tool.repository.appending("holdfast.json")))
  }

  @Test func anEmptyOneIsRefused() {
    let tool = SealedTool()
    let (result, terminal) = atNewPassphrase(tool, "", "")
    result.expectRefusal(12, "the passphrase is empty", hint: "Use several words that nobody would guess.")
    #expect(terminal.isEchoing)
    #expect(!TestFiles.exists(tool.repository.appending("holdfast.json")))
  }

  @Test func theEndOfInputEndsTheAsking() {
    let tool = SealedTool()
    let (result, terminal) = atTerminal(
      tool, ["init", "--passphrase"], [("New passphrase: ", "\u{4}"), ("The same again: ", "\u{4}")])
    result.expectRefusal(12, "the passphrase is empty", hint: "Use several words that nobody would guess.")
    #expect(terminal.isEchoing)
  }

  @Test func aWrongOneIsRefusedAndNamesTheRecipients() throws {
    let tool = try sealed()
    let (result, _) = atTerminal(tool, ["restore", "--target", "restored"], [("Passphrase: ", "guess\n")])
    let id = try #require(tool.shortIDs(of: "recipient").first)
    result.expectRefusal(
      12, "the passphrase is wrong",
      hint: "It is that of none of passphrase-1 (\(id)): try again, or name an --identity.")
    #expect(!TestFiles.exists(tool.directory.appending("restored")))
    tool.writePassphrase("guess", to: "wrong")
    tool.run("verify") { $0.environment["HOLDFAST_PASSPHRASE_FILE"] = "wrong" }.expectRefusal(
      12, "the passphrase is wrong",
      hint: "It is that of none of passphrase-1 (\(id)): try again, or name an --identity.")
  }

  /// Ctrl-C, and what a closing window sends.
  @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
  func aSignalEndsTheAskingAndTheTerminalShowsAgainWhatIsTyped(signal: Int32) throws {
    let tool = try sealed()
    let terminal = Pseudoterminal()
    var start = tool.start(["restore", "--target", "restored"])
    start.input = .terminal(terminal.name)
    let process = RunningProcess(start)
    #expect(terminal.waits(for: "Passphrase: "))
    if signal == SIGINT { terminal.type("half of it\u{3}") } else { process.send(signal) }
    process.wait().expectRefusal(130, "interrupted", hint: nil)
    #expect(terminal.isEchoing)
    #expect(!TestFiles.exists(tool.directory.appending("restored")))
  }

  @Test func withoutATerminalItIsSaidHowToGiveOne() throws {
    let tool = try sealed()
    let id = try #require(tool.shortIDs(of: "recipient").first)
    for arguments in [
      ["restore", "--target", "restored"], ["cat", "latest", "orders"], ["diff", "latest", "latest"],
    ] {
      tool.run(arguments).expectRefusal(
        12, "the repository is sealed, and no identity was named; it is sealed to passphrase-1 (\(id))",
        hint:
          "Name the identity of one of them with --identity FILE or HOLDFAST_IDENTITY_FILE; or set HOLDFAST_PASSPHRASE_FILE, or run this at a terminal to be asked for a passphrase."
      )
    }
  }

  @Test func whatRunsUnattendedNeverAsks() throws {
    let tool = try sealed()
    for arguments in [["backup", "source", "--name", "source"], ["verify", "--data"], ["list"], ["key", "list"]] {
      let (result, terminal) = atTerminal(tool, arguments, [])
      #expect(result.exitStatus == 0, "\(arguments): \(result.error)")
      #expect(terminal.shown == "")
    }
  }

  /// Replacing a passphrase takes nobody's access to what was sealed to the old one.
  @Test func aReplacedPassphraseOpensWhatWasSealedToIt() throws {
    let tool = try sealed()
    TestFiles.write("a later order", to: tool.source.appending("orders"))
    let (added, terminal) = atTerminal(
      tool, ["key", "add", "--passphrase", "--label", "new"],
      [("Passphrase: ", Self.words + "\n"), ("New passphrase: ", "others\n"), ("The same again: ", "others\n")])
    #expect(added.exitStatus == 0, "\(added.error)")
    #expect(terminal.shown == "Passphrase: \r\nNew passphrase: \r\nThe same again: \r\n")
    let (removed, _) = atTerminal(tool, ["key", "remove", "passphrase-1"], [("Passphrase: ", "others\n")])
    #expect(removed.exitStatus == 0, "\(removed.error)")
    #expect(
      tool.run("backup", "source", "--name", "source").output.contains(
        " (the recipients have changed since the last full)\n"))
    let lines = tool.run("list").output.split(separator: "\n")
    let snapshots = lines.filter { $0.contains("#") }.compactMap { $0.firstMatch(of: /[0-9a-f]{8}/)?.output }
    #expect(snapshots.count == 2)
    tool.writePassphrase("others", to: "others")
    for (file, opened, closed) in [("passphrase", 0, 1), ("others", 1, 0)] {
      let use: (inout RunningProcess.Start) -> Void = { $0.environment["HOLDFAST_PASSPHRASE_FILE"] = file }
      #expect(
        tool.run("cat", String(snapshots[opened]), "orders", configure: use).output
          == ["an order", "a later order"][opened])
      #expect(tool.run("cat", String(snapshots[closed]), "orders", configure: use).exitStatus == 12)
    }
  }
}
