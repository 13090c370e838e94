import HoldfastModel
import HoldfastTestSupport
import Testing

/// Whoever controls the storage can put something else there; a machine that has seen what was there notices.
@Suite struct ExchangeTests {
  private let find =
    "Somebody may have exchanged it or put back an old copy. Find out; to read a copy that is known to be older, say --older-copy; only if that was meant, run `holdfast key forget`."

  private func shop() -> SealedTool {
    let tool = SealedTool()
    tool.makeRepository()
    tool.run("backup", "source")
    tool.run("backup", "source")
    return tool
  }

  private func exchange(_ tool: SealedTool, by name: String) {
    TestFiles.removeTree(tool.repository)
    TestFiles.copyTree(tool.directory.appending(name), to: tool.repository)
  }

  /// Everything is refused, until this machine is told to forget.
  private func expectExchange(_ tool: SealedTool, _ finding: String) {
    let before = TreeDescription(of: tool.repository)
    for command in [
      ["list"], ["verify"], ["backup", "source"], ["restore", "--target", "restored", "--identity", "identity"],
      ["cat", "latest", "orders", "--identity", "identity"], ["show"], ["key", "list"],
      ["key", "remove", "recipient-1", "--identity", "identity"],
    ] {
      tool.run(command).expectRefusal(
        21, "the repository in \(tool.repository) is not the one that was there: \(finding)", hint: find)
    }
    #expect(TreeDescription(of: tool.repository) == before)
    #expect(!TestFiles.exists(tool.directory.appending("restored")))
    #expect(tool.run("key", "forget").output == "forgot \(tool.repository)\n")
    #expect(tool.run("list").exitStatus == 0)
  }

  @Test func anUnsealedOneInItsPlaceIsRefused() {
    let tool = shop()
    tool.run("init", "--unsealed", "-r", "other")
    tool.run("backup", "source", "-r", "other")
    exchange(tool, by: "other")
    expectExchange(tool, "it is not sealed, and it was when this machine last used it")
  }

  @Test func anotherSealedOneInItsPlaceIsRefused() {
    let tool = shop()
    // The forger has keys of his own, and a machine of his own to make it on.
    let recipient = tool.generate("forged")
    let forger: (inout RunningProcess.Start) -> Void = {
      $0.environment["HOLDFAST_STATE_DIR"] = tool.directory.appending("forger").text
      $0.environment["HOLDFAST_WRITER_KEY_FILE"] = tool.directory.appending("forger.key").text
    }
    #expect(tool.run("init", "--recipient", recipient, "-r", "other", configure: forger).exitStatus == 0)
    #expect(tool.run("backup", "source", "-r", "other", configure: forger).exitStatus == 0)
    exchange(tool, by: "other")
    expectExchange(tool, "it has another ID than the one that this machine knows there")
    let taken = tool.run("backup", "source")
    #expect(taken.exitStatus == 12, "a machine that forgot trusts anew, and its key does not count there")
  }

