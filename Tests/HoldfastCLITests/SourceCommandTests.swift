import HoldfastModel
import HoldfastTestSupport
import Testing

/// `holdfast source`, as an operator uses it.
@Suite struct SourceCommandTests {
  private let tool = Tool()

  init() {
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    for name in ["new-shop", "old-shop"] { tool.run("backup", "source", "--name", name) }
    tool.run("backup", "source", "--name", "old-shop")
  }

  private func list() -> String {
    var text = tool.plain(tool.run("source", "list").output)
    text.replace(/\d+ B\b/, with: "BYTES")
    text.replace(/\d+\.\d KiB/, with: "BYTES")
    text.replace(/\d{4}-\d\d-\d\dT[0-9:.]+Z/, with: "TIME")
    return text
  }

  @Test func aSourceGoesInTwoStepsAndComesBackBetweenThem() {
    #expect(
      list() == """
        new-shop  1 snapshot  BYTES  newest of TIME
        old-shop  2 snapshots  BYTES  newest of TIME

        """)
    let removed = tool.run("source", "remove", "old-shop", "--yes")
    #expect(removed.exitStatus == 0 && removed.error == "", "\(removed.error)")
    #expect(removed.output.contains("removed 2 snapshots of old-shop, "), "\(removed.output)")
    #expect(
      removed.output.contains(
        "\n  `holdfast source undelete old-shop` undoes this within 1w; after that, the same command or a prune collects it\n"
      ),
      "\(removed.output)")
    #expect(
      list() == """
        new-shop  1 snapshot  BYTES  newest of TIME
        old-shop  2 snapshots  BYTES  removed on TIME; `holdfast source undelete old-shop` brings it back

        """)
    for command in [["list"], ["status"]] {
      let result = RunningProcess(tool.start(command)).wait()
      #expect(result.exitStatus == 0 && !result.output.contains("old-shop"), "\(result.output)\(result.error)")
    }
    let refused = tool.run("backup", "source", "--name", "old-shop")
    #expect(refused.exitStatus == 1)
    #expect(refused.error.hasPrefix("holdfast: the source old-shop was removed from the repository on "))
    let back = tool.run("source", "undelete", "old-shop")
    #expect(back.output == "called back old-shop with 2 snapshots\n", "\(back.error)")
    #expect(tool.run("backup", "source", "--name", "old-shop").exitStatus == 0)
    let gone = tool.run("source", "remove", "old-shop", "--yes", "--grace", "0d")
    #expect(
      gone.exitStatus == 0 && gone.output.contains("collected 3 snapshots of old-shop, "), "\(gone.output)\(gone.error)"
    )
    #expect(
      list() == """
        new-shop  1 snapshot  BYTES  newest of TIME
        old-shop  0 snapshots  BYTES  removed, and deleted on TIME; its name is not used again

        """)
    #expect(tool.run("source", "remove", "old-shop").output == "nothing of old-shop is left\n")
    for command in [["verify", "--data"], ["list"], ["status"], ["find", "orders"], ["history", "orders"]] {
      let result = RunningProcess(tool.start(command)).wait()
      #expect(result.exitStatus == 0, "\(command): \(result.output)\(result.error)")
    }
    #expect(TestFiles.names(in: tool.repository.appending("sources/old-shop")) == ["notes"])
  }

  @Test func nothingIsRemovedWithoutAYes() {
    let result = tool.run("source", "remove", "old-shop")
    #expect(result.exitStatus == 1)
    #expect(result.error.hasPrefix("holdfast: remove the source old-shop with 2 snapshots, "), "\(result.error)")
    #expect(result.error.contains("; it can be undone for 1w?\n"))
    #expect(
      result.error.hasSuffix(
        "holdfast: it was not confirmed, and nothing was changed\nHINT: Answer yes, or say --yes.\n"))
    #expect(
      tool.run("source", "remove", "old-shop", "--dry-run").output.hasPrefix("would remove 2 snapshots of old-shop, "))
    #expect(tool.run("list").output.contains("old-shop"))
  }

  /// Also of a source that is removed already, nothing is deleted before its time without a question.
  @Test func nothingIsDeletedEarlierWithoutAYes() {
    #expect(tool.run("source", "remove", "old-shop", "--yes", "--grace", "30d").exitStatus == 0)
    #expect(tool.run("prune", "--keep-last", "1", "--grace", "0d", "--name", "old-shop").exitStatus == 0)
    let result = tool.run("source", "remove", "old-shop", "--grace", "0d")
    #expect(result.exitStatus == 1)
    #expect(
      result.error.hasPrefix("holdfast: delete 2 snapshots of the removed source old-shop for good, ")
        && result.error.contains("; it CANNOT be undone?\n"), "\(result.error)")
    #expect(tool.run("source", "undelete", "old-shop").output == "called back old-shop with 2 snapshots\n")
  }

  @Test func whatIsAskedAtATerminalIsDoneAfterAYes() {
    let terminal = Pseudoterminal()
    var start = tool.start(["source", "remove", "old-shop", "--grace", "0d"])
    (start.input, start.error) = (.terminal(terminal.name), .file(terminal.name))
    start.hasOwnSession = true
    let process = RunningProcess(start)
    #expect(terminal.waits(for: "Type yes to go on: "))
    #expect(terminal.shown.contains("; it CANNOT be undone?"))
    terminal.type("yes\n")
    #expect(process.wait().exitStatus == 0)
    #expect(!tool.run("list").output.contains("old-shop"))
  }

  @Test func aSourceThatIsNotThereIsTold() {
    let result = tool.run("source", "remove", "elsewhere", "--yes")
    #expect(result.exitStatus == 1)
    #expect(
      result.error
        == "holdfast: there is no source elsewhere in \(tool.repository)\nHINT: Run `holdfast list` to see all sources.\n"
    )
  }

  /// A run of a host that has not heard of it fails, and says what to do.
  @Test func whatIsConfiguredIsToldToBeTakenOut() {
    let file = tool.directory.appending("holdfast.yaml")
    TestFiles.write(
      """
      repositories: {r: {path: \(tool.repository.text)}}
      sources: {old-shop: {path: \(tool.source.text), grace: 3d, schedule: {full: 1d}, keep: {last: 3}}}

      """, to: file)
    let removed = tool.run("source", "remove", "old-shop", "--yes", "--config", file.text) {
      $0.environment["HOLDFAST_REPOSITORY"] = nil
    }
    #expect(removed.output.contains(" undoes this within 3d; "), "\(removed.output)")
    #expect(removed.error == "HINT: Take old-shop out of the configuration: its runs are refused from now on.\n")
    let run = tool.run("backup", "old-shop", "--config", file.text) { $0.environment["HOLDFAST_REPOSITORY"] = nil }
    #expect(run.exitStatus == 1 && run.error.contains("the source old-shop was removed from the repository on "))
  }
}
