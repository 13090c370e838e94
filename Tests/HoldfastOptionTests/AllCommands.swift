import ArgumentParser
import HoldfastCLI

/// All commands, with the examples of their help.
enum AllCommands {
  /// A command with all commands below it, each with the words by which it is called.
  static func list(
    _ command: any ParsableCommand.Type = Holdfast.self, _ words: [String] = []
  ) -> [(words: [String], command: any ParsableCommand.Type)] {
    [(words, command)] + command.configuration.subcommands.flatMap { list($0, words + [$0._commandName]) }
  }

  /// Returns the examples in the help of a command, as they are shown.
  static func examples(of command: any ParsableCommand.Type) -> [String] {
    let lines = Holdfast.helpMessage(for: command, columns: 80).split(separator: "\n", omittingEmptySubsequences: false)
    return lines.drop { !$0.hasSuffix("EXAMPLES:") }.dropFirst().prefix { !$0.isEmpty }.map {
      String($0.drop { $0 == " " })
    }
  }

  /// Returns the words of an example behind `holdfast`, without what a shell does with the output.
  static func words(_ example: String) -> [String] {
    var (words, isQuoted) = ([""], false)
    for character in example.prefix(while: { $0 != ">" && $0 != "|" }) {
      switch character {
      case "'": isQuoted.toggle()
      case " " where !isQuoted: words.append("")
      default: words[words.count - 1].append(character)
      }
    }
    return Array(words.filter { !$0.isEmpty }.dropFirst())
  }
}
