import HoldfastModel
import HoldfastTestSupport
import Testing

/// Where /proc is not mounted, as in a rescue system or a small container, holdfast does what it is told.
@Suite(.requires(.mounts)) struct NoProcTests {
  private let tool = Tool()
  private static let unseen =
    "holdfast: WARNING: /proc is not mounted, and what runs on this machine cannot be seen: make sure that nothing uses the target\n"

  /// Runs `holdfast` with nothing in /proc.
  private func run(_ arguments: String...) -> ProcessResult {
    let script = "mount -t tmpfs tmpfs /proc; exec \"$@\""
    var start = RunningProcess.Start(["unshare", "--mount", "sh", "-ec", script, "sh", Tool.binary.text] + arguments)
    start.environment = tool.environment
    start.directory = tool.directory.path
    return RunningProcess(start).wait()
  }

  @Test func theCommandLineIsUnderstood() {
    let version = run("--version")
    #expect(version.exitStatus == 0)
    #expect(version.output.hasPrefix(Program.nameAndVersion + "\n"))
    let wrong = run("backup", "nowhere", "--quiet")
    #expect(wrong.exitStatus == 10)
    #expect(wrong.output == "")
  }

  @Test func aBackupAndARestoreAreWhatTheyAreElsewhere() throws {
    TestFiles.makeDirectory(tool.source.appending("d"))
    TestFiles.write("an order", to: tool.source.appending("d/a"))
    TestFiles.link(tool.source.appending("d/a"), as: tool.source.appending("d/b"))
    TestFiles.makeFifo(tool.source.appending("f"))
    TestFiles.symbolicLink("d/a", at: tool.source.appending("l"))
    TestFiles.setExtendedAttribute(tool.source.appending("d/a"), "user.note", [1])
    if try Requirement.root.allows("attributes of the name space trusted") {
      TestFiles.setExtendedAttribute(tool.source.appending("d"), "trusted.note", [2])
    }
    let database = try TestDatabase(tool.source.appending("db"), "PRAGMA journal_mode=wal;" + TestDatabase.orders)
    try database.order(5)
    let made = run("init", "--unsealed", "--quiet")
    #expect(made.exitStatus == 0 && made.error == "", "\(made.error)")
    let taken = run("backup", "source", "--before", "echo x >source/new", "--quiet")
    #expect(taken.exitStatus == 0 && taken.error == "", "\(taken.error)")
    let command = run("backup", "--from-command", "echo x", "--name", "c", "--quiet")
    #expect(command.exitStatus == 0 && command.error == "", "\(command.error)")
    let restored = run("restore", "--name", "source", "--target", "out", "--quiet")
    #expect(restored.exitStatus == 0 && restored.error == "", "\(restored.error)")
    let out = tool.directory.appending("out")
    var expected = TreeDescription(of: tool.source).nodes
    let found = TreeDescription(of: out).nodes
    for name in ["db", "db-wal", "db-shm"] { expected[name] = nil }
    for (name, node) in expected { #expect(found[name] == node, "\(name)") }
    #expect(try TestDatabase(out.appending("db")).summary() == database.summary())

    TestFiles.write("another", to: out.appending("d/a"))
    let again = run("restore", "--name", "source", "--target", "out", "--delta", "--quiet")
    #expect(again.exitStatus == 0)
    #expect(again.error == Self.unseen)
    #expect(TestFiles.read(out.appending("d/a")) == Array("an order".utf8))
    #expect(run("verify", "--data", "--quiet").exitStatus == 0)
  }

  /// Whether a server has it open cannot be told.
  @Test func aDatabaseThatMayBeOpenIsNamed() {
    TestFiles.write([UInt8](repeating: 7, count: 4096), to: tool.source.appending("ibdata1"))
    tool.run("init", "--unsealed")
    let taken = run("backup", "source", "--quiet")
    #expect(taken.exitStatus == 0)
    #expect(
      taken.error
        == "holdfast: WARNING: /proc is not mounted, and who has ibdata1 open cannot be seen: it is captured as if nobody had\n"
    )
  }

  @Test func whatNeedsItSaysSo() {
    let result = run("schedule", "install", "--root", ".", "--", "list", "--repository", "/backup")
    #expect(result.exitStatus == 1)
    #expect(
      result.error == """
        holdfast: where this program lies cannot be told: /proc is not mounted
        HINT: Mount it: mount -t proc proc /proc

        """)
  }
}
