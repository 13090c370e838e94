import Foundation
import HoldfastConfiguration
import HoldfastModel
import HoldfastOperations
import HoldfastRepository
import HoldfastStore
import HoldfastTestSupport
import Testing

/// A run over several sources sends each receiver one notification, from which an operator can act: which sources
/// failed, why, how old the last good snapshot is, and what to run next.
@Suite struct RunDigestTests {
  private let site = Site()

  /// Three sources; of `gone` there is no directory.
  private func configure(_ notifications: String, source: String = "") throws {
    site.configure(
      """
      repositories:
        shop: {path: \(site.directory.appending("shop"))}
      defaults:
        repository: shop
        schedule: {full: 1d, incremental: 1h}
        \(source)
      sources:
        gone: {path: \(site.directory.appending("gone"))}
        orders: {path: \(site.directory.appending("orders"))}
        stock: {path: \(site.directory.appending("stock"))}
      notifications:
      \(notifications)
      """)
    TestFiles.setMode(site.directory.appending("holdfast.yaml"), 0o600)
    for name in ["orders", "stock"] {
      TestFiles.makeDirectory(site.directory.appending(name))
      TestFiles.write("a \(name)", to: site.directory.appending(name + "/1"))
    }
    if !TestFiles.exists(site.directory.appending("shop")) {
      let context = try RepositoryContext(site.request(), on: site.machine())
      _ = try Repository.create(in: context.store(), host: context.machine.host)
    }
  }

  /// A receiver that appends the JSON of each notification to a file, on a line of its own.
  private func receiver(_ name: String, _ rest: String = "") -> String {
    "  \(name): {command: '(cat; echo) >> \(file(name))', on: [start, success, incomplete, failure]\(rest)}\n"
  }

  private func file(_ name: String) -> Path { site.directory.appending("told-" + name) }

