import HoldfastModel
import HoldfastTestSupport
import Testing

/// A repository is sealed unless somebody says otherwise, and to nobody else than was named.
@Suite struct SealedInitTests {
  @Test func whoNamesNobodyGetsNoRepository() {
    let tool = SealedTool()
    tool.run("init").expectRefusal(
      2, "a repository is sealed, and nobody is named to open it",
      hint:
        "Run `holdfast key generate FILE` on another machine, and say --recipient with what it prints; or --passphrase; or --unsealed, and whoever can read the repository can read the orders in it."
    )
    #expect(TestFiles.names(in: tool.directory.path) == ["source"], "nothing may be made")
  }

  @Test(arguments: [["--recipient", "x"], ["--passphrase"]])
  func unsealedAndSealedToSomebodyExcludeEachOther(options: [String]) {
    let tool = SealedTool()
    tool.run(["init", "--unsealed"] + options).expectRefusal(
      2, "--unsealed and recipients exclude each other", hint: "Leave out --unsealed to encrypt.")
    #expect(TestFiles.names(in: tool.directory.path) == ["source"], "nothing may be made")
  }

  @Test func whatIsNoRecipientIsRefusedBeforeAnythingIsMade() {
    let tool = SealedTool()
    let recipient = tool.generate("identity")
    let writer = tool.generate("machine", "--writer")
    let before = TestFiles.names(in: tool.directory.path).sorted()
    let cut = (
      "--recipient holds a recipient that was cut or altered: its checksum does not fit",
      "Take another copy of the key."
    )
    let beginning = "A recipient begins with \"holdfast-recipient-\"."
    let wrong: [(String, String, String)] = [
      (String(recipient.dropLast()), cut.0, cut.1), (String(recipient.prefix(40)), cut.0, cut.1),
      (recipient.replacing(/-([0-9a-f])/) { $0.1 == "0" ? "-1" : "-0" }, cut.0, cut.1), (recipient + "0", cut.0, cut.1),
      (writer, "--recipient holds a writer where a recipient is needed", beginning),
      (
        tool.secret("identity"), "--recipient holds an identity where a recipient is needed",
        beginning + " What was typed is secret, and others may have seen it: make a new one."
      ),
      (
        tool.secret("machine"), "--recipient holds a writer key where a recipient is needed",
        beginning + " What was typed is secret, and others may have seen it: make a new one."
      ),
      (
        "somebody", "--recipient does not hold a recipient",
        "It is a line that begins with \"holdfast-recipient-\"."
      ), ("", "--recipient does not hold a recipient", "It is a line that begins with \"holdfast-recipient-\"."),
    ]
    for (text, message, hint) in wrong {
      tool.run("init", "--recipient", recipient, "--recipient", text).expectRefusal(12, message, hint: hint)
    }
    tool.run("init", "--recipient", recipient, "--recipient", recipient).expectRefusal(
      2, "one recipient is named twice", hint: "Name each once.")
    #expect(TestFiles.names(in: tool.directory.path).sorted() == before, "nothing may be made")
  }

