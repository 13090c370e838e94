internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastModel

/// The message of a command line that is wrong, in the form of all errors: `holdfast: `, the usage, a hint.
package enum UsageErrorText {
  /// - Parameter text: the message of the argument parser: `Error: …`, the usage, and where there is help.
  package static func text(_ text: String, _ arguments: [String]) -> String {
    if let unknown = unknownSubcommand(arguments) { return unknown }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    var suggestion = ""
    if let first = lines.first, first.hasPrefix("Error: ") {
      var message = first.dropFirst("Error: ".count)
      if let meant = message.firstMatch(of: /\. (Did you mean '.+'\?)$/) {
        suggestion = meant.1 + " "
        message = message[..<meant.range.lowerBound]
      }
      lines[0] = "holdfast: " + fact(message)
    }
    if let last = lines.last, let help = last.firstMatch(of: /^  See '(.+ --help)' for more information\.$/) {
      lines[lines.count - 1] = "HINT: \(suggestion)Run `\(help.1)` for all options and examples."
    }
    return lines.joined(separator: "\n")
  }

  /// Returns a message of the argument parser as all messages are: it begins in lower case, and a single sentence ends
  /// without a full stop.
  static func fact(_ message: some StringProtocol) -> String {
    let text = message.hasSuffix(".") && !message.contains(". ") ? String(message.dropLast()) : String(message)
    // A word in capitals stays.
    guard let first = text.first, text.dropFirst().first?.isUppercase != true else { return text }
    return first.lowercased() + text.dropFirst()
  }

  /// Returns the message for a word where the name of a command is expected, and none has that name.
  /// - Returns: `nil` if there is no such word.
  private static func unknownSubcommand(_ arguments: [String]) -> String? {
    var command: any ParsableCommand.Type = Holdfast.self
    var path = "holdfast"
    for word in arguments {
      let known = command.configuration.subcommands
      guard !known.isEmpty, !word.hasPrefix("-"), word != "help" else { return nil }
      if let next = known.first(where: { $0._commandName == word }) {
        (command, path) = (next, path + " " + word)
        continue
      }
      let near = EditDistance.nearest(to: word, in: known.map { $0._commandName })
      return """
        holdfast: there is no command "\(path) \(Path(word))"
        HINT: \(near.map { "Did you mean `\(path) \($0)`?" } ?? "Run `\(path) --help` to see all commands.")
        """
    }
    return nil
  }
}
