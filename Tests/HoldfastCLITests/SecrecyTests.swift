import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// What is secret appears in no output, on no command line, in no file, and in no dump of memory.
@Suite struct SecrecyTests {
  private static let passphrase = "correct horse battery staple"

  /// Everything that may not be seen, and the part of each that alone would be enough.
  private func secrets(_ tool: SealedTool) -> [String] {
    let keys = ["identity", "other", "writer.key"].map { tool.secret($0) }
    return keys + keys.compactMap { $0.firstMatch(of: /[0-9a-f]{64}/).map { String($0.output) } } + [Self.passphrase]
  }

  private func shop() -> SealedTool {
    let tool = SealedTool()
    tool.writePassphrase(Self.passphrase)
    tool.generate("other")
    let recipient = tool.generate("identity")
    TestFiles.write("a customer's address", to: tool.source.appending("customers.csv"))
    tool.run("init", "--recipient", recipient, "--passphrase") {
      $0.environment["HOLDFAST_PASSPHRASE_FILE"] = "passphrase"
    }
    return tool
  }

  @Test func noOutputContainsASecret() {
    let tool = shop()
    let other = tool.generate("third")
    let commands: [[String]] = [
      ["backup", "source"], ["backup", "source", "--json"], ["list"], ["list", "--json"], ["show"],
      ["show", "--files", "--json"], ["diff", "latest", "latest"], ["cat", "latest", "orders"], ["verify", "--data"],
      ["verify", "--data", "--json", "--junit", "report.xml"], ["restore", "--target", "restored"],
      ["restore", "--target", "restored", "--delta", "--json"], ["key", "list"], ["key", "list", "--json"],
      ["key", "add", "--recipient", other], ["key", "rotate", "recipient-1", "--recipient", tool.generate("fourth")],
      ["key", "add", "--passphrase", "--label", "again"], ["key", "generate", "identity"],
      ["key", "generate", "fifth", "--json"], ["key", "generate", "--writer", "sixth"], ["key", "forget"],
      ["verify", "--identity-command", "cat writer.key"], ["verify", "--identity-command", "cat identity; exit 1"],
      ["backup", "source", "--writer-key", "identity"], ["key", "add", "--writer", tool.secret("other")],
      ["key", "add", "--recipient", tool.secret("other")], ["init", "--recipient", tool.secret("writer.key")],
      ["--help"], ["key", "--help"],
    ]
    let secrets = secrets(tool)
    #expect(secrets.count == 7)
    for command in commands {
      for file in ["identity"] + Trials.first(1, of: ["other", "writer.key", "passphrase"].shuffled()) {
        let result = tool.run(command) {
          $0.environment["HOLDFAST_IDENTITY_FILE"] = command.contains("--identity-command") ? "" : file
          $0.environment["HOLDFAST_PASSPHRASE_FILE"] = "passphrase"
        }
        let seen = result.output + result.error
        for secret in secrets { #expect(!seen.contains(secret), "\(command) with \(file)") }
      }
    }
  }

  @Test func noFileContainsASecretOrWhatWasSealed() throws {
    let tool = shop()
    for kind in ["--full", "--incremental", "--differential"] {
      TestFiles.write("another order \(kind)", to: tool.source.appending("orders"))
      #expect(tool.run("backup", "source", kind, "--compression", "none").exitStatus == 0)
    }
    #expect(
      tool.run("key", "add", "--recipient", tool.generate("third"), "--identity", "identity").exitStatus == 0)
    let hidden = secrets(tool) + ["a customer's address", "another order", "customers.csv", "orders"]
    let files = [tool.repository, tool.tool.cache].flatMap { TestFiles.allFiles(in: $0) }
    #expect(files.count > 12)
    for file in files {
      let text = String(decoding: try #require(TestFiles.read(file)), as: UTF8.self)
      for secret in hidden + [tool.source.text] { #expect(!text.contains(secret), "\(file) contains \(secret)") }
    }
    for file in TestFiles.allFiles(in: tool.state) {
      let text = String(decoding: try #require(TestFiles.read(file)), as: UTF8.self)
      for secret in hidden { #expect(!text.contains(secret), "\(file) contains \(secret)") }
      #expect(TestFiles.permissions(file) == 0o600)
    }
  }

  /// Looked at while it has its keys: it waits for one more of them.
  @Test(.requires(.unprivilegedUser)) func aRunningProcessCannotBeLookedInto() throws {
    let tool = shop()
    tool.run("backup", "source")
    TestFiles.setMode(tool.directory.path, 0o777)
    let nobody = try Unprivileged(tool.tool)
    tool.tool.other("chmod", "-R", "a+rX", "repository")
    tool.tool.other("cp", "identity", "copy")
    TestFiles.setMode(tool.directory.appending("copy"), 0o600)
    if Tool.isRoot {
      TestFiles.setOwner(tool.directory.appending("copy"), userID: Unprivileged.userID, groupID: Unprivileged.userID)
    }
    TestFiles.makeFifo(tool.directory.appending("go"))
    TestFiles.setMode(tool.directory.appending("go"), 0o666)
    var start = nobody.start([
      "restore", "--target", "restored", "--identity-command", "touch waiting; read line <go; cat copy",
    ])
    start.hasOwnSession = true
    start.environment["HOLDFAST_STATE_DIR"] = tool.directory.appending("nobody.state").text
    let process = RunningProcess(start)
    #expect(process.stop { TestFiles.exists(tool.directory.appending("waiting")) })
    process.send(SIGCONT)
    let directory = Path("/proc/\(process.processID)")
    let limits = String(decoding: try #require(TestFiles.read(directory.appending("limits"))), as: UTF8.self)
    #expect(limits.contains(/Max core file size +0 +0 +bytes/), "no dump may be written")
    var seen = TestFiles.read(directory.appending("cmdline")) ?? []
    if Tool.isRoot {
      #expect(
        TestFiles.owner(directory.appending("mem")) == 0, "not even the user who runs it may look into its memory")
      seen += try #require(TestFiles.read(directory.appending("environ")))
    }
    let asUser = Tool.isRoot ? ["setpriv", "--reuid=\(Unprivileged.userID)", "--clear-groups"] : []
    let look = RunningProcess(
      RunningProcess.Start(asUser + ["dd", "if=\(directory)/mem", "of=/dev/null", "count=1"]).withPath(tool))
    #expect(look.wait().error.contains("Permission denied"))
    for secret in secrets(tool) { #expect(!String(decoding: seen, as: UTF8.self).contains(secret)) }
    TestFiles.write("go\n", to: tool.directory.appending("go"))
    let result = process.wait()
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(TestFiles.read(tool.directory.appending("restored/orders")) == Array("an order".utf8))
  }
}

extension RunningProcess.Start {
  fileprivate func withPath(_ tool: SealedTool) -> RunningProcess.Start {
    var start = self
    start.environment = tool.tool.environment
    return start
  }
}