  @Test func initSaysToWhomItIsSealedAndWhatToWriteDown() throws {
    let tool = SealedTool()
    let (first, second) = (tool.generate("first"), tool.generate("second"))
    let made = tool.run("init", "--recipient", first, "--recipient", second)
    #expect(made.exitStatus == 0)
    #expect(
      tool.plain(made.output) == """
        made repository ID in DIR/repository
        it is sealed to recipient-1 (ID), recipient-2 (ID); keep the identity safe: nothing else can restore
        this machine signs its snapshots with the new key in DIR/writer.key
        write down the digest of its keyring: DIGEST

        """)
    #expect(made.error == "")
    #expect(TestFiles.permissions(tool.writerKey) == 0o600)
    let key = TestFiles.read(tool.writerKey)
    TestFiles.removeTree(tool.repository)
    let again = tool.run("init", "--recipient", first, "--json")
    #expect(again.exitStatus == 0)
    #expect(
      tool.plain(again.output) == """
        {
          "keyringDigest" : "DIGEST",
          "location" : "DIR/repository",
          "repository" : "LONGID",
          "schema" : 1,
          "sealed" : true
        }

        """)
    #expect(TestFiles.read(tool.writerKey) == key, "a machine keeps its writer key")
    TestFiles.removeTree(tool.repository)
    let known = tool.run("init", "--recipient", first)
    #expect(
      tool.plain(known.output).contains("\nthis machine signs its snapshots with the key in DIR/writer.key\n"))
    TestFiles.removeTree(tool.repository)
    let quiet = tool.run("init", "--recipient", first, "--quiet")
    #expect(quiet.exitStatus == 0)
    #expect(quiet.output + quiet.error == "")
  }

  @Test func initLeavesASealedRepositoryAlone() {
    let tool = SealedTool()
    let recipient = tool.makeRepository()
    let before = TreeDescription(of: tool.repository)
    for options in [["--unsealed"], ["--recipient", recipient]] {
      tool.run(["init"] + options).expectRefusal(
        1, "\(tool.repository) is a repository already", hint: "Run `holdfast list` to see what is in it.")
    }
    #expect(TreeDescription(of: tool.repository) == before)
    #expect(tool.run("list").exitStatus == 0)
  }

  @Test func aPassphraseFromAFileSealsAndOpens() {
    let tool = SealedTool()
    tool.writePassphrase("ten words that nobody else would say in this order\n")
    let passphrase: (inout RunningProcess.Start) -> Void = {
      $0.environment["HOLDFAST_PASSPHRASE_FILE"] = "passphrase"
    }
    let made = tool.run("init", "--passphrase", configure: passphrase)
    #expect(made.exitStatus == 0)
    #expect(
      tool.plain(made.output).contains(
        "\nit is sealed to passphrase-1 (ID); keep the passphrase safe: nothing else can restore\n"))
    #expect(tool.run("backup", "source").exitStatus == 0, "to take a snapshot no passphrase is needed")
    #expect(tool.run("restore", "--target", "restored", configure: passphrase).exitStatus == 0)
    #expect(TreeDescription(of: tool.directory.appending("restored")) == TreeDescription(of: tool.source))
    // What an editor of another system makes of the same file.
    tool.writePassphrase("ten words that nobody else would say in this order\r\n\r\n", to: "other")
    #expect(
      tool.run("cat", "latest", "orders") { $0.environment["HOLDFAST_PASSPHRASE_FILE"] = "other" }.output == "an order")
  }

  @Test func aPassphraseAndAnIdentityOpenTheSame() {
    let tool = SealedTool()
    let recipient = tool.generate("identity")
    tool.writePassphrase("many words")
    let made = tool.run("init", "--recipient", recipient, "--passphrase") {
      $0.environment["HOLDFAST_PASSPHRASE_FILE"] = "passphrase"
    }
    #expect(
      tool.plain(made.output).contains(
        "\nit is sealed to recipient-1 (ID), passphrase-2 (ID); keep identity and passphrase safe: nothing else can restore\n"
      ))
    tool.run("backup", "source")
    #expect(tool.run("cat", "latest", "orders", "--identity", "identity").output == "an order")
    #expect(
      tool.run("cat", "latest", "orders") { $0.environment["HOLDFAST_PASSPHRASE_FILE"] = "passphrase" }.output
        == "an order")
  }

  @Test func aPassphraseFileThatIsNoneIsRefused() {
    let tool = SealedTool()
    tool.writePassphrase("", to: "empty")
    tool.writePassphrase("\n\n", to: "blank")
    tool.writePassphrase("one\ntwo\n", to: "lines")
    tool.writePassphrase(String(repeating: "x", count: 70_000), to: "long")
    tool.writePassphrase("words", to: "open")
    TestFiles.setMode(tool.directory.appending("open"), 0o640)
    let place = tool.directory.path
    let wrong = [
      ("empty", "the passphrase is empty", "Use several words that nobody would guess."),
      ("blank", "the passphrase is empty", "Use several words that nobody would guess."),
      (
        "lines", "\(place)/lines holds more than one line",
        "Put the passphrase on one line, so that it can be typed as well."
      ),
      ("long", "\(place)/long is too long for a key file", "Name the file that holds the passphrase."),
      ("source", "\(place)/source is no file", "Name the file that holds the passphrase."),
      (
        "open", "the passphrase file \(place)/open can be used by others (mode 0640)",
        "Run `chmod 600 \(place)/open`, and think about who may have read it."
      ),
      (
        "nothing", "there is no passphrase file \(place)/nothing",
        "Put the passphrase into a file of mode 0600, and name that with HOLDFAST_PASSPHRASE_FILE."
      ),
    ]
    for (file, message, hint) in wrong {
      tool.run("init", "--passphrase") { $0.environment["HOLDFAST_PASSPHRASE_FILE"] = file }.expectRefusal(
        12, message, hint: hint)
    }
    #expect(!TestFiles.exists(tool.repository))
  }

  @Test func withoutATerminalAndAFileThereIsNoPassphrase() {
    let tool = SealedTool()
    tool.run("init", "--passphrase").expectRefusal(
      2, "there is no terminal to ask for a passphrase on",
      hint: "Put it into a file, and set HOLDFAST_PASSPHRASE_FILE.")
    #expect(!TestFiles.exists(tool.repository))
  }
}

extension ProcessResult {
  /// Nothing on standard output, and on standard error just this.
  func expectRefusal(
    _ status: Int32, _ message: String, hint: String?, _ sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(exitStatus == status, "\(error)", sourceLocation: sourceLocation)
    #expect(output == "", sourceLocation: sourceLocation)
    #expect(
      error == "holdfast: \(message)\n" + (hint.map { "HINT: \($0)\n" } ?? ""), sourceLocation: sourceLocation)
  }
}
