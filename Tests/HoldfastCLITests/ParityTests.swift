import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Parity as its operator meets it, in a repository at one place: configured, told of, used, repaired.
@Suite(.timeLimit(.minutes(30))) struct ParityTests {
  private let tool = Tool()

  /// Where there is a configuration, it alone names the repository.
  private func run(_ arguments: String...) -> ProcessResult {
    var start = tool.start(arguments)
    if !TestFiles.names(in: tool.configuration).isEmpty { start.environment["HOLDFAST_REPOSITORY"] = nil }
    return RunningProcess(start).wait()
  }

  private func expectSuccess(_ result: ProcessResult, _ location: Testing.SourceLocation = #_sourceLocation) {
    #expect(result.exitStatus == 0, "\(result.output)\(result.error)", sourceLocation: location)
  }

  private func makeShop(_ configuration: String? = nil) {
    if let configuration {
      TestFiles.makeDirectory(tool.configuration)
      let file = tool.configuration.appending("holdfast.yaml")
      TestFiles.write(
        "repositories: {shop: {path: '\(tool.repository.text)'}}\n"
          + "sources: {orders: {path: '\(tool.source.text)', \(configuration)}}\n", to: file)
      TestFiles.setMode(file, 0o644)
    }
    var random = SeededRandom(seed: 3)
    TestFiles.write(random.bytes(300_000), to: tool.source.appending("orders"))
    expectSuccess(run("init", "--unsealed"))
  }

  private var archive: Path {
    TestFiles.allFiles(in: tool.repository).first { $0.text.contains("/archive-") } ?? tool.repository
  }

  private func damage() {
    var bytes = TestFiles.read(archive) ?? []
    for start in [10, bytes.count / 2, bytes.count - 10] { bytes[start] ^= 1 }
    TestFiles.setMode(archive, 0o644)
    TestFiles.write(bytes, to: archive)
  }

  private func plain(_ text: String) -> String {
    tool.plain(text).replacing(/[0-9.]+ (B|KiB|MiB)\b/, with: "SIZE").replacing(/archive-LONGID/, with: "ARCHIVE")
  }

  private func expectRestored(to name: String) {
    let restored = TreeDescription(of: tool.directory.appending(name))
    #expect(restored.differences(from: TreeDescription(of: tool.source)) == [], "\(name)")
  }

  @Test func damageIsReadThroughReportedAndRepairedAtOnePlace() throws {
    makeShop("parity: 5 %")
    let taken = run("backup", "orders")
    expectSuccess(taken)
    #expect(plain(taken.output).contains("\n  of that, SIZE are parity, for 5% of its pages\n"), "\(taken.output)")
    #expect(plain(run("show", "latest").output).contains("\nparity  SIZE of that, for 5% of its pages\n"))
    #expect(plain(run("status").output).contains("stored  SIZE (parity: SIZE), growth unknown\n"))
    let whole = TestFiles.read(archive)
    damage()

    let restored = run("restore", "latest", "--target", "restored")
    expectSuccess(restored)
    #expect(
      plain(restored.error) == """
        holdfast: WARNING: sources/orders/0000000001/ARCHIVE is damaged, and its parity gives back what is lost
        HINT: Run `holdfast scrub --repair`: it writes anew what is damaged.

        """)
    expectRestored(to: "restored")
    let script = Tool.root.appending("Scripts/rescue.py").text
    let rescued = tool.other("python3", script, tool.repository.text, "restore", "latest", "rescued")
    expectSuccess(rescued)
    #expect(
      plain(rescued.error)
        == "rescue: sources/orders/0000000001/ARCHIVE: is damaged, and its parity gives back what is lost\n")
    expectRestored(to: "rescued")

    let printed = run("cat", "latest", "orders")
    expectSuccess(printed)
    #expect(
      plain(printed.error)
        == "holdfast: WARNING: sources/orders/0000000001/ARCHIVE is damaged, and its parity gives back what is lost\n")

    let verified = run("verify", "--data")
    #expect(verified.exitStatus == 20)
    #expect(
      plain(verified.error) == """
        holdfast: REPAIRABLE: ID (orders, number 1): sources/orders/0000000001/ARCHIVE is damaged, and its parity gives back what is lost
        HINT: Run `holdfast scrub --repair`: it writes anew what is damaged.

        """)
    let found = run("scrub")
    #expect(found.exitStatus == 20)
    #expect(plain(found.error).hasPrefix("holdfast: REPAIRABLE: sources/orders/0000000001/ARCHIVE is damaged: "))
    #expect(found.error.hasSuffix("HINT: Run `holdfast scrub --repair`: parity or other targets have what is lost.\n"))
    let repaired = run("scrub", "--repair")
    expectSuccess(repaired)
    #expect(plain(repaired.error).hasPrefix("holdfast: REPAIRED: sources/orders/0000000001/ARCHIVE is damaged: "))
    #expect(TestFiles.read(archive) == whole)
    let clean = run("scrub")
    expectSuccess(clean)
    #expect(clean.error == "")
    #expect(plain(clean.output) == "home: orders: sound; SIZE in 2 objects proved\n")
  }

  @Test func theShareIsToldInJSON() throws {
    makeShop()
    let taken = run("backup", "source", "--parity", "10%", "--json")
    expectSuccess(taken)
    #expect(taken.output.replacing(/\s/, with: "").contains(/"parity":\{"bytes":\d+,"percent":10\}/), "\(taken.output)")
    let none = run("backup", "source", "--full", "--parity", "none", "--json")
    #expect(none.output.replacing(/\s/, with: "").contains("\"parity\":null"))
    #expect(run("status", "--json").output.replacing(/\s/, with: "").contains(/"parityBytes":[1-9]/))
  }

  @Test func aMergeKeepsTheShareUnlessItIsToldAnother() throws {
    makeShop()
    expectSuccess(run("backup", "source", "--parity", "10%"))
    TestFiles.write("more", to: tool.source.appending("more"))
    expectSuccess(run("backup", "source", "--parity", "10%"))
    expectSuccess(run("merge"))
    #expect(plain(run("show", "latest").output).contains("\nparity  SIZE of that, for 10% of its pages\n"))
    TestFiles.write("still more", to: tool.source.appending("more"))
    expectSuccess(run("backup", "source"))
    #expect(!run("show", "latest").output.contains("parity"), "off unless it is asked for")
    expectSuccess(run("merge", "--parity", "20%"))
    #expect(plain(run("show", "latest").output).contains("\nparity  SIZE of that, for 20% of its pages\n"))
  }

  @Test func theConfigurationHoldsForMerges() throws {
    makeShop("parity: 2%")
    expectSuccess(run("backup", "orders", "--parity", "none"))
    TestFiles.write("more", to: tool.source.appending("more"))
    expectSuccess(run("backup", "orders", "--parity", "none"))
    expectSuccess(run("merge"))
    #expect(plain(run("show", "latest").output).contains("\nparity  SIZE of that, for 2% of its pages\n"))
  }
}
