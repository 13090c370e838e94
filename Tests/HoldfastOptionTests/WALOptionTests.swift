import ArgumentParser
import HoldfastCLI
import HoldfastModel
import HoldfastOperations
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// How much `wal push` and `wal fetch` do ahead is said on the command line, in the environment or in the
/// configuration, in this order, and whatever is wrong there is told.
@Suite struct WALOptionTests {
  private let tool = Tool()
  private let segments = {
    var log = TestLog()
    for index in 0..<8 {
      log.commit(at: TestLogs.noon + Int64(index))
      log.switchSegment()
    }
    return log.segments
  }()

  private var log: Path { tool.directory.appending("pg_wal") }

  private func run(_ arguments: [String], _ variables: [String: String] = [:]) -> ProcessResult {
    var start = tool.start(arguments)
    start.environment.merge(variables) { $1 }
    return RunningProcess(start).wait()
  }

  /// A server with segments that are ready, and a configuration that names its repository.
  private func makeServer(_ keys: String) {
    TestFiles.makeDirectory(tool.configuration)
    TestFiles.write(
      """
      repositories: {shop: {path: \(tool.repository.text)}}
      sources: {orders: {path: \(tool.source.text), \(keys)}}

      """, to: tool.configuration.appending("holdfast.yaml"))
    TestFiles.makeDirectory(log)
    TestFiles.makeDirectory(log.appending("archive_status"))
    for segment in segments {
      TestFiles.write(segment.bytes, to: log.appending(segment.name.text))
      TestFiles.write("", to: log.appending("archive_status/\(segment.name.text).ready"))
    }
    #expect(tool.run("init", "--unsealed").exitStatus == 0)
  }

  // MARK: What counts

  /// Pushes the first segment that is not archived yet.
  /// - Returns: how many were archived with it.
  private func push(_ arguments: [String] = [], _ variables: [String: String] = ["HOLDFAST_REPOSITORY": ""]) -> Int? {
    let archived = Set(TestFiles.allFiles(in: tool.repository).map { $0.lastComponent.prefix(24) }.map(Array.init))
    guard let next = segments.first(where: { !archived.contains(Array($0.name.text.utf8)) }) else { return nil }
    let result = run(["wal", "push", "pg_wal/\(next.name)", "--name", "orders", "--json"] + arguments, variables)
    #expect(result.exitStatus == 0, "\(result.error)")
    return result.output.firstMatch(of: /"archivedAhead" : (\d+)/).flatMap { Int($0.1) }
  }

  @Test func theCommandLineGoesBeforeTheEnvironmentBeforeTheFile() throws {
    makeServer("wal-ahead: 2, wal-workers: 3")
    let name = try #require(SourceName("orders"))
    func said(_ arguments: [String], _ variables: [String: String] = [:]) throws -> [Int?] {
      let configuration = ["HOLDFAST_CONFIG_DIR": tool.configuration.text]
      let environment = ProcessEnvironment(
        userID: FileSystem.userID, hostName: "shop-1", currentDirectory: tool.directory.path
      ) { variables[$0] ?? configuration[$0] }
      let machine = MachineContext(
        host: Host(workers: 1, scratchDirectories: [tool.directory.path]), environment: environment)
      let context = try RepositoryContext(RepositoryRequest(), on: machine, of: name)
      let options = try AheadOptions.parse(arguments)
      let configured = context.configuredSource
      return [try options.ahead(configured, machine), try options.workers(configured, machine)]
    }
    let variables = ["HOLDFAST_WAL_AHEAD": "0", "HOLDFAST_WAL_WORKERS": "1"]
    #expect(try said([]) == [2, 3])
    #expect(try said([], variables) == [0, 1])
    #expect(try said(["--ahead", "63", "--workers", "16"], variables) == [63, 16])
    #expect(try said(["--workers", "16"], ["HOLDFAST_WAL_AHEAD": "", "HOLDFAST_WAL_WORKERS": "1"]) == [2, 16])
    #expect(try said([], ["HOLDFAST_REPOSITORY": tool.repository.text]) == [2, 3], "the path of a configured one")
    #expect(try said([], ["HOLDFAST_REPOSITORY": "/elsewhere"]) == [nil, nil])
  }

  @Test func aPushArchivesAheadWhatTheFileSays() {
    makeServer("wal-ahead: 2, wal-workers: 3")
    #expect(push() == 2)
    #expect(push([], ["HOLDFAST_REPOSITORY": "", "HOLDFAST_WAL_AHEAD": "1"]) == 1)
    #expect(push(["--ahead", "0", "--workers", "2"], ["HOLDFAST_REPOSITORY": "", "HOLDFAST_WAL_AHEAD": "1"]) == 0)
    #expect(push([], [:]) == 1, "all that are left")
  }

  @Test func aRecoveryFetchesAheadWhatTheFileSays() {
    makeServer("wal-ahead: 2")
    #expect(push(["--ahead", "63"]) == 7)
    func spooled(_ target: String, _ arguments: [String] = []) -> Int {
      TestFiles.removeTree(log.appending(".holdfast-ahead"))
      let result = run(
        ["wal", "fetch", segments[0].name.text, target, "--name", "orders"] + arguments, ["HOLDFAST_REPOSITORY": ""])
      #expect(result.exitStatus == 0, "\(result.error)")
      return TestFiles.names(in: log.appending(".holdfast-ahead")).filter { $0 != "origin.json" }.count
    }
    #expect(spooled("pg_wal/RECOVERYXLOG") == 2)
    #expect(spooled("pg_wal/RECOVERYXLOG", ["--ahead", "4"]) == 4)
    #expect(spooled("pg_wal/other") == 0, "what is fetched by hand comes alone")
    #expect(spooled("pg_wal/other", ["--ahead", "1"]) == 1)
  }

