import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A repository in a directory, a bucket and on an SSH server: a backup reaches all three, one that is away is brought
/// up later, and each of them alone restores.
@Suite(.timeLimit(.minutes(30))) struct TargetTests {
  private let tool = Tool()

  private func run(_ arguments: String..., command: String? = nil) -> ProcessResult {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    start.environment["AWS_ACCESS_KEY_ID"] = SeaweedFS.accessKeyID
    start.environment["AWS_SECRET_ACCESS_KEY"] = SeaweedFS.secretKey
    start.environment["AWS_EC2_METADATA_DISABLED"] = "true"
    start.environment["HOLDFAST_SSH_COMMAND"] = command
    return RunningProcess(start).wait()
  }

  private func configure(_ targets: [String], minCopies: Int? = nil) {
    TestFiles.makeDirectory(tool.configuration)
    let copies = minCopies.map { "    min-copies: \($0)\n" } ?? ""
    let file = tool.configuration.appending("holdfast.yaml")
    TestFiles.write(
      "repositories:\n  shop:\n    targets:\n"
        + targets.map { "      - {\($0)}\n" }.joined() + copies
        + "sources:\n  orders: {path: '\(tool.source.text)'}\n", to: file)
    TestFiles.setMode(file, 0o644)
  }

  private func expectSuccess(_ result: ProcessResult, _ location: Testing.SourceLocation = #_sourceLocation) {
    #expect(result.exitStatus == 0, "\(result.output)\(result.error)", sourceLocation: location)
  }

  private func expectRestored(_ name: String, _ location: Testing.SourceLocation = #_sourceLocation) {
    #expect(
      TreeDescription(of: tool.directory.appending(name)).differences(from: TreeDescription(of: tool.source)) == [],
      "\(name)", sourceLocation: location)
  }

  private func place(_ name: String) -> String { "name: \(name), path: '\(tool.directory.appending(name).text)'" }

  private func rescue(_ repository: Path, _ name: String) {
    let script = Tool.root.appending("Scripts/rescue.py").text
    expectSuccess(tool.other("python3", script, repository.text, "restore", "latest", name))
    expectRestored(name)
  }

  @Test(.requires(.seaweedFS), .requires(.sshServer)) func threeKindsOfPlaces() throws {
    let server = try SSHServer()
    let barn = tool.directory.appending("barn")
    let prefix = "\(UInt64.random(in: .min ... .max))/"
    configure([
      place("here"), "name: cloud, url: '\(SeaweedFS.shared.location(prefix: prefix))', site: fra",
      "name: barn, url: '\(server.location(barn))'",
    ])
    TestFiles.write([UInt8](repeating: 5, count: 14 << 20), to: tool.source.appending("large"))
    TestFiles.write("order 1", to: tool.source.appending("1"))
    expectSuccess(run("init", "--unsealed", command: server.command()))
    let first = run("backup", "orders", command: server.command())
    expectSuccess(first)
    #expect(first.output.contains("\n  on here, cloud, barn\n"))
    // One is away, and says why.
    TestFiles.rename(barn, to: tool.directory.appending("away"))
    TestFiles.write("order 2", to: tool.source.appending("2"))
    let second = run("backup", "orders", command: server.command())
    #expect(second.exitStatus == 3)
    #expect(second.error.contains("WARNING: barn is behind: there is no repository in sftp:"))
    #expect(
      second.error.contains("INCOMPLETE: only 2 of the 3 targets that shall have it have the snapshot: here, cloud\n"))
    #expect(second.output.contains("\n  on here, cloud; barn is behind\n"))
    TestFiles.rename(tool.directory.appending("away"), to: barn)
    let dry = run("sync", "--dry-run", command: server.command())
    expectSuccess(dry)
    #expect(
      dry.output.contains("cloud: orders: in step\n") && dry.output.contains("barn: orders: would copy 1 snapshot"))
    expectSuccess(run("sync", command: server.command()))
    let listed = run("target", "list", command: server.command())
    expectSuccess(listed)
    #expect(listed.output.split(separator: "\n").filter { $0.hasSuffix("; in step") }.count == 3)
    #expect(listed.output.contains("(home)\n") && listed.output.contains(" [site fra]\n"))
    // Each alone restores, and is read by the second implementation.
    for name in ["here", "cloud", "barn"] {
      expectSuccess(run("verify", "--data", "--from", name, command: server.command()))
      expectSuccess(
        run("restore", "latest", "--from", name, "--target", "from \(name)", command: server.command()))
      expectRestored("from \(name)")
    }
    try download(prefix, to: tool.directory.appending("cloud"))
    for name in ["here", "cloud", "barn"] { rescue(tool.directory.appending(name), "rescued from \(name)") }
    // Nothing was written elsewhere than at home.
    expectSuccess(run("sync", "--json", command: server.command()))
  }

  /// The objects of a bucket as files.
  private func download(_ prefix: String, to directory: Path) throws {
    let store = SeaweedFS.shared.store(prefix: prefix)
    var keys: [String] = []
    try store.forEachEntry(below: "", .everything) { entry in
      keys.append(entry.name)
      return true
    }
    for key in keys {
      let object = try store.open(key)
      var bytes = [UInt8](repeating: 0, count: Int(object.length))
      try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
      let path = directory.appending(key)
      if let parent = path.parent { try FileSystem().makeDirectories(parent, permissions: 0o755) }
      TestFiles.write(bytes, to: path)
    }
  }

  // MARK: Targets that are directories

  private func makeShop(minCopies: Int? = nil) {
    configure([place("here"), place("cloud"), place("barn")], minCopies: minCopies)
    TestFiles.write("order 1", to: tool.source.appending("1"))
    expectSuccess(run("init", "--unsealed"))
  }

  @Test func initMakesWhatIsNotThereYetAndTouchesNothingElse() throws {
    configure([place("here"), place("cloud")])
    TestFiles.makeDirectory(tool.directory.appending("cloud"))
    TestFiles.write("mine", to: tool.directory.appending("cloud/letters"))
    let refused = run("init", "--unsealed")
    #expect(refused.exitStatus == 1)
    #expect(
      tool.plain(refused.error)
        == "holdfast: DIR/cloud is not empty\nHINT: Name a directory that is empty or does not exist.\n")
    #expect(!TestFiles.exists(tool.directory.appending("here")), "nothing is made before all of them are looked at")
    TestFiles.removeTree(tool.directory.appending("cloud"))
    #expect(
      tool.plain(run("init", "--unsealed").output) == """
        made repository ID in DIR/here
        made the target cloud in DIR/cloud; `holdfast sync` brings it up
        it is not sealed: whoever can read that directory can read the orders in it

        """)
    configure([place("here"), place("cloud"), place("barn")])
    #expect(
      tool.plain(run("init").output) == """
        repository ID is in DIR/here already
        left the target cloud in DIR/cloud, which is there already
        made the target barn in DIR/barn; `holdfast sync` brings it up

        """)
  }

  @Test func anyTargetLeadsToTheOthers() throws {
    configure([place("here") + ", site: office", place("cloud") + ", provider: x, account: y"])
    expectSuccess(run("init", "--unsealed"))
    TestFiles.removeTree(tool.configuration)
    for name in ["here", "cloud"] {
      let listed = run("target", "list", "--repository", tool.directory.appending(name).text)
      expectSuccess(listed)
      #expect(
        tool.plain(listed.output)
          == "here: DIR/here (home) [site office]\ncloud: DIR/cloud [account y, provider x]\n")
      let json = run("target", "list", "--json", "--repository", tool.directory.appending(name).text)
      #expect(json.output.contains("\"home\" : true"), "\(json.output)")
    }
  }

  @Test func fewerCopiesAreEnoughWhereTheConfigurationSaysSo() throws {
    makeShop(minCopies: 1)
    TestFiles.removeTree(tool.directory.appending("cloud"))
    let result = run("backup", "orders", "--json")
    expectSuccess(result)
    #expect(
      result.error
        == "holdfast: WARNING: cloud is behind: there is no repository in \(tool.directory.appending("cloud").text)\n")
    #expect(result.output.contains("\"has\" : false") && result.output.contains("\"target\" : \"barn\""))
    let behind = run("sync", "--to", "cloud")
    #expect(behind.exitStatus == 3)
    #expect(
      tool.plain(behind.error)
        == "holdfast: cloud is behind: there is no repository in DIR/cloud\nHINT: Is its disk mounted? If it is new, run `holdfast init` to make it a target.\n"
    )
    expectSuccess(run("sync", "--to", "barn"))
    let status = run("status")
    #expect(tool.plain(status.output).contains("cloud: DIR/cloud\n  ! there is no repository in DIR/cloud\n"))
  }

  @Test func whoReadsGoesOnWhereHomeIsAway() throws {
    makeShop()
    expectSuccess(run("run"))
    TestFiles.removeTree(tool.directory.appending("here"))
    let result = run("restore", "latest", "--target", "restored", "--quiet")
    expectSuccess(result)
    #expect(
      tool.plain(result.error)
        == "holdfast: WARNING: there is no repository in DIR/here; reading from the target cloud, DIR/cloud\n")
    expectRestored("restored")
    let alone = run("list", "--from", "here")
    #expect(alone.exitStatus == 10, "what is read alone has no other")
    let unknown = run("list", "--from", "shed")
    #expect(unknown.exitStatus == 2)
    #expect(unknown.error == "holdfast: there is no target shed\nHINT: There can be here, cloud, barn.\n")
  }

  @Test func aPruneReachesEveryTarget() throws {
    makeShop()
    for number in 2...4 {
      TestFiles.write("order", to: tool.source.appending("\(number)"))
      expectSuccess(run("backup", "orders", "--full"))
    }
    expectSuccess(run("prune", "--keep-last", "1", "--grace", "0d"))
    let synced = run("sync")
    expectSuccess(synced)
    #expect(synced.output == "cloud: orders: removed 2\nbarn: orders: removed 2\n")
    for name in ["here", "cloud", "barn"] {
      #expect(run("list", "--from", name).output == run("list").output, "\(name)")
    }
  }

  @Test func aDamagedObjectAtHomeIsNamedAndNotCopied() throws {
    makeShop(minCopies: 1)
    TestFiles.rename(tool.directory.appending("cloud"), to: tool.directory.appending("away"))
    expectSuccess(run("backup", "orders"))
    TestFiles.rename(tool.directory.appending("away"), to: tool.directory.appending("cloud"))
    let archive = try #require(
      TestFiles.allFiles(in: tool.directory.appending("here")).first { $0.text.contains("/archive-") })
    var bytes = TestFiles.read(archive) ?? []
    bytes[70] ^= 1
    TestFiles.write(bytes, to: archive)
    let result = run("sync", "--to", "cloud")
    #expect(result.exitStatus == 3)
    #expect(
      tool.plain(result.error).replacing("LONGID", with: "ARCHIVE") == """
        holdfast: DAMAGED: sources/orders/0000000001/archive-ARCHIVE is damaged: frame 0 does not have its digest (in DIR/here)
        holdfast: cloud is behind: 1 snapshot of orders could not be copied
        HINT: Run `holdfast scrub --repair`: it replaces what is damaged by what another target has sound.

        """)
    #expect(TestFiles.allFiles(in: tool.directory.appending("cloud")).allSatisfy { !$0.text.contains("archive-") })
  }

  @Test func twoTargetsThatAreOnePlaceAreNoCopies() throws {
    makeShop()
    TestFiles.removeTree(tool.directory.appending("cloud"))
    TestFiles.symbolicLink("here", at: tool.directory.appending("cloud"))
    let result = run("sync", "--to", "cloud")
    #expect(result.exitStatus == 2)
    #expect(
      tool.plain(result.error)
        == "holdfast: cloud is behind: the targets here and cloud are the same place: DIR/here\nHINT: A copy beside itself is none: correct the location of one of them, or take it out.\n"
    )
  }
}
