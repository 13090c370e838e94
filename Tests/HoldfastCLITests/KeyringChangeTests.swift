import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Who holds an identity changes the keyring, and nobody else does; what it says holds from the next snapshot on.
@Suite struct KeyringChangeTests {
  private let byWhom = "Name the identity of one of them with --identity FILE or HOLDFAST_IDENTITY_FILE."

  private func identity(_ name: String) -> (inout RunningProcess.Start) -> Void {
    { $0.environment["HOLDFAST_IDENTITY_FILE"] = name }
  }

  /// The digest that is shown is the one that a machine can be told to expect.
  private func expectRevision(_ number: Int, _ result: ProcessResult, _ tool: SealedTool, says: String) throws {
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(result.error == "")
    let match = try #require(
      result.output.firstMatch(of: /(.*); the keyring is at revision (\d+), digest ([0-9a-f]{64})\n/))
    #expect(match.1 == says)
    #expect(Int(match.2) == number)
    #expect(tool.run("list", "--expect-keyring", String(match.3)).exitStatus == 0)
  }

  @Test func onlyARecipientChangesTheKeyring() {
    let tool = SealedTool()
    tool.makeRepository()
    let (other, machine) = (tool.generate("other"), tool.generate("machine", "--writer"))
    let reader = tool.shortIDs(of: "recipient")[0]
    let before = TreeDescription(of: tool.repository)
    let changes = [
      ["add", "--recipient", other], ["add", "--writer", machine], ["add", "--passphrase"], ["remove", reader],
      ["rotate", reader, "--recipient", other],
    ]
    for change in changes {
      for use in [identity(""), identity("other")] {
        tool.run(["key"] + change, configure: use).expectRefusal(
          12,
          "the keyring is changed by a recipient only, and none of their identities is at hand: recipient-1 (\(reader))",
          hint: byWhom)
      }
    }
    #expect(TreeDescription(of: tool.repository) == before)
  }

  /// Whoever may prune is told by `key list`; a machine that may not says so, and `run` leaves it to others.
  @Test func theRightToPruneIsGivenAndTaken() throws {
    let tool = SealedTool()
    tool.makeRepository()
    let (name, id) = (tool.tool.other("uname", "-n").output.dropLast(), tool.shortIDs(of: "writer")[0])
    let wrong = tool.run("key", "add", "--recipient", tool.generate("other"), "--may-prune")
    #expect(wrong.exitStatus == 2 && wrong.error.contains("--may-prune is for a --writer"))
    let taken = tool.run("key", "permit", String(name), "--no-prune", configure: identity("identity"))
    try expectRevision(2, taken, tool, says: "the writer \(name) (\(id)) may not prune")
    #expect(!tool.run("key", "list").output.contains("may prune"))
    tool.run("backup", "source", "--name", "orders")
    tool.run("prune", "--keep-last", "1").expectRefusal(
      12, "the writer \(name) (\(id)) of this machine may not prune",
      hint:
        "Prune on a machine that may; or, where the recovery identity is, run `holdfast key permit \(name) --prune --identity FILE`."
    )
    let given = tool.run("key", "permit", id, "--prune", configure: identity("identity"))
    try expectRevision(3, given, tool, says: "the writer \(name) (\(id)) may prune")
    #expect(tool.run("prune", "--keep-last", "1").exitStatus == 0)
    let second = tool.generate("second", "--writer")
    tool.run("key", "add", "--writer", second, "--label", "admin", "--may-prune", configure: identity("identity"))
    #expect(tool.run("key", "list").output.contains("admin"))
    #expect(tool.run("key", "list").output.split(separator: "may prune").count == 3)
  }

  @Test func aRecipientThatIsAddedOpensFromTheNextSnapshotOn() throws {
    let tool = SealedTool()
    tool.makeRepository()
    tool.run("backup", "source")
    let other = tool.generate("other")
    let added = tool.run("key", "add", "--recipient", other, "--label", "safe in Łódź", configure: identity("identity"))
    let id = tool.shortIDs(of: "recipient")[1]
    try expectRevision(2, added, tool, says: "added the recipient safe in Łódź (\(id))")
    #expect(tool.run("cat", "latest", "orders", configure: identity("other")).exitStatus == 12)
    let next = tool.run("backup", "source")
    #expect(next.output.contains("took full "))
    #expect(next.output.contains(", number 2 (the recipients have changed since the last full)\n"))
    for name in ["identity", "other"] {
      #expect(tool.run("cat", "latest", "orders", configure: identity(name)).output == "an order")
    }
    let json = tool.run(
      "key", "add", "--writer", tool.generate("w", "--writer"), "--json", configure: identity("other"))
    #expect(json.outputBytes == tool.run("key", "list", "--json").outputBytes, "the new keyring")
    let quiet = tool.run(
      "key", "add", "--writer", tool.generate("v", "--writer"), "--quiet", configure: identity("other"))
    #expect(quiet.exitStatus == 0)
    #expect(quiet.output + quiet.error == "")
    #expect(tool.run("key", "list").output.contains(", revision 4, "))
  }

  @Test func whatCannotBeAddedIsRefused() {
    let tool = SealedTool()
    let recipient = tool.makeRepository()
    let (reader, machine) = (tool.shortIDs(of: "recipient")[0], tool.shortIDs(of: "writer")[0])
    let other = tool.generate("other")
    let writer = tool.generate("machine", "--writer")
    let own = String(
      tool.run("key", "list").output.split(separator: "\n").last?.split(separator: " ").last ?? "")
    let refused: [([String], Int32, String, String?)] = [
      (["--recipient", recipient, "--label", "b"], 1, "the recipient \(reader) is in the keyring already", nil),
      (["--writer", own, "--label", "b"], 1, "the writer \(machine) is in the keyring already", nil),
      (["--recipient", other, "--label", "recipient-1"], 2, "the name recipient-1 is taken", "Say another --label."),
      (["--recipient", other, "--label", ""], 2, "\"\" is no name for a key", "Use 1 to 64 printable characters."),
      (
        ["--recipient", other, "--label", "a\u{1B}[2J"], 2, "\"a\\x1b[2J\" is no name for a key",
        "Use 1 to 64 printable characters."
      ),
      (
        ["--recipient", other, "--label", String(repeating: "é", count: 33)], 2,
        "\"\(String(repeating: "é", count: 33))\" is no name for a key", "Use 1 to 64 printable characters."
      ),
      (
        ["--writer", other], 12, "--writer holds a recipient where a writer is needed",
        "A writer begins with \"holdfast-writer-\"."
      ),
      (
        ["--recipient", writer], 12, "--recipient holds a writer where a recipient is needed",
        "A recipient begins with \"holdfast-recipient-\"."
      ),
      (
        ["--writer", tool.secret("machine")], 12, "--writer holds a writer key where a writer is needed",
        "A writer begins with \"holdfast-writer-\". What was typed is secret, and others may have seen it: make a new one."
      ),
    ]
    for (options, status, message, hint) in refused {
      tool.run(["key", "add"] + options, configure: identity("identity")).expectRefusal(status, message, hint: hint)
    }
    for options in [[], ["--recipient", other, "--writer", writer], ["--passphrase", "--recipient", other]] {
      let result = tool.run(["key", "add"] + options, configure: identity("identity"))
      #expect(result.exitStatus == 2)
      #expect(result.error.hasPrefix("holdfast: one of --recipient, --writer and --passphrase is needed\n"))
    }
    #expect(tool.run("key", "list").output.contains(", revision 1, "))
  }

  @Test func theLastRecipientStays() {
    let tool = SealedTool()
    tool.makeRepository()
    tool.run("key", "remove", "recipient-1", configure: identity("identity")).expectRefusal(
      1, "recipient-1 is the only recipient", hint: "Nobody could restore any more: add another one first.")
    for name in ["nobody", ""] {
      tool.run("key", "remove", name, configure: identity("identity")).expectRefusal(
        2, "there is no recipient or writer \(name.isEmpty ? "\"\"" : name)",
        hint: "Run `holdfast key list` to see who there is.")
    }
  }

  @Test func aRemovedRecipientKeepsThePastAndGetsNothingMore() throws {
    let tool = SealedTool()
    tool.makeRepository()
    let other = tool.generate("other")
    tool.run("key", "add", "--recipient", other, configure: identity("identity"))
    tool.run("backup", "source")
    let first = try #require(tool.run("list").output.firstMatch(of: /[0-9a-f]{8}/)).output
    let id = tool.shortIDs(of: "recipient")[1]
    let removed = tool.run("key", "remove", "recipient-2", configure: identity("other"))
    try expectRevision(3, removed, tool, says: "removed the recipient recipient-2 (\(id))")
    tool.run("backup", "source")
    #expect(tool.run("cat", String(first), "orders", configure: identity("other")).output == "an order")
    tool.run("cat", "latest", "orders", configure: identity("other")).expectRefusal(
      12,
      "none of the identities at hand opens this snapshot; it is sealed to recipient-1 (\(tool.shortIDs(of: "recipient")[0]))",
      hint: byWhom)
    #expect(tool.run("key", "add", "--recipient", other, configure: identity("other")).exitStatus == 12)
  }

  /// After a rotation no single identity opens everything: each opens its chains, and both together all.
  @Test func afterARotationEachIdentityOpensItsOwn() throws {
    let tool = SealedTool()
    tool.makeRepository()
    tool.run("backup", "source")
    let old = try #require(tool.run("list").output.firstMatch(of: /[0-9a-f]{8}/)).output
    let oldID = tool.shortIDs(of: "recipient")[0]
    let rotated = tool.run(
      "key", "rotate", "recipient-1", "--recipient", tool.generate("other"), configure: identity("identity"))
    let newID = tool.shortIDs(of: "recipient")[0]
    #expect(newID != oldID)
    try expectRevision(2, rotated, tool, says: "sealed to recipient-1 (\(newID)) from now on")
    TestFiles.write("a later order", to: tool.source.appending("orders"))
    tool.run("backup", "source")
    #expect(tool.run("cat", String(old), "orders", "--identity", "identity").output == "an order")
    #expect(tool.run("cat", "latest", "orders", "--identity", "other").output == "a later order")
    tool.run("cat", String(old), "orders", "--identity", "other").expectRefusal(
      12, "none of the identities at hand opens this snapshot; it is sealed to recipient-1 (\(oldID))", hint: byWhom)
    let difference = tool.run("diff", String(old), "latest", "--identity", "other", "--identity", "identity")
    #expect(difference.output == "U .\nM orders  8 B → 13 B\n" || difference.output == "M orders  8 B → 13 B\n")
    for name in ["identity", "other"] {
      let verified = tool.run("verify", "--data", "--identity", name)
      #expect(verified.exitStatus == 0)
      #expect(
        verified.output.hasPrefix(
          "1 snapshot is sealed to others than the identity at hand: there signatures and stored bytes are proved, no page and no state\n2 of 2 snapshots sound; "
        ))
    }
    let all = tool.run("verify", "--data", "--identity", "identity", "--identity", "other")
    #expect(all.exitStatus == 0)
    #expect(all.output.hasPrefix("2 of 2 snapshots sound; "))
    tool.generate("stranger")
    tool.run("verify", "--identity", "stranger").expectRefusal(
      12, "none of the identities at hand opens this snapshot; it is sealed to recipient-1 (\(newID))", hint: byWhom)
  }
}
