import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// `holdfast drill` as an operator types it.
@Suite struct DrillCommandTests {
  /// A statement that never ends.
  private static let endless = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

  private func shop() throws -> Tool {
    let tool = Tool()
    _ = try TestDatabase(tool.source.appending("orders.db"), "CREATE TABLE orders (id); INSERT INTO orders VALUES (1)")
    #expect(tool.run("init", "--unsealed").exitStatus == 0)
    #expect(tool.run("backup", "source").exitStatus == 0)
    return tool
  }

  @Test func theOutputIsForPeopleOrForPrograms() throws {
    let tool = try shop()
    let passed = tool.run("drill", "--assert", "SELECT count(*) FROM orders")
    #expect(passed.exitStatus == 0 && passed.error == "", "\(passed.error)")
    #expect(
      tool.plain(passed.output) == """
        drill of source, snapshot ID, taken TIME
          repository  SECONDS  DIR/repository
          plan  SECONDS  8.0 KiB in 1 file
          restore  SECONDS  8.0 KiB in 2 entries
          database  SECONDS  orders.db
          checks  SECONDS  integrity_check, foreign_key_check
          assertions  SECONDS  1 assertion holds
          clean-up  SECONDS  the restored data is removed
        passed: snapshot ID of source was restored in SECONDS: 1 database is sound, and 1 assertion holds

        """)
    let own = tool.state.appending("drill/holdfast-drill-source")
    #expect(TestFiles.names(in: own).sorted() == ["lock", "log"], "the usual place")
    let failed = tool.run("drill", "source", "--json", "--assert", "SELECT 0")
    #expect(failed.exitStatus == 22)
    #expect(
      tool.plain(failed.error)
        == "holdfast: the drill failed at assertions: assertion 1 does not hold: it answers \"0\": SELECT 0; the log is DIR/state/drill/holdfast-drill-source/log\n"
    )
    let json = try #require(try JSONSerialization.jsonObject(with: Data(failed.outputBytes)) as? [String: Any])
    #expect(json["passed"] as? Bool == false && json["databases"] as? [String] == ["orders.db"])
    let failure = try #require(json["failure"] as? [String: Any])
    #expect(failure["phase"] as? String == "assertions")
    let error = try #require(failure["error"] as? [String: Any])
    #expect(error["exitStatus"] as? Int == 22 && error["hint"] is NSNull && json["data"] is NSNull)
    let status = tool.run("status")
    #expect(status.output.contains("1 of 2 passed") && status.output.contains("source: CRITICAL"), "\(status.output)")
  }

  @Test(arguments: [
    (["--draw", "1", "--snapshot", "abc"], 2, "holdfast: --draw and --snapshot exclude each other"),
    (["--draw", "1"], 1, "holdfast: there is no older snapshot of source to draw\nHINT: Leave out --draw."),
    (["--max-size", "much"], 2, "holdfast: the value 'much' is invalid for '--max-size <size>'"),
    (["ordres"], 1, "holdfast: there is no source ordres in "),
  ])
  func whatCannotBeIsTold(_ arguments: [String], _ status: Int32, _ message: String) throws {
    let tool = try shop()
    let result = RunningProcess(tool.start(["drill"] + arguments)).wait()
    #expect(result.exitStatus == status && result.error.hasPrefix(message), "\(result.error)")
  }

  @Test func severalSourcesNeedAName() throws {
    let tool = try shop()
    #expect(tool.run("backup", "source", "--name", "other").exitStatus == 0)
    let result = tool.run("drill")
    #expect(result.exitStatus == 2)
    #expect(
      result.error
        == "holdfast: the repository holds several sources: other, source\nHINT: Say which one to drill: holdfast drill other.\n"
    )
  }

  @Test func aDrillThatIsKilledLeavesNothingThatTheNextDoesNotClean() throws {
    let tool = try shop()
    let own = tool.state.appending("drill/holdfast-drill-source")
    let start = tool.start(["drill", "--assert", Self.endless])
    let killed = RunningProcess(start)
    #expect(Pseudoterminal().waits { TestFiles.exists(own.appending("scratch/data/orders.db")) })
    killed.send(SIGKILL)
    _ = killed.wait()
    #expect(TestFiles.exists(own.appending("scratch/data/orders.db")))
    // The next one cleans up, and its own data when a signal ends it.
    let left = own.appending("scratch/data/left")
    TestFiles.write("by the first", to: left)
    let ended = RunningProcess(start)
    #expect(
      Pseudoterminal().waits {
        !TestFiles.exists(left) && TestFiles.exists(own.appending("scratch/data/orders.db"))
      })
    ended.send(SIGTERM)
    #expect(ended.wait().exitStatus == 130)
    #expect(TestFiles.names(in: own).sorted() == ["lock", "log"])
    #expect(tool.plain(tool.run("status").output).contains("drilled  never"), "neither came to a result")
  }
}
