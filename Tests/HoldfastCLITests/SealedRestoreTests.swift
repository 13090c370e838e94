import HoldfastModel
import HoldfastTestSupport
import Testing

/// A repository that was just sealed by a machine without an identity comes back: to holdfast, and to the script that
/// was written from the format's document alone.
@Suite struct SealedRestoreTests {
  private enum Key: CaseIterable {
    case identity, passphrase
  }

  private let tool = Tool()

  private func run(_ arguments: [String], with key: Key? = nil) -> ProcessResult {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_STATE_DIR"] = tool.directory.appending("memory").text
    start.environment["HOLDFAST_WRITER_KEY_FILE"] = tool.directory.appending("writer.key").text
    if key == .identity { start.environment["HOLDFAST_IDENTITY_FILE"] = "identity.key" }
    if key == .passphrase { start.environment["HOLDFAST_PASSPHRASE_FILE"] = "passphrase" }
    return RunningProcess(start).wait()
  }

  private func rescue(_ arguments: String..., with key: Key?) -> ProcessResult {
    var all = ["python3", Tool.root.appending("Scripts/rescue.py").text, "repository"] + arguments
    if key == .identity { all += ["--identity", "identity.key"] }
    if key == .passphrase { all += ["--passphrase-file", "passphrase"] }
    var start = RunningProcess.Start(all)
    start.environment = tool.environment
    start.directory = tool.directory.path
    return RunningProcess(start).wait()
  }

  /// Sealed to an identity and a passphrase.
  private func makeRepository() throws {
    let made = run(["key", "generate", "identity.key"])
    let recipient = try #require(made.output.split(separator: "\n").first.map(String.init))
    TestFiles.write("correct horse battery staple\n", to: tool.directory.appending("passphrase"))
    TestFiles.setMode(tool.directory.appending("passphrase"), 0o600)
    let result = run(["init", "--recipient", recipient, "--passphrase"], with: .passphrase)
    #expect(result.exitStatus == 0, "\(result.error)")
  }

  private func fill(_ random: inout SeededRandom) {
    TestFiles.write(random.text(300_000), to: tool.source.appending("orders.db"))
    TestFiles.link(tool.source.appending("orders.db"), as: tool.source.appending("linked.db"))
    TestFiles.symbolicLink("orders.db", at: tool.source.appending("current"))
    TestFiles.makeDirectory(tool.source.appending("invoices"))
    TestFiles.write("<invoice/>", to: tool.source.appending("invoices/1.xml"))
    TestFiles.write("", to: tool.source.appending("empty"))
    TestFiles.write("no text", to: tool.source.appending([0x6e, 0xff, 0x0a]))
  }

  private func age(_ day: Int, _ random: inout SeededRandom) {
    let page = Int(random.next() % 60)
    TestFiles.overwrite(tool.source.appending("orders.db"), at: page * 4096, with: random.text(20_000))
    TestFiles.write(random.text(5000), to: tool.source.appending("log-\(day)"))
    TestFiles.remove(tool.source.appending("log-\(day - 2)"))
  }

  private struct Day {
    let snapshot: String
    let tree: TreeDescription
  }

  /// A full, a differential and two incrementals; the last one is stored as it is.
  private func takeDays(seed: UInt64) throws -> [Day] {
    var random = SeededRandom(seed: seed)
    fill(&random)
    return try ["--full", "--incremental", "--differential", "--incremental"].enumerated().map { day, kind in
      if day > 0 { age(day, &random) }
      let result = run(["backup", "source", kind, "--compression", day == 3 ? "none" : "deflate", "--json"])
      try #require(result.exitStatus == 0, "seed \(seed), day \(day): \(result.error)")
      #expect(result.output.contains("\"kind\" : \"\(kind.dropFirst(2))\""), "seed \(seed), day \(day)")
      let id = try #require(result.output.firstMatch(of: /"id" : "([0-9a-f]{32})"/)).1
      return Day(snapshot: String(id), tree: TreeDescription(of: tool.source))
    }
  }

  private func expect(_ day: Day, in target: String, after result: ProcessResult, _ context: String) {
    #expect(result.exitStatus == 0, "\(context): \(result.error)")
    #expect(TreeDescription(of: tool.directory.appending(target)).differences(from: day.tree) == [], "\(context)")
  }

  @Test(arguments: Trials.seeds(byDay: 1, atNight: 1) + Trials.first(0, of: [81]))
  func everySnapshotComesBackToHoldfastAndToTheScript(seed: UInt64) throws {
    try makeRepository()
    let days = try takeDays(seed: seed)
    for (number, day) in days.enumerated() {
      let key = Key.allCases[number % 2]
      let context = "seed \(seed), day \(number), by \(key)"
      let restored = run(["restore", day.snapshot, "--target", "restored \(number)"], with: key)
      expect(day, in: "restored \(number)", after: restored, context)
      let rescued = rescue("restore", day.snapshot, "rescued \(number)", with: key)
      expect(day, in: "rescued \(number)", after: rescued, context)
    }
    for key in [Key.identity, .passphrase, nil] {
      let verified = run(["verify", "--data"], with: key)
      #expect(verified.exitStatus == 0, "seed \(seed): \(verified.error)")
      let rescued = rescue("verify", with: key)
      #expect(rescued.exitStatus == 0, "seed \(seed): \(rescued.error)")
    }
  }
}
