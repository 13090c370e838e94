import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A target that keeps more than home, and one that keeps less, as an operator sees them.
@Suite struct TargetRetentionTests {
  private let tool = Tool()

  private init() {
    TestFiles.makeDirectory(tool.configuration)
    let file = tool.configuration.appending("holdfast.yaml")
    TestFiles.write(
      """
      repositories:
        shop:
          targets:
            - {name: here, path: '\(tool.directory.appending("here").text)'}
            - {name: cloud, path: '\(tool.directory.appending("cloud").text)', keep: {last: 3}}
            - {name: disk, path: '\(tool.directory.appending("disk").text)', keep: {last: 1}}
      sources:
        orders: {path: '\(tool.source.text)', keep: {last: 2}}

      """, to: file)
    TestFiles.setMode(file, 0o644)
    TestFiles.write("order 1", to: tool.source.appending("orders"))
  }

  @discardableResult
  private func run(
    _ arguments: String..., status: Int32 = 0, at location: Testing.SourceLocation = #_sourceLocation
  )
    -> ProcessResult
  {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    let result = RunningProcess(start).wait()
    #expect(
      result.exitStatus == status, "\(arguments): \(result.output)\(result.error)", sourceLocation: location)
    return result
  }

  private func json(_ result: ProcessResult) throws -> Any {
    try JSONSerialization.jsonObject(with: Data(result.outputBytes))
  }

  private func numbers(_ arguments: String...) throws -> [Int] {
    var start = tool.start(["list", "--json"] + arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    let found = try json(RunningProcess(start).wait()) as? [String: Any]
    return try #require(found?["snapshots"] as? [[String: Any]]).compactMap { $0["sequence"] as? Int }.sorted()
  }

  @Test func eachTargetKeepsWhatItsOwnPolicySays() throws {
    run("init", "--unsealed")
    for number in 1...4 {
      TestFiles.write("order \(number)", to: tool.source.appending("orders"))
      run("backup", "--name", "orders", "--full")
    }
    let plan = try #require(try json(run("prune", "--dry-run", "--grace", "0s", "--json")) as? [String: Any])
    let targets = try #require(plan["targets"] as? [[String: Any]])
    #expect(targets.map { $0["target"] as? String } == ["cloud", "disk"])
    #expect(targets.map { ($0["keep"] as? [String: Int])?["last"] } == [3, 1])
    #expect(targets.map { $0["keptHereOnly"] as? Int } == [1, 0])
    #expect(targets.map { $0["keptAtHomeOnly"] as? Int } == [0, 1])
    #expect(plan["belowMinCopies"] as? Int == 1)
    let text = run("prune", "--grace", "0s").output
    #expect(text.contains("orders at cloud: keeps last 3; also 1 snapshot that home does not keep\n"))
    #expect(text.contains("orders at disk: keeps last 1; not 1 snapshot that home keeps, with one copy less each\n"))
    #expect(text.contains("orders: 1 snapshot that home keeps at fewer targets than min-copies says\n"))
    run("sync")
    #expect(try numbers() == [3, 4])
    #expect(try numbers("--from", "cloud") == [2, 3, 4])
    #expect(try numbers("--from", "disk") == [4])
    #expect(run("target", "list").output.contains("\n  keeps last 3\n"))
    run("verify", "--data", "--from", "cloud")
    // What only the cloud has is restored from it.
    let told = try json(run("list", "--from", "cloud", "--json")) as? [String: Any]
    let listed = told?["snapshots"] as? [[String: Any]]
    let second = try #require(listed?.first { $0["sequence"] as? Int == 2 }?["id"] as? String)
    run("restore", second, "--from", "cloud", "--target", "restored")
    #expect(TestFiles.read(tool.directory.appending("restored/orders")) == Array("order 2".utf8))
    // And the next backup reaches all of them, and brings nothing back.
    TestFiles.write("order 5", to: tool.source.appending("orders"))
    run("backup", "--name", "orders", "--full")
    #expect(try numbers("--from", "disk") == [4, 5] && numbers() == [3, 4, 5])
    // Within the grace period it is called back there alone.
    run("prune", "--quiet")
    run("sync")
    #expect(try numbers("--from", "cloud") == [3, 4, 5])
    #expect(run("undelete", second, "--from", "cloud").output == "called back \(second.prefix(8))\n")
    run("sync")
    #expect(try numbers("--from", "cloud") == [2, 3, 4, 5])
  }

  @Test func aCheckSaysWhatCanBeRemovedAndTheStatusRemembersIt() throws {
    run("init", "--unsealed")
    run("backup", "--name", "orders")
    #expect(run("target", "check", "disk").output.contains("disk:   this host can remove what is stored"))
    let status = try #require(try json(run("status", "--json")) as? [String: Any])
    let redundancy = try #require((status["redundancy"] as? [[String: Any]])?.first)
    let copies = try #require(redundancy["copies"] as? [[String: Any]])
    #expect(copies.map { $0["removal"] as? String } == ["allowed", "allowed", "allowed"])
    #expect(copies.allSatisfy { $0["removalTried"] is String && $0["lockedUntil"] is NSNull })
  }

  @Test func aMergeWaitsForSlowTargetsAsLongAsItIsTold() {
    run("init", "--unsealed")
    run("backup", "--name", "orders")
    TestFiles.write("order 2", to: tool.source.appending("orders"))
    run("backup", "--name", "orders", "--incremental")
    run("merge", "--name", "orders", "--linger", "1s")
    run("merge", "--name", "orders", "--linger", "soon", status: 2)
  }

  /// A restore reads around damage at home, and the status tells of it afterwards.
  @Test func damageThatARestoreHasMetIsNoted() throws {
    run("init", "--unsealed")
    run("backup", "--name", "orders")
    let here = tool.directory.appending("here")
    let archive = try #require(TestFiles.allFiles(in: here).first { $0.text.contains("/archive-") })
    TestFiles.overwrite(archive, at: 70, with: Array("damaged".utf8))
    run("status")
    let result = run("restore", "latest", "--target", "restored")
    #expect(
      result.error.contains(
        "here has wrong bytes, needed by 1 snapshot, which is noted: run `holdfast scrub --repair`\n"))
    #expect(run("status", status: 21).output.contains(" was found damaged, and no verify has read all of it since"))
    run("scrub", "--repair")
    run("verify", "--data")
    run("status")
    // Damage at another target is remembered on this machine.
    let there = try #require(
      TestFiles.allFiles(in: tool.directory.appending("cloud")).first { $0.text.contains("/archive-") })
    TestFiles.overwrite(there, at: 70, with: Array("damaged".utf8))
    run("verify", "--data", "--from", "cloud", status: 21)
    #expect(run("status").output.contains("DAMAGED"))
  }
}