  /// Also right after the change, before any other command has seen it.
  @Test func aKeyringThatWasPutBackIsRefused() {
    let tool = shop()
    TestFiles.copyTree(tool.repository, to: tool.directory.appending("before"))
    let other = tool.generate("other")
    #expect(
      tool.run("key", "rotate", "recipient-1", "--recipient", other, "--identity", "identity").exitStatus == 0)
    exchange(tool, by: "before")
    expectExchange(tool, "its keyring lacks revision 2, which this machine has seen")
  }

  @Test(arguments: ["repository/", "./repository", "../%/repository", "link"])
  func howThePlaceIsSpelledMakesNoDifference(spelling: String) {
    let tool = shop()
    TestFiles.symbolicLink("repository", at: tool.directory.appending("link"))
    let name = String(decoding: tool.directory.path.lastComponent, as: UTF8.self)
    let place = spelling.replacing("%", with: name)
    tool.run("init", "--unsealed", "-r", "other")
    exchange(tool, by: "other")
    tool.run("list", "-r", place).expectRefusal(
      21,
      "the repository in \(tool.repository) is not the one that was there: it is not sealed, and it was when this machine last used it",
      hint: find)
    #expect(tool.run("key", "forget", "-r", place).output == "forgot \(tool.repository)\n")
    #expect(tool.run("list").exitStatus == 0)
  }

  @Test func forgettingSaysWhatWasForgottenAndWhere() {
    let tool = shop()
    #expect(
      tool.plain(tool.run("key", "forget", "--json").output) == """
        {
          "forgotten" : true,
          "location" : "DIR/repository",
          "schema" : 1
        }

        """)
    let nothing = tool.run("key", "forget")
    #expect(nothing.exitStatus == 0)
    #expect(nothing.output == "nothing was remembered of \(tool.repository) in \(tool.state)\n")
    #expect(tool.run("key", "forget", "--quiet").output == "")
    tool.run("list")
    #expect(tool.run("key", "forget", "--quiet").output == "")
    #expect(tool.run("key", "forget").output == "nothing was remembered of \(tool.repository) in \(tool.state)\n")
  }

  /// Whoever makes a repository knows that it is not the one that was there.
  @Test func aNewRepositoryInItsPlaceIsNoExchange() {
    let tool = shop()
    TestFiles.removeTree(tool.repository)
    #expect(tool.run("list").exitStatus == 10)
    #expect(tool.run("init", "--unsealed").exitStatus == 0)
    #expect(tool.run("list").exitStatus == 0)
  }

  // MARK: Snapshots

  private let lost =
    "it is missing, and this machine has seen it: the repository was put back, or has lost its newest snapshots"

  @Test func aNewestSnapshotThatVanishedIsMissed() throws {
    let tool = shop()
    TestFiles.removeTree(tool.repository.appending("sources/source/0000000002"))
    let key = "sources/source/0000000002/manifest.json"
    let first = try #require(tool.run("list").output.firstMatch(of: /([0-9a-f]{8}) +full +(.+ [+]0000)/))

    let list = tool.run("list")
    #expect(list.exitStatus == 21)
    #expect(
      list.error
        == "holdfast: \(key) is damaged: \(lost)\nHINT: Run `holdfast verify --data` to see what can still be restored.\n"
    )
    let verify = tool.run("verify")
    #expect(verify.exitStatus == 21)
    #expect(
      verify.error == """
        holdfast: DAMAGED: \(key) is damaged: \(lost)
        HINT: 1 snapshot is sound, the newest \(first.1). Take a new full: `holdfast backup SOURCE --full`.

        """)
    #expect(verify.output.contains("\n1 of 2 snapshots sound, "))
    for command in [["restore", "--target", "restored"], ["cat", "latest", "orders"], ["show"]] {
      let result = tool.run(command + ["--identity", "identity"])
      #expect(result.exitStatus == 21)
      #expect(
        result.error == """
          holdfast: WARNING: \(key) is damaged: \(lost)
          holdfast: the latest snapshot cannot be read: \(key) is damaged: \(lost)
          HINT: The newest that can be read is \(first.1), of \(first.2): name it by its ID.

          """)
    }
    #expect(!TestFiles.exists(tool.directory.appending("restored")))
    #expect(tool.run("cat", String(first.1), "orders", "--identity", "identity").output == "an order")

    let backup = tool.run("backup", "source")
    #expect(backup.exitStatus == 0)
    #expect(
      backup.error == """
        holdfast: WARNING: snapshot number 2 of source, which this machine has seen, is not there: the repository was put back, \
        or has lost its newest snapshots

        """)
    #expect(backup.output.contains(", number 3 "), "a number that was seen is never used again")
  }

  @Test func aSourceThatVanishedAsAWholeIsMissed() {
    let tool = shop()
    TestFiles.removeTree(tool.repository.appending("sources"))
    let finding = "sources/source/0000000002/manifest.json is damaged: \(lost)"
    for command in [["list"], ["list", "--name", "source"]] {
      let result = tool.run(command)
      #expect(result.exitStatus == 21)
      #expect(
        result.error
          == "holdfast: \(finding)\nHINT: Run `holdfast verify --data` to see what can still be restored.\n")
    }
    let verify = tool.run("verify")
    #expect(verify.exitStatus == 21)
    #expect(
      verify.error
        == "holdfast: DAMAGED: \(finding)\nHINT: No snapshot is sound. Take a new one at once: `holdfast backup SOURCE --full`.\n"
    )
    let restore = tool.run("restore", "--target", "restored", "--identity", "identity")
    #expect(restore.exitStatus == 21)
    #expect(restore.error.hasPrefix("holdfast: WARNING: \(finding)\nholdfast: \(finding)\n"))
    #expect(tool.run("verify", "--name", "other").exitStatus == 1, "a name mistyped is no loss")
  }

  @Test func anotherSnapshotUnderTheSameNumberIsNoticed() {
    let tool = shop()
    TestFiles.copyTree(tool.repository, to: tool.directory.appending("before"))
    tool.run("backup", "source")
    TestFiles.copyTree(tool.state, to: tool.directory.appending("state.then"))
    exchange(tool, by: "before")
    tool.run("key", "forget")
    tool.run("backup", "source")
    TestFiles.removeTree(tool.state)
    TestFiles.copyTree(tool.directory.appending("state.then"), to: tool.state)
    let list = tool.run("list")
    #expect(list.exitStatus == 21)
    #expect(
      list.error.hasPrefix(
        "holdfast: sources/source/0000000003/manifest.json is damaged: it is another snapshot than the one that this machine has seen under this number\n"
      ))
  }

  @Test func aMemoryThatIsDamagedIsNotTakenForNone() throws {
    let tool = shop()
    let file = try #require(TestFiles.allFiles(in: tool.state).first)
    for bytes in [[], Array("{}".utf8)] as [[UInt8]] {
      TestFiles.write(bytes, to: file)
      tool.run("list").expectRefusal(
        1, "\(file), what this machine remembers of \(tool.repository), is damaged",
        hint: "Compare `holdfast key list` with what you have written down, then run `holdfast key forget`.")
    }
    #expect(tool.run("key", "forget").exitStatus == 0)
    #expect(tool.run("list").exitStatus == 0)
  }

  /// Cron starts the backups of several sources in the same minute.
  @Test func runsAtTheSameTimeForgetNothingOfOneAnother() throws {
    let tool = shop()
    let names = (1...6).map { "shop\($0)" }
    for name in names { TestFiles.copyTree(tool.source, to: tool.directory.appending(name)) }
    for _ in 0..<3 {
      let runs = names.map { RunningProcess(tool.start(["backup", $0])) }
      for run in runs { #expect(run.wait().exitStatus == 0) }
    }
    let file = try #require(TestFiles.allFiles(in: tool.state).first { $0.text.contains("/repository-") })
    let text = String(decoding: TestFiles.read(file) ?? [], as: UTF8.self)
    #expect(text.ranges(of: "\"sequence\":3").count == names.count, "\(text)")
    for name in names { TestFiles.removeTree(tool.repository.appending("sources/\(name)/0000000003")) }
    #expect(tool.run("list").error.ranges(of: lost).count == names.count)
  }

  @Test(.requires(.unprivilegedUser)) func aMachineThatCannotRememberSaysSo() throws {
    let tool = SealedTool()
    TestFiles.setMode(tool.directory.path, 0o777)
    let recipient = tool.generate("identity")
    let nobody = try Unprivileged(tool.tool)
    TestFiles.makeDirectory(tool.directory.appending("home"), mode: 0o555)
    let warning =
      "holdfast: WARNING: this machine cannot remember the repository, and will not notice if it is exchanged or put back: "
    for (home, reason) in [
      (nil, "there is no directory for it"),
      (
        tool.directory.appending("home").text,
        "cannot make directory \(tool.directory.path)/home/.local: Permission denied"
      ),
    ] {
      TestFiles.removeTree(tool.repository)
      let run = { (arguments: [String]) in nobody.run(arguments) { $0.environment["HOME"] = home } }
      #expect(run(["init", "--recipient", recipient, "--writer-key", "key"]).exitStatus == 0)
      for command in [["list"], ["backup", "source", "--writer-key", "key", "--quiet"]] {
        let result = run(command)
        #expect(result.exitStatus == 0)
        #expect(result.error == "\(warning)\(reason); set HOLDFAST_STATE_DIR\n")
      }
    }
  }
}
