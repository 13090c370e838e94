import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// `holdfast failover` with real processes: whatever dies, sleeps or hangs, two hosts never serve, and nothing that was
/// acknowledged is lost.
@Suite(.timeLimit(.minutes(30))) struct FailoverProcessTests {
  /// The point at which `holdfast` is killed, what becomes of the primary, and the seed of the rest.
  struct Story: CustomTestStringConvertible {
    let blow: TwoHosts.Blow
    let primary: TwoHosts.Primary
    let seed: UInt64
    var testDescription: String { "killed at \(blow.rawValue), primary \(primary), seed \(seed)" }

    /// True at night, and for seeds that are named.
    static var areDrawn: Bool { Trials.areAll || getenv("HOLDFAST_TESTS_SEEDS") != nil }

    /// By day each blow once, always the same; otherwise what the seeds draw.
    static var all: [Story] {
      guard areDrawn else {
        return TwoHosts.Blow.allCases.enumerated().map { number, blow in
          Story(blow: blow, primary: number.isMultiple(of: 2) ? .hanging : .dead, seed: UInt64(number))
        }
      }
      return Trials.seeds(byDay: 5, atNight: 40).map { seed in
        var random = SeededRandom(seed: seed)
        return Story(
          blow: TwoHosts.Blow.allCases.randomElement(using: &random) ?? .none,
          primary: TwoHosts.Primary.allCases.randomElement(using: &random) ?? .dead, seed: seed)
      }
    }
  }

  /// A shop whose host is gone or hangs; `holdfast` is killed at a step, and called until it is done.
  @Test(arguments: Story.all) func whereverItIsKilledTheNextCallGoesOn(story: Story) async {
    var random = SeededRandom(seed: story.seed)
    let hosts = TwoHosts(isRemote: Bool.random(using: &random))
    hosts.open(snapshots: Trials.areAll ? Int.random(in: 1...3, using: &random) : 1)
    let shop = hosts.process("a")
    hosts.signal("a", story.primary == .dead ? SIGKILL : SIGSTOP)
    if story.blow != .none { hosts.set("blow-\(story.blow.rawValue)") }
    var results: [Int32] = []
    var said = ""
    for round in 0..<6 where results.last != 0 {
      let process = RunningProcess(hosts.start(on: "b", ["failover", "orders", "--yes"]))
      if story.blow == .none, round == 0, Story.areDrawn {
        try? await Task.sleep(for: .milliseconds(Int.random(in: 100...9000, using: &random)))
        process.send(SIGKILL)
      }
      let end = await process.end()
      results.append(Int32(end.exitStatus))
      said = end.error
    }
    print("failover: \(story.testDescription), ended with \(results)")
    #expect(results.last == 0, "\(said)")
    #expect(story.blow == .none || results.first == -9, "\(results)")
    // A shop that was not fenced goes on from here, beside the other one.
    if story.primary == .hanging, let shop { kill(shop, SIGCONT) }
    let served = hosts.orders(servedBy: "b").last ?? 0
    #expect(await Patience.waits(TwoHosts.patience) { hosts.orders(servedBy: "b").last ?? 0 >= served + 5 })
    #expect(hosts.answers("b") && !hosts.answers("a"))
    #expect(hosts.database("b").highest >= max(hosts.acknowledged, served))
    #expect(hosts.isServedByOneAtATime)
    let gate = hosts.run(on: "a", "serving", "orders")
    #expect(gate.exitStatus == 13, "\(gate.error)")
    let again = hosts.failover()
    #expect(again.exitStatus == 0 && again.output.hasPrefix("this host, b, serves orders since number "), "\(again)")
  }

  /// The host that was fenced comes up at once, and its gate lets it serve: the fence belonged to an older number.
  @Test func aHostThatComesUpAfterTheFenceServesAndTheFailoverBeginsAnew() {
    let hosts = TwoHosts()
    hosts.open(snapshots: 1)
    let first = hosts.run(on: "a", "serving", "orders", "--first")
    #expect(first.exitStatus == 0, "\(first.error)")
    hosts.signal("a", SIGKILL)
    hosts.set("gate-after-fence")
    let overtaken = hosts.failover()
    #expect(hosts.gateEnds == ["0"])
    #expect(overtaken.exitStatus == 11, "\(overtaken.error)")
    #expect(
      overtaken.error.contains("another number of the lease on orders came after the fence"), "\(overtaken.error)")
    hosts.serve("a")
    let answered = hosts.failover()
    #expect(answered.exitStatus == 14, "\(answered.error)")
    #expect(hosts.answers("a") && !hosts.answers("b"))
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
    // The newest snapshot cannot be read: its orders would be lost without a word.
    let newest = hosts.tool.repository.appending("sources/orders/0000000002/manifest.json")
    let manifest = TestFiles.read(newest) ?? []
    TestFiles.setMode(newest, 0o600)
    TestFiles.write("no manifest", to: newest)
    let unread = hosts.failover()
    #expect(unread.exitStatus == 21, "\(unread.error)")
    #expect(unread.error.contains("there may be a newer snapshot of orders that cannot be read"), "\(unread.error)")
    TestFiles.write(String(decoding: manifest, as: UTF8.self), to: newest)
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
    hosts.set("no-link")
    let unlinked = hosts.failover()
    #expect(unlinked.exitStatus == 15 && unlinked.error.contains("does not lead to"), "\(unlinked.error)")
    hosts.set("no-link", false)
    let other = hosts.failover("--in", hosts.path("b/another").text)
    #expect(other.exitStatus == 2 && other.error.contains("name that one with --in"), "\(other.error)")
    let done = hosts.failover("--json")
    #expect(done.exitStatus == 0 && done.output.contains(#""done" : true"#), "\(done.error)")
    #expect(hosts.answers("b") && hosts.database("b").highest >= hosts.acknowledged)
  }

  @Test func aFenceThatHangsHasNotSucceeded() {
    let hosts = TwoHosts()
    hosts.open(snapshots: 1)
    hosts.configure("b", "fence: 60s", as: "fence: 1s")
    hosts.signal("a", SIGSTOP)
    hosts.set("slow-fence")
    let end = hosts.failover()
    #expect(end.exitStatus == 1 && end.error.contains("it took longer than 1s, and was ended"), "\(end.error)")
    hosts.signal("a", SIGCONT)
    #expect(hosts.answers("a"), "nothing has happened to it")
    // A failover that was killed before it announced this host leaves a note, which holds nobody up.
    let note = hosts.path("b/standby/promotion.json")
    let snapshot = String(repeating: "1", count: 32)
    TestFiles.write(
      #"{"copy":"a","format":1,"sequence":1,"snapshot":"\#(snapshot)","stage":"announcing"}"# + "\n", to: note)
    TestFiles.setMode(note, 0o600)
    let standby = hosts.run(on: "b", "standby", "orders", "--in", hosts.path("b/standby").text, "--once", "--quiet")
    #expect(standby.exitStatus == 0 && !TestFiles.exists(note), "\(standby.error)")
  }

  /// A watch that is stopped for longer than its lease wakes up when another host serves: what it adds does not count.
  @Test func whatAWatchAddsThatWakesUpLateDoesNotCount() async throws {
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
    // Its last snapshot is on its way until then.
    let sources = hosts.tool.repository.appending("sources/orders").text
    let newest = hosts.tool.other("sh", "-c", "ls -d \(sources)/*/manifest.json | tail -1 | xargs dirname").output
    let folder = newest.trimmingPrefix(" ").split(separator: "\n").first.map(String.init) ?? ""
    let away = hosts.path("on its way").text
    #expect(hosts.tool.other("mv", folder, away).exitStatus == 0)
    let done = hosts.failover()
    #expect(done.exitStatus == 0, "\(done.error)")
    #expect(hosts.tool.other("mv", away, folder).exitStatus == 0)
    watch.send(SIGCONT)
    let listed = hosts.run(on: "b", "list", "--name", "orders")
    #expect(listed.output.contains("DIVERGED"), "\(listed.output)")
    let restored = hosts.path("restored")
    let end = hosts.run(on: "b", "restore", "--name", "orders", "--target", restored.text, "--quiet")
    watch.send(SIGKILL)
    #expect(end.exitStatus == 0, "\(end.error) \(listed.output)")
    let shop = Tool.root.appending("Tests/Fixtures/failover/shop.py").text
    let held = hosts.tool.other("python3", shop, "orders", restored.appending("orders.db").text)
    let highest = held.output.split(separator: " ").first.flatMap { Int($0) } ?? 0
    let first = hosts.orders(servedBy: "b").first ?? 0
    #expect(highest >= hosts.acknowledged && highest == first - 1, "b began from the newest snapshot: \(held.output)")
    #expect(hosts.isServedByOneAtATime)
  }

  @Test func aSwitchoverLosesNothingAndAFailbackKeepsEverything() throws {
    let hosts = TwoHosts()
    hosts.open(snapshots: 1)
    #expect(hosts.run(on: "a", "serving", "orders", "--first").exitStatus == 0)
    // While the last snapshot is taken, the gate of a is asked, as by a unit that begins again.
    hosts.configure("a", "    watch:", as: "    before: sh \(hosts.path("place/gate.sh").text)\n    watch:")
    let mistyped = hosts.run(on: "a", "switchover", "orders", "--to", "c", "--yes")
    #expect(
      mistyped.exitStatus == 2 && mistyped.error.contains("no host called c has ever served"), "\(mistyped.error)")
    #expect(hosts.answers("a"), "nothing was ended")
    let handed = hosts.run(on: "a", "switchover", "orders", "--to", "b", "--new-host", "--yes", "--json")
    #expect(handed.exitStatus == 0, "\(handed.error)")
    #expect(hosts.gateEnds == ["11"], "the gate of a is shut during the hand-over")
    let last = hosts.orders(servedBy: "a").last ?? 0
    let again = hosts.run(on: "a", "switchover", "orders", "--to", "b", "--yes")
    #expect(again.exitStatus == 2 && again.error.contains("It was handed over: run `holdfast switchover orders` on b"))
    // It is announced, and has only data of its own.
    TestFiles.makeDirectory(hosts.path("b/orders"))
    TestFiles.write("old", to: hosts.path("b/orders/old"))
    for command in [["serving", "orders"], ["backup", "orders"]] {
      let early = RunningProcess(hosts.start(on: "b", command)).wait()
      #expect(early.exitStatus == 13 && early.error.contains("does not serve yet"), "\(early.error)")
    }
    #expect(hosts.tool.other("rm", "-r", hosts.path("b/orders").text).exitStatus == 0)
    let taken = hosts.run(on: "b", "switchover", "orders", "--yes")
    #expect(taken.exitStatus == 0, "\(taken.error)")
    #expect(hosts.run(on: "b", "serving", "orders").exitStatus == 0)
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
    // b has a note of its first time, and old data.
    let once = hosts.run(on: "a", "switchover", "orders", "--to", "b", "--yes")
    #expect(once.exitStatus == 0, "\(once.error)")
    let stale = hosts.run(on: "b", "switchover", "orders", "--yes")
    #expect(
      stale.exitStatus == 2 && stale.error.contains("HINT: Run `holdfast failback orders` first"), "\(stale.error)")
    // What the source leads to is not what b has served from.
    let (link, away) = (hosts.path("b/orders"), hosts.path("b/link"))
    #expect(hosts.tool.other("mv", link.text, away.text).exitStatus == 0)
    TestFiles.makeDirectory(link)
    let astray = hosts.run(on: "b", "failback", "orders", "--yes")
    #expect(astray.exitStatus == 2 && astray.error.contains("does not lead there"), "\(astray.error)")
    TestFiles.removeTree(link)
    #expect(hosts.tool.other("mv", "-T", away.text, link.text).exitStatus == 0)
    let cleared = hosts.run(on: "b", "failback", "orders", "--yes")
    #expect(cleared.exitStatus == 0, "\(cleared.error)")
    let anew = hosts.run(on: "b", "switchover", "orders", "--yes")
    #expect(anew.exitStatus == 0 && hosts.answers("b"), "\(anew.error)")
    #expect(hosts.database("b").highest >= hosts.orders(servedBy: "a").last ?? 0)
  }
}
