import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Every command with `--json` writes one document as docs/schemas says. What a process writes is compared by
/// `RunningProcess` itself, here and in all other tests; these tests run what has to be run.
@Suite struct EveryCommandTests {
  /// Returns the commands that have `--json`, each with its words.
  private func commands() throws -> [[String]] {
    let help = Tool().run("--experimental-dump-help")
    let tool = try #require(try JSONSerialization.jsonObject(with: Data(help.outputBytes)) as? [String: Any])
    return leaves(try #require(tool["command"] as? [String: Any]), [])
  }

  private func leaves(_ command: [String: Any], _ words: [String]) -> [[String]] {
    let parts = (command["subcommands"] as? [[String: Any]] ?? []).filter { $0["commandName"] as? String != "help" }
    guard parts.isEmpty else {
      return parts.flatMap { leaves($0, words + [$0["commandName"] as? String ?? ""]) }
    }
    let options = (command["arguments"] as? [[String: Any]] ?? []).flatMap { $0["names"] as? [[String: Any]] ?? [] }
    return options.contains { $0["name"] as? String == "json" } ? [words] : []
  }

  @Test func eachHasASchemaAndEachSchemaACommand() throws {
    let names = Set(try commands().map { $0.joined(separator: "-") })
    #expect(names.count > 40)
    #expect(names.symmetricDifference(JSONSchemas.project.names) == ["failure", "shared"])
  }

  /// Whatever is wrong, standard output has a document.
  @Test func eachTellsThatThereIsNoRepository() throws {
    let tool = Tool()
    for words in try commands() {
      let result = RunningProcess(tool.start(words + ["--json"])).wait()
      #expect(!result.outputBytes.isEmpty, "\(words)")
      let wrong = RunningProcess(tool.start(words + ["--json", "--no-such-option"])).wait()
      #expect(wrong.exitStatus == 2 && JSONSchemas.project.problems(of: wrong.outputBytes, by: "failure") == [])
    }
  }

  @Test func aShopFromItsBeginningToItsEnd() throws {
    let tool = Tool()
    _ = try TestDatabase(tool.source.appending("orders.db"), "CREATE TABLE orders (id); INSERT INTO orders VALUES (1)")
    TestFiles.write("invoice", to: tool.source.appending("invoice"))
    TestFiles.symbolicLink("invoice", at: tool.source.appending("newest"))
    func done(_ words: String..., status: Int32 = 0, at location: SourceLocation = #_sourceLocation) {
      let result = RunningProcess(tool.start(words + ["--json"])).wait()
      #expect(result.exitStatus == status, "\(words): \(result.error)", sourceLocation: location)
    }
    done("init", "--unsealed", "--append-only-recipe")
    done("init", "--unsealed")
    done("check")
    done("backup", "source", "--tag", "first")
    TestFiles.write("another invoice", to: tool.source.appending("invoice"))
    TestFiles.write("", to: tool.source.appending("empty"))
    done("backup", "source", "--dry-run")
    done("backup", "source")
    for words in [["list"], ["list", "--deleted"], ["show"], ["show", "--files"], ["ls"], ["ls", "--recursive"]] {
      let result = RunningProcess(tool.start(words + ["--json"])).wait()
      #expect(result.exitStatus == 0, "\(words): \(result.error)")
    }
    let first = String(tool.run("list").output.split(separator: "\n")[2].prefix(8))
    done("diff", first, "latest")
    done("diff", "latest", "latest")
    done("find", "*", "--deleted")
    done("find", "*")
    done("history", "invoice")
    done("history", "nothing", status: 1)
    done("query", "orders.db", "SELECT id, NULL, 1.5, 'x', x'00' FROM orders")
    done("query", "orders.db", "SELECT id FROM orders WHERE id = 2")
    done("query", "orders.db", "SELECT nothing", status: 2)
    done("bisect", "orders.db", "--assert", "SELECT count(*) FROM orders")
    done("bisect", "orders.db", "--assert", "SELECT 0", "--linear", status: 1)
    done("restore", "--target", "restored", "--dry-run")
    done("restore", "--target", "restored")
    done("restore", "--target", "restored", status: 1)
    done("restore", "--at", "2020-01-01", "--target", "other", status: 1)
    done("drill", "--dry-run")
    done("drill", "--assert", "SELECT count(*) FROM orders")
    done("verify", "--data")
    done("status", "--max-age", "26h")
    done("status", "--max-age", "0", status: 30)
    done("drill", "--assert", "SELECT 0", status: 22)
    done("status", status: 30)
    done("report")
    done("tag", first, "--add", "kept")
    done("pin", first)
    done("unpin", first)
    done("accept", first, status: 2)
    done("merge", "--dry-run")
    done("merge")
    done("prune", "--keep-last", "1", "--dry-run")
    done("prune", "--keep-last", "1")
    done("undelete", first)
    done("scrub")
    done("sync", status: 2)
    done("key", "list", status: 1)
    done("key", "forget")
    let damaged = try #require(TestFiles.allFiles(in: tool.repository).last { $0.text.contains("archive-") })
    TestFiles.truncate(damaged, to: 10)
    done("verify", "--data", status: 21)
    done("status", status: 21)
    done("list")
    done("report")
    for manifest in TestFiles.allFiles(in: tool.repository) where manifest.text.hasSuffix("/manifest.json") {
      TestFiles.write("no manifest", to: manifest)
    }
    for words in [["list"], ["status"], ["verify"], ["find", "*"], ["history", "invoice"]] {
      let result = RunningProcess(tool.start(words + ["--json"])).wait()
      #expect(result.exitStatus == 21, "\(words): \(result.error)")
    }
  }

  @Test func aSourceThatIsRemovedAndCalledBack() {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    func done(_ words: String..., status: Int32 = 0, at location: SourceLocation = #_sourceLocation) {
      let result = RunningProcess(tool.start(words + ["--json"])).wait()
      #expect(result.exitStatus == status, "\(words): \(result.error)", sourceLocation: location)
    }
    done("init", "--unsealed")
    done("source", "list")
    for name in ["old-shop", "shop"] { done("backup", "source", "--name", name) }
    done("source", "list")
    done("source", "rename", "old-shop", "older-shop")
    done("source", "rename", "older-shop", "old-shop")
    done("source", "rename", "old-shop", "shop", status: 1)
    done("source", "remove", "old-shop", "--dry-run")
    done("source", "remove", "old-shop", "--yes")
    done("source", "list")
    done("source", "undelete", "old-shop")
    done("source", "remove", "old-shop", "--yes", "--grace", "0d")
    done("source", "list")
    done("source", "remove", "old-shop")
    done("source", "undelete", "old-shop", status: 1)
  }

  @Test func aCopyOnAHostThatStandsBy() {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    func done(_ words: String..., status: Int32 = 0, at location: SourceLocation = #_sourceLocation) {
      let result = RunningProcess(tool.start(words + ["--json"])).wait()
      #expect(result.exitStatus == status, "\(words): \(result.error)", sourceLocation: location)
    }
    let place = tool.directory.appending("standby").text
    done("init", "--unsealed")
    done("backup", "source")
    done("standby", "source", "--in", place, "--dry-run")
    done("standby", "source", "--in", place, "--once")
    TestFiles.write("another order", to: tool.source.appending("orders"))
    done("backup", "source")
    done("standby", "source", "--in", place, "--dry-run")
    done("standby", "source", "--in", place, "--once")
    done("standby", "source", "--in", place, "--once")
  }

  @Test(arguments: [["--unsealed"], ["--key-file", "recovery.key"]]) func aSetup(_ protection: [String]) throws {
    let tool = Tool()
    _ = try TestDatabase(tool.source.appending("orders.db"), "CREATE TABLE orders (id); INSERT INTO orders VALUES (1)")
    let root = tool.directory.appending("root").text
    TestFiles.makeDirectory(Path(root))
    let schedules = [["--no-schedule"], ["--every", "daily", "--root", root]]
    for more in [["--no-schedule", "--dry-run"]] + schedules {
      var start = tool.start(["setup", "source", "-r", "repository", "--json"] + protection + more)
      start.environment["HOLDFAST_REPOSITORY"] = nil
      let result = RunningProcess(start).wait()
      #expect(result.exitStatus == 0, "\(more): \(result.error)")
    }
  }

  @Test func keysOfASealedRepository() throws {
    let tool = SealedTool()
    tool.makeRepository()
    func done(_ words: String..., status: Int32 = 0, at location: SourceLocation = #_sourceLocation) {
      let result = tool.run(words + ["--json"]) { $0.environment["HOLDFAST_IDENTITY_FILE"] = tool.identity.text }
      #expect(result.exitStatus == status, "\(words): \(result.error)", sourceLocation: location)
    }
    done("key", "generate", "second")
    done("key", "list")
    done("key", "add", "--recipient", tool.generate("third"), "--label", "safe")
    done("key", "rotate", "safe", "--recipient", tool.generate("fourth"), "--label", "vault")
    done("key", "add", "--writer", tool.generate("w", "--writer"), "--label", "shop-2")
    done("key", "permit", "shop-2", "--prune")
    done("key", "remove", "shop-2")
    done("key", "remove", "vault")
    done("backup", "source")
    done("list")
    done("verify", "--data")
    done("restore", "--target", "restored")
    let closed = tool.run("verify", "--data", "--json")
    #expect(closed.exitStatus == 0)
  }

  @Test func aConfiguredShop() throws {
    let tool = Tool()
    TestFiles.makeDirectory(tool.configuration)
    let places = ["here", "barn"].map { tool.directory.appending($0).text }
    let other = tool.directory.appending("other").text
    let file = tool.configuration.appending("holdfast.yaml")
    TestFiles.write(
      """
      repositories:
        shop:
          targets:
            - {name: here, path: '\(places[0])'}
            - {name: barn, path: '\(places[1])'}
      sources:
        orders: {path: '\(tool.source.text)', keep: {last: 3}}
        missing: {path: '\(other)'}
      """, to: file)
    TestFiles.setMode(file, 0o644)
    TestFiles.write("an order", to: tool.source.appending("orders"))
    func done(_ words: String..., status: Int32 = 0, at location: SourceLocation = #_sourceLocation) {
      var start = tool.start(words + ["--json"])
      start.environment["HOLDFAST_REPOSITORY"] = nil
      let result = RunningProcess(start).wait()
      #expect(result.exitStatus == status, "\(words): \(result.error)", sourceLocation: location)
    }
    done("config", "check")
    done("config", "show")
    done("init", "--unsealed")
    done("init", "--unsealed")
    done("run", "--dry-run")
    done("run", status: 1)
    done("backup", status: 1)
    done("backup", "orders")
    done("target", "list")
    done("target", "check")
    done("target", "list", "-r", places[1])
    done("sync")
    done("scrub")
    done("prune", "--dry-run")
    done("status", status: 30)
    done("target", "promote", "barn")
    done("target", "promote", "here")
    done("target", "remove", "barn", "--yes")
    done("target", "add", "barn")
    let root = tool.directory.appending("root")
    TestFiles.makeDirectory(root)
    for more in [["--dry-run"], []] {
      var start = tool.start(
        ["schedule", "install", "--root", root.text, "--every", "daily", "--program", "/usr/bin/holdfast", "--json"]
          + more)
      start.environment["HOLDFAST_REPOSITORY"] = nil
      #expect(RunningProcess(start).wait().exitStatus == 0)
    }
    done("schedule", "show", "--root", root.text)
    done("schedule", "remove", "--root", root.text)
    TestFiles.removeTree(Path(places[1]))
    TestFiles.write("in the way", to: Path(places[1]))
    done("target", "list", status: 3)
    done("target", "check", status: 3)
    done("scrub", status: 3)
    done("sync", status: 3)
    done("status", status: 30)
  }
}
