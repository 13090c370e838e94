import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// `holdfast standby` as a service or cron runs it, with all that may happen to a host: kills, a stopped process, a
/// full disk, a store that is away.
@Suite struct StandbyProcessTests {
  /// Tests that use the processor keep those that wait from looking.
  private static let patience = Duration.seconds(120)
  private let tool = Tool()

  private var directory: Path { tool.directory.appending("standby") }

  private func prepare() { #expect(tool.run("init", "--unsealed").exitStatus == 0) }

  /// Changes the source and takes a snapshot.
  /// - Returns: the state that was acknowledged.
  private func next(_ random: inout SeededRandom, bytes: Int = 300_000) -> TreeDescription {
    TestFiles.write(random.text(bytes), to: tool.source.appending("orders.db"))
    for index in 0..<20 where Bool.random(using: &random) {
      TestFiles.write(random.text(Int.random(in: 0...20_000, using: &random)), to: tool.source.appending("\(index)"))
    }
    TestFiles.remove(tool.source.appending("\(Int.random(in: 0..<20, using: &random))"))
    let taken = tool.run("backup", tool.source.text, "--name", "orders", "--quiet")
    // A source that loses most of its bytes is an anomaly, and its snapshot is whole.
    #expect([0, 3].contains(taken.exitStatus) && !taken.error.contains("INCOMPLETE"), "\(taken.error)")
    if taken.exitStatus == 3 { #expect(tool.run("accept", "latest", "--name", "orders").exitStatus == 0) }
    return TreeDescription(of: tool.source, ignoringRoot: true)
  }

  private var current: TreeDescription {
    TreeDescription(of: directory.appending("current/."), ignoringRoot: true)
  }

  private func once(_ more: String...) -> ProcessResult {
    RunningProcess(tool.start(["standby", "orders", "--in", directory.text, "--once"] + more)).wait()
  }

  private func service(_ more: [String] = [], socket: String? = nil) -> RunningProcess {
    var start = tool.start(["standby", "orders", "--in", directory.text, "--interval", "1s"] + more)
    start.environment["NOTIFY_SOCKET"] = socket
    start.environment["WATCHDOG_USEC"] = socket.map { _ in "2000000" }
    return RunningProcess(start)
  }

  @Test func onceSaysWhatItDidAndADryRunWhatItWould() throws {
    prepare()
    var random = SeededRandom(seed: 1)
    _ = next(&random, bytes: 5000)
    let first = once()
    #expect(first.exitStatus == 0 && first.error == "", "\(first.error)")
    let lines = tool.plain(first.output).split(separator: "\n").map(String.init)
    #expect(lines.count == 3, "\(lines)")
    #expect(lines.first?.hasSuffix("to DIR/standby/a in SECONDS, and proved all of it") == true, "\(lines)")
    #expect(
      lines.dropFirst().elementsEqual([
        "DIR/standby/current is snapshot ID, number 1, of orders, taken TIME, in a",
        "  nothing is newer; the source is not watched",
      ]), "\(lines)")
    _ = next(&random, bytes: 5000)
    let look = tool.run("standby", "orders", "--in", directory.text, "--dry-run", "--json")
    #expect(look.exitStatus == 0)
    for part in [
      #""step" : "make""#, #""dryRun" : true"#, #""snapshotCount" : 1"#, #""sequence" : 2"#, #""state" : "unwatched""#,
    ] { #expect(look.output.contains(part), "\(part) in \(look.output)") }
    let metrics = tool.directory.appending("standby.prom")
    #expect(once("--quiet", "--prometheus", metrics.text).output == "")
    let text = String(decoding: TestFiles.read(metrics) ?? [], as: UTF8.self)
    #expect(text.contains("holdfast_standby_lag_snapshots{repository=\""))
    #expect(text.contains("source=\"orders\"} 0\n"))
  }

  /// A seed that failed is printed, and can be put in.
  @Test func whereverItIsKilledCurrentIsAnAcknowledgedSnapshot() async throws {
    prepare()
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    var states = [next(&random)]
    let begun = ContinuousClock.now
    #expect(once("--quiet").exitStatus == 0)
    let span = (ContinuousClock.now - begun).components
    let microsecondsMax = Int(span.seconds) * 1_000_000 + Int(span.attoseconds / 1_000_000_000_000)
    var isBehind = 0
    for round in 1...Trials.first(12, of: Array(1...100)).count {
      states.append(next(&random))
      let process = RunningProcess(tool.start(["standby", "orders", "--in", directory.text, "--once", "--quiet"]))
      try? await Task.sleep(for: .microseconds(Int.random(in: 0...microsecondsMax, using: &random)))
      process.send(SIGKILL)
      _ = await process.end()
      #expect(states.contains(current), "round \(round) of seed \(seed)")
      if current != states.last { isBehind += 1 }
    }
    print("standby: killed \(isBehind) times before the switch, seed \(seed)")
    let end = once("--quiet")
    #expect(end.exitStatus == 0 && current == states.last, "seed \(seed): \(end.error)")
  }

  @Test func aServiceFollowsSaysHowItStandsAndOutlivesAStopAndAStoreThatIsAway() async throws {
    prepare()
    var random = SeededRandom(seed: 2)
    var states = [next(&random)]
    let manager = try NotifySocket("@" + tool.directory.appending("notify").text)
    let process = service(socket: manager.name)
    var heard: [String] = []
    func waits(for line: String) async -> Bool {
      await Patience.waits(Self.patience) {
        heard += manager.received()
        return heard.contains { $0.hasPrefix(line) }
      }
    }
    #expect(await waits(for: "STATUS=orders: number 1 serves; nothing is newer; the source is not watched"))
    #expect(await waits(for: "WATCHDOG=1"))
    #expect(heard.first?.hasPrefix("READY=1\nSTATUS=orders: ") == true, "\(heard)")
    // Stopped in the middle of whatever it does: the copy that serves is whole all the time.
    states.append(next(&random))
    process.send(SIGSTOP)
    #expect(states.contains(current))
    states.append(next(&random))
    #expect(states.contains(current))
    process.send(SIGCONT)
    #expect(await waits(for: "STATUS=orders: number 3 serves"))
    #expect(current == states.last)
    // The store is away for a while.
    let aside = tool.directory.appending("aside")
    TestFiles.rename(tool.repository, to: aside)
    #expect(await waits(for: "STATUS=orders: there is no repository"))
    #expect(current == states.last)
    try? await Task.sleep(for: .seconds(3))
    TestFiles.rename(aside, to: tool.repository)
    states.append(next(&random))
    #expect(await waits(for: "STATUS=orders: number 4 serves"))
    #expect(current == states.last)
    process.send(SIGTERM)
    let end = await process.end()
    #expect(end.exitStatus == 0, "\(end.error)")
    let errors = end.error.split(separator: "\n").filter { $0.contains("WARNING") }
    #expect(errors.count == 2, "told once, and once that it goes on: \(end.error)")
    #expect(errors.first?.contains("; it is tried again") == true && errors.last?.contains("follows again") == true)
    #expect(await waits(for: "STOPPING=1"))
  }

  /// A standby that goes on would discard what somebody changes later.
  @Test func changesAreDiscardedOnlyOnce() {
    let refused = tool.run("standby", "orders", "--in", directory.text, "--discard-changes")
    #expect(refused.exitStatus == 2)
    #expect(
      refused.error.contains(
        "--discard-changes is for --once: a standby that goes on would discard later changes, too"), "\(refused.error)")
  }

  @Test func twoStandbysInOneDirectoryAreRefused() async throws {
    prepare()
    var random = SeededRandom(seed: 3)
    _ = next(&random, bytes: 5000)
    let process = service()
    #expect(await Patience.waits(Self.patience) { TestFiles.exists(directory.appending("current")) })
    let second = once()
    #expect(second.exitStatus == 11)
    #expect(
      tool.plain(second.error) == """
        holdfast: another standby is at work in DIR/standby
        HINT: Leave it to that, or stop it first.

        """)
    let look = tool.run("standby", "orders", "--in", directory.text, "--dry-run")
    #expect(look.exitStatus == 0, "a look needs no lock: \(look.error)")
    process.send(SIGTERM)
    #expect(await process.end().exitStatus == 0)
  }

