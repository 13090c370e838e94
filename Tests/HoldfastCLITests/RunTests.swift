import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// One line in cron does everything that a site has configured, and tells what it does and why.
@Suite struct RunTests {
  private let tool = Tool()

  private var file: Path { tool.directory.appending("holdfast.yaml") }
  private var state: Path { tool.directory.appending("state") }

  private func start(_ arguments: [String]) -> RunningProcess.Start {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    start.environment["HOLDFAST_CONFIG"] = file.text
    start.environment["HOLDFAST_STATE_DIR"] = state.text
    return start
  }

  private func run(_ arguments: String...) -> ProcessResult { RunningProcess(start(arguments)).wait() }

  /// - Parameter more: below the source `orders`, or behind it.
  private func configure(_ more: String) {
    let directory = tool.directory.path.text
    TestFiles.write(
      "repositories: {shop: {path: \(directory)/repository}}\nsources:\n  orders:\n    path: \(directory)/source\n"
        + more.replacing("DIR", with: directory), to: file)
    TestFiles.setMode(file, 0o644)
  }

  /// Numbers that differ from run to run substituted as well.
  private func plain(_ text: String) -> String {
    tool.plain(text).replacing(/[0-9.]+ (B|KiB)/, with: "BYTES").replacing(/SECONDS ago/, with: "AGO")
  }

  private func makeShop(_ more: String) {
    configure(more)
    TestFiles.write("an order", to: tool.source.appending("orders"))
    #expect(run("init", "--unsealed").exitStatus == 0)
  }

