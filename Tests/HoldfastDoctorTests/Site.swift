import HoldfastConfiguration
import HoldfastDoctor
import HoldfastModel
import HoldfastOperations
import HoldfastRepository
import HoldfastSystem
import HoldfastTestSupport

/// A machine with a home of its own, on which `check` is run in this process.
struct Site {
  /// Not root, to whom `/etc/holdfast` belongs.
  private static let user = FileSystem.userID == 0 ? Unprivileged.userID : FileSystem.userID
  static let userName = Accounts.name(of: user) ?? "user \(user)"
  let tool = Tool()
  var directory: Path { tool.directory.path }
  var shop: Path { tool.directory.appending("shop") }
  var orders: Path { tool.directory.appending("orders") }
  /// The directory in which its schedules are.
  var image: Path { tool.directory.appending("image") }

  /// Makes a source with one file, and configures it with the repository `shop`.
  /// - Parameters:
  ///   - repository: further keys of the repository.
  ///   - source: further keys of the source.
  ///   - more: further lines of the configuration.
  init(repository: String = "", source: String = "", more: String = "") {
    TestFiles.makeDirectory(orders)
    TestFiles.write("an order", to: orders.appending("first"))
    TestFiles.makeDirectory(image)
    configure(
      """
      repositories:
        shop: {path: \(shop.text)\(repository.isEmpty ? "" : ", " + repository)}
      sources:
        orders: {path: \(orders.text)\(source.isEmpty ? "" : ", " + source)}
      \(more)
      """)
  }

  func configure(_ text: String) {
    TestFiles.makeDirectory(tool.configuration)
    TestFiles.write(text, to: tool.configuration.appending("holdfast.yaml"))
  }

  /// The file that a hanging command makes when it begins.
  var begun: Path { directory.appending("begun") }

  /// Makes a command that never answers, and ends with the process that has started it.
  func hangingCommand() -> Path {
    let command = directory.appending("hang")
    TestFiles.write("#!/bin/sh\ntouch \(begun.text)\nexec cat >/dev/null\n", to: command)
    TestFiles.setMode(command, 0o755)
    return command
  }

  /// Runs the program with this configuration, and without a repository in its environment.
  @discardableResult
  func holdfast(_ arguments: String..., variables: [String: String] = [:]) -> ProcessResult {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    start.environment.merge(variables) { $1 }
    return RunningProcess(start).wait()
  }

  func machine(_ variables: [String: String] = [:], clock: Clock = .system) -> MachineContext {
    var known = tool.environment.merging(variables) { $1 }
    known["HOLDFAST_REPOSITORY"] = nil
    let environment = ProcessEnvironment(userID: Self.user, hostName: Host.name, currentDirectory: directory) {
      [known] in known[$0]
    }
    return MachineContext(
      host: Host(clock: clock, workers: 2, scratchDirectories: [directory]), environment: environment)
  }

  func check(
    _ variables: [String: String] = [:], clock: Clock = .system, configure: (inout Doctor.Options) -> Void = { _ in }
  ) throws -> DoctorReport {
    let machine = machine(variables, clock: clock)
    var options = Doctor.Options()
    options.root = image
    configure(&options)
    return try Doctor(machine.neededSettings(), on: machine, options: options).run()
  }

  /// Returns the results of one group, as text without what differs from run to run.
  func lines(
    _ kind: TrialGroup.Kind, _ variables: [String: String] = [:], clock: Clock = .system,
    configure: (inout Doctor.Options) -> Void = { _ in }
  ) throws -> [String] {
    lines(of: try check(variables, clock: clock, configure: configure), kind)
  }

  func lines(of report: DoctorReport, _ kind: TrialGroup.Kind) -> [String] {
    report.results.filter { $0.group.kind == kind }.map { result in
      let hint = result.hint.map { "\nHINT: \($0)" } ?? ""
      return tool.plain("\(result.verdict.rawValue) \(result.name): \(result.text)\(hint)").replacing(
        /\d+ ms/, with: "TIME")
    }
  }
}
