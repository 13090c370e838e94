import HoldfastEngine
import HoldfastModel
import HoldfastQuery
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Neither an operator's statement nor a database in a snapshot reaches this machine, changes anything, or goes on
/// without end.
@Suite struct HostileQueryTests {
  private func shop(_ setup: String = "") throws -> QueryShop {
    let asked = try QueryShop()
    let program = try TestDatabase(asked.place, TestDatabase.orders + setup)
    try program.order(20, noteBytes: 100)
    try asked.shop.backup()
    return asked
  }

  @Test func aStatementThatDoesMoreThanReadIsRefused() throws {
    let asked = try shop("CREATE INDEX by_total ON orders (total); PRAGMA user_version = 7")
    let file = asked.shop.directory.appending("made")
    let hint = "Ask with SELECT, or restore the database and change the copy."
    let refused = [
      ("ATTACH '\(file)' AS other", "ATTACH \(file)"), ("DETACH main", "DETACH main"),
      ("VACUUM", "to write"), ("VACUUM INTO '\(file)'", "to write"),
      ("SELECT load_extension('\(file)')", "the function load_extension"),
      ("SELECT fts3_tokenizer('simple')", "the function fts3_tokenizer"),
      ("INSERT INTO orders (total) VALUES (1)", "to write"), ("UPDATE orders SET total = 1", "to write"),
      ("DELETE FROM orders", "to write"), ("REPLACE INTO orders (id) VALUES (1)", "to write"),
      ("CREATE TABLE other (a)", "CREATE TABLE other"), ("CREATE TEMP TABLE other (a)", "CREATE TEMP TABLE other"),
      ("CREATE TEMP VIEW other AS SELECT 1", "CREATE TEMP VIEW other"), ("DROP TABLE orders", "DROP TABLE orders"),
      ("CREATE VIRTUAL TABLE other USING fts5(a)", "CREATE VIRTUAL TABLE other"),
      ("CREATE INDEX i ON orders (total)", "CREATE INDEX i"), ("ALTER TABLE orders ADD COLUMN a", "ALTER TABLE orders"),
      ("ANALYZE", "ANALYZE"), ("REINDEX", "REINDEX"), ("BEGIN", "a transaction"),
      ("SAVEPOINT a", "a savepoint"),
      ("PRAGMA user_version = 8", "PRAGMA user_version"), ("PRAGMA journal_mode = DELETE", "PRAGMA journal_mode"),
      ("PRAGMA temp_store_directory = '/tmp'", "PRAGMA temp_store_directory"),
      ("PRAGMA writable_schema = ON", "PRAGMA writable_schema"), ("PRAGMA temp_store = FILE", "PRAGMA temp_store"),
      ("PRAGMA trusted_schema = ON", "PRAGMA trusted_schema"), ("PRAGMA mmap_size = 1000000", "PRAGMA mmap_size"),
      ("PRAGMA query_only = OFF", "PRAGMA query_only"), ("PRAGMA hard_heap_limit = 1", "PRAGMA hard_heap_limit"),
    ]
    for (sql, what) in refused {
      let refusal = try asked.refusal(sql)
      guard case .refused(let told)? = refusal else {
        Issue.record("\(sql): \(refusal.map { $0.description } ?? "was not refused")")
        continue
      }
      #expect(told.hasPrefix(what), "\(sql): \(told)")
      #expect(
        refusal?.description == "the statement wants \(told), and a snapshot can only be read\nHINT: \(hint)")
      #expect(refusal?.exitStatus == .usage)
    }
    #expect(!TestFiles.exists(file))
    for sql in ["SELECT readfile('/etc/passwd')", "SELECT writefile('\(file)', 'x')", "SELECT edit('x')"] {
      guard case .notUnderstood? = try asked.refusal(sql) else {
        Issue.record("\(sql) is understood")
        continue
      }
    }
    #expect(try asked.ask("PRAGMA user_version") == [[.integer(7)]])
    #expect(try asked.ask("SELECT count(*) FROM pragma_table_info('orders')") == [[.integer(3)]])
  }

  @Test func mistakesInAStatementAreTold() throws {
    let asked = try shop()
    #expect(
      try asked.refusal("SELEC 1")?.description
        == "SQLite does not take the statement: near \"SELEC\": syntax error\nHINT: Ask the snapshot for its tables: \"SELECT name, sql FROM sqlite_schema\"."
    )
    #expect(try asked.refusal("SELECT * FROM missing")?.message.hasSuffix("no such table: missing") == true)
    let hint = "\nHINT: Give one statement, such as \"SELECT count(*) FROM orders\"."
    for sql in ["", "  ;", "-- a comment"] {
      #expect(try asked.refusal(sql)?.description == "there is no SQL statement to run" + hint, "\(sql)")
    }
    for sql in ["SELECT 1; SELECT 2", "SELECT 1; nonsense", "SELECT 1; DELETE FROM orders"] {
      #expect(try asked.refusal(sql)?.description == "there is more than one SQL statement" + hint, "\(sql)")
    }
    #expect(try asked.ask(" SELECT 1 ; ; -- and no more\n") == [[.integer(1)]])
    #expect(
      try asked.refusal("SELECT abs(-9223372036854775807 - 1)")?.description == "SQLite stopped: integer overflow")
    #expect(QueryError.noLibrary.hint == "Install Debian's libsqlite3-0.")
    #expect(
      QueryError.noLibrary.message == "there is no libsqlite3 of version 3.31 or newer to ask a database with")
  }

  /// An endless statement stops with a signal, with its time, and with its memory.
  @Test func nothingGoesOnWithoutEnd() throws {
    let asked = try shop()
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    let database = try asked.database()
    #expect(throws: QueryError.tookTooLong(.zero)) {
      try database.rows("\(endless) SELECT count(*) FROM n", timeout: .zero)
    }
    #expect(
      QueryError.tookTooLong(.seconds(30)).description
        == "the statement took longer than 30s, and was stopped\nHINT: Ask for less at once, or give it more time with --timeout."
    )
    // Another statement of the same connection is not stopped by that.
    #expect(try database.rows("SELECT count(*) FROM orders") == [[.integer(20)]])
    let sorted = "\(endless) SELECT zeroblob(48000000 + i) FROM n ORDER BY 1"
    #expect(throws: QueryError.tooMuchMemory) { try database.rows(sorted) }
    #expect(
      QueryError.tooMuchMemory.description
        == "the statement needs more than 128.0 MiB of memory, for sorting or grouping\nHINT: Ask for less at once, or restore the database and ask the copy."
    )
    #expect(throws: QueryError.tooLong) { try database.rows("SELECT zeroblob(70000000)") }
    #expect(
      QueryError.tooLong.description
        == "a value or a row has more than 64.0 MiB, the most that a query may have\nHINT: Restore the database and ask the copy."
    )
    #expect(throws: Interrupted.self) {
      try database.run("\(endless) SELECT i FROM n WHERE i % 1000000000 = 1") { _ in
        asked.shop.host.cancellation.raise()
        return true
      }
    }
  }

  /// What somebody has put into the schema of the shop's database is not run by whoever looks at a snapshot.
  @Test func aHostileSchemaCallsNothing() throws {
    let asked = try QueryShop()
    let file = asked.shop.directory.appending("made")
    let program = try TestDatabase(asked.place, TestDatabase.orders)
    try program.order(20, noteBytes: 100)
    let views = [
      "extension": "load_extension('\(file)')", "tokenizer": "fts3_tokenizer('simple')",
      "writer": "writefile('\(file)', 'x')",
    ]
    try program.run("PRAGMA writable_schema = ON")
    for (name, call) in views {
      let sql = "CREATE VIEW \(name) AS SELECT \(call)".replacing("'", with: "''")
      try program.run("INSERT INTO sqlite_schema VALUES ('view', '\(name)', '\(name)', 0, '\(sql)')")
    }
    try program.run(
      """
      INSERT INTO sqlite_schema VALUES ('table', 'strange', 'strange', 0, 'CREATE VIRTUAL TABLE strange USING nobody(a)');
      CREATE TRIGGER onread AFTER INSERT ON orders BEGIN SELECT load_extension('\(file)'); END;
      CREATE VIEW functions AS SELECT name FROM pragma_function_list;
      CREATE VIEW totals AS SELECT sum(total) AS total FROM orders;
      """)
    try asked.shop.backup()
    for name in views.keys.sorted() + ["functions"] {
      #expect(try asked.refusal("SELECT * FROM \(name)") != nil, "\(name)")
    }
    #expect(try asked.refusal("SELECT * FROM strange") != nil)
    #expect(!TestFiles.exists(file))
    #expect(
      try asked.ask("SELECT total FROM totals") == PlainSQLite.rows("SELECT total FROM totals", in: asked.place))
  }

  /// Tables of full text and of ranges prepare statements that write when they are first read.
  @Test func virtualTablesOfTheDatabaseAreRead() throws {
    let asked = try shop(
      """
      CREATE VIRTUAL TABLE words USING fts5(note); INSERT INTO words VALUES ('two red chairs'), ('a table');
      CREATE VIRTUAL TABLE older USING fts4(note); INSERT INTO older VALUES ('one chair');
      CREATE VIRTUAL TABLE places USING rtree(id, x, y); INSERT INTO places VALUES (7, 1, 2);
      """)
    #expect(try asked.ask("SELECT rowid FROM words WHERE words MATCH 'red'") == [[.integer(1)]])
    #expect(try asked.ask("SELECT count(*) FROM older WHERE note MATCH 'chair'") == [[.integer(1)]])
    #expect(try asked.ask("SELECT id FROM places WHERE x BETWEEN 0 AND 1.5") == [[.integer(7)]])
    for sql in ["INSERT INTO words VALUES ('x')", "DELETE FROM places"] {
      #expect(try asked.refusal(sql) == .refused("to write"))
    }
    #expect(try asked.refusal("SELECT optimize(older) FROM older") == .refused("a savepoint"))
  }

  /// Databases with wrong bytes give rows or an error.
  @Test(arguments: Trials.seeds(byDay: 1, atNight: 20)) func aBrokenDatabaseIsAnError(seed: UInt64) throws {
    let asked = try QueryShop()
    var random = SeededRandom(seed: seed)
    let program = try TestDatabase(asked.place, "PRAGMA page_size = 1024;" + TestDatabase.orders)
    try program.order(60, noteBytes: 700)
    let sound = try #require(TestFiles.read(asked.place))
    let count = 12
    for number in 0..<count {
      var bytes = sound
      for _ in 0..<Int.random(in: 1...30, using: &random) {
        bytes[Int.random(in: 100..<bytes.count, using: &random)] = UInt8.random(in: 0 ... .max, using: &random)
      }
      TestFiles.write(bytes, to: asked.shop.source.appending("broken \(number)"))
    }
    try asked.shop.backup()
    for number in 0..<count {
      let path = Path("broken \(number)")
      for sql in ["SELECT * FROM orders ORDER BY total", "PRAGMA integrity_check", "SELECT sql FROM sqlite_schema"] {
        switch try asked.refusal(sql, path) {
        case nil, .malformed?, .notADatabase?, .stopped?, .notUnderstood?, .tooMuchMemory?: break
        case let other?: Issue.record("seed \(seed), \(path), \(sql): \(other)")
        }
      }
    }
    #expect(
      QueryError.malformed(Path("a.db"), "database disk image is malformed").message
        == "a.db was a damaged database when the snapshot was taken: database disk image is malformed; its pages are as they were captured"
    )
  }
}
