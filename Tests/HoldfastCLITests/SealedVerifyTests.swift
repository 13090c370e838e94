import Foundation
import FoundationXML
import HoldfastModel
import HoldfastTestSupport
import Testing

/// CI proves a sealed repository without being able to read it, and says how much that proves.
@Suite struct SealedVerifyTests {
  private func shop() -> SealedTool {
    let tool = SealedTool()
    var random = SeededRandom(seed: 61)
    TestFiles.write(random.bytes(600_000), to: tool.source.appending("orders.db"))
    tool.makeRepository()
    tool.run("backup", "source")
    return tool
  }

  private func json(_ result: ProcessResult) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Any])
  }

  private func flip(_ tool: SealedTool, _ object: String, at offset: Int) throws {
    let path = try #require(
      TestFiles.allFiles(in: tool.repository.appending("sources")).first { $0.text.contains("/\(object)-") })
    let byte = try #require(TestFiles.read(path, at: offset, count: 1))
    TestFiles.overwrite(path, at: offset, with: [byte[0] ^ 1])
  }

  @Test func withoutAnIdentityItSaysWhatWasNotProved() throws {
    let tool = shop()
    let plain = tool.run("verify")
    #expect(plain.exitStatus == 0)
    #expect(
      tool.plain(plain.output) == """
        sealed, and no identity was named: signatures and presence are proved, no page and no state
        1 of 1 snapshot sound, in SECONDS

        """)
    let data = tool.run("verify", "--data")
    #expect(data.exitStatus == 0)
    #expect(
      data.output.hasPrefix(
        "sealed, and no identity was named: signatures and stored bytes are proved, no page and no state\n1 of 1 snapshot sound; "
      ))
    #expect(data.output.contains(" read and proved, in "))
    #expect(plain.error + data.error == "")
    let opened = tool.run("verify", "--data", "--identity", "identity")
    #expect(opened.output.hasPrefix("1 of 1 snapshot sound; "))
    let quiet = tool.run("verify", "--data", "--quiet")
    #expect(quiet.output + quiet.error == "")
  }

  @Test func jsonAndJUnitSayWhatStayedClosed() throws {
    let tool = shop()
    let report = tool.directory.appending("report.xml")
    for (options, isClosed) in [([], true), (["--identity", "identity"], false)] {
      let result = tool.run(["verify", "--data", "--json", "--junit", "report.xml"] + options)
      #expect(result.exitStatus == 0)
      let all = try json(result)
      #expect(all["closed"] as? Bool == isClosed)
      #expect(all["sound"] as? Bool == true)
      #expect((all["snapshots"] as? [[String: Any]])?.map { $0["closed"] as? Bool } == [isClosed])
      let document = try XMLDocument(data: Data(#require(TestFiles.read(report))))
      let suite = try #require(document.rootElement())
      #expect(suite.attribute(forName: "tests")?.stringValue == "1")
      #expect(suite.attribute(forName: "failures")?.stringValue == "0")
      let properties = suite.elements(forName: "properties").flatMap { $0.elements(forName: "property") }
      #expect(properties.map { $0.attribute(forName: "name")?.stringValue } == (isClosed ? ["closed"] : []))
      #expect(properties.map { $0.attribute(forName: "value")?.stringValue } == (isClosed ? ["1"] : []))
    }
  }

  @Test(arguments: ["archive", "body"])
  func aFlippedByteIsFoundWithoutAnyKey(object: String) throws {
    let tool = shop()
    try flip(tool, object, at: 600)
    for options in [[], ["--identity", "identity"]] {
      let result = tool.run(["verify", "--data"] + options)
      #expect(result.exitStatus == 21)
      #expect(
        tool.plain(result.error).contains(
          "holdfast: DAMAGED: ID (source, number 1): sources/source/0000000001/\(object)-LONGID is damaged: "),
        "\(result.error)")
      #expect(result.error.contains("\nHINT: No snapshot is sound. "))
    }
    #expect(try json(tool.run("verify", "--data", "--json"))["sound"] as? Bool == false)
  }

  @Test func theExpectedHeadIsTheNewestOrVerifyFails() throws {
    let tool = shop()
    let first = try json(tool.run("backup", "source", "--json"))
    let snapshot = try #require((first["snapshot"] as? [String: Any])?["id"] as? String)
    let manifest = try #require(TestFiles.read(tool.repository.appending("sources/source/0000000002/manifest.json")))
    let digest = try #require(String(decoding: manifest, as: UTF8.self).split(separator: "\n").last).dropFirst()
      .dropLast()
    for head in [snapshot, snapshot.uppercased(), String(digest), String(digest.prefix(32))] {
      #expect(tool.run("verify", "--expect-head", head).exitStatus == 0)
    }
    tool.run("backup", "source")
    let newest = try #require(
      (try json(tool.run("backup", "source", "--json"))["snapshot"] as? [String: Any])?["id"] as? String)
    tool.run("verify", "--expect-head", "").expectRefusal(
      2, "the snapshot that is expected to be the newest is empty",
      hint: "Say its ID, as `holdfast backup --json` reports it.")
    for head in [String(newest.prefix(8)), "f"] {
      tool.run("verify", "--expect-head", head).expectRefusal(
        2,
        "\"\(head)\" is not the whole ID of a snapshot, nor the digest of its manifest: fewer digits than 32 can be met by another",
        hint: "Say the ID that `holdfast show` and `holdfast backup --json` report.")
    }
    for head in [snapshot, String(repeating: "f", count: 32)] {
      let result = tool.run("verify", "--expect-head", head)
      #expect(result.exitStatus == 21)
      #expect(
        result.error == """
          holdfast: DAMAGED: the repository is damaged: the newest snapshot is not \(head), as expected, but \(newest.prefix(8)) of source
          HINT: 4 snapshots are sound, the newest \(newest.prefix(8)). Take a new full: `holdfast backup SOURCE --full`.

          """)
    }
  }

  @Test func theExpectedKeyringIsThereOrNothingIsDone() throws {
    let tool = shop()
    let digest = try #require(try json(tool.run("key", "list", "--json"))["keyringDigest"] as? String)
    tool.run("key", "add", "--recipient", tool.generate("other"), "--identity", "identity")
    let commands = [["verify"], ["list"], ["backup", "source"], ["key", "list"], ["show"]]
    for command in commands {
      #expect(tool.run(command + ["--expect-keyring", digest]).exitStatus == 0, "a later revision continues it")
      let other = String(repeating: "0123", count: 16)
      let environment: (inout RunningProcess.Start) -> Void = { $0.environment["HOLDFAST_EXPECT_KEYRING"] = other }
      for result in [tool.run(command, configure: environment), tool.run(command + ["--expect-keyring", other])] {
        result.expectRefusal(
          21, "the repository in \(tool.repository) has no revision \(other) of its keyring",
          hint: "It is not the one that is expected. Compare `holdfast key list` with what you have written down.")
      }
      #expect(
        tool.run(command + ["--expect-keyring", digest], configure: environment).exitStatus == 0, "the option wins")
    }
    // A variable of a script that was never set must not pass for an expectation that is met.
    tool.run("list", "--expect-keyring", "").expectRefusal(
      2, "the digest that is expected of the keyring is empty", hint: "Say the one that `holdfast key list` shows.")
    let plain = SealedTool()
    plain.run("init", "--unsealed")
    #expect(plain.run("list", "--expect-keyring", digest).exitStatus == 21, "an unsealed one has none")
  }

  @Test func aWrongIdentityIsNamedAsSuch() {
    let tool = shop()
    tool.generate("other")
    let id = tool.shortIDs(of: "recipient")[0]
    for command in [
      ["verify"], ["restore", "--target", "restored"], ["cat", "latest", "orders"], ["show", "--files"],
      ["diff", "latest", "latest"],
    ] {
      let result = tool.run(command + ["--identity", "other"])
      result.expectRefusal(
        12, "none of the identities at hand opens this snapshot; it is sealed to recipient-1 (\(id))",
        hint: "Name the identity of one of them with --identity FILE or HOLDFAST_IDENTITY_FILE.")
    }
    #expect(!TestFiles.exists(tool.directory.appending("restored")))
    TestFiles.removeTree(tool.tool.cache)
    let taken = tool.run("backup", "source", "--identity", "other")
    #expect(taken.exitStatus == 0, "a full is better than no snapshot")
    #expect(
      taken.error
        == "holdfast: WARNING: none of the identities at hand opens this snapshot; it is sealed to recipient-1 (\(id))\n"
    )
    #expect(taken.output.contains("took full "))
  }

  @Test func whatASealedRepositoryShowsWithoutAnIdentityIsLittle() throws {
    let tool = shop()
    let listed = tool.run("list")
    #expect(listed.output.contains("\nsource  (sealed)\n"))
    let shown = tool.run("show")
    #expect(shown.exitStatus == 0)
    #expect(shown.output.contains("\nsource       source  (sealed)\n"))
    let text = listed.output + tool.run("list", "--json").output + shown.output + tool.run("show", "--json").output
    #expect(!text.contains(tool.source.text))
    #expect(!text.contains("orders"))
    #expect(tool.run("show", "--identity", "identity").output.contains("\nsource       source  (\(tool.source))\n"))
    #expect(tool.run("show", "--files").exitStatus == 12)
    #expect(tool.run("show", "--files", "--identity", "identity").output.contains("  orders.db\n"))
  }
}
