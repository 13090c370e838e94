import Foundation
import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Whoever has the credentials of the backup host cannot take its snapshots away, where they are locked.
@Suite(.timeLimit(.minutes(30))) struct ObjectLockTests {
  private let tool = SealedTool()

  private static let credentials = [
    "AWS_ACCESS_KEY_ID": SeaweedFS.accessKeyID, "AWS_SECRET_ACCESS_KEY": SeaweedFS.secretKey,
    "AWS_EC2_METADATA_DISABLED": "true",
  ]

  private func run(_ location: String, _ arguments: [String], _ more: [String: String] = [:]) -> ProcessResult {
    tool.run(arguments) { start in
      start.environment["HOLDFAST_REPOSITORY"] = location
      start.environment.merge(Self.credentials) { $1 }
      start.environment["HOLDFAST_IDENTITY_FILE"] = tool.identity.text
      start.environment.merge(more) { $1 }
    }
  }

  private func succeed(
    _ location: String, _ arguments: String..., environment: [String: String] = [:],
    sourceLocation: SourceLocation = #_sourceLocation
  ) -> String {
    let result = run(location, arguments, environment)
    #expect(result.exitStatus == 0, "\(arguments): \(result.error)", sourceLocation: sourceLocation)
    return result.output
  }

  private func configure(_ bucket: LockedBucket, _ lock: String) {
    TestFiles.makeDirectory(tool.tool.configuration)
    TestFiles.write(
      "repositories:\n  shop: {url: '\(bucket.location)', lock: \(lock)}\n",
      to: tool.tool.configuration.appending("holdfast.yaml"))
  }

  // MARK: The worst

  /// Everything that may be deleted is deleted, junk lies over every object; then the runbook is followed.
  @Test(.requires(.seaweedFS)) func whatWasLockedIsRestoredAfterEverythingWasDeleted() throws {
    let bucket = try LockedBucket()
    configure(bucket, "{mode: compliance, days: 1}")
    TestFiles.write([UInt8](repeating: 5, count: 14 << 20), to: tool.source.appending("large"))
    _ = succeed("shop", "init", "--recipient", tool.generate("identity"))
    for number in 1...3 {
      TestFiles.write("order \(number)", to: tool.source.appending("\(number)"))
      _ = succeed("shop", "backup", "source", "--name", "orders", "--compression", "none")
    }
    _ = succeed("shop", "tag", "latest", "--add", "kept")
    _ = succeed("shop", "verify", "--data")
    let wanted = TreeDescription(of: tool.source)
    let before = try bucket.versions()

    let kept = Set(try bucket.destroyEverything())
    let brief = ["leases/", "journal/", "probe/"].map { "shop/" + $0 }
    let lost = before.filter { version in
      !version.isMarker && !kept.contains(version) && !brief.contains { version.key.hasPrefix($0) }
    }
    #expect(lost == [])
    #expect(try bucket.store().names(below: "") == [])

    for command in [["list"], ["backup", "source", "--name", "orders"], ["restore", "latest", "--target", "out"]] {
      run("shop", command).expectRefusal(
        10,
        "the repository in \(bucket.location) was deleted or written over, but the versions of its objects are still there",
        hint:
          "Read the first of each: HOLDFAST_VERSIONS=first holdfast list --repository \(bucket.location); see docs/operations.md, \"Everything was deleted\"."
      )
    }
    #expect(run(bucket.location, ["init", "--unsealed"]).exitStatus == 10, "nobody begins anew over it")

    var steps = try Runbook.steps("Everything was deleted")
    steps.replace("/srv/orders", with: tool.directory.appending("restored").text)
    steps.replace("holdfast ", with: Tool.binary.text + " ")
    var start = tool.start([])
    start.arguments = ["bash", "-euc", steps].map { Array($0.utf8) }
    start.environment.merge(Self.credentials) { $1 }
    start.environment["HOLDFAST_REPOSITORY"] = "shop"
    start.environment["HOLDFAST_IDENTITY_FILE"] = tool.identity.text
    let followed = RunningProcess(start).wait()
    try #require(followed.exitStatus == 0, "\(followed.output)\(followed.error)")
    #expect(followed.output.contains("kept"), "its tags are there too")
    #expect(TreeDescription(of: tool.directory.appending("restored")).differences(from: wanted) == [])
    #expect(succeed("shop", "cat", "latest", "2", environment: ["HOLDFAST_VERSIONS": "first"]) == "order 2")
  }

  /// Junk lies over the objects, and the descriptor is not one any more.
  @Test(.requires(.seaweedFS)) func aTimeBeforeTheDamageIsRead() throws {
    let bucket = try LockedBucket()
    configure(bucket, "{mode: compliance, days: 1}")
    _ = succeed("shop", "init", "--unsealed")
    _ = succeed("shop", "backup", "source", "--name", "orders")
    let time = TimeText.utc(Clock.system.now())
    let second = Clock.system.now().seconds
    while Clock.system.now().seconds <= second + 1 { Pause.time(.milliseconds(50)) }
    for version in try bucket.versions() { _ = try bucket.send(S3Request("PUT", version.key), "pay first") }
    run("shop", ["list"]).expectRefusal(
      10,
      "the repository in \(bucket.location) was deleted or written over, but the versions of its objects are still there",
      hint:
        "Read the first of each: HOLDFAST_VERSIONS=first holdfast list --repository \(bucket.location); see docs/operations.md, \"Everything was deleted\"."
    )
    _ = succeed("shop", "restore", "latest", "--target", "restored", environment: ["HOLDFAST_VERSIONS": time])
    #expect(
      TreeDescription(of: tool.directory.appending("restored")).differences(from: TreeDescription(of: tool.source))
        == [])
    run("shop", ["backup", "source", "--name", "orders"], ["HOLDFAST_VERSIONS": time]).expectRefusal(
      2, "nothing is written in \(bucket.location), because earlier versions of its objects are read",
      hint:
        "Without HOLDFAST_VERSIONS, or `versions` in the configuration, it is written again; restore what you need first."
    )
  }

  // MARK: Every day

  /// A bucket that locks everything by itself stands in the way of nothing: not of leases, the journal, or a prune.
  @Test(.requires(.seaweedFS), arguments: [false, true]) func aDefaultRetentionIsInNobodysWay(locksToo: Bool) throws {
    let bucket = try LockedBucket(defaultDays: 1)
    let lock = locksToo ? ["HOLDFAST_LOCK": "governance:2"] : [:]
    _ = succeed(bucket.location, "init", "--unsealed", environment: lock)
    for number in 1...3 {
      TestFiles.write("order \(number)", to: tool.source.appending("\(number)"))
      let backup = run(bucket.location, ["backup", "source", "--name", "orders", "--full"], lock)
      #expect(backup.exitStatus == 0 && backup.error == "", "\(backup.error)")
    }
    _ = succeed(bucket.location, "tag", "latest", "--add", "kept", environment: lock)
    _ = succeed(bucket.location, "verify", "--data", environment: lock)
    let prune = ["prune", "--keep-last", "1", "--grace", "0"]
    #expect(run(bucket.location, prune, lock).exitStatus == 0)
    let again = run(bucket.location, prune, lock)
    #expect(again.exitStatus == 0 && again.error == "", "\(again.error)")
    #expect(again.output.contains("locked") == locksToo)
    _ = succeed(bucket.location, "restore", "latest", "--target", "restored", environment: lock)
  }

  /// A later run of a day asks the server for nothing because of its lock. A run that is slow renews its lease, and
  /// repeats what the server refused for now: the fewest requests of some runs count.
  @Test(.requires(.seaweedFS)) func aRunWithinADayMakesNoMoreRequestsThanWithoutALock() throws {
    var requests: [Int] = []
    for lock in [[:], ["HOLDFAST_LOCK": "compliance:1"]] {
      let bucket = try LockedBucket()
      _ = succeed(bucket.location, "init", "--unsealed", environment: lock)
      for _ in 1...2 { _ = succeed(bucket.location, "backup", "source", "--name", "orders", environment: lock) }
      let counts = try (1...4).map { _ in
        let result = succeed(bucket.location, "backup", "source", "--name", "orders", "--json", environment: lock)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(result.utf8)) as? [String: Any])
        return try #require(json["requests"] as? Int)
      }
      requests.append(try #require(counts.min()))
    }
    // Some removals of old numbers are left to the next run where time is short. To extend the locks of this repository
    // takes more than those.
    #expect(requests[1] <= requests[0] + 3)
  }

  /// A chain that was begun in one mode goes on in the other.
  @Test(.requires(.seaweedFS), arguments: [["compliance:1", "governance:2"], ["governance:1", "compliance:2"]])
  func theModeMayBeChanged(_ locks: [String]) throws {
    let bucket = try LockedBucket()
    _ = succeed(bucket.location, "init", "--unsealed", environment: ["HOLDFAST_LOCK": locks[0]])
    for (number, lock) in zip(1..., [locks[0], locks[1], locks[1]]) {
      TestFiles.write("order \(number)", to: tool.source.appending("\(number)"))
      let backup = run(bucket.location, ["backup", "source", "--name", "orders"], ["HOLDFAST_LOCK": lock])
      #expect(backup.exitStatus == 0 && backup.error == "", "\(backup.error)")
    }
    let end = ObjectLock(.compliance, days: 2).end(from: Clock.system.now())
    let kept = try bucket.versions().filter { $0.key.hasPrefix("shop/sources/") && !$0.isMarker }.map(\.key)
    #expect(kept.count >= 6)
    for key in kept { #expect(try bucket.lock(of: key)?.end == end, "\(key)") }
    #expect(try bucket.lock(of: "shop/holdfast.json")?.end == end)
  }

  @Test(.requires(.seaweedFS)) func whatIsLockedIsShown() throws {
    let bucket = try LockedBucket()
    configure(bucket, "{mode: compliance, days: 1}")
    _ = succeed("shop", "init", "--unsealed")
    for _ in 1...2 { _ = succeed("shop", "backup", "source", "--name", "orders", "--full") }
    let end = String(TimeText.utc(ObjectLock(.compliance, days: 1).end(from: Clock.system.now())).prefix(10))
    #expect(succeed("shop", "show", "latest").contains("locked "))
    let prune = ["prune", "--keep-last", "1", "--grace", "0"]
    _ = run("shop", prune)
    let text = run("shop", prune).output
    #expect(text.contains("removed before; collected after \(end), when its lock ends"), "\(text)")
    #expect(text.contains("kept 1, removed 0, 1 locked; 0 B free now, ") && text.contains("and locks end"), "\(text)")
    let json = run("shop", prune + ["--json"]).output
    for part in [#""action" : "locked""#, #""lockedSnapshots" : 1"#, #""lockedUntil" : "\#(end)T00:00:00.000Z""#] {
      #expect(json.contains(part), "\(json)")
    }
    let check = run("shop", ["check", "-r", "shop"])
    #expect(check.output.contains("yes  keeps what is locked from being deleted\n"), "\(check.output)\(check.error)")
  }

  // MARK: Mistakes

  @Test(arguments: [["HOLDFAST_LOCK": "compliance:30"], ["HOLDFAST_VERSIONS": "first"]])
  func aDirectoryLocksNothing(variables: [String: String]) {
    for command in [["init", "--unsealed"], ["list"]] {
      run(tool.repository.text, command, variables).expectRefusal(
        2, "\(tool.repository) neither locks objects nor keeps versions of them: only a bucket of S3 does",
        hint: "Take `lock` and `versions` out of its configuration, and unset HOLDFAST_LOCK and HOLDFAST_VERSIONS.")
    }
  }

  @Test func aMistypedVariableIsRefused() {
    for (name, value) in [("HOLDFAST_LOCK", "30"), ("HOLDFAST_VERSIONS", "newest")] {
      let result = run("s3:https://s3.invalid/shop-backup", ["list"], [name: value])
      #expect(result.exitStatus == 2)
      #expect(result.error.contains(name) && result.error.contains("HINT: "), "\(result.error)")
    }
  }
}