  @Test func whatIsDueIsTakenMergedPrunedAndProved() throws {
    makeShop(
      "    schedule: {full: 4w, incremental: 0}\n    merge-after: 2\n    keep: {last: 1}\n    verify: {within: 30d}\n")
    let first = run("run")
    #expect(first.exitStatus == 0)
    #expect(first.error == "")
    #expect(
      plain(first.output) == """
        orders: took full ID, number 1; stored BYTES in SECONDS (there is no snapshot yet)
        orders: kept 1, removed 0, collected 0 (what no rule keeps goes)
        orders: proved 3.4 % of its data, BYTES, in SECONDS (nothing was proved yet)

        """)
    TestFiles.write("another order", to: tool.source.appending("more"))
    let second = run("run")
    #expect(second.exitStatus == 0)
    #expect(
      plain(second.output).contains(
        "orders: took incremental ID, number 2; stored BYTES in SECONDS (the last snapshot is "))
    #expect(!second.output.contains("proved"), "a step of the round has not passed")
    let third = run("run")
    #expect(third.exitStatus == 0)
    #expect(
      plain(third.output).contains(
        "orders: merged 3 snapshots into full ID, number 4; stored BYTES in SECONDS (its chain has 2 increments)"))
    #expect(plain(third.output).contains("orders: kept 2, removed 2, collected 0 (what no rule keeps goes)"))
    #expect(run("restore", "--target", "restored").exitStatus == 0)
    #expect(TreeDescription(of: tool.directory.appending("restored")) == TreeDescription(of: tool.source))
    #expect(run("verify", "--data").exitStatus == 0)
  }

  /// What was found once stands, whatever part the next proofs read.
  @Test func damageIsToldByEveryProofUntilItIsMended() throws {
    makeShop("    schedule: {incremental: 1w}\n    verify: {within: 30d}\n")
    #expect(run("backup", "orders").exitStatus == 0)
    let archive = try #require(TestFiles.allFiles(in: tool.repository).first { $0.text.contains("/archive-") })
    let byte = try #require(TestFiles.read(archive, at: 70, count: 1))
    TestFiles.overwrite(archive, at: 70, with: byte.map { ~$0 })
    #expect(run("verify", "--data").exitStatus == 21)
    TestFiles.overwrite(archive, at: 70, with: byte)
    let result = run("run")
    #expect(result.exitStatus == 21, "a thirtieth says nothing of the rest")
    #expect(result.output.contains("orders: proved 3.4 % of its data"))
    #expect(
      result.error.contains(
        ", and nothing has proved all of it since\nHINT: Mend it and run `holdfast verify --data --name orders`"))
    // A milder finding does not hide it, and is told as well.
    #expect(run("tag", "--add", "milder", "latest").exitStatus == 0)
    let notes = TestFiles.allFiles(in: tool.repository).map(\.text).filter { $0.contains("/notes/") }.sorted()
    try #require(notes.count > 1)
    TestFiles.write("{", to: Path(notes[0]))
    configure("    schedule: {incremental: 0}\n    verify: {share: 10%}\n")
    let both = run("run")
    #expect(both.exitStatus == 21)
    #expect(both.error.contains(", and nothing has proved all of it since\n"))
    #expect(both.error.contains("notes/") && both.error.contains(" is damaged: "), "\(both.error)")
    #expect([0, 20].contains(run("verify", "--data").exitStatus))
    #expect([0, 20].contains(run("run").exitStatus))
  }

  @Test func aDryRunSaysWhatIsDueAndDoesNothing() throws {
    makeShop("    schedule: {full: 4w, incremental: 1h}\n    keep: {last: 1}\n    verify: {share: 10%}\n")
    let first = run("run", "--dry-run")
    #expect(first.exitStatus == 0)
    #expect(
      first.output == """
        orders: would take a full: there is no snapshot yet
        orders: would prune: what no rule keeps goes
        orders: would prove 10.0 % of its data: a share of every run

        """)
    #expect(run("list").output.hasPrefix("no snapshots in "))
    #expect(run("run", "--quiet").output == "")
    let second = run("run", "--dry-run", "--json")
    let told = try #require(try JSONSerialization.jsonObject(with: Data(second.outputBytes)) as? [String: Any])
    let reports = try #require(told["sources"] as? [[String: Any]])
    #expect(reports.count == 1 && reports[0]["source"] as? String == "orders")
    #expect(
      (reports[0]["idle"] as? String)?.hasPrefix("the next incremental is due in 59 min") == true
        || reports[0]["idle"] as? String == "the next incremental is due in 1 h 0 min")
    #expect((reports[0]["steps"] as? [Any])?.isEmpty == true)
  }

  @Test func whenNothingIsDueARunSaysSoAndQuietSaysNothing() {
    makeShop("    schedule: {incremental: 1h}\n")
    #expect(run("run", "--quiet").output == "")
    let idle = run("run")
    #expect(idle.exitStatus == 0)
    #expect(idle.output.hasPrefix("orders: no snapshot: the next incremental is due in "))
    let quiet = run("run", "--quiet")
    #expect(quiet.exitStatus == 0 && quiet.output == "" && quiet.error == "")
    #expect(run("list", "--json").output.contains("\"sequence\" : 1"))
    #expect(!run("list", "--json").output.contains("\"sequence\" : 2"))
  }

  /// It does what is due; it is not for two runs to do it.
  @Test func aSourceThatAnotherRunHoldsIsLeftToIt() {
    // Its command waits for somebody to write into the fifo.
    makeShop(
      "    schedule: {incremental: 0}\n  slow: {from-command: 'touch DIR/began; cat DIR/fifo', schedule: {incremental: 0}}\n"
    )
    TestFiles.makeFifo(tool.directory.appending("fifo"))
    let holder = RunningProcess(start(["run", "slow"]))
    while !TestFiles.exists(tool.directory.appending("began")) { usleep(10_000) }
    let other = run("run")
    #expect(other.exitStatus == 0, "\(other.error)")
    #expect(other.error == "")
    #expect(
      plain(other.output).split(separator: "\n").map(String.init) == [
        "orders: took full ID, number 1; stored BYTES in SECONDS (there is no snapshot yet)",
        "slow: left to another run: another run is backing up slow",
      ])
    TestFiles.write("dumped", to: tool.directory.appending("fifo"))
    #expect(holder.wait().exitStatus == 0)
  }

  /// The merge or the proof of one source keeps no other waiting for its snapshot.
  @Test func everySourceIsCapturedBeforeAnyIsLookedAfter() {
    makeShop(
      "    schedule: {incremental: 0}\n    verify: {share: 100%}\n  stock: {path: DIR/source, schedule: {incremental: 0}, verify: {share: 100%}}\n"
    )
    let result = run("run")
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(
      result.output.split(separator: "\n").map { $0.split(separator: " ").prefix(2).joined(separator: " ") } == [
        "orders: took", "stock: took", "orders: proved", "stock: proved",
      ])
  }

  @Test func aSourceThatFailsDoesNotStopTheOthersAndLosesNothing() throws {
    makeShop(
      "    schedule: {incremental: 0}\n    keep: {last: 1}\n  broken: {path: DIR/missing, keep: {last: 1}, verify: {share: 10%}}\n"
    )
    let result = run("run", "broken", "orders")
    #expect(result.exitStatus == 1)
    #expect(
      plain(result.error) == """
        holdfast: broken: the source DIR/missing does not exist
        HINT: Name the directory that holds the order database.

        """)
    #expect(
      plain(result.output).contains(
        "broken: failed: the source DIR/missing does not exist (there is no snapshot yet)\n"))
    #expect(!result.output.contains("broken: kept"))
    #expect(plain(result.output).contains("orders: took full ID"))
    let wrong = run("run", "order")
    #expect(wrong.exitStatus == 2)
    #expect(wrong.error == "holdfast: no source order is configured\nHINT: There can be orders, broken.\n")
  }

  @Test func aRepositoryThatIsNotThereFailsTheRun() {
    configure("    schedule: {incremental: 1h}\n")
    let result = run("run", "--quiet")
    #expect(result.exitStatus == 10)
    #expect(plain(result.error).hasPrefix("holdfast: orders: there is no repository in DIR/repository\n"))
  }

  @Test func runsAreInTheJournalStepByStep() throws {
    makeShop("    keep: {last: 1}\n    verify: {share: 100%}\n")
    #expect(run("run").exitStatus == 0)
    let status = run("status", "--json")
    #expect(status.exitStatus == 0)
    #expect(status.output.contains("\"runCount\" : 3"), "\(status.output)")
    #expect(status.output.contains("\"failedRuns\" : 0"))
  }

  @Test func withoutAnIdentityAMergeIsLeftToWhoHasOne() throws {
    let sealed = SealedTool()
    let recipient = sealed.generate("identity")
    let file = sealed.directory.appending("holdfast.yaml")
    TestFiles.write(
      "repositories: {shop: {path: \(sealed.repository.text)}}\nsources: {orders: {path: \(sealed.source.text), merge-after: 1}}\n",
      to: file)
    TestFiles.setMode(file, 0o644)
    let configure: (inout RunningProcess.Start) -> Void = { start in
      start.environment["HOLDFAST_REPOSITORY"] = nil
      start.environment["HOLDFAST_CONFIG"] = file.text
    }
    #expect(sealed.run("init", "--recipient", recipient, configure: configure).exitStatus == 0)
    #expect(sealed.run("run", "--quiet", configure: configure).exitStatus == 0)
    let result = sealed.run("run", configure: configure)
    #expect(result.exitStatus == 0)
    #expect(
      result.output.contains(
        "orders: a merge is due, and runs where an identity is: `holdfast merge --name orders` (its chain has 1 increment)\n"
      ))
    let merged = sealed.run("run", "--identity", "identity", configure: configure)
    #expect(merged.output.contains("orders: merged 3 snapshots into full "), "\(merged.output) \(merged.error)")
  }

  @Test func withoutTheRightAPruneIsLeftToWhoHasIt() throws {
    let sealed = SealedTool()
    let recipient = sealed.generate("identity")
    let file = sealed.directory.appending("holdfast.yaml")
    TestFiles.write(
      "repositories: {shop: {path: \(sealed.repository.text)}}\nsources: {orders: {path: \(sealed.source.text), keep: {last: 1}}}\n",
      to: file)
    TestFiles.setMode(file, 0o644)
    let configure: (inout RunningProcess.Start) -> Void = { start in
      start.environment["HOLDFAST_REPOSITORY"] = nil
      start.environment["HOLDFAST_CONFIG"] = file.text
    }
    #expect(sealed.run("init", "--recipient", recipient, configure: configure).exitStatus == 0)
    let writer = sealed.run("key", "list", "--json", configure: configure).output
    let key = try #require(writer.firstMatch(of: /holdfast-writer-([0-9a-f]{64})/)).1
    let taken = sealed.run("key", "permit", String(key), "--no-prune", "--identity", "identity", configure: configure)
    #expect(taken.exitStatus == 0, "\(taken.error)")
    let dry = sealed.run("run", "--dry-run", configure: configure)
    #expect(
      dry.output.contains("orders: a prune is due, and runs on a machine that may: what no rule keeps goes\n"),
      "\(dry.output)")
    let result = sealed.run("run", configure: configure)
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(
      result.output.contains(
        "orders: a prune is due, and runs on a machine that may: `holdfast prune --name orders`"), "\(result.output)")
  }

  /// Commands of the site's may need anything; without them a run writes to nothing of the system's.
  @Test func aScheduleConfinesWhatIsConfiguredUnlessItRunsCommands() {
    let root = tool.directory.appending("root")
    TestFiles.makeDirectory(root)
    func service(_ more: String) -> String {
      configure(more)
      let installed = run("schedule", "install", "--every", "15m", "--root", root.text)
      #expect(installed.exitStatus == 0, "\(installed.error)")
      let unit = root.appending("etc/systemd/system/holdfast.service")
      return String(decoding: TestFiles.read(unit) ?? [], as: UTF8.self)
    }
    let confined = service("    schedule: {incremental: 15min}\n")
    #expect(confined.contains(" run --quiet\n"))
    #expect(confined.contains("HOLDFAST_CONFIG=\(file.text)"))
    #expect(
      confined.contains(
        "\nProtectSystem=strict\nReadWritePaths=/tmp /var/tmp\nReadWritePaths=-\(tool.repository.text)\n"))
    #expect(!service("    before: systemctl stop shop\n").contains("ProtectSystem"))
    #expect(!service("  dump: {from-command: dump}\n").contains("ProtectSystem"))
    let relative = run("schedule", "install", "--every", "15m", "--root", root.text, "--", "run", "--config", "a.yaml")
    #expect(relative.exitStatus == 2)
  }

  /// Whoever installs may have the recovery key and another repository in the shell: neither is what the site has
  /// configured.
  @Test func aScheduleOfWhatIsConfiguredTakesNothingOfTheShellAlong() {
    let root = tool.directory.appending("root")
    TestFiles.makeDirectory(root)
    TestFiles.write("", to: tool.directory.appending("recovery.key"))
    configure("    schedule: {incremental: 15min}\n")
    func unit(_ arguments: String...) -> String {
      var start = start(["schedule", "install", "--every", "15m", "--root", root.text] + arguments)
      start.environment["HOLDFAST_REPOSITORY"] = "/elsewhere"
      start.environment["HOLDFAST_IDENTITY_FILE"] = tool.directory.appending("recovery.key").text
      let installed = RunningProcess(start).wait()
      #expect(installed.exitStatus == 0, "\(installed.error)")
      let unit = root.appending("etc/systemd/system/holdfast.service")
      return String(decoding: TestFiles.read(unit) ?? [], as: UTF8.self)
    }
    let configured = unit()
    #expect(!configured.contains("/elsewhere") && !configured.contains("recovery.key"))
    let named = unit("--repository", "/elsewhere", "--identity", "recovery.key")
    #expect(named.contains("/elsewhere") && named.contains("recovery.key"))
  }

  @Test func withoutAConfigurationTheMessageShowsOne() {
    var start = tool.start(["run"])
    start.environment["HOLDFAST_REPOSITORY"] = nil
    let result = RunningProcess(start).wait()
    #expect(result.exitStatus == 2)
    #expect(result.error.hasPrefix("holdfast: there is no configuration that names sources to run for\n"))
  }
}
