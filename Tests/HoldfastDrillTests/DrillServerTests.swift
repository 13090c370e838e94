import HoldfastDrill
import HoldfastEngine
import HoldfastModel
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A private server takes in what the live one allowed, lets assertions only read, and is told from what it serves when
/// this machine fails it.
@Suite struct DrillServerTests {
  private static let sleeps = DrillAssertion("SELECT pg_sleep(3600)")

  /// Each of these would have an effect outside of the database if a superuser ran it.
  @Test func anAssertionReadsEverythingAndDoesNothingElse() throws {
    let shop = try DrillCluster { cluster in
      try cluster.psql("CREATE SCHEMA hidden", database: "shop")
      try cluster.psql("CREATE TABLE hidden.sums AS SELECT 7 AS total", database: "shop")
      try cluster.psql("ALTER TABLE hidden.sums ENABLE ROW LEVEL SECURITY", database: "shop")
      try cluster.psql("REVOKE ALL ON SCHEMA hidden FROM public", database: "shop")
      try cluster.psql("REVOKE CONNECT ON DATABASE shop FROM public")
      try cluster.psql("ALTER DATABASE shop SET session_preload_libraries = 'no_such_library'")
    }
    let reads = [
      DrillAssertion("SELECT total FROM hidden.sums", .equals("7")), DrillAssertion("SELECT count(*) = 3 FROM orders"),
      DrillAssertion("SELECT current_setting('is_superuser') = 'off'"),
    ]
    #expect(shop.outcome(reads) == nil)
    let file = shop.cluster.directory.appending("written")
    let hint = "\nHINT: Assertions are asked as a role that may read everything, and no more."
    for (sql, reason) in [
      ("COPY orders TO PROGRAM 'cat > \(file.text)'", "COPY to or from an external program"),
      ("COPY orders TO '\(file.text)'", "COPY to a file"),
      ("SELECT pg_read_file('PG_VERSION')", "permission denied for function pg_read_file"),
      ("SELECT lo_export(1, '\(file.text)')", "permission denied for function lo_export"),
      ("LOAD 'dblink'", "access to library \"dblink\" is not allowed"),
      ("DELETE FROM orders", "cannot execute DELETE in a read-only transaction"),
      ("ALTER ROLE current_user SUPERUSER", "cannot execute ALTER ROLE in a read-only transaction"),
    ] {
      let outcome = try #require(shop.outcome([DrillAssertion(sql)]))
      let start = "not made: assertion 1 cannot be asked: database shop: PostgreSQL says: "
      #expect(outcome.hasPrefix(start) && outcome.contains(reason) && outcome.hasSuffix(hint), "\(sql): \(outcome)")
    }
    #expect(!TestFiles.exists(file))
  }

  /// A server with its own usual settings would refuse to start on an open prepared transaction.
  @Test func thePrimarysLimitsAreThoseOfThePrivateServer() throws {
    let shop = try DrillCluster(settings: ["max_prepared_transactions": "7", "max_connections": "150"]) { cluster in
      try cluster.psql("BEGIN; INSERT INTO orders VALUES (4); PREPARE TRANSACTION 'payment'", database: "shop")
    }
    let outcome = shop.outcome([
      DrillAssertion("SELECT count(*) FROM pg_prepared_xacts"),
      DrillAssertion("SELECT current_setting('max_prepared_transactions')", .equals("7")),
      DrillAssertion("SELECT current_setting('max_connections')", .equals("150")),
    ])
    #expect(outcome == nil, "\(outcome ?? "")\n\(shop.log)")
  }

  // MARK: Limits

  @Test func anAssertionThatTakesTooLongEndsTheDrill() throws {
    let shop = try DrillCluster()
    #expect(
      shop.outcome([DrillAssertion("SELECT 1"), DrillAssertion(Self.sleeps.sql, timeout: .milliseconds(300))])
        == "not made: the drill could not be finished: assertion 2 was not answered within 0.3 s\nHINT: Raise its `timeout:`, or ask something that is answered sooner."
    )
    #expect(TestFiles.names(in: shop.own).sorted() == ["lock", "log"])
  }

  /// A server that hangs in its recovery: it opens a pipe into which nobody writes.
  @Test(arguments: [
    (
      TimeSpan.milliseconds(1),
      "failed at recovery: the recovery had not ended TIME after the beginning of the restore, and 0.0 s are allowed\nHINT: The log of the drill has what the server said. Take snapshots more often: then less log is replayed."
    ),
    (
      TimeSpan.hours(1),
      "not made: the drill could not be finished: it was at recovery after 12 s\nHINT: Raise `timeout:` of drill in the configuration, or say --timeout."
    ),
  ]) func aRecoveryThatDoesNotEndFailsOnceARestoreShouldBeOver(_ allowed: TimeSpan, _ wanted: String) throws {
    let shop = try DrillCluster()
    let pipe = shop.shop.source.appending("pg_logical/replorigin_checkpoint")
    TestFiles.remove(pipe)
    let made = RunningProcess(
      RunningProcess.Start([
        "sh", "-c", "mkfifo -m 600 '\(pipe.text)' && chown --reference='\(shop.shop.source.text)' '\(pipe.text)'",
      ])
    ).wait()
    #expect(made.exitStatus == 0, "\(made.error)")
    try shop.shop.backup()
    let outcome = try #require(
      shop.outcome {
        $0.timeout = .seconds(12)
        $0.restoreWithin = allowed
      })
    #expect(outcome.replacing(/[0-9]+ s after/, with: "TIME after") == wanted, "\(shop.log)")
    #expect(TestFiles.names(in: shop.own).sorted() == ["lock", "log"])
  }

  @Test func whatAServerSaysOfThisMachineIsNoFailureOfTheSnapshot() throws {
    let shop = try DrillCluster { cluster in
      try cluster.psql(
        "CREATE FUNCTION lost() RETURNS int LANGUAGE c AS '$libdir/amcheck', 'bt_index_check'", database: "shop")
      try cluster.psql("UPDATE pg_proc SET probin = '$libdir/no_such_library' WHERE proname = 'lost'", database: "shop")
    }
    #expect(
      shop.outcome([DrillAssertion("SELECT lost()")])
        == "not made: assertion 1 cannot be asked: database shop: PostgreSQL says: could not access file \"$libdir/no_such_library\": No such file or directory"
    )
    #expect(
      shop.outcome([DrillAssertion("SELECT pg_terminate_backend(pg_backend_pid())")])
        == "not made: assertion 1 cannot be asked: database shop: PostgreSQL says: terminating connection due to administrator command"
    )
    // What the kernel does where memory ends.
    let file = shop.own.appending("scratch/data/postmaster.pid").text
    let killer = RunningProcess(
      RunningProcess.Start([
        "sh", "-c",
        "until pgrep -P \"$(head -qn 1 '\(file)')\" -f 'holdfast_drill.*SELECT'; do sleep 0.1; done; kill -9 $(head -qn 1 '\(file)')",
      ]))
    defer { killer.send(9) }
    #expect(
      shop.outcome([Self.sleeps])
        == "not made: assertion 1 cannot be asked: the server of the restored cluster was killed by signal 9 while it was asked\nHINT: Find out who killed it: the kernel does where memory ends (dmesg)."
    )
  }
}
