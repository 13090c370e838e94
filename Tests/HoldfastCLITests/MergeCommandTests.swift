import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// What `holdfast merge` says and does, with the built binary.
@Suite struct MergeCommandTests {
  /// A database of 64 pages, and a day on which the last of them changed.
  private func shop() -> Tool {
    let tool = Tool()
    var random = SeededRandom(seed: 61)
    TestFiles.write(random.bytes(64 * 4096), to: tool.source.appending("orders.db"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source", "--compression", "none")
    TestFiles.overwrite(tool.source.appending("orders.db"), at: 63 * 4096, with: random.bytes(4096))
    tool.run("backup", "source", "--compression", "none")
    return tool
  }

  private func json(_ result: ProcessResult) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Any])
  }

  @Test func itSaysWhatItWouldDoAndWhatItDid() {
    let tool = shop()
    let dry = tool.run("merge", "--dry-run")
    #expect(dry.exitStatus == 0 && dry.error == "")
    #expect(
      tool.plain(dry.output) == """
        would merge 2 snapshots up to ID of source
          would read 260.0 KiB in 2 frames
          would carry over 4.0 KiB in 1 frame as they are
          would compress 252.0 KiB anew
          would store about 256.0 KiB and a manifest

        """)
    let done = tool.run("merge", "--compression", "none")
    #expect(done.exitStatus == 0 && done.error == "")
    #expect(
      tool.plain(done.output).replacing(/stored [0-9.]+ KiB/, with: "stored SIZE") == """
        merged 2 snapshots up to ID of source into full ID, number 3
          read 260.0 KiB in 2 frames
          carried over 4.0 KiB in 1 frame as they are
          compressed 252.0 KiB anew
          stored SIZE for 256.0 KiB in 1 file, in SECONDS; every page was proved

        """)
    let again = tool.run("merge")
    #expect(again.exitStatus == 0)
    #expect(tool.plain(again.output) == "ID of source is a full already: there is nothing to merge\n")
    #expect(tool.run("restore", "--target", "restored").exitStatus == 0)
    let restored = TreeDescription(of: tool.directory.appending("restored"))
    #expect(restored.differences(from: TreeDescription(of: tool.source)) == [])
  }

  @Test func quietMeansSilentOnSuccess() {
    let tool = shop()
    for _ in 0..<2 {
      let result = tool.run("merge", "--quiet")
      #expect(result.exitStatus == 0 && result.output == "" && result.error == "")
    }
  }

  @Test func resultsAsJSON() throws {
    let tool = shop()
    let dry = try json(tool.run("merge", "--json", "--dry-run"))
    #expect(dry["committed"] as? Bool == false && dry["snapshot"] == nil)
    #expect(dry["readBytes"] as? Int == 65 * 4096 && dry["carriedBytes"] as? Int == 4096)
    let done = try json(tool.run("merge", "--json"))
    #expect(done["committed"] as? Bool == true)
    #expect(done["readFrames"] as? Int == 2 && done["carriedFrames"] as? Int == 1)
    #expect(done["compressedBytes"] as? Int == 63 * 4096)
    let chain = try #require(done["chain"] as? [String])
    #expect(chain.count == 2 && (done["merged"] as? [String: Any])?["id"] as? String == chain.last)
    let snapshot = try #require(done["snapshot"] as? [String: Any])
    #expect(snapshot["kind"] as? String == "full" && snapshot["sequence"] as? Int == 3)
    let merged = try #require(snapshot["merged"] as? [String: Any])
    #expect(merged["id"] as? String == chain.last && merged["sequence"] as? Int == 2)
    #expect((merged["mergedTime"] as? String)?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
  }

  @Test func listAndShowTellIt() throws {
    let tool = shop()
    tool.run("merge")
    tool.run("backup", "source")
    let shown = tool.plain(tool.run("list").output).replacing(/[0-9.]+ (B|KiB)(?=[ ]|\n)/, with: "SIZE")
    #expect(
      shown == """
        SNAPSHOT  TAKEN  STORED  STANDS FOR
        source  (DIR/source)
        ID  full  TIME  #1  SIZE  SIZE
        └─ ID  incr  TIME  #2  SIZE  SIZE
        ID  full  TIME  #3  SIZE  SIZE
          merged from ID
        └─ ID  incr  TIME  #4  SIZE  SIZE

        """)
    let list = try #require(
      try json(tool.run("list", "--json"))["snapshots"] as? [[String: Any]])
    #expect(list.map { $0["merged"] is NSNull } == [true, true, false, true])
    #expect(list[2]["time"] as? String == list[1]["time"] as? String, "it was begun when what it stands for was")
    let full = tool.run("list").output.split(separator: "\n")[4].prefix(8)
    let lines = tool.plain(tool.run("show", String(full)).output).split(separator: "\n")
    #expect(lines.contains("merged  from ID, number 2, TIME"))
    #expect(lines.contains("kind  full, number 3"))
  }

  @Test func aSnapshotThatIsNotThere() {
    let tool = shop()
    let result = tool.run("merge", "ffffffffffffffffffffffffffffffff")
    #expect(result.exitStatus == 1 && result.output == "")
    #expect(
      tool.plain(result.error)
        == "holdfast: there is no snapshot \"LONGID\"\nHINT: Run `holdfast list` to see which there are.\n")
    let wrong = tool.run("merge", "--name", "orders")
    #expect(
      wrong.error
        == "holdfast: there is no source orders in \(tool.repository.text)\nHINT: Run `holdfast list` to see all sources.\n"
    )
  }

  @Test func damageEndsItWithItsStatus() throws {
    let tool = shop()
    let archive = try #require(
      TestFiles.allFiles(in: tool.repository).first { $0.text.contains("0000000001/archive-") })
    TestFiles.overwrite(archive, at: 5000, with: [1, 2, 3])
    let result = tool.run("merge")
    #expect(result.exitStatus == 21)
    #expect(
      result.error.contains(
        " is damaged: a page in frame 0 does not have its digest\nHINT: Run `holdfast verify --data`"))
    #expect(tool.run("list", "--json").output.contains("\"sequence\" : 3") == false)
  }

  /// The machine that takes the backups holds no identity: it is told where to merge, and goes on behind it.
  @Test func aSealedChainIsMergedWhereTheIdentityIs() throws {
    let sealed = SealedTool()
    sealed.makeRepository()
    let database = sealed.source.appending("orders.db")
    var random = SeededRandom(seed: 62)
    TestFiles.write(random.bytes(300_000), to: database)
    for day in 0..<2 {
      TestFiles.overwrite(database, at: day * 9000, with: [1, 2, 3])
      #expect(sealed.run("backup", "source").exitStatus == 0)
    }
    let refused = sealed.run("merge")
    #expect(refused.exitStatus == 12)
    #expect(
      sealed.plain(refused.error)
        == "holdfast: the repository is sealed, and no identity was named; it is sealed to recipient-1 (ID)\n"
        + "HINT: A merge opens and proves every page, so it runs where such a key is. "
        + "Name the identity of one of them with --identity FILE or HOLDFAST_IDENTITY_FILE.\n")

    // Another machine: a writer key, a memory and a cache of its own.
    let writer = sealed.generate("other.key", "--writer")
    #expect(sealed.run("key", "add", "--writer", writer, "--label", "other", "--identity", "identity").exitStatus == 0)
    let merged = sealed.run("merge", "--identity", "identity", "--writer-key", "other.key") {
      $0.environment["HOLDFAST_CACHE_DIR"] = sealed.directory.appending("other cache").text
      $0.environment["HOLDFAST_STATE_DIR"] = sealed.directory.appending("other state").text
    }
    #expect(merged.exitStatus == 0, "\(merged.error)")
    #expect(sealed.plain(merged.output).hasPrefix("merged 2 snapshots up to ID of source into full ID, number 3\n"))

    TestFiles.overwrite(database, at: 50_000, with: [4])
    let next = sealed.run("backup", "source")
    #expect(next.exitStatus == 0 && next.error == "")
    #expect(
      sealed.plain(next.output).hasPrefix("took incremental ID of source, number 4 (builds on ID)\n"))
    #expect(next.output.contains("4.0 KiB in 1 page new"))
    let restored = sealed.run("restore", "--target", "restored", "--identity", "identity")
    #expect(restored.exitStatus == 0, "\(restored.error)")
    #expect(
      TreeDescription(of: sealed.directory.appending("restored"))
        .differences(from: TreeDescription(of: sealed.source)) == [])
    #expect(sealed.run("verify", "--data", "--identity", "identity").exitStatus == 0)
  }
}
