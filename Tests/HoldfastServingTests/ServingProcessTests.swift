import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// The gate of a service, and every command that must know which host serves, as real processes.
@Suite struct ServingProcessTests {
  private let tool = Tool()
  private let orders: SourceName

  init() throws {
    orders = try #require(SourceName("orders"))
    let made = tool.run("init", "--unsealed")
    #expect(made.exitStatus == 0, "\(made.error)")
  }

  /// Runs holdfast as a host.
  @discardableResult
  private func run(_ host: String?, _ arguments: String...) -> ProcessResult {
    var start = tool.start(arguments)
    if let host { start.environment["HOLDFAST_HOST"] = host }
    return RunningProcess(start).wait()
  }

  @discardableResult
  private func backUp(_ host: String?, _ text: String) -> ProcessResult {
    TestFiles.write(text, to: tool.source.appending("orders.txt"))
    return run(host, "backup", tool.source.text, "--name", "orders")
  }

  private func expect(
    _ result: ProcessResult, _ status: Int32, _ words: String = "", at location: SourceLocation = #_sourceLocation
  ) {
    #expect(result.exitStatus == status, "\(result.output)\(result.error)", sourceLocation: location)
    #expect(
      words.isEmpty || (result.output + result.error).contains(words), "\(result.output)\(result.error)",
      sourceLocation: location)
  }

  @Test func theServiceStartsOnlyOnTheHostThatServes() throws {
    expect(backUp("a", "1"), 0)
    expect(run("a", "serving", "orders"), 1, "HINT: On the host that serves it now, and only there, run")
    expect(run(nil, "serving", "orders", "--first"), 2, "this host has no name")
    expect(run("a", "serving", "orders", "--show", "--json"), 0, #""role" : null"#)
    expect(run("a", "serving", "orders", "--first", "--json"), 0, #""mayServe" : true"#)
    let numbers = LeaseNumbers(store: store, name: "orders")
    let before = try #require(try numbers.all().last)
    expect(run("a", "serving", "orders"), 0, "a serves orders since number")
    #expect(try #require(try numbers.all().last) > before, "it has created the next number")
    expect(run("b", "serving", "orders", "--first"), 13, "a serves orders")
    // Another host, and one that does not say which it is.
    for arguments in [["serving", "orders"], ["merge", "--name", "orders"]] {
      for host in ["b", nil] {
        var start = tool.start(arguments)
        start.environment["HOLDFAST_HOST"] = host
        expect(RunningProcess(start).wait(), 13, "a serves orders")
      }
    }
    expect(backUp("b", "2"), 13, "HINT: Leave it to a.")
    expect(run("b", "prune", "--name", "orders", "--keep-last", "1"), 13, "a serves orders")
    expect(backUp("a", "2"), 0)
    expect(run("b", "status", "--json"), 0, #""serving""#)
    expect(run("b", "status"), 0, "a, since number")
    expect(run("b", "serving", "orders", "--show"), 0, "this host is b")
  }

  /// It takes minutes: a store that does not answer is asked for two of them.
  @Test(.enabled(if: Trials.areAll, "with `Scripts/test --all`"))
  func aRepositoryThatDoesNotAnswerStartsNothingUnlessThatIsAsked() {
    let away = "sftp:nobody@127.0.0.1:1/nowhere"
    var start = tool.start(["serving", "orders", "--repository", away])
    start.environment["HOLDFAST_HOST"] = "a"
    start.environment["HOLDFAST_SSH_COMMAND"] = "/bin/false"
    let refused = RunningProcess(start).wait()
    #expect(refused.exitStatus != 0 && refused.exitStatus != 13, "\(refused.error)")
    start.arguments.append(Array("--start-unreachable".utf8))
    let started = RunningProcess(start).wait()
    #expect(started.exitStatus == 0 && started.error.contains("another may serve"), "\(started.error)")
  }

  /// Of two hosts that say at the same time that they serve, one is told that the other does.
  @Test func ofTwoThatRaceOneServes() throws {
    for round in 0..<5 {
      let name = "orders\(round)"
      let processes = ["a", "b"].map { host in
        var start = tool.start(["serving", name, "--first"])
        start.environment["HOLDFAST_HOST"] = host
        return RunningProcess(start)
      }
      let statuses = processes.map { $0.wait().exitStatus }
      // Who finds the other at work tries again, as its unit does.
      let again = ["a", "b"].map { run($0, "serving", name, "--first").exitStatus }
      #expect(again.count { $0 == 0 } == 1 && again.contains(13), "\(round): \(statuses), then \(again)")
      #expect(zip(statuses, again).allSatisfy { $0 != 0 || $1 == 0 }, "\(round): \(statuses), then \(again)")
    }
  }

  private var store: LocalStore { LocalStore(directory: tool.repository, host: TestHost.make()) }

  /// Host b takes over from the newest snapshot, as a failover does after its fence.
  private func takeOver() throws {
    let host = TestHost.make()
    var repository = try Repository.open(store, host: host)
    let b = try #require(HostName("b"))
    repository.hostName = { _ in b }
    let number = try LeaseNumbers(store: repository.store, name: "orders").all().last ?? 0
    let look = LeaseLook(watch: LeaseWatch(terms: LeaseTerms(), seesWhoIsGone: false), finding: .free(number + 1))
    let lease = try #require(try Lease.takeOver(orders, of: repository, after: look, following: number))
    let newest = try repository.catalog.allSnapshots(of: orders) { _ in }.max(by: Snapshot.isOlder)
    try lease.announce(b, from: newest, highest: 0, of: orders, in: repository)
    try lease.checkHeld()
    lease.end()
  }

  /// The manifest of number 3 was on its way when its maker was overtaken, and arrives when the other host serves.
  @Test func aLateSnapshotIsNamedAndIsTheNewestForNobody() throws {
    expect(run("a", "serving", "orders", "--first"), 0)
    for text in ["1", "2", "late"] { expect(backUp("a", text), 0) }
    let folder = tool.repository.appending("sources/orders/0000000003")
    let away = tool.directory.appending("on its way")
    #expect(tool.other("mv", folder.text, away.text).exitStatus == 0)
    try takeOver()
    #expect(tool.other("mv", away.text, folder.text).exitStatus == 0)

    expect(run(nil, "list"), 0, "DIVERGED: another host had taken over")
    expect(run(nil, "list", "--json"), 0, #""isDiverged" : true"#)
    expect(run(nil, "status"), 0, "1 snapshot")
    expect(run(nil, "status", "--json"), 0, #""divergedSnapshots""#)
    expect(run(nil, "verify", "--data"), 0)
    func read(_ snapshot: String, into name: String) -> String {
      let target = tool.directory.appending(name)
      expect(run(nil, "restore", snapshot, "--target", target.text), 0)
      return String(decoding: TestFiles.read(target.appending("orders.txt")) ?? [], as: UTF8.self)
    }
    #expect(read("latest", into: "newest") == "2")
    expect(run(nil, "cat", "latest", "orders.txt"), 0, "2")
    expect(run(nil, "find", "orders.txt", "--json"), 0)
    expect(run(nil, "history", "orders.txt", "--json"), 0)
    let repository = try Repository.open(store, host: TestHost.make())
    let late = try #require(
      try repository.catalog.allSnapshots(of: orders, includingDiverged: true) { _ in }.first { $0.isDiverged })
    #expect(late.sequence == 3)
    #expect(read(late.id.description, into: "by its ID") == "late")
    expect(run(nil, "show", late.id.description), 0, "DIVERGED")
    expect(run(nil, "show", late.id.description, "--json"), 0, #""isDiverged" : true"#)
    let rescue = Tool.root.appending("Scripts/rescue.py").text
    let listed = tool.other("python3", rescue, tool.repository.text, "list")
    expect(listed, 0, "DIVERGED")
    expect(
      run(nil, "standby", "orders", "--in", tool.directory.appending("standby").text, "--once"), 0)
    let copy = tool.directory.appending("standby/current/orders.txt")
    #expect(TestFiles.read(copy).map { String(decoding: $0, as: UTF8.self) } == "2")

    expect(backUp("a", "of the old host"), 13)
    expect(backUp("b", "4"), 0)
    let all = try Repository.open(store, host: TestHost.make()).catalog.allSnapshots(of: orders) { _ in }
    #expect(all.map(\.sequence) == [1, 2, 4] && all.last?.envelope.parent?.sequence == 2)
    expect(run("b", "prune", "--name", "orders", "--keep-last", "1"), 0, "diverged")
    #expect(read("latest", into: "newest of b") == "4")
    #expect(read(late.id.description, into: "still there") == "late")
  }
}
