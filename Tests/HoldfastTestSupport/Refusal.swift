internal import HoldfastModel

/// Runs commands under a filter that answers system calls with errors (Tests/refusal/refuse.py). A test that uses it
/// says `.requires(.systemCallFilter)`.
package enum Refusal {
  /// - Parameter calls: the argument of the script: `openat2=ENOSYS,linkat=EPERM`.
  package static func start(_ calls: String, _ command: [String], with tool: Tool) -> RunningProcess.Start {
    let script = Tool.root.appending("Tests/refusal/refuse.py").text
    var start = RunningProcess.Start(["python3", script, calls] + command)
    start.environment = tool.environment
    start.directory = tool.directory.path
    return start
  }

  /// Runs a command to its end.
  package static func run(_ calls: String, _ command: [String], with tool: Tool) -> ProcessResult {
    RunningProcess(start(calls, command, with: tool)).wait()
  }

  /// True if this machine allows a filter.
  static var isPossible: Bool { run("syncfs=EPERM", ["true"], with: Tool()).exitStatus == 0 }
}
