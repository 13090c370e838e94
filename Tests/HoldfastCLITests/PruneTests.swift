import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// The tool with a memory of its own: that of the machine must not be written to.
struct RememberingTool {
  let tool = Tool()
  var source: Path { tool.source }
  var repository: Path { tool.repository }

  func start(_ arguments: [String]) -> RunningProcess.Start {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_STATE_DIR"] = tool.directory.appending("state").text
    return start
  }

  @discardableResult
  func run(_ arguments: String..., configure: (inout RunningProcess.Start) -> Void = { _ in }) -> ProcessResult {
    var start = start(arguments)
    configure(&start)
    return RunningProcess(start).wait()
  }

  func plain(_ text: String) -> String { tool.plain(text) }
}

/// `prune`, `undelete`, `pin`, `unpin` and `tag` as an operator meets them.
@Suite struct PruneTests {
  private let tool = RememberingTool()

  /// So many fulls.
  private func fill(_ count: Int) {
    #expect(tool.run("init", "--unsealed").exitStatus == 0)
    for number in 0..<count {
      TestFiles.write("order \(number)", to: tool.source.appending("orders"))
      #expect(tool.run("backup", "source", "--full", "--quiet").exitStatus == 0)
    }
  }

  /// The short ID of the snapshot with this number.
  private func id(_ number: Int) -> String {
    let line = tool.run("list", "--deleted").output.split(separator: "\n").first { $0.contains(" #\(number) ") }
    return String(line?.prefix(8) ?? "?")
  }

  private func lines(_ text: String) -> [String] { tool.plain(text).split(separator: "\n").map(String.init) }

