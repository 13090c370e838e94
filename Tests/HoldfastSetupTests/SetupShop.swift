import HoldfastModel
import HoldfastTestSupport
import Testing

/// A directory with a shop's database and no backup, on a machine without a configuration.
struct SetupShop: Sendable {
  let tool = Tool()
  var key: Path { tool.directory.appending("recovery.key") }
  /// The image that gets the schedule.
  var root: Path { tool.directory.appending("root") }
  var configuration: Path { tool.configuration.appending("holdfast.yaml") }
  var service: Path { root.appending("etc/systemd/system/holdfast.service") }

  /// The warning that source and repository are both in the directory of the test.
  static let beside =
    "holdfast: WARNING: the repository is on the file system of the source: a disk that fails takes both\n"

  init() throws {
    TestFiles.makeDirectory(root)
    _ = try TestDatabase(tool.source.appending("orders.db"), "CREATE TABLE orders (id); INSERT INTO orders VALUES (1)")
  }

  /// Returns the start of `holdfast setup` with these arguments. No repository is named but by the arguments.
  func start(_ arguments: [String]) -> RunningProcess.Start {
    var start = tool.start(["setup"] + arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    start.hasOwnSession = true
    return start
  }

  func setup(_ arguments: String..., configure: (inout RunningProcess.Start) -> Void = { _ in }) -> ProcessResult {
    var start = start(arguments)
    configure(&start)
    return RunningProcess(start).wait()
  }

  /// The arguments of a setup that needs no answer.
  static let whole = ["source", "-r", "repository", "--key-file", "recovery.key", "--every", "15m", "--root", "root"]

  func whole(_ more: String...) -> ProcessResult { RunningProcess(start(Self.whole + more)).wait() }

  /// Starts a setup at a terminal, and types each answer when its question has come.
  func atTerminal(
    _ arguments: [String], _ answers: [(question: String, answer: String)]
  ) -> (result: ProcessResult, shown: String) {
    let terminal = Pseudoterminal()
    var start = self.start(arguments)
    start.input = .terminal(terminal.name)
    start.error = .file(terminal.name)
    let process = RunningProcess(start)
    for (question, answer) in answers {
      #expect(terminal.waits(for: question), "shown: \(terminal.shown)")
      terminal.type(answer + "\n")
    }
    return (process.wait(), terminal.shown.replacing("\r\n", with: "\n"))
  }

  /// Runs another command, which reads the configuration.
  func holdfast(_ arguments: String...) -> ProcessResult {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    return RunningProcess(start).wait()
  }

  func text(_ path: Path) -> String { String(decoding: TestFiles.read(path) ?? [], as: UTF8.self) }
}

extension ProcessResult {
  /// The status and everything that was written to standard error, without what differs from run to run.
  func refusal(_ shop: SetupShop) -> String {
    "\(exitStatus) \(shop.tool.plain(error.replacing(SetupShop.beside, with: "")))"
  }
}
