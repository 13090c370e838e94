internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastModel

/// The message of a command line that is wrong, in the form of all errors: `holdfast: `, the usage, a hint.
package enum UsageErrorText {
  /// - Parameter error: an error of the argument parser. Its message has the lines `Error: …`, the usage, and where
  ///   there is help.
  package static func text(_ error: any Error, _ arguments: [String]) -> String {
    if let unknown = unknownSubcommand(arguments) { return unknown }
    var lines = shown(Holdfast.fullMessage(for: error), arguments).split(
      separator: "\n", omittingEmptySubsequences: false
    ).map(String.init)
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

  /// Returns what is wrong as a single sentence, without the usage.
  static func fact(_ error: any Error, _ arguments: [String]) -> String {
    fact(shown(Holdfast.message(for: error), arguments))
  }

  /// Returns a message of the argument parser in which nothing of the arguments can control a terminal, or look like a
  /// line of its own.
  private static func shown(_ message: String, _ arguments: [String]) -> String {
    let values = arguments.flatMap { word in
      // `VALUE`, `--name=VALUE` and `-nVALUE`
      [word] + word.split(separator: "=", maxSplits: 1).dropFirst().map(String.init) + [String(word.dropFirst(2))]
    }
    // The longest first: one may be a part of another.
    let broken = values.filter { $0.unicodeScalars.contains("\n") }.sorted { $0.utf8.count > $1.utf8.count }
    let text = broken.reduce(message) { $0.replacing($1, with: escaped($1, keepsLines: false)) }
    return escaped(text, keepsLines: true)
  }

  private static func escaped(_ text: String, keepsLines: Bool) -> String {
    text.unicodeScalars.reduce(into: "") { shown, scalar in
      let stays = Path.isPrintable(scalar) || (keepsLines && scalar == "\n")
      shown += stays ? String(scalar) : Path(String(scalar)).description
    }
  }

  /// Returns a message of the argument parser as all messages are: it begins in lower case, and a single sentence ends
  /// without a full stop.
  private static func fact(_ message: some StringProtocol) -> String {
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
