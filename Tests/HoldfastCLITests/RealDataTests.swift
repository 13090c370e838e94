import HoldfastModel
import HoldfastTestSupport
import Testing

/// The real thing: a database that SQLite made and SQLite judges, and attributes that the system's own tools made.
@Suite struct RealDataTests {
  private func sql(_ tool: Tool, _ database: String, _ statement: String) throws -> String {
    let result = tool.other("sqlite3", database, statement)
    try #require(result.exitStatus == 0, "\(result.error)")
    return result.output
  }

  private static let counts =
    "SELECT count(*), sum(total) FROM orders; SELECT count(*) FROM lines; PRAGMA integrity_check;"

  @Test func anAgedOrderDatabaseComesBackSound() throws {
    let tool = Tool()
    tool.run("init", "--unsealed")
    _ = try sql(
      tool, "source/orders.db",
      """
      PRAGMA page_size=4096; CREATE TABLE orders(id INTEGER PRIMARY KEY, customer TEXT, status TEXT, total INTEGER);
      CREATE TABLE lines(id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders, article TEXT, count INTEGER);
      CREATE INDEX by_status ON orders(status); CREATE INDEX by_order ON lines(order_id);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)
        INSERT INTO orders SELECT i, 'customer ' || (i * 7919 % 1000), 'new', i * 31 % 5000 FROM n;
      INSERT INTO lines(order_id, article, count) SELECT id, 'article ' || (id * 13 % 500), id % 7 FROM orders;
      """)
    var truths: [String] = []
    for (day, kind) in ["--full", "--incremental", "--differential", "--incremental"].enumerated() {
      let result = tool.run("backup", "source", kind, "--json")
      #expect(result.exitStatus == 0)
      truths.append(try sql(tool, "source/orders.db", Self.counts))
      _ = try sql(
        tool, "source/orders.db",
        """
        UPDATE orders SET status = 'shipped' WHERE id % 97 = \(day); DELETE FROM lines WHERE id % 501 = \(day);
        INSERT INTO orders(customer, status, total) SELECT customer, 'new', total + 1 FROM orders WHERE id % 100 = \(day);
        """)
    }
    let identifiers = tool.run("list", "--json").output.matches(of: /"id" : "([0-9a-f]+)"/).map { String($0.1) }
    try #require(identifiers.count == truths.count)
    for (identifier, truth) in zip(identifiers, truths) {
      let target = "restored-\(identifier)"
      #expect(tool.run("restore", identifier, "--target", target).exitStatus == 0)
      #expect(try sql(tool, target + "/orders.db", Self.counts) == truth)
      #expect(truth.hasSuffix("\nok\n"))
    }
    // Back in time over what is there, page by page.
    let newest = "restored-\(identifiers[3])"
    #expect(tool.run("restore", identifiers[0], "--target", newest, "--delta").exitStatus == 0)
    #expect(try sql(tool, newest + "/orders.db", Self.counts) == truths[0])
  }

  @Test(.requires(.accessLists)) func attributesAndAccessListsComeBack() throws {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    TestFiles.makeDirectory(tool.source.appending("invoices"))
    let made = [
      tool.other("setfattr", "-n", "user.shop", "-v", "0x00ff0a41", "source/orders"),
      tool.other("setfattr", "-n", "user.empty", "source/invoices"),
      tool.other("setfacl", "-m", "u:12345:rw,g:54321:r", "source/orders"),
      tool.other("setfacl", "-d", "-m", "u:12345:rwx", "source/invoices"),
    ]
    try #require(made.allSatisfy { $0.exitStatus == 0 }, "\(made.map(\.error))")
    tool.run("init", "--unsealed")
    #expect(tool.run("backup", "source").exitStatus == 0)
    #expect(tool.run("restore", "--target", "restored").exitStatus == 0)
    for command in [["getfattr", "-R", "-d", "-m", "-", "-e", "hex", "."], ["getfacl", "-R", "-n", "."]] {
      let shown = ["source", "restored"].map { directory in
        var start = RunningProcess.Start(command)
        start.environment = tool.environment
        start.directory = tool.directory.appending(directory)
        return RunningProcess(start).wait().output
      }
      #expect(shown[0] == shown[1])
      #expect(shown[0].contains(command[0] == "getfattr" ? "user.shop=0x00ff0a41" : "user:12345:rw-"))
    }
    // A change of nothing but an attribute is a change.
    tool.other("setfattr", "-x", "user.shop", "source/orders")
    #expect(tool.run("backup", "source").output.contains(" 1 changed, "))
    #expect(tool.run("restore", "--target", "restored", "--delta").exitStatus == 0)
    #expect(TreeDescription(of: tool.directory.appending("restored")) == TreeDescription(of: tool.source))
  }
}
