import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A secret is read from where only its owner can read it, and what is wrong with it is said before it is used.
@Suite struct KeyFileTests {
  private func shop() -> SealedTool {
    let tool = SealedTool()
    tool.makeRepository()
    tool.run("backup", "source")
    return tool
  }

  private let beginning = "It is a line that begins with \"holdfast-identity-\"."
  private let altered = "holds an identity that was cut or altered: its checksum does not fit"

  @Test(arguments: [0o644, 0o640, 0o604, 0o660, 0o610, 0o601] as [UInt32])
  func aKeyFileThatOthersCanUseIsRefused(mode: UInt32) {
    let tool = shop()
    for (file, title, arguments) in [
      (tool.identity, "identity", ["verify", "--identity", "identity"]),
      (tool.writerKey, "writer key", ["backup", "source"]),
    ] {
      TestFiles.setMode(file, mode)
      tool.run(arguments).expectRefusal(
        12, "the \(title) file \(file) can be used by others (mode 0\(String(mode, radix: 8)))",
        hint: "Run `chmod 600 \(file)`, and think about who may have read it.")
      TestFiles.setMode(file, 0o400)
      #expect(tool.run(arguments).exitStatus == 0)
    }
    #expect(tool.run("list").output.contains("#2"))
  }

  @Test(.requires(.root)) func aKeyFileOfAnotherUserIsRefused() {
    let tool = shop()
    TestFiles.setOwner(tool.identity, userID: 65534, groupID: 65534)
    tool.run("verify", "--identity", "identity").expectRefusal(
      12, "the identity file \(tool.identity) belongs to another user (65534)",
      hint: "Run as that user, or use a copy that belongs to the one you are (0).")
  }

  @Test func aKeyFileThatIsNotThereIsNotMadeInItsPlace() {
    let tool = shop()
    let place = tool.directory.path
    tool.run("verify", "--identity", "nothing").expectRefusal(
      12, "there is no identity file \(place)/nothing",
      hint: "Name the file that holds it with --identity, or with --identity-command a command that prints it.")
    TestFiles.symbolicLink("nothing", at: tool.directory.appending("dangling"))
    tool.run("verify", "--identity", "dangling").expectRefusal(
      12, "there is no identity file \(place)/dangling",
      hint: "Name the file that holds it with --identity, or with --identity-command a command that prints it.")
    TestFiles.remove(tool.writerKey)
    tool.run("backup", "source").expectRefusal(
      12, "there is no writer key file \(tool.writerKey)",
      hint:
        "Run `holdfast key generate --writer \(tool.writerKey)`, and where the recovery identity is, `holdfast key add --writer` with what it prints."
    )
    #expect(!TestFiles.exists(tool.writerKey))
  }

  @Test func whatIsNoFileIsRefusedAtOnce() {
    let tool = shop()
    TestFiles.makeFifo(tool.directory.appending("fifo"))
    for name in ["source", "fifo"] {
      tool.run("verify", "--identity", name).expectRefusal(
        12, "\(tool.directory.path)/\(name) is no file", hint: "Name the file that holds the identity.")
    }
  }

  @Test func aLinkToAGoodKeyFileWorks() {
    let tool = shop()
    TestFiles.symbolicLink("identity", at: tool.directory.appending("link"))
    TestFiles.symbolicLink("link", at: tool.directory.appending("chain"))
    #expect(tool.run("cat", "latest", "orders", "--identity", "chain").output == "an order")
    TestFiles.setMode(tool.identity, 0o644)
    #expect(tool.run("verify", "--identity", "chain").exitStatus == 12, "the file counts, not the link")
  }

  @Test func anIdentityThatIsNotWholeIsRefused() {
    let tool = shop()
    tool.generate("machine", "--writer")
    let secret = tool.secret("identity")
    let file = tool.directory.appending("wrong")
    let wrong: [(String, String, String)] = [
      ("", "does not hold an identity", beginning), ("\n# only a remark\n", "does not hold an identity", beginning),
      ("rubbish\n", "does not hold an identity", beginning),
      (String(secret.prefix(40)), altered, "Take another copy of the key."),
      (String(secret.dropLast()), altered, "Take another copy of the key."),
      (secret + "0", altered, "Take another copy of the key."),
      ("\(secret)\n\(secret)\n", "holds more than one key", "Keep one key in a file."),
      ("\(secret) \(secret)\n", altered, "Take another copy of the key."),
      (
        tool.secret("machine"), "holds a writer key where an identity is needed",
        "An identity begins with \"holdfast-identity-\"."
      ),
      (
        tool.generate("other"), "holds a recipient where an identity is needed",
        "An identity begins with \"holdfast-identity-\"."
      ),
      (
        String(repeating: "#\n", count: 40_000), "is too long for a key file",
        "Name the file that holds the identity."
      ),
    ]
    for (text, message, hint) in wrong {
      tool.writeSecret(Array(text.utf8), to: "wrong")
      tool.run("verify", "--identity", "wrong").expectRefusal(12, "\(file) \(message)", hint: hint)
    }
    // Each digit counts.
    for index in [18, 50, 81, 83, 90] {
      var bytes = Array(secret.utf8)
      bytes[index] = bytes[index] == UInt8(ascii: "7") ? UInt8(ascii: "8") : UInt8(ascii: "7")
      tool.writeSecret(bytes, to: "wrong")
      tool.run("verify", "--identity", "wrong").expectRefusal(
        12, "\(file) \(altered)", hint: "Take another copy of the key.")
    }
  }