  /// A disk that is too small is refused before anything is written; one that becomes full leaves the copy that serves.
  @Test(.requires(.mounts)) func aFullDiskHarmsNothing() throws {
    prepare()
    var random = SeededRandom(seed: 4)
    let disk = try SmallDisk(at: tool.directory.appending("disk"), mebibytes: 12)
    let directory = disk.path.appending("standby")
    func once() -> ProcessResult { tool.run("standby", "orders", "--in", directory.text, "--once", "--quiet") }
    var state = next(&random, bytes: 8 << 20)
    let refused = once()
    #expect(refused.exitStatus == 1)
    #expect(
      refused.error.hasPrefix("holdfast: there is too little room for two copies of orders in \(directory): "),
      "\(refused.error)")
    #expect(!TestFiles.exists(directory.appending("a")))
    var served = next(&random, bytes: 1 << 20)
    #expect(once().exitStatus == 0)
    served = next(&random, bytes: 1 << 20)
    #expect(once().exitStatus == 0)
    state = next(&random, bytes: 11 << 20)
    let records = ["a.json", "b.json"].map { TestFiles.read(directory.appending($0)) }
    let full = once()
    #expect(full.exitStatus == 1, "\(full.error)")
    #expect(
      full.error.hasPrefix("holdfast: there is too little room for the growth of a copy of orders in \(directory): "),
      "\(full.error)")
    #expect(["a.json", "b.json"].map { TestFiles.read(directory.appending($0)) } == records, "both copies are whole")
    func current() -> TreeDescription { TreeDescription(of: directory.appending("current/."), ignoringRoot: true) }
    #expect(current() == served)
    state = next(&random, bytes: 2 << 20)
    let after = once()
    #expect(after.exitStatus == 0 && current() == state, "\(after.error)")
  }

  @Test func aSealedRepositoryNeedsAnIdentity() throws {
    let sealed = SealedTool()
    sealed.makeRepository()
    #expect(sealed.run("backup", sealed.source.text, "--name", "orders", "--quiet").exitStatus == 0)
    let target = sealed.directory.appending("standby")
    let arguments = ["standby", "orders", "--in", target.text]
    let without = sealed.run(arguments)
    #expect(without.exitStatus == 12, "a service ends: \(without.error)")
    #expect(!TestFiles.exists(target.appending("current")))
    let with = sealed.run(arguments + ["--once", "--identity", sealed.identity.text])
    #expect(with.exitStatus == 0, "\(with.error)")
    #expect(
      TestFiles.read(target.appending("current/orders")) == Array("an order".utf8))
  }
}
