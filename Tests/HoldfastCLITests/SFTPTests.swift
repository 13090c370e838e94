import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A repository on an SFTP server is used as one in a directory is.
@Suite(.timeLimit(.minutes(30))) struct SFTPTests {
  private let tool = Tool()

  /// Runs holdfast with the repository of the location.
  private func run(_ location: String, _ command: String, _ arguments: String...) -> ProcessResult {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = location
    start.environment["HOLDFAST_SSH_COMMAND"] = command
    return RunningProcess(start).wait()
  }

  private func expectSuccess(_ result: ProcessResult) { #expect(result.exitStatus == 0, "\(result.error)") }

  private func liveThere(_ location: String, _ command: String) {
    TestFiles.makeDirectory(tool.source.appending("orders"))
    for number in 1...20 { TestFiles.write("order \(number)", to: tool.source.appending("orders/\(number)")) }
    TestFiles.write([UInt8](repeating: 5, count: 6 << 20), to: tool.source.appending("large"))
    expectSuccess(run(location, command, "init", "--unsealed"))
    expectSuccess(run(location, command, "backup", "source", "--name", "shop", "--full"))
    TestFiles.write("order 21", to: tool.source.appending("orders/21"))
    expectSuccess(run(location, command, "backup", "source", "--name", "shop"))
    let listed = run(location, command, "list")
    #expect(listed.output.contains("full"))
    #expect(listed.output.contains("  incr  "))
    expectSuccess(run(location, command, "verify", "--data"))
    expectSuccess(run(location, command, "restore", "latest", "--target", "restored"))
    #expect(
      TreeDescription(of: tool.directory.appending("restored")).differences(from: TreeDescription(of: tool.source))
        == [])
    expectSuccess(run(location, command, "backup", "source", "--name", "shop", "--full"))
    expectSuccess(run(location, command, "prune", "--keep-last", "1"))
    expectSuccess(run(location, command, "verify", "--data"))
    expectSuccess(run(location, command, "status"))
    // What stands for it on the server is what a directory would hold.
    #expect(tool.run("list").output == run(location, command, "list").output)
    #expect(tool.unfinishedObjects == [])
  }

  @Test(.requires(.sftpServer)) func aRepositoryBehindACommand() {
    liveThere("sftp:backup@server.example\(tool.repository.text)", SFTPServerProgram.plain)
  }

  @Test(.requires(.sshServer)) func aRepositoryOnARealServer() throws {
    let server = try SSHServer()
    liveThere(server.location(tool.repository), server.command())
  }

  @Test(.requires(.sftpServer)) func whatThisMachineKeepsIsNotReadAgain() throws {
    let (location, command) = ("sftp:backup@server.example\(tool.repository.text)", SFTPServerProgram.plain)
    expectSuccess(run(location, command, "init", "--unsealed"))
    for number in 1...12 {
      TestFiles.write("order \(number)", to: tool.source.appending("\(number)"))
      expectSuccess(run(location, command, "backup", "source", "--name", "shop"))
    }
    func requests() throws -> Int {
      let words = run(location, command, "status", "--json").output.split { !$0.isLetter && !$0.isNumber }
      let index = try #require(words.firstIndex(of: "requests"))
      return try #require(Int(words[index + 1]))
    }
    let known = try requests()
    TestFiles.removeTree(tool.cache)
    #expect(try requests() >= known + 2 * 12, "every envelope is opened and read once")
    #expect(try requests() == known)
  }

  /// Nothing of it is committed, so its number is used again, and what it has begun shows in no listing.
  @Test(.requires(.sftpServer), arguments: [["backup", "source", "--full"], ["prune", "--keep-last", "1"]])
  func whatAKilledBackupLeavesIsCollected(next: [String]) throws {
    let (location, command) = ("sftp:backup@server.example\(tool.repository.text)", SFTPServerProgram.plain)
    expectSuccess(run(location, command, "init", "--unsealed"))
    // A prune does nothing where there is no snapshot.
    if next[0] == "prune" {
      TestFiles.write("an order", to: tool.source.appending("order"))
      expectSuccess(run(location, command, "backup", "source"))
    }
    var random = SeededRandom(seed: 5)
    TestFiles.write(random.bytes(30 << 20), to: tool.source.appending("large"))
    var start = tool.start(["backup", "source", "--full"])
    start.environment["HOLDFAST_REPOSITORY"] = location
    start.environment["HOLDFAST_SSH_COMMAND"] = command
    let killed = RunningProcess(start)
    try #require(killed.stop { !tool.unfinishedObjects.isEmpty }, "the backup was too fast")
    killed.send(SIGKILL)
    #expect(killed.wait().exitStatus == -SIGKILL)
    #expect(!tool.unfinishedObjects.isEmpty, "a killed process cannot clean up")
    // As if its lease had ended.
    TestFiles.removeTree(tool.repository.appending("leases"))
    var arguments = tool.start(next)
    arguments.environment = start.environment
    expectSuccess(RunningProcess(arguments).wait())
    #expect(tool.unfinishedObjects == [])
    expectSuccess(run(location, command, "verify", "--data"))
  }

  @Test(.requires(.sftpServer)) func theConfigurationNamesTheCommand() {
    TestFiles.makeDirectory(tool.configuration)
    TestFiles.write(
      """
      repositories:
        shop: {url: 'sftp:backup@server.example\(tool.repository.text)', ssh-command: '\(SFTPServerProgram.plain)'}
      """, to: tool.configuration.appending("holdfast.yaml"))
    expectSuccess(tool.run("init", "--unsealed", "-r", "shop"))
    #expect(tool.run("list", "-r", "shop").exitStatus == 0)
    #expect(TestFiles.names(in: tool.repository).contains("holdfast.json"))
  }

  /// Nobody waits two minutes for a server that will not let them in.
  @Test(.requires(.sshServer)) func aServerThatDoesNotLetUsInIsNamedAtOnce() throws {
    let server = try SSHServer()
    let location = server.location(tool.repository)
    let command = server.command(key: "stranger")
    run(location, command, "list").expectRefusal(
      1,
      "\(location) cannot be reached: it does not let this user in (\(server.user)@127.0.0.1: Permission denied (publickey).)",
      hint:
        "Run `\(command) -p \(server.port) -l \(server.user) 127.0.0.1` as the user who runs holdfast: it must log in without a question. `ssh-copy-id` installs a key; for an account that can only add, whoever runs the server puts it into the file that its sshd reads."
    )
  }
}
