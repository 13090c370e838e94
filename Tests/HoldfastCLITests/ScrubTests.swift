import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// `holdfast scrub` on directories: what it says, what it ends with, and that each target restores after it.
@Suite(.timeLimit(.minutes(30))) struct ScrubTests {
  private let tool = Tool()

  private func run(_ arguments: String...) -> ProcessResult {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    return RunningProcess(start).wait()
  }

  private func expectSuccess(_ result: ProcessResult, _ location: Testing.SourceLocation = #_sourceLocation) {
    #expect(result.exitStatus == 0, "\(result.output)\(result.error)", sourceLocation: location)
  }

  /// Three targets with two snapshots.
  private func makeShop(_ source: String = "", seal: [String] = ["--unsealed"]) {
    TestFiles.makeDirectory(tool.configuration)
    let file = tool.configuration.appending("holdfast.yaml")
    let targets = ["here", "cloud", "barn"].map {
      "      - {name: \($0), path: '\(tool.directory.appending($0).text)'}\n"
    }
    TestFiles.write(
      "repositories:\n  shop:\n    targets:\n\(targets.joined())    min-copies: 1\n"
        + "sources:\n  orders: {path: '\(tool.source.text)'\(source)}\n", to: file)
    TestFiles.setMode(file, 0o644)
    expectSuccess(run("init", "--unsealed"))
    var random = SeededRandom(seed: 3)
    TestFiles.write(random.text(300_000), to: tool.source.appending("1"))
    expectSuccess(run("backup", "orders"))
    TestFiles.write("order 2", to: tool.source.appending("2"))
    expectSuccess(run("backup", "orders"))
  }

  private func files(_ target: String, _ kind: String) -> [Path] {
    TestFiles.allFiles(in: tool.directory.appending(target)).filter { $0.text.contains(kind) }
      .sorted { $0.text < $1.text }
  }

  private func flip(_ target: String, _ kind: String, _ number: Int = 0) {
    let file = files(target, kind)[number]
    var bytes = TestFiles.read(file) ?? []
    bytes[bytes.count / 2] ^= 1
    TestFiles.setMode(file, 0o644)
    TestFiles.write(bytes, to: file)
  }

  /// The text without what differs from run to run.
  private func plain(_ text: String) -> String {
    tool.plain(text).replacing(/[0-9.]+ (B|KiB|MiB)\b/, with: "SIZE").replacing(/archive-LONGID/, with: "ARCHIVE")
      .replacing(/body-LONGID/, with: "BODY")
  }

  private func expectRestored(from target: String) {
    expectSuccess(run("restore", "latest", "--from", target, "--target", "from \(target)"))
    let script = Tool.root.appending("Scripts/rescue.py").text
    expectSuccess(
      tool.other("python3", script, tool.directory.appending(target).text, "restore", "latest", "rescued \(target)"))
    for name in ["from \(target)", "rescued \(target)"] {
      let restored = TreeDescription(of: tool.directory.appending(name))
      #expect(restored.differences(from: TreeDescription(of: tool.source)) == [], "\(name)")
    }
  }

  @Test func damageAtOneTargetIsNamedThenRepaired() throws {
    makeShop()
    let sound = run("scrub")
    expectSuccess(sound)
    #expect(
      plain(sound.output) == """
        here: orders: sound; SIZE in 4 objects proved
        cloud: orders: sound; SIZE in 4 objects proved
        barn: orders: sound; SIZE in 4 objects proved

        """)
    #expect(sound.error == "")
    flip("cloud", "/archive-")
    TestFiles.removeTree(files("barn", "/body-")[1])
    let found = run("scrub")
    #expect(found.exitStatus == 20)
    #expect(
      plain(found.error) == """
        holdfast: REPAIRABLE: sources/orders/0000000001/ARCHIVE is damaged: frame 0 does not have its digest (in DIR/cloud)
        holdfast: REPAIRABLE: sources/orders/0000000002/BODY is damaged: it is missing (in DIR/barn)
        HINT: Run `holdfast scrub --repair`: parity or other targets have what is lost.

        """)
    #expect(plain(found.output).contains("cloud: orders: 1 damaged; SIZE in 4 objects proved\n"))
    let repaired = run("scrub", "--repair")
    expectSuccess(repaired)
    #expect(
      plain(repaired.error) == """
        holdfast: REPAIRED: sources/orders/0000000001/ARCHIVE is damaged: frame 0 does not have its digest (in DIR/cloud), from other targets
        holdfast: REPAIRED: sources/orders/0000000002/BODY is damaged: it is missing (in DIR/barn), from other targets

        """)
    #expect(plain(repaired.output).contains("cloud: orders: 1 repaired; SIZE in 4 objects proved\n"))
    let clean = run("scrub", "--json")
    expectSuccess(clean)
    #expect(clean.output.contains("\"sound\" : true") && !clean.output.contains("\"outcome\""))
    for target in ["here", "cloud", "barn"] { expectRestored(from: target) }
    expectSuccess(run("verify", "--data"))
  }

  @Test func whatIsLostEverywhereIsNamedWithItsSnapshots() throws {
    makeShop()
    for target in ["here", "cloud", "barn"] { flip(target, "/archive-", 1) }
    TestFiles.write("another order 2", to: tool.source.appending("2"))
    let result = run("scrub", "--repair")
    #expect(result.exitStatus == 21)
    let lines = plain(result.error).split(separator: "\n")
    #expect(
      lines.filter { $0.hasPrefix("holdfast: DAMAGED: sources/orders/0000000002/ARCHIVE is damaged: ") }.count == 3)
    let reason = "the source cannot give it back: what its index says is lost, and nothing tells which pages were in it"
    #expect(lines.count { $0.hasSuffix(reason) } == 3, "\(result.error)")
    #expect(lines.contains { $0.hasPrefix("holdfast:  loses data: ") && $0.hasSuffix(" (orders, number 2)") })
    #expect(
      lines.last
        == "HINT: The newest snapshot of orders that loses nothing is ID, number 1. Take a new full: `holdfast backup orders --full`."
    )
  }

  @Test func damageAtHomeIsFoundByVerifyAndMendedByAScrub() throws {
    makeShop()
    flip("here", "/archive-", 1)
    let verify = run("verify", "--data")
    #expect(verify.exitStatus == 21)
    #expect(
      verify.error.contains(
        "HINT: Run `holdfast scrub --repair`: it replaces what is damaged by what another target has sound.\n"))
    expectSuccess(run("scrub", "--repair"))
    expectSuccess(run("verify", "--data"))
    expectRestored(from: "here")
  }

  @Test func aHomeWithoutItsDescriptorIsMended() throws {
    makeShop()
    TestFiles.removeTree(tool.directory.appending("here/holdfast.json"))
    let found = run("scrub")
    #expect(found.exitStatus == 20)
    #expect(
      tool.plain(found.error) == """
        holdfast: REPAIRABLE: holdfast.json is damaged: it is missing (in DIR/here)
        HINT: Run `holdfast scrub --repair`: parity or other targets have what is lost.

        """)
    expectSuccess(run("scrub", "--repair"))
    expectSuccess(run("verify", "--data"))
  }

  @Test func oneTargetIsScrubbedAloneAndAShareAfterTheOther() throws {
    makeShop()
    flip("cloud", "/archive-")
    expectSuccess(run("scrub", "--target", "barn"))
    let unknown = run("scrub", "--target", "shed")
    #expect(unknown.exitStatus == 2)
    #expect(unknown.error == "holdfast: there is no target shed\nHINT: There can be here, cloud, barn.\n")
    for _ in 0..<4 { expectSuccess(run("scrub", "--target", "barn", "--share", "25%")) }
    let status = run("status")
    #expect(status.output.contains("all of its data was proved since"), "\(status.output)")
    #expect(status.output.contains("nothing of its data was proved by a scrub of this machine"))
    TestFiles.removeTree(tool.directory.appending("barn"))
    let away = run("scrub", "--target", "barn")
    #expect(away.exitStatus == 3)
    #expect(
      tool.plain(away.error)
        == "holdfast: barn could not be scrubbed: there is no repository in DIR/barn\nHINT: Is its disk mounted? If it is new, run `holdfast init` to make it a target.\n"
    )
  }

  @Test func aRepositoryInOnePlaceIsScrubbedAlone() throws {
    expectSuccess(tool.run("init", "--unsealed"))
    TestFiles.write("order 1", to: tool.source.appending("1"))
    expectSuccess(tool.run("backup", tool.source.text))
    let result = tool.run("scrub")
    expectSuccess(result)
    #expect(plain(result.output) == "home: source: sound; SIZE in 2 objects proved\n")
    let typo = tool.run("scrub", "--name", "sorce")
    #expect(typo.exitStatus == 1)
    #expect(
      tool.plain(typo.error)
        == "holdfast: there is no source sorce in DIR/repository\nHINT: Run `holdfast list` to see all sources.\n")
  }

  @Test(arguments: [false, true]) func whatOnlyTheSourceStillHasIsMadeAgain(isSealed: Bool) throws {
    let keys = tool.directory.appending("owner.identity").text
    if isSealed {
      expectSuccess(tool.run("key", "generate", keys))
      let recipient = try #require(
        TestFiles.read(Path(keys)).map { String(decoding: $0, as: UTF8.self) }?
          .firstMatch(of: /holdfast-recipient-\S+/))
      expectSuccess(tool.run("init", "--recipient", String(recipient.0)))
    } else {
      expectSuccess(tool.run("init", "--unsealed"))
    }
    var random = SeededRandom(seed: 3)
    TestFiles.write(random.text(900_000), to: tool.source.appending("orders.db"))
    expectSuccess(tool.run("backup", tool.source.text))
    TestFiles.write("order 2", to: tool.source.appending("2"))
    expectSuccess(tool.run("backup", tool.source.text))
    let archive = try #require(files("repository", "/archive-").first)
    let whole = TestFiles.read(archive)
    flip("repository", "/archive-")
    let more = isSealed ? ["--identity", keys] : []
    if isSealed {
      let closed = tool.run("scrub", "--repair")
      #expect(closed.exitStatus == 21)
      #expect(
        closed.error.contains("the source cannot give it back: its source is not known here"))
    }
    func scrub(_ arguments: String...) -> ProcessResult {
      RunningProcess(tool.start(["scrub"] + arguments + more)).wait()
    }
    let found = scrub()
    #expect(found.exitStatus == 20)
    let origin = ", from pages of DIR/source, which made 1 frame again\n"
    #expect(plain(found.error).contains("(in DIR/repository)\(origin)"), "\(found.error)")
    #expect(
      found.error.hasSuffix(
        "HINT: Run `holdfast scrub --repair` soon: only the source has what is lost, and it changes.\n"))
    #expect(TestFiles.read(archive) != whole)
    let repaired = scrub("--repair", "--json")
    expectSuccess(repaired)
    #expect(repaired.output.contains("\"origin\" : \"source\""), "\(repaired.output)")
    #expect(plain(repaired.error).hasPrefix("holdfast: REPAIRED: ") && plain(repaired.error).contains(origin))
    #expect(TestFiles.read(archive) == whole)
    let verified = RunningProcess(tool.start(["verify", "--data"] + more)).wait()
    expectSuccess(verified)
  }

  @Test func aRunProvesAShareOfOtherTargetsAndRepairsIt() throws {
    makeShop(", verify: {share: 100%}")
    flip("barn", "/archive-")
    let result = run("run")
    expectSuccess(result)
    #expect(plain(result.error).contains("holdfast: orders: WARNING: repaired: sources/orders/0000000001/ARCHIVE"))
    #expect(plain(result.output).contains("; proved SIZE at cloud, barn, repaired 1 object"), "\(result.output)")
    let clean = run("scrub", "--quiet")
    expectSuccess(clean)
    #expect(clean.output == "" && clean.error == "")
    #expect(run("status").output.contains("all of its data was proved since"))
  }

  // MARK: What is remembered

  @Test func statusNamesDamageUntilAScrubOfEverythingIsSound() throws {
    makeShop()
    expectSuccess(run("scrub"))
    #expect(run("status").output.contains(#/  cloud +proved within 30 d /#))
    flip("cloud", "/archive-")
    #expect(run("scrub").exitStatus == 20)
    let damaged = run("status").output
    #expect(damaged.contains(#/  cloud +DAMAGED /#) && damaged.contains("damage at cloud"), "\(damaged)")
    #expect(damaged.contains(#/  barn +proved within 30 d /#))
    expectSuccess(run("scrub", "--repair", "--share", "50%"))
    #expect(run("status").output.contains(#/  cloud +DAMAGED /#))
    expectSuccess(run("scrub", "--repair"))
    #expect(run("status").output.contains(#/  cloud +proved within 30 d /#))
  }

  @Test func aSnapshotAfterTheScrubIsNotProved() throws {
    makeShop()
    expectSuccess(run("scrub"))
    TestFiles.write("order 3", to: tool.source.appending("3"))
    expectSuccess(run("backup", "orders"))
    let status = run("status").output
    #expect(status.contains(#/  barn +proved within 30 d, but for 1 newer snapshot /#), "\(status)")
    let json = run("status", "--json").output
    #expect(json.contains("\"unreadSnapshots\" : 1"), "\(json)")
    expectSuccess(run("backup", "orders", "--full"))
    #expect(run("status").output.contains(#/  barn +listed, 0 % proved /#), "nobody has read the newest chain")
  }

  @Test func theRoundGoesOnWhereDamageStands() throws {
    expectSuccess(tool.run("init", "--unsealed"))
    var random = SeededRandom(seed: 3)
    TestFiles.write(random.text(300_000), to: tool.source.appending("1"))
    expectSuccess(tool.run("backup", tool.source.text))
    let archive = try #require(
      TestFiles.allFiles(in: tool.repository).first { $0.text.contains("/archive-") })
    TestFiles.setMode(archive, 0o644)
    var bytes = TestFiles.read(archive) ?? []
    for index in bytes.indices where index % 4096 == 2048 { bytes[index] ^= 1 }
    TestFiles.write(bytes, to: archive)
    var positions: [Int] = []
    for _ in 0..<3 {
      #expect([0, 20].contains(tool.run("scrub", "--share", "25%").exitStatus))
      let record = TestFiles.allFiles(in: tool.directory.path).first { $0.text.contains("scrubbed") }
      let memory = try #require(record.flatMap { TestFiles.read($0) })
      let position = String(decoding: memory, as: UTF8.self).firstMatch(of: /"rounds" ?: ?\{\s*"" ?: ?([0-9]+)/)?.1
      positions.append(try #require(position.flatMap { Int($0) }))
    }
    #expect(positions[0] > 0)
    #expect(positions == [positions[0], 2 * positions[0], 3 * positions[0]])
  }

  /// The list says who is home, also where the configuration has another target first.
  @Test func aPromotedTargetIsHomeToAScrub() throws {
    makeShop()
    expectSuccess(run("target", "promote", "cloud"))
    let result = run("scrub")
    expectSuccess(result)
    #expect(result.error.contains("cloud is home by revision 2 of the list of targets, not here"), "\(result.error)")
    #expect(plain(result.output).hasPrefix("cloud: orders: sound"), "\(result.output)")
  }
}
