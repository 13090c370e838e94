import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// `query` and `bisect` as an operator runs them.
@Suite struct QueryTests {
  /// Three snapshots of a live database: with two orders, with three, and with one.
  private func shop() throws -> Tool {
    let tool = Tool()
    let database = try TestDatabase(
      tool.source.appending("orders.db"),
      """
      PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL, note TEXT, mark BLOB);
      INSERT INTO orders VALUES (1, 9.5, 'a' || char(9) || 'b', x'00ff'), (2, 20, NULL, NULL);
      """)
    let other = try TestDatabase(tool.source.appending("the shop's.db"), "CREATE TABLE a (b); INSERT INTO a VALUES (7)")
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    try database.run("INSERT INTO orders VALUES (3, 1, char(27) || '[2J', NULL)")
    tool.run("backup", "source")
    try database.run("DELETE FROM orders WHERE id > 1")
    try other.run("DELETE FROM a")
    tool.run("backup", "source")
    return tool
  }

  private func object(_ result: ProcessResult) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Any])
  }

  @Test func anOperatorAsksASnapshotAndFindsWhereTheOrdersWent() throws {
    let tool = try shop()
    let list = try #require(
      try object(tool.run("list", "--json"))["snapshots"] as? [[String: Any]])
    let ids = list.compactMap { $0["id"] as? String }
    let plain = tool.run("query", ids[0], "orders.db", "SELECT * FROM orders")
    #expect(plain.exitStatus == 0 && plain.error == "")
    #expect(plain.output == "1\t9.5\ta\\tb\tx'00ff'\n2\t20.0\t\t\n")
    let asJSON = try object(tool.run("query", ids[1], "./orders.db", "SELECT id, total, mark FROM orders", "--json"))
    #expect((asJSON["snapshot"] as? [String: Any])?["id"] as? String == ids[1])
    #expect(asJSON["schema"] as? Int == 1 && asJSON["database"] as? String == "orders.db")
    #expect(asJSON["columns"] as? [String] == ["id", "total", "mark"])
    let rows = try #require(asJSON["rows"] as? [[Any]])
    #expect(rows.map { $0[0] as? Int } == [1, 2, 3] && rows[0][2] as? String == "x'00ff'" && rows[1][2] is NSNull)
    #expect(asJSON["readFrames"] as? Int ?? 0 > 0 && (asJSON["readBytes"] as? Int ?? 0) > 0)
    let refused = tool.run("query", "orders.db", "DELETE FROM orders")
    #expect(refused.exitStatus == 2 && refused.output == "")
    #expect(
      refused.error
        == "holdfast: the statement wants to write, and a snapshot can only be read\nHINT: Ask with SELECT, or restore the database and change the copy.\n"
    )
    // Where the orders went, and how to get them back.
    let found = tool.run("bisect", "orders.db", "--assert", "SELECT count(*) >= 2 FROM orders")
    #expect(found.exitStatus == 0)
    #expect(
      tool.plain(found.output) == """
        last holds in ID, number 2 of source, taken TIME
        not so in  ID, number 3 of source, taken TIME
        to have the database back as it last was: holdfast restore ID --path orders.db --target restored-ID
          examined 3 of 3 snapshots

        """)
    #expect(
      tool.plain(found.error) == """
        holdfast: ID, number 3 of source, taken TIME: does not hold
        holdfast: ID, number 1 of source, taken TIME: holds
        holdfast: ID, number 2 of source, taken TIME: holds

        """)
    let command = try #require(found.output.firstMatch(of: /holdfast (restore .*)/)?.1).split(separator: " ")
    var start = tool.start(command.map(String.init))
    start.environment["PATH"] = nil
    #expect(RunningProcess(start).wait().exitStatus == 0)
    let copy = tool.directory.appending("restored-\(ids[1].prefix(8))").appending("orders.db")
    #expect(try TestDatabase(copy).text("SELECT count(*) FROM orders") == "3")
  }

  @Test func bisectTellsScriptsAndEndsAsItsHelpSays() throws {
    let tool = try shop()
    let result = tool.run(
      "bisect", "orders.db", "--assert", "SELECT count(*) > 9 FROM orders", "--json", "--quiet", "--linear")
    #expect(result.exitStatus == 1 && result.error == "")
    let nowhere = try object(result)
    #expect(nowhere["outcome"] as? String == "nowhere" && nowhere["lastHolding"] is NSNull)
    #expect(
      (nowhere["examined"] as? [[String: Any]])?.compactMap { $0["answer"] as? String } == ["fails", "fails", "fails"])
    // A shell understands the command, whatever the names are.
    let found = try object(
      tool.run(
        "bisect", "the shop's.db", "--assert", "SELECT b FROM a", "--json", "--quiet", "--repository",
        tool.repository.text))
    #expect(found["outcome"] as? String == "found" && (found["examined"] as? [Any])?.count == 3)
    let command = try #require(found["restoreCommand"] as? String)
    #expect(
      tool.plain(command)
        == #"holdfast restore ID --repository DIR/repository --path 'the shop'\''s.db' --target restored-ID"#)
    let restored = tool.other("bash", "-c", "holdfast() { '\(Tool.binary)' \"$@\"; }; \(command)")
    #expect(restored.exitStatus == 0, "\(restored.error)")
    let holds = tool.run("bisect", "orders.db", "--test", "test -s \"$HOLDFAST_DATABASE\"", "--quiet")
    #expect(holds.exitStatus == 0 && holds.error == "")
    #expect(
      tool.plain(holds.output)
        == "it holds in the newest snapshot, ID, number 3 of source, taken TIME\n  examined 1 of 3 snapshots\n")
    #expect(tool.run("bisect", "orders.db").exitStatus == 2)
  }

  /// At a terminal a table, in which nothing of the database moves the cursor.
  @Test func aTerminalGetsATable() throws {
    let tool = try shop()
    let id = try #require(tool.run("list").output.firstMatch(of: /[0-9a-f]{8}(?=[ ]+incr .* #2 )/)).output
    let table = tool.run("query", String(id), "orders.db", "SELECT id, note, mark FROM orders") {
      $0.output = .terminal
    }
    #expect(
      table.output == """
        id  note     mark
        ──  ───────  ───────
         1  a\\x09b   x'00ff'
         2           \("")
         3  \\x1b[2J  \("")

        """)
    #expect(table.error.hasPrefix("3 rows; fetched "))
    let csv = tool.run("query", "--at", "2100-01-01", "orders.db", "SELECT id, note FROM orders", "--csv")
    #expect(csv.output == "id,note\n1,a\tb\n" && csv.exitStatus == 0)
    let missing = tool.run("query", "missing.db", "SELECT 1")
    #expect(missing.exitStatus == 1 && missing.error.hasPrefix("holdfast: the snapshot has no missing.db\nHINT: "))
    let words = tool.run("query", "SELECT 1")
    #expect(words.exitStatus == 2)
    #expect(words.error.hasPrefix("holdfast: DATABASE and SQL are needed, or SNAPSHOT, DATABASE and SQL\n"))
  }
}
