internal import HoldfastModel

/// `holdfast` run by a user without privileges and without a home: nobody if the tests run as root, otherwise the user
/// who runs them. A test that uses it says `.requires(.unprivilegedUser)`.
package struct Unprivileged {
  package static let userID: UInt32 = 65534
  private let tool: Tool
  private let binary: String

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  package init(_ tool: Tool) throws {
    self.tool = tool
    // The build may be accessible to its owner only.
    binary = Tool.isRoot ? tool.directory.appending("holdfast").text : Tool.binary.text
    guard Tool.isRoot else { return }
    let copied = tool.other("cp", Tool.binary.text, binary)
    guard copied.exitStatus == 0 else { throw Failure(description: copied.error) }
  }

  /// True if that user can run it.
  static var isPossible: Bool {
    let tool = Tool()
    TestFiles.setMode(tool.directory.path, 0o777)
    return (try? Unprivileged(tool))?.run("--version").exitStatus == 0
  }

  @discardableResult
  package func run(_ arguments: String...) -> ProcessResult { run(arguments) }

  @discardableResult
  package func run(
    _ arguments: [String], configure: (inout RunningProcess.Start) -> Void = { _ in }
  ) -> ProcessResult {
    var start = start(arguments)
    configure(&start)
    return RunningProcess(start).wait()
  }

  package func start(_ arguments: [String]) -> RunningProcess.Start {
    let user =
      Tool.isRoot
      ? ["setpriv", "--reuid=\(Self.userID)", "--regid=\(Self.userID)", "--clear-groups", "--inh-caps=-all"] : []
    var start = RunningProcess.Start(user + [binary] + arguments)
    start.environment = tool.environment
    for name in ["HOME", "HOLDFAST_CACHE_DIR", "HOLDFAST_STATE_DIR"] { start.environment[name] = nil }
    start.environment["XDG_CACHE_HOME"] = tool.directory.appending("nobody").text
    start.directory = tool.directory.path
    return start
  }
}
