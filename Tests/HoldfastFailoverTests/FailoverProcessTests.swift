import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// `holdfast failover` with real processes: whatever dies, sleeps or hangs, two hosts never serve, and nothing that was
/// acknowledged is lost.
@Suite(.timeLimit(.minutes(30))) struct FailoverProcessTests {
  /// A shop whose host is gone; `holdfast` is killed at a step that the seed draws, and called until it is done.
  @Test(arguments: Trials.seeds(byDay: 5, atNight: 40)) func whereverItIsKilledTheNextCallGoesOn(seed: UInt64) async {
    var random = SeededRandom(seed: seed)
    let hosts = TwoHosts(isRemote: Bool.random(using: &random))
    hosts.open(snapshots: Int.random(in: 1...3, using: &random))
    hosts.signal("a", SIGKILL)
    let blow = TwoHosts.Blow.allCases.randomElement(using: &random) ?? .none
    if blow != .none { hosts.set("blow-\(blow.rawValue)") }
    var results: [Int32] = []
    var said = ""
    for round in 0..<6 where results.last != 0 {
      let process = RunningProcess(hosts.start(on: "b", ["failover", "orders", "--yes"]))
      if blow == .none, round < 2 {
        try? await Task.sleep(for: .milliseconds(Int.random(in: 100...6000, using: &random)))
        process.send(SIGKILL)
      }
      let end = await process.end()
      results.append(Int32(end.exitStatus))
      said = end.error
    }
    print("failover: seed \(seed), blow \(blow), ended with \(results)")
    #expect(results.last == 0, "seed \(seed): \(said)")
    #expect(blow == .none || results.first == -9, "seed \(seed): \(results)")
    #expect(hosts.answers("b"))
    #expect(hosts.database("b").highest >= hosts.acknowledged, "seed \(seed)")
    let served = hosts.orders(servedBy: "b").last ?? 0
    #expect(hosts.database("b").highest >= served, "seed \(seed)")
    #expect(hosts.isServedByOneAtATime, "seed \(seed)")
    let again = hosts.failover()
    #expect(again.exitStatus == 0 && again.output.hasPrefix("this host, b, serves orders since number "), "\(again)")
  }

  @Test func whatAnswersIsNotFailedOverAndAFailureIsSaid() throws {
    let hosts = TwoHosts()
    hosts.open()
    let plan = hosts.run(on: "b", "failover", "orders", "--dry-run", "--json")
    #expect(plan.exitStatus == 0 && plan.output.contains(#""done" : false"#), "\(plan.error)")
    let unasked = hosts.run(on: "b", "failover", "orders")
    #expect(unasked.exitStatus == 2 && unasked.error.contains("nobody can be asked here, and nothing was changed"))
    let alive = hosts.failover()
    #expect(alive.exitStatus == 14, "\(alive.error)")
    #expect(alive.error.contains("the service of orders answers the probe"), "\(alive.error)")
    #expect(alive.error.contains("Nothing has changed; b is not announced"), "\(alive.error)")
    hosts.signal("a", SIGKILL)
    hosts.set("no-fence")
    let unfenced = hosts.failover()
    #expect(unfenced.exitStatus == 1, "\(unfenced.error)")
    #expect(
      unfenced.error.contains(
        "stopped at fence: the fence has not succeeded: it ended with exit status 4; it said: the power switch does not answer"
      ), "\(unfenced.error)")
    hosts.set("no-promote")
    let unpromoted = hosts.failover("--fenced", "the test has killed it")
    #expect(unpromoted.exitStatus == 15, "\(unpromoted.error)")
    #expect(unpromoted.error.contains("it said: the shop does not start"), "\(unpromoted.error)")
    #expect(unpromoted.error.contains("b is announced, and it is not known if it serves"), "\(unpromoted.error)")
    let standby = hosts.run(on: "b", "standby", "orders", "--in", hosts.path("b/standby").text, "--once")
    #expect(standby.exitStatus == 2 && standby.error.contains("was promoted to serve orders"), "\(standby.error)")
    hosts.set("no-promote", false)
    let done = hosts.failover("--json")
    #expect(done.exitStatus == 0 && done.output.contains(#""done" : true"#), "\(done.error)")
    #expect(hosts.answers("b") && hosts.database("b").highest >= hosts.acknowledged)
  }

  @Test func aFenceThatHangsHasNotSucceeded() {
    let hosts = TwoHosts()
    hosts.open(snapshots: 1)
    let file = hosts.path("b/etc/holdfast.yaml")
    let text = String(decoding: TestFiles.read(file) ?? [], as: UTF8.self)
    TestFiles.write(text.replacing("fence: 20s", with: "fence: 1s"), to: file)
    TestFiles.setMode(file, 0o600)
    hosts.signal("a", SIGSTOP)
    hosts.set("slow-fence")
    let end = hosts.failover()
    #expect(end.exitStatus == 1 && end.error.contains("it took longer than 1s, and was ended"), "\(end.error)")
    hosts.signal("a", SIGCONT)
    #expect(hosts.answers("a"), "nothing has happened to it")
  }

  /// A watch that is stopped for longer than its lease wakes up when another host serves: what it adds does not count.
  @Test func aWatchThatWakesUpLateAddsNothingThatCounts() async {
    let hosts = TwoHosts(isRemote: true)
    hosts.open()
    let watch = hosts.watch(on: "a")
    let alive = await Patience.waits(TwoHosts.patience) {
      hosts.run(on: "b", "failover", "orders", "--yes").error.contains("the heartbeat of orders goes on")
    }
    #expect(alive)
    watch.send(SIGSTOP)
    hosts.signal("a", SIGSTOP)
    // The fence ends the shop, and not the watch, which goes on when another host serves.
    TestFiles.remove(hosts.path("place/a.watch"))
    let done = hosts.failover()
    #expect(done.exitStatus == 0, "\(done.error)")
    watch.send(SIGCONT)
    hosts.backup(on: "b")
    try? await Task.sleep(for: .seconds(4))
    let newest = hosts.run(on: "b", "list", "--name", "orders")
    hosts.backup(on: "b")
    watch.send(SIGKILL)
    #expect(hosts.isServedByOneAtATime && hosts.database("b").highest >= hosts.acknowledged)
    let restored = hosts.path("restored")
    let end = hosts.run(on: "b", "restore", "--name", "orders", "--target", restored.text, "--quiet")
    #expect(end.exitStatus == 0, "\(end.error) \(newest.output)")
    let shop = Tool.root.appending("Tests/Fixtures/failover/shop.py").text
    let held = hosts.tool.other("python3", shop, "orders", restored.appending("orders.db").text)
    let highest = held.output.split(separator: " ").first.flatMap { Int($0) } ?? 0
    #expect(highest >= hosts.acknowledged, "the newest snapshot is the one of the host that serves: \(held.output)")
  }

  @Test func aSwitchoverLosesNothingAndAFailbackKeepsEverything() throws {
    let hosts = TwoHosts()
    hosts.open()
    let handed = hosts.run(on: "a", "switchover", "orders", "--to", "b", "--yes", "--json")
    #expect(handed.exitStatus == 0, "\(handed.error)")
    let last = hosts.orders(servedBy: "a").last ?? 0
    let again = hosts.run(on: "a", "switchover", "orders", "--to", "b", "--yes")
    #expect(again.exitStatus == 2 && again.error.contains("It was handed over: run `holdfast switchover orders` on b"))
    let taken = hosts.run(on: "b", "switchover", "orders", "--yes")
    #expect(taken.exitStatus == 0, "\(taken.error)")
    #expect(hosts.database("b").highest >= last, "all orders of a are there")
    hosts.backup(on: "b")
    // Something that was never in a snapshot.
    TestFiles.write("a note", to: hosts.path("a/orders/note"))
    let back = hosts.run(on: "a", "failback", "orders", "--yes", "--json")
    #expect(back.exitStatus == 0, "\(back.error)")
    let kept = hosts.run(on: "a", "cat", "latest", "note", "--name", "orders-diverged-a")
    #expect(kept.output == "a note", "\(kept.error)")
    #expect(!TestFiles.exists(hosts.path("a/standby/current/note")) && !TestFiles.exists(hosts.path("a/orders")))
    #expect(TestFiles.exists(hosts.path("a/standby/current/orders.db")))
    // And back again.
    let returned = hosts.run(on: "b", "switchover", "orders", "--to", "a", "--yes")
    #expect(returned.exitStatus == 0, "\(returned.error)")
    let end = hosts.run(on: "a", "switchover", "orders", "--yes")
    #expect(end.exitStatus == 0 && hosts.answers("a"), "\(end.error)")
    #expect(hosts.database("a").highest >= hosts.orders(servedBy: "b").last ?? 0)
  }
}