  @Test func aWriterKeyThatIsNoneIsRefused() {
    let tool = shop()
    tool.run("backup", "source", "--writer-key", "identity").expectRefusal(
      12, "\(tool.identity) holds an identity where a writer key is needed",
      hint: "A writer key begins with \"holdfast-writer-secret-\".")
    TestFiles.write("", to: tool.writerKey)
    tool.run("backup", "source").expectRefusal(
      12, "\(tool.writerKey) does not hold a writer key",
      hint: "It is a line that begins with \"holdfast-writer-secret-\".")
  }

  /// Copies pass through editors and systems that change line ends.
  @Test func anIdentityIsReadWhateverAnEditorMadeOfIt() {
    let tool = shop()
    let text = String(decoding: TestFiles.read(tool.identity) ?? [], as: UTF8.self)
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    for bytes in [
      Array(text.replacing("\n", with: "\r\n").utf8), mark + Array(text.replacing("\n", with: "\r\n").utf8),
      Array(tool.secret("identity").utf8), mark + Array("  \(tool.secret("identity"))\t\n\n".utf8),
    ] {
      tool.writeSecret(bytes, to: "copy")
      #expect(tool.run("cat", "latest", "orders", "--identity", "copy").output == "an order")
    }
  }

  @Test func theEnvironmentNamesFilesAndEmptyMeansNone() {
    let tool = shop()
    let named: (inout RunningProcess.Start) -> Void = { $0.environment["HOLDFAST_IDENTITY_FILE"] = "identity" }
    #expect(tool.run("cat", "latest", "orders", configure: named).output == "an order")
    tool.generate("other")
    #expect(
      tool.run("cat", "latest", "orders", "--identity", "other", configure: named).exitStatus == 12, "the option wins")
    let empty = tool.run("verify") {
      $0.environment["HOLDFAST_IDENTITY_FILE"] = ""
      $0.environment["HOLDFAST_PASSPHRASE_FILE"] = ""
      $0.environment["HOLDFAST_EXPECT_KEYRING"] = ""
    }
    #expect(empty.exitStatus == 0)
    #expect(empty.output.hasPrefix("sealed, and no identity was named: "))
    tool.run("verify", "--identity", "").expectRefusal(
      2, "a path is empty", hint: "Name one; if it comes from a variable, see whether that is set.")
  }

  // MARK: Commands

  @Test func aCommandMayPrintTheIdentity() {
    let tool = shop()
    let result = tool.run("cat", "latest", "orders", "--identity-command", "cat identity; echo opened >&2")
    #expect(result.exitStatus == 0)
    #expect(result.output == "an order")
    #expect(result.error == "opened\n", "what it says to people gets through")
  }

  @Test func aCommandThatFailsIsNoIdentity() {
    let tool = shop()
    for (command, message) in [
      ("exit 3", "the command failed with exit status 3"),
      ("cat identity; exit 1", "the command failed with exit status 1"),
      ("kill -KILL $$", "the command failed with signal 9"),
      ("head -c 2000000 /dev/zero 2>/dev/null", "the command printed more than it should"),
    ] {
      tool.run("verify", "--identity-command", command).expectRefusal(
        1, message, hint: "Run it by itself to see what it says: \(command)")
    }
    for (command, status, message, hint) in [
      ("echo rubbish", 12, "the output of --identity-command does not hold an identity", beginning),
      ("true", 12, "the output of --identity-command does not hold an identity", beginning),
      (
        "cat identity identity", 12, "the output of --identity-command holds more than one key",
        "Keep one key in a file."
      ),
    ] as [(String, Int32, String, String)] {
      tool.run("verify", "--identity-command", command).expectRefusal(status, message, hint: hint)
    }
    let both = tool.run("verify", "--identity", "identity", "--identity-command", "touch ran")
    #expect(both.exitStatus == 2)
    #expect(both.error.hasPrefix("holdfast: --identity and --identity-command exclude each other\n"))
    #expect(!TestFiles.exists(tool.directory.appending("ran")))
  }

  @Test func aSignalEndsTheWaitingForACommand() {
    let tool = shop()
    // The command is left alone; it ends when the directory goes.
    let command = "touch waiting; while [ -e waiting ]; do sleep 0.1; done"
    let process = RunningProcess(tool.start(["verify", "--identity-command", command]))
    #expect(process.stop { TestFiles.exists(tool.directory.appending("waiting")) })
    process.send(SIGTERM)
    process.send(SIGCONT)
    process.wait().expectRefusal(130, "interrupted", hint: nil)
  }
}