  private func told(_ name: String) throws -> [[String: Any]] {
    let lines = (TestFiles.read(file(name)) ?? []).split(separator: UInt8(ascii: "\n"))
    return try lines.map { try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any]) }
  }

  private func events(_ name: String) throws -> [String] { try told(name).map { $0["event"] as? String ?? "?" } }

  @discardableResult
  private func run(
    _ names: String..., later: TimeSpan = .zero, listener: Listener = Listener()
  ) throws
    -> [SourceRun.Report]
  {
    let machine = site.machine(clock: TestHost.clock(ahead: Int64(later.seconds)))
    let run = ConfiguredRun(settings: try machine.neededSettings(), machine: machine, observer: listener)
    return run.performDue(try run.sources(names.compactMap { SourceName($0) }), site.request())
  }

  @Test func aReceiverGetsOneNotificationOfAllSourcesWithThoseThatFailedFirst() throws {
    try configure(receiver("all"))
    try run()
    #expect(try events("all") == ["start", "failure"])
    let json = try #require(try told("all").last)
    #expect(json["command"] as? String == "run")
    #expect(json["subject"] as? String == "holdfast run on shop-1: 1 of 3 sources failed")
    #expect(json["exitStatus"] as? Int == 1)
    let sources = try #require(json["sources"] as? [[String: Any]])
    #expect(sources.map { $0["name"] as? String } == ["gone", "orders", "stock"])
    let gone = site.directory.appending("gone")
    let cause = "backup failed: the source \(gone) does not exist"
    #expect(sources[0]["cause"] as? String == cause)
    #expect(sources[0]["next"] as? String == "holdfast run gone")
    #expect(sources[0]["exitStatus"] as? Int == 1 && sources[1]["exitStatus"] as? Int == 0)
    #expect(sources[1]["kind"] as? String == "full" && sources[1]["cause"] == nil)
    let lines = try #require(json["lines"] as? [String])
    #expect(lines.prefix(2) == ["gone: \(cause)", "  last good snapshot: there is none"])
    #expect(
      lines.suffix(3) == ["  next: holdfast run gone", "orders: done: backup", "stock: done: backup"], "\(lines)")
  }

  @Test func theAgeOfTheLastGoodSnapshotIsTold() throws {
    try configure(receiver("all"))
    try run("orders", "stock")
    TestFiles.removeTree(site.directory.appending("stock"))
    try run("orders", "stock", later: .hours(26))
    let json = try #require(try told("all").last)
    #expect(json["subject"] as? String == "holdfast run on shop-1: 1 of 2 sources failed")
    let stock = try #require((json["sources"] as? [[String: Any]])?.first)
    let good = try #require(stock["lastGood"] as? [String: Any])
    #expect(stock["name"] as? String == "stock")
    #expect((good["seconds"] as? Double).map { (93_600..<93_700).contains($0) } == true, "\(good)")
    let lines = try #require(json["lines"] as? [String])
    #expect(lines[1].hasPrefix("  last good snapshot: 26 h ago ("), "\(lines)")
  }

  @Test func allIsWellInOneNotification() throws {
    try configure(receiver("all"))
    try run("orders", "stock")
    #expect(try events("all") == ["start", "success"])
    #expect(try told("all").last?["subject"] as? String == "holdfast run on shop-1: all 2 sources done")
  }

  /// What looks like a mass deletion is not the snapshot to restore.
  @Test func aSnapshotThatLooksWrongIsIncompleteAndNotTheLastGoodOne() throws {
    try configure(receiver("all"))
    let orders = site.directory.appending("orders")
    for number in 0..<300 { TestFiles.write("order number \(number)", to: orders.appending("order \(number)")) }
    try run("orders", "stock")
    for number in 0..<290 { TestFiles.remove(orders.appending("order \(number)")) }
    try run("orders", "stock", later: .hours(2))
    let json = try #require(try told("all").last)
    #expect(json["event"] as? String == "incomplete")
    #expect(json["subject"] as? String == "holdfast run on shop-1: 1 of 2 sources incomplete")
    let first = try #require((json["sources"] as? [[String: Any]])?.first)
    #expect(first["name"] as? String == "orders" && first["exitStatus"] as? Int == 3)
    #expect((first["cause"] as? String)?.hasPrefix("backup is incomplete: ") == true, "\(first)")
    #expect(first["next"] as? String == "holdfast status --source orders")
    let good = try #require(first["lastGood"] as? [String: Any])
    #expect((good["seconds"] as? Double).map { (7200..<7300).contains($0) } == true, "\(good)")
  }

  private func sources(_ json: [String: Any]) throws -> [[String: Any]] {
    try #require(json["sources"] as? [[String: Any]])
  }

  /// A backup that failed must not be hidden by the damage that a verify found afterwards, nor the other way round.
  @Test func everyStepThatDidNotEndWellIsTold() throws {
    try configure(receiver("all"), source: "verify: {share: 100%}")
    try run("orders")
    // The backup finds no source, and the verify a damaged archive.
    TestFiles.removeTree(site.directory.appending("orders"))
    let archive = try #require(
      TestFiles.allFiles(in: site.directory.appending("shop")).first { $0.description.contains("/archive-") })
    TestFiles.setMode(archive, 0o600)
    TestFiles.write("garbage", to: archive)
    try run("orders", later: .hours(26))
    let json = try #require(try told("all").last)
    #expect(json["event"] as? String == "failure")
    let orders = try sources(json)[0]
    let problems = try #require(orders["problems"] as? [[String: Any]])
    #expect(problems.map { $0["step"] as? String } == ["verify", "backup"], "\(problems)")
    #expect(problems.map { $0["exitStatus"] as? Int } == [21, 1])
    #expect(problems[0]["cause"] as? String == orders["cause"] as? String)
    let lines = try #require(json["lines"] as? [String])
    #expect(lines[0].hasPrefix("orders: verify failed: "), "\(lines)")
    #expect(
      lines.contains("orders: backup failed: the source \(site.directory.appending("orders")) does not exist"),
      "\(lines)")
    #expect(lines.contains("  next: holdfast run orders"), "\(lines)")
  }

  /// Damage that costs nothing is milder than an incomplete snapshot, and needs somebody more.
  @Test func damageBesideAnIncompleteSnapshotIsAFailure() {
    func problem(_ step: String, _ status: HoldfastModel.ExitStatus) -> DigestResult.Problem {
      DigestResult.Problem(step, status, cause: step)
    }
    let result = DigestResult(
      Site.orders, [problem("backup", .incomplete), problem("verify", .repairableDamage)])
    #expect(result.isFailed && !result.isIncomplete && result.problems.map(\.step) == ["verify", "backup"])
    #expect(DigestResult.summary([result]) == "1 of 1 source failed")
  }

  private func withLock(_ name: String, _ body: () throws -> Void) throws {
    let repository = try RepositoryContext(site.request(), on: site.machine()).open { _ in }
    let lease = try #require(try Lease.take(name, in: repository.store, host: site.machine().host, waits: false))
    defer { lease.end() }
    try body()
  }

  @Test func aSourceOnWhichAnotherRunWorksIsNotCountedAsDone() throws {
    try configure(receiver("all"))
    try run("orders", "stock")
    try withLock("stock") { try run("orders", "stock", later: .hours(2)) }
    let json = try #require(try told("all").last)
    #expect(json["event"] as? String == "success")
    #expect(json["subject"] as? String == "holdfast run on shop-1: 1 of 2 sources done, 1 not run")
    #expect(try sources(json).map { $0["exitStatus"] as? Int } == [0, 11])
    #expect((json["lines"] as? [String])?.last == "stock: not run: another run holds its lock")
  }

  /// A run that hangs holds its lock for ever.
  @Test func aSourceThatIsLockedForLongIsIncomplete() throws {
    try configure(receiver("all"))
    try run("stock")
    try withLock("stock") { try run("stock", later: .hours(30)) }
    let json = try #require(try told("all").last)
    #expect(json["event"] as? String == "incomplete" && json["exitStatus"] as? Int == 11)
    #expect(json["subject"] as? String == "holdfast run on shop-1: 1 of 1 source incomplete")
    #expect(
      try sources(json)[0]["cause"] as? String
        == "not run: another run holds its lock; its last good snapshot is 30 h old, and one is due every 1 h")
  }

  /// A receiver in the environment needs no configuration to hear that there is none.
  @Test func aRunThatCannotBeginIsTold() throws {
    let tool = Tool()
    TestFiles.makeDirectory(tool.configuration)
    func run(_ arguments: String..., command: String = "run", configured text: String) throws -> [String: Any]? {
      TestFiles.write(text, to: tool.configuration.appending("holdfast.yaml"))
      var start = tool.start([command, "--quiet"] + arguments)
      start.environment["HOLDFAST_NOTIFY_COMMAND"] = "cat > \(file("run"))"
      let result = RunningProcess(start).wait()
      #expect(result.exitStatus == 2, "\(result.error)")
      #expect(!result.error.contains("WARNING"), "\(result.error)")
      defer { TestFiles.remove(file("run")) }
      return TestFiles.exists(file("run")) ? try told("run").last : nil
    }
    let broken = try #require(try run(configured: "sources: {orders: {path: relative}}"))
    #expect(broken["event"] as? String == "failure" && broken["command"] as? String == "run")
    #expect(broken["exitStatus"] as? Int == 2)
    #expect((broken["lines"] as? [String])?.isEmpty == false)
    let sound = "repositories: {shop: {path: /backup/shop}}\nsources: {orders: {path: /srv/orders}}\n"
    let unknown = try #require(try run("order", configured: sound))
    #expect(
      unknown["lines"] as? [String] == ["no source order is configured", "HINT: There can be orders."])
    #expect(try run("order", "--dry-run", configured: sound) == nil)
    for command in ["backup", "watch"] {
      let told = try #require(try run(command: command, configured: "sources: {orders: {path: relative}}"))
      #expect(told["event"] as? String == "failure" && told["command"] as? String == "backup")
    }
  }

  @Test func whereNothingIsDueNobodyIsTold() throws {
    try configure(receiver("all"))
    try run("orders", "stock")
    try run("orders", "stock", later: .minutes(5))
    #expect(try told("all").count == 2)
  }

  @Test func aReceiverOfSomeSourcesHearsOfTheseAlone() throws {
    try configure(receiver("a", ", sources: [orders]") + receiver("b", ", sources: [gone, stock]"))
    try run()
    #expect(try events("a") == ["start", "success"] && events("b") == ["start", "failure"])
    #expect(try told("a").last?["subject"] as? String == "holdfast run on shop-1: 1 source done")
    #expect(try told("b").last?["subject"] as? String == "holdfast run on shop-1: 1 of 2 sources failed")
    // Nothing is due for `orders` now.
    try run(later: .minutes(5))
    #expect(try told("a").count == 2 && told("b").count == 4)
  }

  @Test func aReceiverThatCannotBeReachedIsOneWarning() throws {
    try configure("  all: {command: 'exit 4', on: [start, success, failure]}\n")
    let listener = Listener()
    try run(listener: listener)
    #expect(
      listener.notices.filter { $0.kind == .warning }.map(\.text)
        == ["nobody was told of this run: the command failed with exit status 4"])
  }
}
