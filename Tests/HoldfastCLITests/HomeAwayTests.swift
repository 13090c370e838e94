import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Home is away for a while or for good, and comes back: no snapshot that was taken is lost, no number is given twice.
/// With real processes and directories that are moved away and back.
@Suite(.timeLimit(.minutes(30))) struct HomeAwayTests {
  private let tool = Tool()
  private static let places = ["here", "cloud", "barn"]

  private func start(_ arguments: [String], configuration: Path? = nil) -> RunningProcess {
    var start = tool.start(arguments + (configuration.map { ["--config", $0.text] } ?? []))
    start.environment["HOLDFAST_REPOSITORY"] = nil
    return RunningProcess(start)
  }

  private func run(_ arguments: String..., configuration: Path? = nil) -> ProcessResult {
    start(arguments, configuration: configuration).wait()
  }

  private func place(_ name: String) -> Path { tool.directory.appending(name) }

  /// - Parameter order: the targets, the first of which is home.
  private func configure(
    _ order: [String] = places, minCopies: Int = 1, away: String = "continue", to file: Path? = nil
  ) {
    TestFiles.makeDirectory(tool.configuration)
    let file = file ?? tool.configuration.appending("holdfast.yaml")
    TestFiles.write(
      "repositories:\n  shop:\n    targets:\n"
        + order.map { "      - {name: \($0), path: '\(place($0).text)'}\n" }.joined()
        + "    min-copies: \(minCopies)\n    when-home-is-away: \(away)\n"
        + "sources:\n  orders: {path: '\(tool.source.text)'}\n", to: file)
    TestFiles.setMode(file, 0o644)
  }

  private func makeShop(minCopies: Int = 1, away: String = "continue") {
    configure(minCopies: minCopies, away: away)
    write("1")
    expectSuccess(run("init", "--unsealed"))
    expectSuccess(run("backup", "orders"))
  }

  private func write(_ name: String) { TestFiles.write("order \(name)", to: tool.source.appending(name)) }

  private func expectSuccess(_ result: ProcessResult, _ location: Testing.SourceLocation = #_sourceLocation) {
    #expect(result.exitStatus == 0, "\(result.output)\(result.error)", sourceLocation: location)
  }

  private func leave(_ name: String) { TestFiles.rename(place(name), to: place("away " + name)) }
  private func comeBack(_ name: String) { TestFiles.rename(place("away " + name), to: place(name)) }

  /// The numbers of the snapshots that one target lists.
  private func numbers(_ name: String) -> [Int] {
    let listed = run("list", "--from", name, "--json", "--older-copy")
    return listed.output.matches(of: /"sequence" : (\d+)/).compactMap { Int($0.1) }.sorted()
  }

  private func expectSound(
    _ numbers: [Int], at names: [String] = places, _ location: Testing.SourceLocation = #_sourceLocation
  ) {
    for name in names {
      #expect(self.numbers(name) == numbers, "\(name)", sourceLocation: location)
      expectSuccess(run("verify", "--data", "--from", name, "--older-copy"), location)
    }
  }

  // MARK: One after the other

  @Test func aRunGoesOnAtTheNextTargetAndItsSnapshotComesHome() {
    makeShop(minCopies: 2)
    leave("here")
    write("2")
    let away = run("backup", "orders")
    expectSuccess(away)
    #expect(
      tool.plain(away.error).hasPrefix(
        "holdfast: WARNING: HOME IS AWAY: there is no repository in DIR/here; the snapshot is taken at cloud, DIR/cloud, and the next sync brings it home\n"
      ), "\(away.error)")
    #expect(away.output.contains("\n  on cloud, barn; here is behind\n"), "\(away.output)")
    comeBack("here")
    let sync = run("sync")
    expectSuccess(sync)
    #expect(sync.output.contains("orders: brought home 1 snapshot\n"), "\(sync.output)")
    expectSound([1, 1001])
    write("3")
    expectSuccess(run("backup", "orders"))
    expectSound([1, 1001, 1016])
  }

  @Test func fewerCopiesThanWantedAreNoSuccess() {
    makeShop(minCopies: 3)
    leave("here")
    let away = run("run")
    #expect(away.exitStatus == 3)
    #expect(away.error.contains("only 2 of the 3 targets that shall have it have the snapshot: cloud, barn"))
  }

  @Test func withoutAWordARunFailsWhereHomeIsAway() {
    makeShop(away: "fail")
    leave("here")
    let away = run("backup", "orders")
    #expect(away.exitStatus == 10)
    #expect(numbers("cloud") == [1])
  }

  // MARK: The runbook

  @Test func theOfficeBurnedDown() {
    makeShop()
    TestFiles.removeTree(place("here"))
    let promoted = run("target", "promote", "cloud")
    expectSuccess(promoted)
    #expect(promoted.output == "cloud is home now; name it first in the configuration\n")
    #expect(promoted.error.contains("WARNING: here does not have the list of targets yet, the next sync brings it:"))
    configure(["cloud", "barn"])
    write("2")
    expectSuccess(run("backup", "orders"))
    expectSound([1, 1001], at: ["cloud", "barn"])
    let removed = run("target", "remove", "here", "--yes")
    expectSuccess(removed)
    #expect(
      removed.error
        == "holdfast: WARNING: here is not in the configuration, so it is not known what only it has\nwithout here, the newest snapshot of orders is on cloud, barn\n"
        && removed.output == "here is out of the list of targets; take it out of the configuration, too\n")
    // A new office.
    configure(["cloud", "barn", "office"])
    let added = run("target", "add", "office")
    expectSuccess(added)
    #expect(added.output.contains("office: orders: copied 2 snapshots") && added.output.contains("list of targets\n"))
    expectSound([1, 1001], at: ["cloud", "barn", "office"])
    let listed = run("target", "list", "--repository", place("office").text)
    #expect(
      tool.plain(listed.output) == "cloud: DIR/cloud (home)\nbarn: DIR/barn\noffice: DIR/office\n", "\(listed.error)")
  }

  @Test func theCloudAccountIsGone() {
    makeShop()
    TestFiles.removeTree(place("cloud"))
    let asked = run("target", "remove", "cloud")
    #expect(asked.exitStatus != 0, "nobody is there to answer")
    expectSuccess(run("target", "remove", "cloud", "--yes"))
    configure(["here", "barn", "cloud2"])
    // A disk with a copy was carried there.
    expectSuccess(tool.other("cp", "-a", place("barn").text, place("disk").text))
    write("2")
    expectSuccess(run("backup", "orders"))
    let added = run("target", "add", "cloud2", "--seed", place("disk").text)
    expectSuccess(added)
    #expect(
      added.output.matches(of: /cloud2: orders: copied 1 snapshot/).count == 2, "\(added.output)\(added.error)")
    expectSound([1, 2], at: ["here", "barn", "cloud2"])
  }

  @Test func bothCameBack() {
    makeShop()
    let old = tool.directory.appending("old.yaml")
    configure(["here"], to: old)
    // The way between the halves is broken. Each goes on.
    leave("here")
    expectSuccess(run("target", "promote", "cloud"))
    configure(["cloud", "barn", "here"])
    write("2")
    expectSuccess(run("backup", "orders"))
    for name in ["cloud", "barn"] { leave(name) }
    comeBack("here")
    write("3")
    expectSuccess(run("backup", "orders", configuration: old))
    for name in ["cloud", "barn"] { comeBack(name) }
    let sync = run("sync")
    expectSuccess(sync)
    #expect(sync.output.contains("here: orders: brought home 1 snapshot\n"), "\(sync.output)")
    expectSuccess(run("sync"))
    expectSound([1, 2, 1001])
    // Whoever still has the old order is led to the new home.
    configure()
    write("4")
    let led = run("backup", "orders")
    expectSuccess(led)
    #expect(
      led.error.contains(
        "cloud is home by revision 2 of the list of targets, not here: name it first in the configuration"))
    expectSound([1, 2, 1001, 2001])
  }

  @Test func targetsThatAreNoneAreRefused() {
    makeShop()
    for (arguments, text) in [
      (["target", "promote", "here"], "here is home already, by revision 1 of the list of targets\n"),
      (["target", "remove", "here", "--yes"], "here is home\nHINT: Make another one home first"),
      (
        ["target", "remove", "shed", "--yes"],
        "the list of targets does not have shed\nHINT: It has here, cloud, barn.\n"
      ),
      (["target", "add", "shed"], "there is no target shed\nHINT: There can be cloud, barn.\n"),
      (["target", "promote", "shed"], "there is no target shed\nHINT: There can be here, cloud, barn.\n"),
    ] {
      let result = start(arguments).wait()
      #expect(result.exitStatus == 2 && result.error.contains(text), "\(arguments): \(result.error)")
    }
    let checked = run("target", "check", "cloud", "barn")
    expectSuccess(checked)
    #expect(checked.output.contains("cloud:   there is a repository here: "), "\(checked.output)")
    TestFiles.removeTree(place("barn"))
    #expect(run("target", "check").exitStatus == 3)
  }

  // MARK: Two halves

  /// What a half knows: its own configuration, and the places that it sees.
  private func configureHalves() -> (office: Path, cloud: Path) {
    let files = (office: tool.directory.appending("office.yaml"), cloud: tool.directory.appending("cloud.yaml"))
    configure(["here", "barn", "cloud"], to: files.office)
    // Home is listed, and is never there.
    configure(["here", "cloud", "barn"], to: files.cloud)
    return files
  }

  /// Runs at home are killed, or stopped and woken up when another one went on without home; halves go on apart from
  /// each other, and come back.
  @Test(arguments: Trials.seeds(byDay: 6, atNight: 300))
  func noSnapshotIsLostAndNoNumberIsGivenTwice(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    makeShop()
    let halves = configureHalves()
    var acknowledged: [Int] = [1]
    var late: RunningProcess?
    func take(_ half: Path) {
      write("\(random.next())")
      let result = run("backup", "orders", configuration: half)
      guard [0, 3].contains(result.exitStatus) else {
        // A stopped run holds the lock of home, and a killed one may hold a lease.
        #expect([10, 75, 6, 5, 4].contains(result.exitStatus) || late != nil, "seed \(seed): \(result)")
        return
      }
      if let number = result.output.firstMatch(of: /number (\d+)/).flatMap({ Int($0.1) }) {
        #expect(!acknowledged.contains(number), "seed \(seed): \(number) was given twice")
        acknowledged.append(number)
      }
    }
    for _ in 0..<4 {
      switch random.next() % 4 {
      case 0:
        // A run at home dies anywhere, also between a manifest and its copy.
        write("\(random.next())")
        let dying = start(["backup", "orders"], configuration: halves.office)
        usleep(UInt32(random.next() % 120_000))
        dying.send(SIGKILL)
        _ = dying.wait()
      case 1 where late == nil:
        write("\(random.next())")
        let stopped = start(["backup", "orders"], configuration: halves.office)
        usleep(UInt32(random.next() % 120_000))
        stopped.send(SIGSTOP)
        late = stopped
      case 2: if late == nil { take(halves.office) }
      default:
        // A stopped run holds a lease.
        let sync = run("sync")
        if late == nil { expectSuccess(sync) }
      }
      leave("here")
      if random.next() & 1 == 0 { take(halves.cloud) }
      comeBack("here")
    }
    if let late {
      late.send(SIGCONT)
      let result = late.wait()
      if [0, 3].contains(result.exitStatus),
        let number = result.output.firstMatch(of: /number (\d+)/).flatMap({ Int($0.1) })
      {
        #expect(!acknowledged.contains(number), "seed \(seed): \(number) was given twice")
        acknowledged.append(number)
      }
    }
    for _ in 0..<2 { expectSuccess(run("sync")) }
    let there = Self.places.map { numbers($0) }
    #expect(Set(there).count == 1, "seed \(seed): \(there)")
    #expect(Set(acknowledged).isSubset(of: there[0]), "seed \(seed): \(acknowledged) of \(there[0])")
    for name in Self.places { expectSuccess(run("verify", "--from", name, "--older-copy")) }
  }
}