  // MARK: What is wrong

  struct Wrong: Sendable, CustomTestStringConvertible {
    let options: [String]
    let message: String
    var testDescription: String { options.joined(separator: " ") }
    init(_ options: String..., says message: String) { (self.options, self.message) = (options, message) }
  }

  private static let calls: [(arguments: [String], status: Int32)] = [
    (["wal", "push", "pg_wal/000000010000000000000001"], 2),
    (["wal", "fetch", "000000010000000000000001", "pg_wal/RECOVERYXLOG"], 126),
  ]

  @Test(arguments: [
    Wrong("--ahead", "64", says: "holdfast: --ahead is a number from 0 to 63"),
    Wrong("--ahead=-1", says: "holdfast: --ahead is a number from 0 to 63"),
    Wrong("--ahead", "all", says: "holdfast: the value 'all' is invalid for '--ahead <count>'"),
    Wrong("--ahead", says: "holdfast: missing value for '--ahead <count>'"),
    Wrong("--workers", "0", says: "holdfast: --workers is a number from 1 to 16"),
    Wrong("--workers", "17", says: "holdfast: --workers is a number from 1 to 16"),
    Wrong("--workers", "1.5", says: "holdfast: the value '1.5' is invalid for '--workers <count>'"),
    Wrong("--workers", says: "holdfast: missing value for '--workers <count>'"),
  ])
  func aWrongNumberIsToldWithTheUsage(wrong: Wrong) {
    for call in Self.calls {
      let result = run(call.arguments + ["--name", "orders"] + wrong.options)
      #expect(result.exitStatus == call.status)
      #expect(result.output == "")
      let lines = result.error.split(separator: "\n")
      #expect(lines.first == wrong.message[...], "\(result.error)")
      #expect(result.error.contains("\nUsage: holdfast wal \(call.arguments[1]) "), "\(result.error)")
    }
  }

  @Test(arguments: [["wal", "status"], ["backup", "source"], ["restore", "--target", "new"], ["run"]])
  func otherCommandsDoNotTakeThem(command: [String]) {
    for option in ["--ahead", "--workers"] {
      let result = run(command + [option, "4"])
      #expect(result.exitStatus == 2)
      #expect(result.error.split(separator: "\n").first == "holdfast: unknown option '\(option)'", "\(result.error)")
    }
  }

  private func expectRefusal(_ result: ProcessResult, _ status: Int32, _ message: String, hint: String) {
    #expect(result.exitStatus == status && result.output == "", "\(result.error)")
    #expect(result.error == "holdfast: \(message)\nHINT: \(hint)\n")
  }

  @Test(arguments: [
    ("HOLDFAST_WAL_AHEAD", "64", "0, 8 or 63"), ("HOLDFAST_WAL_AHEAD", "all", "0, 8 or 63"),
    ("HOLDFAST_WAL_WORKERS", "0", "1, 4 or 16"), ("HOLDFAST_WAL_WORKERS", "many", "1, 4 or 16"),
  ])
  func aWrongVariableIsTold(name: String, value: String, examples: String) {
    for call in Self.calls {
      let arguments = call.arguments + ["--name", "orders"]
      expectRefusal(
        run(arguments, [name: value]), call.status, "\(name) is \"\(value)\"",
        hint: "Set it to something like \(examples), or unset it.")
    }
    // The option goes before it.
    makeServer("wal-ahead: 2")
    #expect(push(["--ahead", "3", "--workers", "2"], [name: value]) == 3)
  }

  @Test(arguments: [
    ("wal-ahead: 64", "wal-ahead: \"64\"", "0 to 63"), ("wal-workers: 0", "wal-workers: \"0\"", "1 to 16"),
  ])
  func aWrongKeyIsTold(keys: String, wrong: String, range: String) {
    makeServer(keys)
    let column = keys.hasPrefix("wal-ahead") ? 11 : 13
    let start = "sources: {orders: {path: \(tool.source.text), ".count + column + 1
    let message = """
      the configuration has 1 mistake
      \(tool.configuration.text)/holdfast.yaml:2:\(start): \(wrong) is not a number
      """
    let hint = "Write a whole number from \(range)."
    expectRefusal(run(["config", "check"]), 2, message, hint: hint)
    for call in Self.calls {
      let result = run(call.arguments + ["--name", "orders"], ["HOLDFAST_REPOSITORY": ""])
      expectRefusal(result, call.status, message, hint: hint)
    }
  }

  @Test func checkAcceptsTheKeysAndShowTellsWhereTheyComeFrom() {
    makeServer("wal-ahead: 2, wal-workers: 3")
    #expect(run(["config", "check"]).exitStatus == 0)
    let shown = run(["config", "show"], ["HOLDFAST_WAL_WORKERS": "5", "HOLDFAST_REPOSITORY": ""])
    let lines = tool.plain(shown.output).split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix("sources.orders.wal-ahead  2  DIR/configuration/holdfast.yaml:2:") })
    #expect(lines.contains("sources.orders.wal-workers  5  HOLDFAST_WAL_WORKERS"))
  }
}
