import ArgumentParser
import HoldfastCLI
import HoldfastModel
import Testing

/// Every help shows how the command is used, and what is typed wrongly is told with what was probably meant.
@Suite struct HelpTests {
  /// A command with all commands below it, each with the words by which it is called.
  private func commands(
    _ command: any ParsableCommand.Type = Holdfast.self, _ words: String = "holdfast"
  ) -> [(words: String, command: any ParsableCommand.Type)] {
    [(words, command)] + command.configuration.subcommands.flatMap { commands($0, "\(words) \($0._commandName)") }
  }

  private func examples(of command: any ParsableCommand.Type) -> [String] {
    let lines = Holdfast.helpMessage(for: command, columns: 80).split(separator: "\n", omittingEmptySubsequences: false)
    return lines.drop { !$0.hasSuffix("EXAMPLES:") }.dropFirst().prefix { !$0.isEmpty }.map {
      String($0.drop { $0 == " " })
    }
  }

  /// The words of an example, without what a shell does with the output.
  private func words(_ example: String) -> [String] {
    var (words, isQuoted) = ([""], false)
    for character in example.prefix(while: { $0 != ">" && $0 != "|" }) {
      switch character {
      case "'": isQuoted.toggle()
      case " " where !isQuoted: words.append("")
      default: words[words.count - 1].append(character)
      }
    }
    return words.filter { !$0.isEmpty }
  }

  @Test func everyHelpHasTwoExamplesThatTheCommandUnderstands() {
    for (name, command) in commands() {
      let examples = examples(of: command)
      #expect(examples.count == 2, "\(name): \(examples)")
      for example in examples {
        #expect(example.hasPrefix(name + " ") || example == name, "\(name)")
        #expect(throws: Never.self, "\(example)") { try Holdfast.parseAsRoot(Array(words(example).dropFirst())) }
      }
    }
  }

  // MARK: Mistakes

  struct Wrong: Sendable, CustomTestStringConvertible {
    let arguments: [String]
    let message: String
    var testDescription: String { arguments.joined(separator: " ") }
    init(_ arguments: String..., says message: String) { (self.arguments, self.message) = (arguments, message) }
  }

  @Test(arguments: [
    Wrong(
      "lsit", says: "holdfast: there is no command \"holdfast lsit\"\nHINT: Did you mean `holdfast list`?"),
    Wrong(
      "key", "genrate", "file",
      says: "holdfast: there is no command \"holdfast key genrate\"\nHINT: Did you mean `holdfast key generate`?"),
    Wrong(
      "frobnicate\u{1b}",
      says:
        "holdfast: there is no command \"holdfast frobnicate\\x1b\"\nHINT: Run `holdfast --help` to see all commands."),
    Wrong(
      "restore", "--target", "x", "--dry-rum",
      says:
        "holdfast: Unknown option '--dry-rum'. Did you mean '--dry-run'?\nUsage: holdfast restore [<options>] --target <dir>\nHINT: Run `holdfast restore --help` for all options and examples."
    ),
    Wrong(
      "cat", "latest",
      says:
        "holdfast: Missing expected argument '<path>'\nHelp:  <path>  The path of the file: relative to the source, or absolute below its path.\nUsage: holdfast cat <snapshot> <path> [<options>]\nHINT: Run `holdfast cat --help` for all options and examples."
    ),
  ])
  func whatIsTypedWronglyIsToldWithWhatWasMeant(wrong: Wrong) throws {
    let error = #expect(throws: (any Error).self) { try Holdfast.parseAsRoot(wrong.arguments) }
    let text = UsageErrorText.text(Holdfast.fullMessage(for: try #require(error)), wrong.arguments)
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("Usage:") }
    #expect(lines == wrong.message.split(separator: "\n").filter { !$0.hasPrefix("Usage:") }, "\(text)")
    #expect(text.contains("\nUsage: ") == wrong.message.contains("\nUsage: "))
  }
}
