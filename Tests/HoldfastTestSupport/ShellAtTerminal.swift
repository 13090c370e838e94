package import HoldfastModel

/// A shell at a terminal, with a test that types and presses the tab key.
package final class ShellAtTerminal {
  private let terminal = Pseudoterminal()
  private let process: RunningProcess
  private var count = 0

  /// - Parameters:
  ///   - shell: the command that starts it without the settings of the user who runs the tests.
  ///   - environment: its whole environment.
  ///   - setup: the commands that are typed first.
  package init(_ shell: [String], environment: [String: String], directory: Path, setup: String) {
    var start = RunningProcess.Start(shell)
    start.environment = environment.merging(["TERM": "dumb", "HOME": directory.text]) { $1 }
    start.directory = directory
    start.input = .terminal(terminal.name)
    start.output = .file(terminal.name)
    start.error = .file(terminal.name)
    start.hasOwnSession = true
    process = RunningProcess(start)
    // The quotes distinguish the typed text from the answer.
    terminal.type(setup + "; echo rea''dy\n")
    _ = terminal.waits { shown.contains("ready\n") }
  }

  /// Everything that was shown, with plain line ends.
  package var shown: String { terminal.shown.replacing("\r\n", with: "\n") }

  /// Types a part of a command line, presses the tab key, and lets the shell print the completed line instead of
  /// running it.
  /// - Returns: the completed line; `nil` if the shell does not answer.
  package func completed(_ typed: String) -> String? {
    count += 1
    let (begin, end) = ("begin\(count) ", "\nend\(count)\n")
    // Goes to the beginning of the line, so that the line becomes the argument of a command that prints it.
    terminal.type("\(typed)\t\u{1}echo be''gin\(count) \u{5} ; echo en''d\(count)\n")
    guard terminal.waits(until: { shown.contains(end) }) else { return nil }
    let answer = shown
    guard let start = answer.firstRange(of: begin), let stop = answer.firstRange(of: end) else { return nil }
    return String(answer[start.upperBound..<stop.lowerBound])
  }
}
