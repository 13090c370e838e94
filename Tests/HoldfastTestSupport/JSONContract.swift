internal import HoldfastModel
internal import Testing

/// The promise of `--json` (docs/json.md), kept by every process of the tests: one document on standard output, as the
/// schema of its command demands, or that of a failure.
enum JSONContract {
  /// Fails the test if a process has broken the promise.
  static func check(_ start: RunningProcess.Start, _ result: ProcessResult) {
    let words = start.arguments.map { String(decoding: $0, as: UTF8.self) }
    if let problem = problem(words, result, start.output) { Issue.record("\(problem)") }
  }

  private static func problem(
    _ words: [String], _ result: ProcessResult, _ output: RunningProcess.Output
  ) -> String? {
    let options = words.prefix { $0 != "--" }
    guard words.first == Tool.binary.text, options.contains("--json"), !options.contains("--help"),
      case .captured = output, result.exitStatus >= 0
    else { return nil }
    let command = words.dropFirst().joined(separator: " ")
    let failures = JSONSchemas.project.problems(of: result.outputBytes, by: "failure")
    guard !failures.isEmpty else {
      return result.exitStatus == 0 ? "holdfast \(command): exit status 0, and an error as JSON" : nil
    }
    guard let name = schema(of: Array(words.dropFirst())) else {
      return "holdfast \(command): docs/schemas has no file for it"
    }
    let problems = JSONSchemas.project.problems(of: result.outputBytes, by: name)
    return problems.isEmpty
      ? nil
      : "holdfast \(command): not as docs/schemas/\(name).json demands: \(problems.prefix(5).joined(separator: "; ")): \(result.output.prefix(2000))"
  }

  /// Returns the name of the schema of a command: its words with hyphens.
  private static func schema(of words: [String]) -> String? {
    let names = JSONSchemas.project.names
    return [words.prefix(2).joined(separator: "-"), words.first ?? ""].first { names.contains($0) }
  }
}