  @Test func whatItDoesIsSaidLineByLine() {
    fill(3)
    #expect(tool.run("pin", id(1), "--reason", "for the auditors").output == "pinned \(id(1))\n")
    let dry = tool.run("prune", "--keep-last", "1", "--dry-run")
    #expect(dry.exitStatus == 0 && dry.error.isEmpty)
    #expect(
      lines(dry.output).map { $0.replacing(/\d+ B/, with: "BYTES") } == [
        "source", "  keep  ID  full  TIME  #1  pinned: for the auditors",
        "  would remove  ID  full  TIME  #2  no rule keeps it",
        "  keep  ID  full  TIME  #3  the newest; one of the last 1",
        "would keep 2, remove 1; BYTES would be free now, BYTES when the grace period is over",
      ])
    #expect(lines(tool.run("list").output).count == 6, "three snapshots, and the reason of the pin")
    let done = tool.run("prune", "--keep-last", "1")
    #expect(lines(done.output)[2] == "  removed  ID  full  TIME  #2  no rule keeps it")
    let again = tool.run("prune", "--keep-last", "1")
    #expect(lines(again.output)[2] == "  waits  ID  full  TIME  #2  removed before; collected in 7 d")
    #expect(
      lines(again.output)[4].replacing(/\d+ B/, with: "BYTES")
        == "kept 2, removed 0, 1 removed before; BYTES free now, BYTES when the grace period is over")
    let collected = tool.run("prune", "--keep-last", "1", "--grace", "0")
    #expect(lines(collected.output)[2] == "  collected  ID  full  TIME  #2  removed, and its grace period is over")
    #expect(tool.run("prune", "--keep-last", "1", "--quiet").output.isEmpty)
  }

  @Test func whatIsRemovedIsHiddenAndCalledBack() {
    fill(2)
    let (first, second) = (id(1), id(2))
    tool.run("prune", "--keep-last", "1")
    #expect(lines(tool.run("list").output).count == 3)
    let shown = lines(tool.run("list", "--deleted").output)
    #expect(shown.count == 4)
    #expect(shown[2].hasSuffix("REMOVED"))
    #expect(tool.run("show").output.contains(second))
    let restored = tool.run("restore", first, "--target", "back")
    #expect(restored.exitStatus == 0)
    #expect(
      restored.error.contains(
        "holdfast: WARNING: snapshot \(first) is removed, and may be collected while it is restored; call it back first with `holdfast undelete \(first)`\n"
      ))
    #expect(lines(tool.run("show", first).output).last == "removed  call it back with `holdfast undelete ID`")
    let refused = tool.run("tag", first, "--add", "x")
    #expect(refused.exitStatus == 1)
    #expect(
      refused.error == "holdfast: snapshot \(first) is removed\nHINT: Run `holdfast undelete \(first)` first.\n")
    #expect(tool.run("undelete", first).output == "called back \(first)\n")
    #expect(tool.run("undelete", first).output == "\(first) is not removed\n")
    #expect(lines(tool.run("list").output).count == 4)
    #expect(tool.run("unpin", first).output == "\(first) was not pinned\n")
    tool.run("pin", first)
    #expect(tool.run("unpin", first).output == "unpinned \(first)\n")
  }

  @Test func tagsAreHungOnAndTakenOff() {
    fill(1)
    #expect(tool.run("backup", "source", "--full", "--quiet", "--tag", "release", "--tag", "q4").exitStatus == 0)
    #expect(lines(tool.run("list").output).contains("  tagged q4, release"))
    #expect(lines(tool.run("show").output).last == "tagged  q4, release")
    #expect(tool.run("show", "--json").output.contains(#""release""#))
    #expect(tool.run("backup", "source", "--json", "--dry-run", "--tag", "mine").output.contains(#""mine""#))
    #expect(
      tool.run("tag", "latest", "--add", "x", "--remove", "q4").output == "\(id(2)) is tagged release, x\n")
    #expect(tool.run("tag", "latest", "--remove", "x", "--remove", "release").output == "\(id(2)) bears no tag\n")
    let many = (0..<33).flatMap { ["--add", "t\($0)"] }
    let refused = RunningProcess(tool.start(["tag", "latest"] + many)).wait()
    #expect(refused.exitStatus == 2)
    #expect(
      refused.error == "holdfast: a snapshot bears at most 32 tags\nHINT: Take some away with --remove.\n")
    let reason = tool.run("pin", "latest", "--reason", String(repeating: "x", count: 257))
    #expect(reason.exitStatus == 2)
    #expect(
      reason.error
        == "holdfast: the reason is too long, or cannot be printed\nHINT: Use at most 256 bytes of printable text.\n")
  }

  // MARK: Rules of the configuration

  /// `keep` and `grace` of a source count where the command line has no rule; sources without `keep` stay as they are.
  @Test func withoutRulesThoseOfTheConfigurationCount() throws {
    fill(3)
    for _ in 1...2 {
      #expect(tool.run("backup", "source", "--name", "other", "--full", "--quiet").exitStatus == 0)
    }
    let file = tool.tool.directory.appending("holdfast.yaml")
    TestFiles.write(
      """
      repositories: {shop: {path: \(tool.repository)}}
      sources:
        source: {path: \(tool.source), keep: {last: 1}, grace: 0d}
        other: {path: \(tool.source)}
      """, to: file)
    func prune(_ options: String...) -> ProcessResult {
      var start = tool.start(["prune", "--config", file.text] + options)
      start.environment["HOLDFAST_REPOSITORY"] = nil
      return RunningProcess(start).wait()
    }
    let unruled = prune("--name", "other")
    unruled.expectRefusal(
      2, "no rule says what to keep of other",
      hint:
        "Say at least one of --keep-last, --keep-daily and the like, or set `keep` for the source in the configuration; --dry-run shows what would go."
    )
    // A rule of the command line that keeps nothing is not replaced by those of the file.
    #expect(prune("--keep-daily", "0").exitStatus == 2)
    let later = prune("--grace", "7d")
    #expect(later.exitStatus == 0 && later.output.contains("\nkept 1, removed 2; "), "\(later.output)\(later.error)")
    let now = prune()
    #expect(now.exitStatus == 0 && now.output.contains("collected 2"), "\(now.output)\(now.error)")
    #expect(tool.run("list", "--name", "other").output.split(separator: "\n").count { $0.contains("full") } == 2)
  }

  // MARK: Usage

  @Test func anEmptyPolicyIsRefused() {
    fill(1)
    for options in [[], ["--keep-daily", "0"]] {
      let result = RunningProcess(tool.start(["prune"] + options)).wait()
      #expect(result.exitStatus == 2)
      #expect(
        result.error
          == "holdfast: no rule says what to keep\nHINT: Say at least one of --keep-last, --keep-daily and the like, or set `keep` for the source in the configuration; --dry-run shows what would go.\n"
      )
    }
  }

  @Test(arguments: [
    ["prune", "--keep-last", "-1"], ["prune", "--keep-within", "7"], ["prune", "--keep-within", "x"],
    ["prune", "--keep-last", "1", "--grace", "1q"], ["prune", "--keep-last", "1", "--grace=-1d"],
    ["prune", "--keep-tag", "a b"], ["tag", "latest"], ["tag", "latest", "--add", ""],
    ["backup", "source", "--tag", "a,b"], ["undelete"], ["pin"],
  ])
  func wrongUsageIsRefused(arguments: [String]) {
    #expect(RunningProcess(tool.start(arguments)).wait().exitStatus == 2)
  }

  @Test func lengthsOfTimeAreRead() {
    fill(1)
    for text in ["0", "90s", "5min", "36h", "7d", "8w", "6mo", "2y"] {
      #expect(tool.run("prune", "--keep-within", "1d", "--grace", text, "--dry-run").exitStatus == 0, "\(text)")
    }
  }

  /// Minutes or months: nobody knows, so nothing is removed by it.
  @Test(arguments: [
    ["prune", "--keep-within", "6m"], ["prune", "--keep-last", "1", "--grace", "6m"], ["status", "--max-age", "5m"],
    ["status", "--prove-within", "5m"], ["schedule", "install", "--timeout", "5m"],
    ["schedule", "install", "--delay", "5m"],
  ])
  func anMAloneIsRefusedEverywhere(arguments: [String]) throws {
    let result = RunningProcess(tool.start(arguments)).wait()
    #expect(result.exitStatus == 2)
    #expect(
      result.error.contains(
        "Write a number and s, min, h, d, w, mo (30 days) or y: 15min, 6h, 7d, 6mo. An m alone could mean minutes (min) or months (mo)."
      ), "\(result.error)")
  }

  @Test func aSourceThatIsBeingWorkedOnIsLeftOut() throws {
    fill(2)
    let path = tool.repository.appending("locks/source.lock")
    let descriptor = path.withCString { open($0, O_RDWR | O_CLOEXEC) }
    try #require(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    defer { close(descriptor) }
    let result = tool.run("prune", "--keep-last", "1")
    #expect(result.exitStatus == 11)
    #expect(
      result.error
        == "holdfast: another run works on source: nothing of it was removed\nHINT: Wait for it, or say --wait.\n")
  }

  @Test func nothingIsRemovedOfADamagedSource() {
    fill(3)
    let manifest = tool.repository.appending("sources/source/0000000001/manifest.json")
    TestFiles.overwrite(manifest, at: 5, with: [0])
    let result = tool.run("prune", "--keep-last", "1", "--grace", "0")
    #expect(result.exitStatus == 21)
    #expect(
      result.error
        == "holdfast: nothing of source is removed while something of it is damaged or missing: sources/source/0000000001/manifest.json is damaged: its first line does not have the digest on its second\nHINT: Run `holdfast verify --data`, and `holdfast list --deleted` to compare what is noted.\n"
    )
    #expect(TestFiles.names(in: tool.repository.appending("sources/source")).count == 3)
  }

  /// Without a place to remember in, nothing is ever collected, and that is said.
  @Test func aMachineThatCannotRememberSaysSo() {
    fill(2)
    let result = tool.run("prune", "--keep-last", "1") { $0.environment["HOLDFAST_STATE_DIR"] = "/proc/nowhere" }
    #expect(result.exitStatus == 0)
    #expect(
      result.error.hasPrefix(
        "holdfast: WARNING: this machine cannot remember when it saw that snapshots were removed, so none is collected: "
      ))
    #expect(result.error.hasSuffix("; set HOLDFAST_STATE_DIR\n"))
    #expect(lines(result.output)[1] == "  removed  ID  full  TIME  #1  no rule keeps it")
  }

  // MARK: JSON

  @Test func jsonHasEveryAction() throws {
    fill(3)
    tool.run("prune", "--keep-last", "2")
    let text = tool.run("prune", "--keep-last", "1", "--json").output
    for part in [
      #""dryRun" : false"#, #""action" : "keep""#, #""action" : "remove""#, #""action" : "wait""#,
      #""graceSeconds" : 604800"#, #""keptSnapshots" : 1"#, #""removedSnapshots" : 1"#, #""waitingSnapshots" : 1"#,
      #""remainingSeconds" : "#,
      #""the newest""#, #""freedBytes" : 0"#,
    ] {
      #expect(text.contains(part), "\(part) in \(text)")
    }
    let list = tool.run("list", "--deleted", "--json").output
    #expect(list.contains(#""removedTime" : null"#) && list.contains(#""removedTime" : "2"#))
    #expect(list.contains(#""pinned" : false"#) && list.contains(#""tags" : ["#))
  }

  // MARK: Sealed

  @Test func aSealedRepositoryIsPrunedByWhoWrites() {
    let sealed = SealedTool()
    sealed.makeRepository()
    for _ in 0..<2 { #expect(sealed.run("backup", "source", "--full", "--quiet").exitStatus == 0) }
    let stranger = sealed.run("prune", "--keep-last", "1") { $0.environment["HOLDFAST_WRITER_KEY_FILE"] = "/nowhere" }
    #expect(stranger.exitStatus != 0)
    #expect(sealed.run("prune", "--keep-last", "1").output.contains("removed"))
    #expect(sealed.run("list").output.split(separator: "\n").count == 3)
    // Verify keeps a record where it may, and goes on where it may not.
    for key in [sealed.writerKey.text, "/nowhere"] {
      let verified = sealed.run("verify", "--data") { $0.environment["HOLDFAST_WRITER_KEY_FILE"] = key }
      #expect(verified.exitStatus == 0 && verified.error.isEmpty)
    }
    #expect(
      sealed.plain(sealed.run("prune", "--keep-last", "1", "--dry-run").output).contains(
        "the newest; the newest full that was proved; one of the last 1"))
  }
}
