import HoldfastTestSupport
import Testing

/// `holdfast` run by a user without privileges: nobody where the tests run as root, else who runs them.
struct Unprivileged {
  static let userID: UInt32 = 65534
  private let tool: Tool
  private let binary: String

  init(_ tool: Tool) throws {
    self.tool = tool
    // The build may lie where only its owner gets.
    binary = Tool.isRoot ? tool.directory.appending("holdfast").text : Tool.binary.text
    if Tool.isRoot { try #require(tool.other("cp", Tool.binary.text, binary).exitStatus == 0) }
  }

  /// Whether that user can run it at all; the reason is printed where not.
  var isPossible: Bool {
    let result = run("--version")
    if result.exitStatus != 0 { print("skipped: nobody cannot run the binary: \(result.error)") }
    return result.exitStatus == 0
  }

  @discardableResult
  func run(_ arguments: String...) -> ProcessResult { run(arguments) }

  @discardableResult
  func run(_ arguments: [String], configure: (inout RunningProcess.Start) -> Void = { _ in }) -> ProcessResult {
    var start = start(arguments)
    configure(&start)
    return RunningProcess(start).wait()
  }

  func start(_ arguments: [String]) -> RunningProcess.Start {
    let user =
      Tool.isRoot
      ? ["setpriv", "--reuid=\(Self.userID)", "--regid=\(Self.userID)", "--clear-groups", "--inh-caps=-all"] : []
    var start = RunningProcess.Start(user + [binary] + arguments)
    start.environment = tool.environment
    start.environment["HOLDFAST_CACHE_DIR"] = nil
    start.environment["XDG_CACHE_HOME"] = tool.directory.appending("nobody").text
    start.directory = tool.directory.path
    return start
  }
}
