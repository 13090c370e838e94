import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// `holdfast status`: what people, scripts and cron get to see of it.
@Suite struct StatusTests {
  /// A source with a full and an incremental.
  private func shop() -> Tool {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    TestFiles.write("another order", to: tool.source.appending("orders"))
    tool.run("backup", "source")
    return tool
  }

  /// With amounts substituted that differ from run to run.
  private func plain(_ tool: Tool, _ text: String) -> String {
    tool.plain(text).replacing(/[0-9.]+ (B|KiB|MiB)\b/, with: "SIZE").replacing(/[0-9.]+ %/, with: "SHARE")
  }

  private func json(_ result: ProcessResult) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Any])
  }

  @Test func whereAllIsWellItSaysSoFirst() {
    let tool = shop()
    tool.run("verify", "--data")
    tool.run("restore", "--target", "restored")
    let result = tool.run("status", "--max-age", "1h", "--max-chain", "2", "--prove-within", "8d")
    #expect(result.exitStatus == 0)
    #expect(result.error == "")
    #expect(
      plain(tool, result.output) == """
        source: OK
          newest  SECONDS ago (TIME), incremental ID, stable
          chain  2 snapshots long; 2 of 2 snapshots can be restored, in 1 chain, on 1 place
          stored  SIZE, growth unknown
          verified  SECONDS ago (TIME), sound, SHARE of the data; proved within 8 d: SHARE
          drilled  never: RTO unknown
          restore  about SECONDS at SIZE/s, as in the last restore
          runs  4 remembered in SECONDS, 0 failed (SHARE)
          available  SHARE of the last SECONDS

        """)
  }

  @Test func whatIsNotKnownIsUnknown() {
    let tool = shop()
    TestFiles.removeTree(tool.repository.appending("journal"))
    let result = tool.run("status", "--max-age", "1h")
    #expect(result.exitStatus == 0)
    #expect(
      plain(tool, result.output) == """
        source: OK
          newest  SECONDS ago (TIME), incremental ID, stable
          chain  2 snapshots long; 2 of 2 snapshots can be restored, in 1 chain, on 1 place
          stored  SIZE, growth unknown
          verified  no verify is remembered; proved within 30 d: unknown
          drilled  never: RTO unknown
          restore  unknown: no restore and no verify --data is remembered
          runs  none is remembered
          available  unknown

        """)
  }

  @Test func anObjectiveThatIsMissedEndsWithThirty() {
    let tool = shop()
    let result = tool.run("status", "--max-age", "0", "--max-chain", "1")
    #expect(result.exitStatus == 30)
    #expect(result.error == "")
    #expect(
      tool.plain(result.output).hasPrefix(
        """
        source: CRITICAL
          ! the newest complete snapshot is SECONDS old, and SECONDS are allowed
          ! the chain of the newest snapshot has 2 snapshots, and 1 are allowed
          newest
        """), "\(result.output)")
    #expect(tool.run("status").exitStatus == 0, "nothing is promised, so nothing is missed")
  }

  @Test func aVerifyOfOneSnapshotSaysSo() {
    let tool = shop()
    tool.run("verify", "latest", "--data")
    #expect(tool.run("status").output.contains(", sound, 100 % of the data of one chain; proved within 30 d: 100 %\n"))
  }

  @Test func quietSaysOnlyWhatIsWrong() {
    let tool = shop()
    let well = RunningProcess(tool.start(["status", "--max-age", "1h", "--quiet"])).wait()
    #expect(well.exitStatus == 0 && well.output == "" && well.error == "")
    let missed = RunningProcess(tool.start(["status", "--max-chain", "1", "--quiet"])).wait()
    #expect(missed.exitStatus == 30 && missed.output == "")
    #expect(
      missed.error
        == "holdfast: CRITICAL: source: the chain of the newest snapshot has 2 snapshots, and 1 are allowed\n")
  }

  @Test func aRepositoryWithoutSnapshotsMissesAnAge() throws {
    let tool = Tool()
    tool.run("init", "--unsealed")
    let free = tool.run("status")
    #expect(free.exitStatus == 30, "nothing can be restored")
    #expect(tool.plain(free.output) == "CRITICAL: no snapshots in DIR/repository\n")
    let judged = tool.run("status", "--max-age", "1h")
    #expect(judged.exitStatus == 30)
    let quiet = RunningProcess(tool.start(["status", "--max-age", "1h", "--quiet"])).wait()
    #expect(tool.plain(quiet.error) == "holdfast: CRITICAL: no snapshots in DIR/repository\n")
    #expect(try json(tool.run("status", "--json"))["sources"] as? [String] == [])
  }

  @Test func aSourceWhoseBackupsFailShowsThem() {
    let tool = shop()
    TestFiles.removeTree(tool.source)
    tool.run("backup", "source")
    tool.run("backup", "source")
    tool.run("backup", "nowhere", "--name", "orders")
    let result = tool.run("status")
    #expect(result.exitStatus == 30, "orders has no snapshot")
    #expect(
      tool.plain(result.output).split(separator: "\n").filter { !$0.hasPrefix("  ") || $0.hasPrefix("  !") } == [
        "orders: CRITICAL", "  ! there is no snapshot",
        "  ! the last backup failed: the source DIR/nowhere does not exist", "source: WARNING",
        "  ! the last 2 backups failed: the source DIR/source does not exist",
      ])
    #expect(tool.run("status", "--source", "source").output.hasPrefix("source: WARNING\n"))
  }

  @Test func oneDamagedManifestHidesNothingElse() {
    let tool = shop()
    tool.run("backup", "source", "--name", "other")
    TestFiles.write("junk", to: tool.repository.appending("sources/source/0000000002/manifest.json"))
    let result = tool.run("status", "--max-chain", "1")
    #expect(result.exitStatus == 21)
    #expect(result.error == "HINT: Run `holdfast verify --data` to see what can still be restored.\n")
    let lines = tool.plain(result.output).split(separator: "\n").map(String.init)
    #expect(lines.first == "other: OK")
    #expect(lines.contains("source: CRITICAL"))
    #expect(lines.contains("  ! sources/source/0000000002/manifest.json is damaged: it is cut short"))
    #expect(lines.contains("  chain  1 snapshot long; 1 of 1 snapshot can be restored, in 1 chain, on 1 place"))
  }

  /// Nobody shall read OK above a snapshot that does not come back.
  @Test func aChainThatCannotBeRestoredIsNoAge() {
    let tool = shop()
    TestFiles.remove(tool.repository.appending("sources/source/0000000001/manifest.json"))
    for arguments in [["status"], ["status", "--max-age", "1h"]] {
      let result = RunningProcess(tool.start(arguments)).wait()
      #expect(result.exitStatus == 21)
      #expect(result.output.hasPrefix("source: CRITICAL\n"))
      #expect(
        result.output.contains("  ! 1 snapshot cannot be restored: what it builds on is missing\n"), "\(result.output)")
    }
    let missed = tool.run("status", "--max-age", "1h").output
    #expect(
      missed.contains("  ! the age of the newest complete snapshot is unknown, and 1 h are allowed\n"), "\(missed)")
  }

  @Test func damageThatAVerifyHasFoundEndsWithTwentyOne() throws {
    let tool = shop()
    let archive = try #require(
      TestFiles.allFiles(in: tool.repository.appending("sources/source")).first { $0.text.contains("archive-") })
    TestFiles.remove(archive)
    #expect(tool.run("verify", "--data").exitStatus == 21)
    #expect(tool.run("status").exitStatus == 21)
  }

  @Test func aSealedRepositoryNeedsNoKey() {
    let tool = SealedTool()
    tool.makeRepository()
    tool.run("backup", "source")
    let result = tool.run("status", "--max-age", "1h") {
      $0.environment["HOLDFAST_WRITER_KEY_FILE"] = nil
    }
    #expect(result.exitStatus == 0)
    #expect(result.output.hasPrefix("source: OK\n"))
  }

  @Test func aSourceThatIsNotThereIsAnError() {
    let tool = shop()
    for option in ["--source", "--name"] {
      let result = tool.run("status", option, "nothing")
      #expect(result.exitStatus == 1)
      #expect(result.output == "")
      #expect(
        tool.plain(result.error)
          == "holdfast: there is no source nothing in DIR/repository\nHINT: Run `holdfast list` to see all sources.\n")
    }
  }

  @Test func jsonHasEveryField() throws {
    let tool = shop()
    TestFiles.removeTree(tool.repository.appending("journal"))
    let result = tool.run("status", "--max-chain", "1", "--json")
    #expect(result.exitStatus == 30)
    let all = try json(result)
    #expect(all["met"] as? Bool == false)
    #expect(all["location"] as? String == tool.repository.text)
    let source = try #require((all["sources"] as? [[String: Any]])?.first)
    #expect(
      Set(source.keys) == [
        "source", "level", "missed", "concerns", "newest", "completeAgeSeconds", "snapshotCount", "restorableSnapshots",
        "backupDegree", "redundancyDegree", "storedBytes", "parityBytes", "growthBytesPerDay", "damage", "notedDamage",
        "suspicions",
        "lastBackup", "failedBackups", "lastVerify", "provedShare", "provedWithinSeconds", "drills", "restoreSpeed",
        "expectedRestoreSeconds", "runCount", "failedRuns", "failureRate", "rememberedSeconds", "availability", "watch",
        "wal",
      ])
    #expect(source["missed"] as? [String] == ["chain"])
    #expect(source["provedShare"] is NSNull && source["failureRate"] is NSNull && source["lastBackup"] is NSNull)
    let newest = try #require(source["newest"] as? [String: Any])
    #expect(newest["chainLength"] as? Int == 2 && newest["sequence"] as? Int == 2 && newest["stateBytes"] as? Int == 13)
    #expect(try json(tool.run("status", "--json"))["met"] is NSNull, "nothing was promised")
  }

  @Test(arguments: [
    (["--max-age", "1d2h"], "holdfast: the value '1d2h' is invalid for '--max-age <time>'"),
    (["--max-age", "-1h"], "holdfast: missing value for '--max-age <time>'"),
    (["--max-chain", "0"], "holdfast: --max-chain is at least 1"),
    (["--nagios", "--json"], "holdfast: --nagios and --json exclude each other"),
    (["--source", "a/b"], "holdfast: the value 'a/b' is invalid for '--source <name>'"),
    (["extra"], "holdfast: unexpected argument 'extra'"),
  ])
  func whatIsTypedWronglyIsTold(arguments: [String], message: String) {
    let result = Tool().run(["status"] + arguments)
    #expect(result.exitStatus == (arguments.contains("--nagios") ? 3 : 2))
    #expect(result.error.contains(message), "\(result.error)")
  }
}

extension Tool {
  fileprivate func run(_ arguments: [String]) -> ProcessResult { RunningProcess(start(arguments)).wait() }
}
