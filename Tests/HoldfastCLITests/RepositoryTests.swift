import HoldfastModel
import HoldfastTestSupport
import Testing

/// Which repository is meant, and what is said when it is not one.
@Suite struct RepositoryTests {
  @Test(arguments: ["list", "show", "verify"])
  func withoutARepositoryNamedNothingIsDone(command: String) {
    let result = Tool().run(command) { $0.environment["HOLDFAST_REPOSITORY"] = nil }
    #expect(result.exitStatus == 2)
    #expect(result.output == "")
    #expect(
      result.error == """
        holdfast: no repository is named
        HINT: Say --repository DIR, or set HOLDFAST_REPOSITORY.

        """)
  }

  @Test(arguments: [["list"], ["show"], ["backup", "source"], ["restore", "--target", "new"], ["verify"]])
  func whereThereIsNoRepositoryTheStatusIsTen(command: [String]) {
    let tool = Tool()
    let result = RunningProcess(tool.start(command)).wait()
    #expect(result.exitStatus == 10)
    #expect(result.output == "")
    #expect(
      tool.plain(result.error) == """
        holdfast: there is no repository in DIR/repository
        HINT: Is its disk mounted? If it is new, run `holdfast init --repository DIR/repository`; else name another place with --repository.

        """)
    #expect(TestFiles.names(in: tool.directory.path) == ["source"], "nothing may be made")
  }

  @Test func initSaysWhatItMadeAndThatItIsNotSealed() {
    let tool = Tool()
    let result = tool.run("init", "--unsealed")
    #expect(result.exitStatus == 0)
    #expect(
      tool.plain(result.output) == """
        made repository ID in DIR/repository
        it is not sealed: whoever can read that directory can read the orders in it

        """)
    #expect(result.error == "")
  }

  @Test func initLeavesAnExistingRepositoryAlone() {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    let before = TreeDescription(of: tool.repository)
    let result = tool.run("init", "--unsealed")
    #expect(result.exitStatus == 1)
    #expect(result.output == "")
    #expect(
      tool.plain(result.error) == """
        holdfast: DIR/repository is a repository already
        HINT: Run `holdfast list` to see what is in it.

        """)
    #expect(TreeDescription(of: tool.repository) == before)
  }

  @Test func initRefusesADirectoryWithOtherThings() {
    let tool = Tool()
    TestFiles.write("mine", to: tool.source.appending("orders.db"))
    let result = tool.run("init", "--unsealed", "--repository", "source")
    #expect(result.exitStatus == 1)
    #expect(
      tool.plain(result.error) == """
        holdfast: DIR/source is not empty
        HINT: Name a directory that is empty or does not exist.

        """)
    #expect(TestFiles.names(in: tool.source) == ["orders.db"])
  }

  @Test func relativePathsAreTakenFromWhereOneIs() throws {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    let within: (inout RunningProcess.Start) -> Void = {
      $0.environment["HOLDFAST_REPOSITORY"] = "../repository"
      $0.directory = tool.source
    }
    #expect(tool.run("init", "--unsealed", configure: within).exitStatus == 0)
    #expect(tool.run("backup", ".", configure: within).exitStatus == 0)
    #expect(tool.run("restore", "--target", "../restored", configure: within).exitStatus == 0)
    #expect(TreeDescription(of: tool.directory.appending("restored")) == TreeDescription(of: tool.source))
    #expect(tool.run("list", "-r", "repository") { $0.environment["HOLDFAST_REPOSITORY"] = nil }.exitStatus == 0)
    #expect(tool.run("list", "-r", "nowhere").exitStatus == 10, "the option wins over the environment")
  }

  @Test(arguments: [
    ("nothing", "the source DIR/nothing does not exist", "Name the directory that holds the order database."),
    (
      "source/orders", "the source DIR/source/orders is not a directory",
      "Name the directory that holds the order database."
    ),
    (
      ".", "the repository DIR/repository and the source DIR lie in one another",
      "Keep the repository on another disk than the source."
    ),
  ])
  func aSourceThatCannotBeOneIsRefused(source: String, message: String, hint: String) {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    let result = tool.run("backup", source)
    #expect(result.exitStatus == 1)
    #expect(tool.plain(result.error) == "holdfast: \(message)\nHINT: \(hint)\n")
    #expect(result.output == "")
    #expect(tool.plain(tool.run("list").output) == "no snapshots in DIR/repository\n")
  }

  @Test(arguments: [
    ("repository/within", "the target DIR/repository/within and the repository DIR/repository lie in one another"),
    ("source/within", "the target DIR/source/within lies in the source DIR/source: the next backup would capture it"),
  ])
  func aTargetThatWouldHarmIsRefused(target: String, message: String) {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    let result = tool.run("restore", "--target", target)
    #expect(result.exitStatus == 1)
    #expect(tool.plain(result.error) == "holdfast: \(message)\nHINT: Name a --target elsewhere.\n")
    #expect(!TestFiles.exists(tool.directory.appending(target)))
  }

  @Test func aTargetWithForeignContentIsRefusedUnlessToldOtherwise() {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("backup", "source")
    TestFiles.makeDirectory(tool.directory.appending("mine"))
    TestFiles.write("mine", to: tool.directory.appending("mine/file"))
    let refused = tool.run("restore", "--target", "mine")
    #expect(refused.exitStatus == 1)
    #expect(
      tool.plain(refused.error) == """
        holdfast: the target DIR/mine is not empty (1 entry)
        HINT: Name an empty --target, or say --delta to restore over what is there: it removes what the snapshot does not have.

        """)
    #expect(TestFiles.names(in: tool.directory.appending("mine")) == ["file"])
    let asked = tool.run("restore", "--target", "mine", "--delta", "--dry-run")
    #expect(
      tool.plain(asked.output).contains(
        """
          would remove 1 path that the snapshot does not have: 1 entry, 4 B
          - file
          without --yes it would be refused: DIR/mine has nothing in common with snapshot ID of source: \
        all that is in it would be removed, 1 entry (4 B)
        """))
    #expect(TestFiles.names(in: tool.directory.appending("mine")) == ["file"])
    let wrong = tool.run("restore", "--target", "mine", "--delta")
    #expect(wrong.exitStatus == 1)
    #expect(
      tool.plain(wrong.error) == """
        holdfast: DIR/mine has nothing in common with snapshot ID of source: all that is in it would be removed, 1 entry (4 B)
        HINT: See them with --dry-run. If it is the right directory, say --yes; --no-remove removes nothing, --missing-only \
        brings back only what is gone.

        """)
    #expect(TestFiles.names(in: tool.directory.appending("mine")) == ["file"])
    #expect(tool.run("restore", "--target", "mine", "--delta", "--yes").exitStatus == 0)
    #expect(TestFiles.names(in: tool.directory.appending("mine")) == ["orders"])
  }
}
