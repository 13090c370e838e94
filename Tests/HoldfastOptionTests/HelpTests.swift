import ArgumentParser
import HoldfastCLI
import HoldfastModel
import Testing

/// Every help shows how the command is used, and what is typed wrongly is told with what was probably meant.
@Suite struct HelpTests {
  @Test func everyHelpHasTwoExamplesThatTheCommandUnderstands() {
    for (words, command) in AllCommands.list() {
      let name = (["holdfast"] + words).joined(separator: " ")
      let examples = AllCommands.examples(of: command)
      #expect(examples.count == 2, "\(name): \(examples)")
      for example in examples {
        #expect(example.hasPrefix(name + " ") || example == name, "\(name)")
        #expect(throws: Never.self, "\(example)") { try Holdfast.parseAsRoot(AllCommands.words(example)) }
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
        "holdfast: unknown option '--dry-rum'\nUsage: holdfast restore [<options>] --target <dir>\nHINT: Did you mean '--dry-run'? Run `holdfast restore --help` for all options and examples."
    ),
    Wrong(
      "cat", "latest",
      says:
        "holdfast: missing expected argument '<path>'\nHelp:  <path>  The path of the file: relative to the source, or absolute below its path.\nUsage: holdfast cat <snapshot> <path> [<options>]\nHINT: Run `holdfast cat --help` for all options and examples."
    ),
  ])
  func whatIsTypedWronglyIsToldWithWhatWasMeant(wrong: Wrong) throws {
    let error = #expect(throws: (any Error).self) { try Holdfast.parseAsRoot(wrong.arguments) }
    let text = UsageErrorText.text(try #require(error), wrong.arguments)
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("Usage:") }
    #expect(lines == wrong.message.split(separator: "\n").filter { !$0.hasPrefix("Usage:") }, "\(text)")
    #expect(text.contains("\nUsage: ") == wrong.message.contains("\nUsage: "))
  }
}
