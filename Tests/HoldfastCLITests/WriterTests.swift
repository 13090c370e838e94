import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Whose snapshots count is what the keyring says, and a machine whose do not is told what to do.
@Suite struct WriterTests {
  private func shop() -> SealedTool {
    let tool = SealedTool()
    tool.makeRepository()
    tool.run("backup", "source")
    return tool
  }

  private func asRecipient(_ tool: SealedTool, _ arguments: String...) -> ProcessResult {
    tool.run(arguments + ["--identity", "identity"])
  }

  private func key(_ tool: SealedTool, _ name: String) -> (inout RunningProcess.Start) -> Void {
    { $0.environment["HOLDFAST_WRITER_KEY_FILE"] = tool.directory.appending(name).text }
  }

  @Test func aMachineThatIsNotEnrolledIsToldHow() throws {
    let tool = shop()
    let writer = tool.generate("machine", "--writer")
    let short = writer.dropFirst("holdfast-writer-".count).prefix(8)
    let hint = "Where the recovery identity is, run `holdfast key add --writer \(writer) --identity FILE`."
    // Only the journal tells of them.
    let parts = ["sources", "keyring", "locks"].map { tool.repository.appending($0) }
    let before = parts.map { TreeDescription(of: $0) }
    for arguments in [["backup", "source"], ["backup", "source", "--dry-run"], ["backup", "source", "--full"]] {
      tool.run(arguments, configure: key(tool, "machine")).expectRefusal(
        12, "this machine's writer key (\(short)) is not in the keyring of the repository", hint: hint)
    }
    #expect(parts.map { TreeDescription(of: $0) } == before)
    // Just what was said.
    let command = try #require(hint.firstMatch(of: /`holdfast (.+) FILE`/)).1.split(separator: " ").map(String.init)
    let added = tool.run(command + ["identity"])
    #expect(added.output.hasPrefix("added the writer writer-2 (\(short)); the keyring is at revision 2, digest "))
    let first = tool.run("backup", "source", configure: key(tool, "machine"))
    #expect(first.exitStatus == 0)
    #expect(first.output.contains(", and this machine cannot open what is sealed)\n"), "it has no cache of the other's")
    #expect(tool.run("backup", "source", configure: key(tool, "machine")).output.contains("took incremental "))
    #expect(tool.run("verify", "--data", "--identity", "identity").exitStatus == 0)
  }

