import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A database's own tool writes the backup, holdfast stores it: as one file, in bounded memory, and never a half of it.
@Suite struct FromCommandTests {
  private let tool = Tool()

  init() { tool.run("init", "--unsealed") }

  @Test func theOutputIsAFileNamedStdinUnlessSaidOtherwise() {
    let result = tool.run("backup", "--from-command", "echo order; echo said >&2", "--name", "shop")
    #expect(result.exitStatus == 0)
    #expect(result.error == "said\n", "what it says is passed on")
    #expect(tool.run("cat", "latest", "stdin").output == "order\n")
    tool.run("backup", "--from-command", "echo order", "--name", "shop", "--file-name", "shop.xbstream", "--quiet")
    #expect(tool.run("cat", "latest", "shop.xbstream").output == "order\n")
    #expect(tool.run("list").output.contains("shop  (stdin)"))
  }

  @Test func aFailureIsSaidAndNothingIsCommitted() {
    let result = tool.run("backup", "--from-command", "echo half; exit 3", "--name", "shop")
    #expect(result.exitStatus == 1 && result.output == "")
    #expect(
      result.error
        == "holdfast: the command failed with exit status 3\nHINT: Run it by itself to see what it says: echo half; exit 3\n"
    )
    #expect(tool.run("list").output.hasPrefix("no snapshots in"))
    #expect(tool.unfinishedObjects == [])
  }

  @Test func withoutAShellItIsSaidAndNothingHangs() {
    let result = tool.run("backup", "--from-command", "echo order", "--name", "shop") {
      $0.environment["PATH"] = "/nowhere"
    }
    #expect(result.exitStatus == 1)
    #expect(result.error.hasPrefix("holdfast: the command could not be run ("), "\(result.error)")
  }

  /// More than the process may have of memory.
  @Test func memoryDoesNotGrowWithTheOutput() {
    let backup = "\(Tool.binary.text) backup --from-command 'head -c 900000000 /dev/zero' --name shop"
    let result = tool.other("sh", "-c", "ulimit -v 700000; exec \(backup)")
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(tool.run("show", "latest", "--json").output.contains("\"stateBytes\" : 900000000"))
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalEndsTheCommandAndCommitsNothing(signal: Int32) throws {
    let command = "echo $$ > process; echo half; exec sleep 1000"
    let run = RunningProcess(tool.start(["backup", "--from-command", command, "--name", "shop"]))
    let process = tool.directory.appending("process")
    #expect(run.stop(when: { TestFiles.read(process)?.last == 10 }))
    run.send(signal)
    run.send(SIGCONT)
    let result = run.wait()
    #expect(result.exitStatus == 130 && result.error == "holdfast: interrupted\n")
    let number = String(decoding: TestFiles.read(process) ?? [], as: UTF8.self).split(separator: "\n")[0]
    #expect(!TestFiles.exists(Path("/proc/\(number)")))
    #expect(tool.run("list").output.hasPrefix("no snapshots in"))
  }

  /// Nobody is there to end it then: a pipeline that goes on would hold a database, or the backup after next.
  @Test(arguments: ["--from-command", "--before"]) func nothingOfTheCommandOutlivesAKilledRun(option: String) async {
    let command =
      "sh -c 'echo $$ > first; trap \"\" TERM; while :; do sleep 1; done' | sh -c 'echo $$ > second; cat; exec sleep 1000'"
    let arguments = option == "--before" ? ["source", option, command] : [option, command, "--name", "shop"]
    TestFiles.makeDirectory(tool.directory.appending("source"))
    let run = RunningProcess(tool.start(["backup"] + arguments))
    func process(_ name: String) -> Path? {
      let text = String(decoding: TestFiles.read(tool.directory.appending(name)) ?? [], as: UTF8.self)
      return text.last == "\n" ? Path("/proc/\(text.dropLast())") : nil
    }
    #expect(await Patience.waits(.seconds(60)) { process("first") != nil && process("second") != nil })
    run.send(SIGKILL)
    _ = run.wait()
    for name in ["first", "second"] {
      #expect(await Patience.waits(.seconds(60)) { process(name).map { !TestFiles.exists($0) } ?? false }, "\(name)")
    }
  }

  /// Who starts us may ignore SIGCHLD, as some supervisors and `trap '' CHLD` do; the kernel then tells nobody how a
  /// command ended.
  @Test func aCommandEndsAlsoWhereTheEndOfChildrenIsIgnored() {
    let script =
      "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    for (command, status) in [("echo order", Int32(0)), ("exit 7", 1)] {
      let result = tool.other(
        "python3", "-c", script, Tool.binary.text, "backup", "--from-command", command, "--name", "shop", "--quiet")
      #expect(result.exitStatus == status, "\(result.error)")
    }
    #expect(tool.run("cat", "latest", "stdin").output == "order\n")
  }

  @Test func hooksRunAroundIt() {
    let note = #"echo "$HOLDFAST_HOOK $HOLDFAST_SOURCE" >> log"#
    let result = tool.run("backup", "--from-command", "cat log", "--name", "shop", "--before", note, "--after", note)
    #expect(result.exitStatus == 0)
    #expect(tool.run("cat", "latest", "stdin").output == "before stdin\n")
  }

  @Test func aSealedRepositoryTakesItToo() {
    let sealed = SealedTool()
    sealed.makeRepository()
    for text in ["order", "orders"] {
      let result = sealed.run("backup", "--from-command", "echo \(text)", "--name", "shop", "--quiet")
      #expect(result.exitStatus == 0 && result.error == "")
    }
    let cat = sealed.run("cat", "latest", "stdin") { $0.environment["HOLDFAST_IDENTITY_FILE"] = sealed.identity.text }
    #expect(cat.output == "orders\n")
    #expect(sealed.run("verify", "--data").exitStatus == 0)
  }
}
