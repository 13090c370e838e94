internal import HoldfastModel

/// The table of exit statuses, in every command's help.
enum ExitStatusTable {
  static let text = "EXIT STATUS:\n" + ExitStatus.allCases.map(line).joined(separator: "\n")

  private static func line(_ status: ExitStatus) -> String {
    let number = String(status.rawValue)
    return "  " + number + String(repeating: " ", count: 5 - number.count) + status.meaning
  }
}

/// The end of every command's help.
enum HelpEnd {
  /// Returns examples of the command, as they are typed, and the table of exit statuses.
  static func text(_ examples: String...) -> String {
    "EXAMPLES:\n" + examples.map { "  " + $0 }.joined(separator: "\n") + "\n\n" + ExitStatusTable.text
  }
}
