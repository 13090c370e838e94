import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// What the commands print when all is well: results on standard output, everything else on standard error.
@Suite struct OutputTests {
  /// Two snapshots of a small source: an order database and a log, then more of the log.
  private func shop() -> Tool {
    let tool = Tool()
    var random = SeededRandom(seed: 11)
    TestFiles.write(random.bytes(100_000), to: tool.source.appending("orders.db"))
    TestFiles.write("first\n", to: tool.source.appending("shop.log"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source", "--compression", "none")
    TestFiles.write("first\nsecond\n", to: tool.source.appending("shop.log"))
    TestFiles.symbolicLink("shop.log", at: tool.source.appending("current"))
    tool.run("backup", "source", "--compression", "none")
    return tool
  }

  private func json(_ result: ProcessResult) throws -> Any {
    try JSONSerialization.jsonObject(with: Data(result.outputBytes), options: .fragmentsAllowed)
  }

  private func snapshots(_ tool: Tool) throws -> [[String: Any]] {
    try #require((try json(tool.run("list", "--json")) as? [String: Any])?["snapshots"] as? [[String: Any]])
  }

  @Test func backupSaysWhatItTookAndWhy() {
    let tool = Tool()
    var random = SeededRandom(seed: 12)
    TestFiles.write(random.bytes(100_000), to: tool.source.appending("orders.db"))
    tool.run("init", "--unsealed")
    let first = tool.run("backup", "source", "--compression", "none")
    #expect(first.exitStatus == 0)
    #expect(first.error == "")
    #expect(
      tool.plain(first.output).replacing(/stored [0-9.]+ KiB/, with: "stored SIZE") == """
        took full ID of source, number 1 (source has no snapshot yet)
          2 added, 0 changed, 0 removed; 97.7 KiB in 25 pages new
          stored SIZE for 97.7 KiB in 1 file, in SECONDS

        """)
    let second = tool.run("backup", "source", "--dry-run")
    #expect(
      tool.plain(second.output) == """
        would take incremental ID of source, number 2 (builds on ID)
          0 added, 0 changed, 0 removed; 0 B in 0 pages new
          would store about 154 B for 97.7 KiB in 1 file, in SECONDS

        """)
    let third = tool.run("backup", "source", "--differential")
    #expect(tool.plain(third.output).hasPrefix("took differential ID of source, number 2\n"))
  }