  @Test func whatARevokedMachineSignedBeforeStillCounts() {
    let tool = shop()
    let short = tool.shortIDs(of: "writer")[0]
    let host = tool.tool.other("uname", "-n").output.dropLast()
    let revoked = asRecipient(tool, "key", "remove", short)
    #expect(revoked.exitStatus == 0)
    #expect(
      revoked.output.hasPrefix(
        "revoked the writer \(host) (\(short)); 1 snapshot of it counts; the keyring is at revision 2, digest "),
      "\(revoked.output)")
    #expect(tool.run("key", "list").output.contains("  revoked; 1 snapshot of it counts  holdfast-writer-"))
    tool.run("backup", "source").expectRefusal(
      12, "this machine's writer key (\(short)) was revoked",
      hint: "Run `holdfast key generate --writer FILE` for a new one, and enrol it with `holdfast key add`.")
    #expect(tool.run("verify", "--data").exitStatus == 0)
    #expect(tool.run("cat", "latest", "orders", "--identity", "identity").output == "an order")
    let line = tool.run("key", "list").output.split(separator: "\n").last?.split(separator: " ").last ?? ""
    asRecipient(tool, "key", "add", "--writer", String(line)).expectRefusal(
      1, "the writer \(short) is in the keyring already, and revoked",
      hint: "A revoked key does not come back: generate a new one.")
    asRecipient(tool, "key", "remove", short).expectRefusal(
      2, "there is no recipient or writer \(short)", hint: "Run `holdfast key list` to see who there is.")
  }

  /// What it signs later reaches the storage by other ways than this program.
  @Test func whatARevokedMachineSignsLaterIsRefused() {
    let tool = shop()
    let machine = tool.shortIDs(of: "writer")[0]
    let copy = tool.directory.appending("copy")
    TestFiles.copyTree(tool.repository, to: copy)
    #expect(asRecipient(tool, "key", "remove", machine).exitStatus == 0)
    // The thief works on a copy from before, on a machine that has seen nothing else.
    let forged = tool.run("backup", "source", "-r", "copy") {
      $0.environment["HOLDFAST_STATE_DIR"] = tool.directory.appending("thief").text
    }
    #expect(forged.exitStatus == 0)
    let number = "sources/source/0000000002"
    TestFiles.copyTree(copy.appending(number), to: tool.repository.appending(number))
    let host = tool.tool.other("uname", "-n").output.dropLast()
    let finding =
      "\(number)/manifest.json is damaged: it is signed by \(host), whose key was revoked (\(machine))"
    let list = tool.run("list")
    #expect(list.exitStatus == 21)
    #expect(
      list.error == "holdfast: \(finding)\nHINT: Run `holdfast verify --data` to see what can still be restored.\n")
    let verified = tool.run("verify")
    #expect(verified.exitStatus == 21)
    #expect(verified.error.hasPrefix("holdfast: DAMAGED: \(finding)\n"))
    let restored = tool.run("restore", "--target", "restored", "--identity", "identity")
    #expect(restored.exitStatus == 21)
    #expect(restored.error.contains("holdfast: the latest snapshot cannot be read: \(finding)\n"))
    #expect(!TestFiles.exists(tool.directory.appending("restored")))
  }

  /// What does not count when a writer is revoked never counts again: nobody shall decide that unknowingly.
  @Test func whileSnapshotsAreMissingNobodyIsRevoked() {
    let tool = shop()
    tool.run("backup", "source")
    let machine = tool.shortIDs(of: "writer")[0]
    TestFiles.removeTree(tool.repository.appending("sources/source/0000000002"))
    asRecipient(tool, "key", "remove", machine).expectRefusal(
      21,
      "what is hidden or unreadable when a writer is revoked would be refused for ever: sources/source/0000000002/manifest.json is damaged: it is missing, and this machine has seen it: the repository was put back, or has lost its newest snapshots",
      hint: "Bring it back; or if it was removed on purpose, run `holdfast key forget` first.")
    tool.run("key", "forget")
    #expect(asRecipient(tool, "key", "remove", machine).exitStatus == 0)
  }

  /// Else a run would end well whose snapshot never counts, or that is sealed to somebody who was removed.
  @Test func aKeyringThatChangesDuringABackupStopsIt() throws {
    let tool = shop()
    var random = SeededRandom(seed: 62)
    let part = random.bytes(1 << 20)
    TestFiles.write((0..<48).flatMap { _ in part }, to: tool.source.appending("orders.db"))
    for _ in 0..<5 {
      let process = RunningProcess(tool.start(["backup", "source", "--full", "--quiet"]))
      guard process.stop(when: { !tool.tool.unfinishedObjects.isEmpty }) else { continue }
      #expect(asRecipient(tool, "key", "remove", tool.shortIDs(of: "writer")[0]).exitStatus == 0)
      process.send(SIGCONT)
      process.wait().expectRefusal(
        1, "the keyring was changed while the snapshot was taken; nothing was committed",
        hint: "Run the same command again.")
      #expect(tool.run("list").exitStatus == 0)
      #expect(tool.run("verify", "--data").exitStatus == 0)
      return
    }
    Issue.record("the backup was always too fast")
  }

  /// To revoke is for ever: it must not happen to whoever has the name of somebody else.
  @Test func aNameThatIsAlsoARecipientsRevokesNobody() {
    let tool = shop()
    let host = String(tool.tool.other("uname", "-n").output.dropLast())
    let other = tool.generate("other")
    #expect(asRecipient(tool, "key", "add", "--recipient", other, "--label", host).exitStatus == 0)
    asRecipient(tool, "key", "remove", host).expectRefusal(
      2, "\(host) stands for more than one key", hint: "Run `holdfast key list` to see who there is.")
    #expect(tool.run("backup", "source").exitStatus == 0)
    #expect(asRecipient(tool, "key", "remove", tool.shortIDs(of: "recipient")[1]).exitStatus == 0)
    #expect(tool.run("key", "list").output.contains(", revision 3, "))
  }

  @Test(.requires(.unprivilegedUser, .overlayMounts)) func withoutAHomeAWriterKeyMustBeNamed() throws {
    let tool = SealedTool()
    let recipient = tool.generate("identity")
    TestFiles.setMode(tool.directory.path, 0o777)
    let nobody = try Unprivileged(tool.tool)
    let run = { (arguments: [String]) in
      nobody.run(arguments) {
        $0.environment["XDG_CACHE_HOME"] = nil
        $0.environment["HOLDFAST_CONFIG_DIR"] = nil
        $0.environment["HOLDFAST_STATE_DIR"] = tool.state.text
        $0.arguments = OwnMachine(in: tool.directory.path).prefix.map { Array($0.utf8) } + $0.arguments
      }
    }
    run(["init", "--recipient", recipient]).expectRefusal(
      12, "there is no home directory to keep a writer key in", hint: "Say --writer-key FILE.")
    let made = run(["init", "--recipient", recipient, "--writer-key", "writer"])
    #expect(made.exitStatus == 0, "\(made.error)")
    let taken = run(["backup", "source", "--writer-key", "writer", "--quiet"])
    #expect(taken.exitStatus == 0)
    #expect(
      taken.error == """
        holdfast: WARNING: the local cache could not be written, so the next snapshot of source will be a full: \
        no directory for it can be written; set HOLDFAST_CACHE_DIR

        """)
  }
}
