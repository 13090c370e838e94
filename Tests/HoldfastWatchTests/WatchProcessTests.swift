import Glibc
import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// `holdfast watch` as a service starts it and ends it, and as a crash does.
@Suite struct WatchProcessTests {
  private let tool = Tool()

  private func prepare() {
    TestFiles.makeDirectory(tool.configuration)
    TestFiles.write(
      """
      repositories: {shop: {path: \(tool.repository.text)}}
      sources:
        orders:
          path: \(tool.source.text)
          watch: {min-interval: 0, heartbeat: 1s, lease: 1min}
      """, to: tool.configuration.appending("holdfast.yaml"))
    TestFiles.setMode(tool.configuration.appending("holdfast.yaml"), 0o600)
    #expect(tool.run("init", "--unsealed").exitStatus == 0)
  }

  private func watch(_ socket: String? = nil, watchdogMicroseconds: Int? = nil) -> RunningProcess {
    var start = tool.start(["watch", "--quiet"])
    start.environment["HOLDFAST_REPOSITORY"] = nil
    start.environment["NOTIFY_SOCKET"] = socket
    start.environment["WATCHDOG_USEC"] = watchdogMicroseconds.map(String.init)
    return RunningProcess(start)
  }

  /// The numbers of the snapshots whose manifests are there.
  private var snapshots: [String] {
    TestFiles.allFiles(in: tool.repository).map(\.text).filter { $0.hasSuffix("/manifest.json") }
  }

  @Test func aServiceSaysWhenItIsReadyThatItIsAliveAndThatItEnds() async throws {
    prepare()
    TestFiles.write("an order", to: tool.source.appending("1"))
    let manager = try NotifySocket("@" + tool.directory.appending("notify").text)
    let process = watch(manager.name, watchdogMicroseconds: 1_000_000)
    var heard: [String] = []
    let isTold = await Patience.waits(Site.patience) {
      heard += manager.received()
      return heard.contains("STATUS=orders: watching; newest is number 1") && heard.contains("WATCHDOG=1")
    }
    #expect(isTold && heard.first?.hasPrefix("READY=1\nSTATUS=orders: ") == true, "\(heard)")
    // Its name and its bytes come at once: a snapshot between them would be number 2, and soon be followed by number 3.
    TestFiles.write("an order", to: tool.directory.appending("2"))
    #expect(rename(tool.directory.appending("2").text, tool.source.appending("2").text) == 0)
    let isTaken = await Patience.waits(Site.patience) {
      heard += manager.received()
      return heard.contains("STATUS=orders: watching; newest is number 2")
    }
    process.send(SIGTERM)
    let end = await process.end()
    #expect(isTaken && end.exitStatus == 0 && end.error == "" && end.output == "", "\(heard)\n\(end.error)")
    #expect(
      await Patience.waits(Site.patience) {
        heard += manager.received()
        return heard.last == "STOPPING=1"
      })
    let repeated = tool.run("backup", "orders", "--quiet") { $0.environment["HOLDFAST_REPOSITORY"] = nil }
    #expect(repeated.exitStatus == 0, "the lease was given back: \(repeated.error)")
  }

  /// Wherever it is killed: the next one has the lease at once, though that was taken for a minute; and every snapshot
  /// that is there is whole.
  @Test func whereverItIsKilledTheNextOneGoesOnAtOnce() async throws {
    prepare()
    let database = try TestDatabase(
      tool.source.appending("shop.db"), "PRAGMA journal_mode=WAL;" + TestDatabase.orders)
    var random = SeededRandom(seed: UInt64.random(in: 0 ... .max))
    for round in 1...Trials.first(3, of: Array(1...20)).count {
      let before = snapshots.count
      let process = watch()
      #expect(
        await Patience.waits(Site.patience) {
          try? database.order(1)
          return snapshots.count > before
        }, "round \(round)")
      // In the middle of whatever it does.
      let count = Int.random(in: 1...20, using: &random)
      for _ in 0..<count { try database.order(2) }
      process.send(SIGKILL)
      _ = await process.end()
    }
    let verified = tool.run("verify", "--data", "--quiet") { $0.environment["HOLDFAST_REPOSITORY"] = nil }
    #expect(verified.exitStatus == 0, "\(verified.error)")
    let process = watch()
    let count = snapshots.count
    #expect(await Patience.waits(Site.patience) { snapshots.count > count })
    process.send(SIGTERM)
    #expect(await process.end().exitStatus == 0)
    let restored = tool.run("restore", "--target", tool.directory.appending("restored").text, "--quiet") {
      $0.environment["HOLDFAST_REPOSITORY"] = nil
    }
    #expect(restored.exitStatus == 0, "\(restored.error)")
    let copy = try TestDatabase(tool.directory.appending("restored/shop.db"))
    #expect(try copy.summary() == database.summary())
  }
}
