import HoldfastModel
import HoldfastTestSupport
import Testing

/// What `wal push` says is true, and what it says to type works.
@Suite struct WALPushCommandTests {
  private static var segment: (name: WALFileName, bytes: [UInt8]) { TestLogs.three.segments[0] }
  private var name: String { Self.segment.name.text }

  /// There a name is taken under a lock of the directory itself.
  @Test(.requires(.systemCallFilter)) func withoutExclusiveRenamesAndHardLinksItArchives() throws {
    let tool = Tool()
    tool.run("init", "--unsealed")
    TestFiles.write(Self.segment.bytes, to: tool.directory.appending(name))
    let push = [Tool.binary.text, "wal", "push", name, "--name", "orders"]
    let result = Refusal.run("renameat2:flags=EINVAL,linkat=EPERM", push, with: tool)
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(tool.run("wal", "fetch", name, "fetched", "--name", "orders").exitStatus == 0)
    #expect(TestFiles.read(tool.directory.appending("fetched")) == Self.segment.bytes)
  }

  /// An operator has pushed it with another key: the server's archiver gets past that as the hint says, and needs no
  /// identity from then on.
  @Test func theHintOfAnotherWritersSegmentIsTypedAndThenTheArchiverGoesOn() throws {
    let tool = SealedTool()
    tool.makeRepository()
    TestFiles.write(Self.segment.bytes, to: tool.directory.appending(name))
    let push = ["wal", "push", name, "--name", "orders"]
    #expect(tool.run(push).exitStatus == 0)
    let writer = tool.generate("server.key", "--writer")
    #expect(
      tool.run("key", "add", "--writer", writer, "--label", "server", "--identity", "identity").exitStatus == 0)
    func archiver(_ more: [String] = []) -> ProcessResult {
      tool.run(push + more) {
        $0.environment["HOLDFAST_WRITER_KEY_FILE"] = tool.directory.appending("server.key").text
        $0.environment["HOLDFAST_STATE_DIR"] = tool.directory.appending("server").text
      }
    }
    let refused = archiver()
    #expect(refused.exitStatus == 1)
    #expect(
      refused.error == """
        holdfast: \(name) is archived already for orders, by another writer, and this machine cannot open it to compare
        HINT: Run the same push once with --identity FILE, as the same user: what is the same is then archived for this writer too. Or give this server a --name of its own.

        """)
    let option = try #require(refused.error.firstMatch(of: /(--identity) FILE/)).1
    #expect(archiver([String(option), tool.identity.text]).exitStatus == 0)
    let repeated = archiver(["--json"])
    #expect(repeated.exitStatus == 0 && repeated.output.contains("\"alreadyArchived\" : true"), "\(repeated.error)")
  }

  @Test func whatIsDamagedBesideASoundCopyIsNoGap() throws {
    let tool = Tool()
    tool.run("init", "--unsealed")
    TestFiles.write(Self.segment.bytes, to: tool.directory.appending(name))
    func push() -> Int32 { tool.run("wal", "push", name, "--name", "orders").exitStatus }
    #expect(push() == 0)
    func file(_ part: String) throws -> Path {
      try #require(TestFiles.allFiles(in: tool.repository).first { $0.text.contains(name + part) })
    }
    let (manifest, object) = try (file(".json"), file("-"))
    let (first, stored) = try (#require(TestFiles.read(manifest)), #require(TestFiles.read(object)))
    TestFiles.remove(object)
    #expect(push() == 0)
    TestFiles.write(first, to: manifest)
    TestFiles.write(stored, to: object)
    TestFiles.overwrite(object, at: 200, with: [0xff, 0xfe, 0xfd])
    let result = tool.run("verify", "--data")
    #expect(result.exitStatus == 20)
    #expect(
      tool.plain(result.error) == """
        holdfast: REPAIRABLE: the log of orders: wal/orders/7123456789012345678/0000000100000000/\(name)-LONGID is damaged: frame 0 does not have its digest; another copy of the file is sound
        HINT: Where another copy is sound nothing is lost: `holdfast prune` removes the damaged one.

        """)
  }
}
