import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Which snapshot is meant: never a guess.
@Suite struct SelectionTests {
  @Test func anAmbiguousPrefixShowsTheCandidates() throws {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    var byDigit: [Character: String] = [:]
    // Of seventeen IDs two begin with the same digit.
    for _ in 0..<17 {
      tool.run("backup", "source", "--full")
      let newest = try #require(tool.run("show").output.firstMatch(of: /[0-9a-f]{32}/)).output
      let digit = try #require(newest.first)
      guard let other = byDigit.updateValue(String(newest), forKey: digit) else { continue }
      let result = tool.run("show", String(digit))
      #expect(result.exitStatus == 2)
      #expect(result.output == "")
      #expect(
        tool.plain(result.error).wholeMatch(
          of:
            /holdfast: "." fits 2 snapshots:\n  LONGID  source\/\d+  TIME\n  LONGID  source\/\d+  TIME\nHINT: Type more digits of the ID.\n/
        ) != nil, "\(result.error)")
      #expect(result.error.contains(other))
      #expect(result.error.contains(newest))
      #expect(tool.run("show", other.uppercased()).output.contains(other), "a whole ID is never ambiguous")
      return
    }
    Issue.record("seventeen IDs and no two with the same first digit")
  }

  @Test(arguments: ["ffffffffffffffff", "yesterday", ""])
  func anUnknownSnapshotIsNamedWithAHint(text: String) {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    let result = tool.run("show", text)
    #expect(result.exitStatus == 1)
    #expect(
      result.error == """
        holdfast: there is no snapshot "\(text)"
        HINT: Run `holdfast list` to see which there are.

        """)
  }

  @Test func anEmptyRepositorySaysHowToTakeTheFirst() {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    let result = tool.run("restore", "--target", "restored")
    #expect(result.exitStatus == 1)
    #expect(
      tool.plain(result.error) == """
        holdfast: there is no snapshot in DIR/repository
        HINT: Run `holdfast backup SOURCE` to take the first.

        """)
  }

  @Test func ofTwoSourcesLatestNeedsAName() {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("backup", "source")
    tool.run("backup", "source", "--name", "shop-2")
    for command in [["show"], ["restore", "--target", "restored"], ["cat", "latest", "orders"]] {
      let result = RunningProcess(tool.start(command)).wait()
      #expect(result.exitStatus == 2)
      #expect(
        result.error == """
          holdfast: "latest" is ambiguous: the repository holds the sources shop-2, source
          HINT: Say which one with --name NAME, or name a snapshot by its ID.

          """)
    }
    #expect(tool.run("cat", "latest", "orders", "--name", "shop-2").output == "an order")
  }

  @Test(arguments: [["list"], ["show"], ["verify"], ["restore", "--target", "restored"]])
  func aNameThatDoesNotExistIsNoEmptyHistory(command: [String]) {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    let result = RunningProcess(tool.start(command + ["--name", "typo"])).wait()
    #expect(result.exitStatus == 1)
    #expect(result.output == "")
    #expect(
      tool.plain(result.error) == """
        holdfast: there is no source typo in DIR/repository
        HINT: Run `holdfast list` to see all sources.

        """)
  }

  /// A variable that is not set must not become the current directory, nor all of a snapshot.
  @Test func whatIsEmptyIsNothing() {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    let before = TestFiles.names(in: tool.directory.path).sorted()
    let hint = "Name one; if it comes from a variable, see whether that is set."
    tool.run("restore", "--target", "", "--delta").expectRefusal(2, "a path is empty", hint: hint)
    tool.run("backup", "").expectRefusal(2, "a path is empty", hint: hint)
    tool.run("restore", "--target", "restored", "--delta", "--path", "").expectRefusal(
      2, "\"\" is not a path within a snapshot", hint: "Give it as `holdfast show --files` prints it.")
    #expect(TestFiles.names(in: tool.directory.path).sorted() == before)
    #expect(tool.run("restore", "--target", "restored", "--path", "/").exitStatus == 0)
  }

  @Test func aTimeBeforeTheFirstSnapshotIsRefused() {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    let result = tool.run("restore", "--target", "restored", "--at", "2001-01-01")
    #expect(result.exitStatus == 1)
    #expect(
      result.error == """
        holdfast: no snapshot is as old as 2001-01-01 23:59:59 +0000
        HINT: Run `holdfast list` to see which there are.

        """)
    #expect(tool.run("restore", "--target", "restored", "--at", "2999-01-01").exitStatus == 0)
  }
}
