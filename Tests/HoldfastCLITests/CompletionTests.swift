import HoldfastModel
import HoldfastTestSupport
import Testing

/// What the three shells make of what is typed, as their users see it.
@Suite struct CompletionTests {
  private let tool: Tool

  /// One snapshot of a source `orders`, and a directory with `holdfast` in it.
  private static let model = Prepared<Tool> {
    let tool = Tool()
    tool.run("init", "--unsealed")
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("backup", "source", "--name", "orders")
    TestFiles.makeDirectory(tool.directory.appending("bin"))
    TestFiles.symbolicLink(Tool.binary.text, at: tool.directory.appending("bin").appending("holdfast"))
    for shell in ["bash", "zsh", "fish"] {
      TestFiles.write(tool.run("completions", shell).outputBytes, to: tool.directory.appending("completions.\(shell)"))
    }
    return tool
  }

  init() throws { tool = Tool(copyOf: try Self.model.value) }

  private var environment: [String: String] {
    var environment = tool.environment
    environment["PATH"] = tool.directory.appending("bin").text + ":" + (environment["PATH"] ?? "")
    return environment
  }

  private func snapshot() throws -> String {
    try #require(tool.run("list").output.split(separator: "\n").last?.split(separator: " ").first.map(String.init))
  }

  private struct Shell: Sendable, CustomTestStringConvertible {
    let start: [String]
    let setup: String
    var testDescription: String { start[0] }
  }

  private static let shells = [
    Shell(start: ["bash", "--norc", "--noprofile", "-i"], setup: "source completions.bash"),
    Shell(
      start: ["zsh", "-f", "-i"],
      setup: "autoload -Uz compinit; compinit -D -u; source completions.zsh; bindkey -e"),
    Shell(start: ["fish", "--no-config", "-i"], setup: "source completions.fish"),
  ]

  @Test(arguments: shells)
  private func aShellCompletesCommandsOptionsSnapshotsSourcesAndDirectories(shell: Shell) throws {
    let id = try snapshot()
    let terminal = ShellAtTerminal(
      shell.start, environment: environment, directory: tool.directory.path, setup: shell.setup)
    #expect(terminal.completed("holdfast restor") == "holdfast restore")
    #expect(terminal.completed("holdfast key gen") == "holdfast key generate")
    #expect(terminal.completed("holdfast restore --dry") == "holdfast restore --dry-run")
    #expect(terminal.completed("holdfast show " + id.prefix(3)) == "holdfast show " + id)
    #expect(terminal.completed("holdfast show lat") == "holdfast show latest")
    #expect(terminal.completed("holdfast list --name or") == "holdfast list --name orders")
    #expect(terminal.completed("holdfast backup sour")?.hasPrefix("holdfast backup source") == true)
    #expect(!terminal.shown.contains("rror"), "\(terminal.shown)")
  }

  /// The question of a shell for what can stand behind `holdfast show`.
  private func ask(_ line: String..., configure: (inout RunningProcess.Start) -> Void = { _ in }) -> ProcessResult {
    var start = tool.start([
      "---completion", "show", "--", "positional@0", "\(line.count + 2)", "0", "holdfast", "show",
    ])
    start.arguments += (line + [""]).map { Array($0.utf8) }
    configure(&start)
    return RunningProcess(start).wait()
  }

  @Test func theRepositoryOfTheCommandLineComesFirst() throws {
    let id = try snapshot()
    for words in [
      ["--repository", tool.repository.text], ["-r", "'\(tool.repository.text)'"], ["-r" + tool.repository.text],
      ["--repository=\"\(tool.repository.text)\""], ["--repository", "=", tool.repository.text],
      ["-r", #"repositor\y"#],
    ] {
      let start = tool.start(
        ["---completion", "show", "--", "positional@0", "4", "0", "holdfast", "show"] + words + [""])
      var other = start
      other.environment["HOLDFAST_REPOSITORY"] = "/nowhere"
      let result = RunningProcess(other).wait()
      #expect(result.output == "latest\n\(id):full of orders, \(try time())\n", "\(words)")
    }
  }

  private func time() throws -> String {
    let lines = tool.run("show").output.split(separator: "\n")
    return String(try #require(lines.first { $0.hasPrefix("taken") }).dropFirst("taken".count)).trimmingLeadingBlanks()
  }

  @Test func whereThereIsNothingToReadNothingIsSaid() {
    for place in ["/nowhere", "", "$(touch ran)", "`touch ran`"] {
      let result = ask("-r", place) { $0.environment["HOLDFAST_REPOSITORY"] = nil }
      #expect(result.exitStatus == 0)
      #expect(result.output == "latest\n")
      #expect(result.error == "")
    }
    #expect(!TestFiles.exists(tool.directory.appending("ran")))
  }

  @Test func damageIsPassedOverWithoutAWord() throws {
    let id = try snapshot()
    tool.run("backup", "source", "--name", "orders")
    let manifests = TestFiles.allFiles(in: tool.repository).filter { $0.text.hasSuffix("/manifest.json") }
    TestFiles.write("{}", to: try #require(manifests.map(\.text).max().map { Path($0) }))
    let result = ask()
    #expect(result.output.hasPrefix("latest\n\(id):full of orders, "))
    #expect(result.error == "")
  }

  /// A fifo in the place of a file keeps whoever opens it waiting.
  @Test func whatDoesNotAnswerIsNotWaitedFor() {
    let descriptor = tool.repository.appending("holdfast.json")
    TestFiles.remove(descriptor)
    TestFiles.makeFifo(descriptor)
    let result = ask()
    #expect(result.exitStatus == 0)
    #expect(result.output == "latest\n")
    #expect(result.error == "")
  }

  @Test func aSealedRepositoryIsCompletedWithoutAskingForAnything() {
    let sealed = SealedTool()
    sealed.writePassphrase("a long passphrase")
    sealed.run("init", "--passphrase") { $0.environment["HOLDFAST_PASSPHRASE_FILE"] = "passphrase" }
    #expect(sealed.run("backup", "source").exitStatus == 0)
    let terminal = Pseudoterminal()
    TestFiles.removeTree(sealed.state)
    let result = sealed.run("---completion", "show", "--", "positional@0", "2", "0", "holdfast", "show", "") {
      $0.input = .terminal(terminal.name)
    }
    #expect(result.exitStatus == 0)
    #expect(result.output.split(separator: "\n").count == 2, "\(result.output)")
    #expect(result.error == "")
    #expect(terminal.shown == "")
    #expect(!TestFiles.exists(sealed.state), "completing remembers nothing")
  }

  @Test func aQuestionThatIsNotUnderstoodIsNotAnsweredAtThePrompt() {
    let result = tool.run("---completion", "show", "--", "positional@0", "nonsense")
    #expect(result.exitStatus == 1)
    #expect(result.output + result.error == "")
  }

  @Test func anUnknownShellIsRefused() {
    let result = tool.run("completions", "csh")
    #expect(result.exitStatus == 2)
    #expect(result.error.hasPrefix("holdfast: the value 'csh' is invalid for '<shell>'"), "\(result.error)")
  }
}

extension String {
  fileprivate func trimmingLeadingBlanks() -> String { String(drop { $0 == " " }) }
}