  @Test func listDrawsTheChainAsATree() {
    let tool = shop()
    tool.run("backup", "source", "--differential")
    tool.run("backup", "source")
    let result = tool.run("list")
    #expect(result.exitStatus == 0)
    #expect(result.error == "")
    let shown = tool.plain(result.output).replacing(/[0-9.]+ (B|KiB)(?=[ \n])/, with: "SIZE")
    #expect(
      shown == """
        SNAPSHOT  TAKEN  STORED  STANDS FOR
        source  (DIR/source)
        ID  full  TIME  #1  SIZE  SIZE
        ├─ ID  incr  TIME  #2  SIZE  SIZE
        └─ ID  diff  TIME  #3  SIZE  SIZE
          └─ ID  incr  TIME  #4  SIZE  SIZE

        """)
  }

  @Test func listAsJSONHasWhatScriptsNeed() throws {
    let tool = shop()
    let list = try snapshots(tool)
    try #require(list.count == 2)
    let fields: Set = [
      "id", "sequence", "kind", "parent", "source", "sourcePath", "time", "finished", "consistency", "incompleteFiles",
      "storedBytes", "parity", "stateBytes", "stateFiles", "stateEntries", "stateRoot", "changes", "postgres",
      "merged", "anomalies", "accepted", "tags", "pinned", "removedTime",
    ]
    for snapshot in list { #expect(Set(snapshot.keys) == fields) }
    let (full, incremental) = (list[0], list[1])
    #expect(full["kind"] as? String == "full")
    #expect(full["parent"] is NSNull, "a full has no parent, and says so")
    #expect(full["merged"] is NSNull)
    #expect(full["sequence"] as? Int == 1)
    #expect(full["source"] as? String == "source")
    #expect(full["stateBytes"] as? Int == 100_006)
    #expect(try #require(full["storedBytes"] as? Int) > 100_006)
    #expect(incremental["kind"] as? String == "incremental")
    #expect(incremental["parent"] as? String == full["id"] as? String)
    #expect((incremental["id"] as? String)?.wholeMatch(of: /[0-9a-f]{32}/) != nil)
    #expect((incremental["time"] as? String)?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
  }

  @Test func showTellsEverythingAboutOneSnapshot() throws {
    let tool = shop()
    let result = tool.run("show")
    #expect(result.exitStatus == 0)
    #expect(result.error == "")
    let shown = tool.plain(result.output).replacing(/stored  [0-9.]+ (B|KiB)/, with: "stored  SIZE")
    #expect(
      shown == """
        snapshot  LONGID
        source  source  (DIR/source)
        kind  incremental, number 2
        taken  TIME
        parent  ID, number 1
        chain  ID → ID
        stands for  97.7 KiB in 2 files, 4 entries
        stored  SIZE in 1 archive and a manifest
        changes  1 added, 2 changed, 0 removed
        consistency  stable
        state root  DIGEST
        written by  holdfast 0.1.0

        """)
    let asJSON = try #require(try json(tool.run("show", "--json")) as? [String: Any])
    #expect(asJSON["sequence"] as? Int == 2)
  }

  @Test func showFilesIsALineEach() throws {
    let tool = shop()
    let owner = TreeDescription(of: tool.source).nodes["."].map { "\($0.userID):\($0.groupID)" } ?? ""
    let lines = tool.plain(tool.run("show", "--files").output).split(separator: "\n").dropFirst(12)
    #expect(
      Array(lines) == [
        "drwxr-xr-x  \(owner)  -  TIME  .", "lrwxrwxrwx  \(owner)  -  TIME  current -> shop.log",
        "-rw-r--r--  \(owner)  100000  TIME  orders.db", "-rw-r--r--  \(owner)  13  TIME  shop.log",
      ])
    let asJSON = tool.run("show", "--files", "--json")
    #expect(asJSON.output.split(separator: "\n").count == 1 + 4 + 1, "an entry a line")
    let shown = try #require(try json(asJSON) as? [String: Any])
    #expect(shown["sequence"] as? Int == 2)
    let entries = try #require(shown["entries"] as? [[String: Any]])
    #expect(entries.map { $0["path"] as? String } == [".", "current", "orders.db", "shop.log"])
    #expect(entries.map { $0["type"] as? String } == ["directory", "symbolicLink", "file", "file"])
  }

  @Test func diffShowsWhatHasChanged() throws {
    let tool = shop()
    let identifiers = try snapshots(tool).compactMap { $0["id"] as? String }
    try #require(identifiers.count == 2)
    let result = tool.run("diff", identifiers[0], identifiers[1])
    #expect(result.exitStatus == 0)
    #expect(result.output == "U .\n+ current\nM shop.log  6 B → 13 B\n")
    #expect(
      tool.plain(result.error)
        == "holdfast: from ID to ID: 1 added, 0 removed, 1 changed, 1 with other attributes\n")
    let back = tool.run("diff", "latest", identifiers[0], "--quiet")
    #expect(back.output == "U .\n- current\nM shop.log  13 B → 6 B\n")
    #expect(back.error == "")
    let lines = tool.run("diff", identifiers[0], identifiers[1], "--json").output.split(separator: "\n")
    #expect(lines.last == "]}")
    #expect(lines.dropLast().last == #"{"change":"changed","path":"shop.log","sizeAfter":13,"sizeBefore":6}"#)
  }

  @Test func restoreSaysWhatItDid() throws {
    let tool = shop()
    let result = tool.run("restore", "--target", "restored")
    #expect(result.exitStatus == 0)
    #expect(result.error == "")
    #expect(
      tool.plain(result.output) == """
        restored ID of source, taken TIME, into DIR/restored
          holds 97.7 KiB in 4 entries
          read 97.7 KiB from the repository
          wrote 97.7 KiB to 2 files
          removed 0 paths that the snapshot does not have
          took SECONDS; every page was proved against its digest, and the target is durable

        """)
    #expect(TreeDescription(of: tool.directory.appending("restored")) == TreeDescription(of: tool.source))
    let dry = tool.run("restore", "--target", "other", "--dry-run")
    #expect(
      tool.plain(dry.output) == """
        would restore ID of source, taken TIME, into DIR/other
          holds 97.7 KiB in 4 entries
          would read 97.7 KiB from the repository
          would write 97.7 KiB to 2 files
          would remove 0 paths that the snapshot does not have

        """)
    #expect(!TestFiles.exists(tool.directory.appending("other")))
    let asJSON = try #require(try json(tool.run("restore", "--target", "third", "--json")) as? [String: Any])
    #expect(asJSON["writtenBytes"] as? Int == 100_013)
    #expect((asJSON["problems"] as? [Any])?.isEmpty == true)
  }

  @Test func catWritesTheBytesAndNothingElse() {
    let tool = shop()
    let result = tool.run("cat", "latest", "orders.db")
    #expect(result.exitStatus == 0)
    #expect(result.outputBytes == TestFiles.read(tool.source.appending("orders.db")))
    #expect(result.error == "")
    let missing = tool.run("cat", "latest", "nothing")
    #expect(missing.exitStatus == 1)
    #expect(missing.output == "")
    #expect(
      missing.error
        == "holdfast: the snapshot has no nothing\nHINT: Run `holdfast show SNAPSHOT --files` to see what it has.\n")
    #expect(tool.run("cat", "latest", "current").error.hasPrefix("holdfast: current is not a file\nHINT: "))
  }

  @Test func verifySaysHowMuchIsSound() {
    let tool = shop()
    #expect(tool.plain(tool.run("verify").output) == "2 of 2 snapshots sound, in SECONDS\n")
    #expect(
      tool.plain(tool.run("verify", "--data").output)
        == "2 of 2 snapshots sound; 97.7 KiB in 2 frames read and proved, in SECONDS\n")
  }

  @Test func quietMeansSilentOnSuccess() {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    for command in [
      ["init", "--unsealed"], ["backup", "source"], ["backup", "source"], ["restore", "--target", "restored"],
      ["restore", "--target", "restored", "--delta"], ["verify", "--data"],
    ] {
      let result = RunningProcess(tool.start(command + ["--quiet"])).wait()
      #expect(result.exitStatus == 0, "\(command)")
      #expect(result.output == "", "\(command)")
      #expect(result.error == "", "\(command)")
    }
  }

  /// A script that reads JSON learns why there is no result, in the same way from every command.
  @Test func aFailureIsJSONForWhoeverAsksForJSON() throws {
    let tool = Tool()
    let missing = tool.run("list", "--json")
    #expect(missing.exitStatus == 10)
    #expect(missing.error.hasPrefix("holdfast: there is no repository in "), "people are told as always")
    let told = try #require(try json(missing) as? [String: Any])
    #expect(told["schema"] as? Int == 1)
    let error = try #require(told["error"] as? [String: Any])
    #expect(error.keys.sorted() == ["code", "exitStatus", "hint", "message", "scope"])
    #expect(error["code"] as? String == "noRepository" && error["exitStatus"] as? Int == 10)
    #expect(error["scope"] as? String == "usage")
    #expect((error["message"] as? String)?.hasPrefix("there is no repository in ") == true)
    #expect(error["hint"] is String)
    let wrong = try #require(try json(tool.run("verify", "--json", "--sample", "0")) as? [String: Any])
    let usage = try #require(wrong["error"] as? [String: Any])
    #expect(usage["code"] as? String == "usage" && usage["exitStatus"] as? Int == 2 && usage["hint"] is String)
  }

  @Test func aResultIsTheOnlyDocument() throws {
    let tool = Tool()
    tool.run("init", "--unsealed")
    // There is nothing that could be verified, which the result says.
    let result = tool.run("verify", "--json", "--junit", "nowhere/report.xml")
    #expect(result.exitStatus == 1)
    #expect(try json(result) is [String: Any], "\(result.output)")
  }

  @Test(arguments: [["list"], ["list", "--json"], ["show", "--files"], ["cat", "latest", "orders.db"]])
  func resultsThatCannotBeWrittenAreAFailure(command: [String]) {
    let tool = shop()
    var start = tool.start(command)
    start.output = .file("/dev/full")
    let result = RunningProcess(start).wait()
    #expect(result.exitStatus == 1)
    #expect(result.error.contains("standard output: No space left on device\nHINT: "), "\(result.error)")
  }
}
