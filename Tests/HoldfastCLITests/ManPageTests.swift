import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// The man pages say what the program says of itself, and are sound.
@Suite struct ManPageTests {
  private let tool = Tool()
  private var pages: Path { tool.directory.appending("pages") }

  init() {
    let made = tool.other(Tool.root.appending("Scripts/man-pages").text, Tool.binary.text, "pages")
    #expect(made.exitStatus == 0, "\(made.error)")
  }

  private struct Argument: Decodable {
    struct Name: Decodable {
      let kind: String
      let name: String
    }
    let shouldDisplay: Bool
    let names: [Name]?
    let valueName: String?
    let abstract: String?
  }

  private struct Command: Decodable {
    let commandName: String
    let superCommands: [String]?
    let abstract: String?
    let subcommands: [Command]?
    let arguments: [Argument]?

    var page: String { ((superCommands ?? []) + [commandName]).joined(separator: "-") }
    /// This one and those below it.
    var all: [Command] { [self] + (subcommands ?? []).filter { $0.commandName != "help" }.flatMap(\.all) }
  }

  private struct Dump: Decodable { let command: Command }

  private func commands() throws -> [Command] {
    let dump = tool.run("--experimental-dump-help")
    return try JSONDecoder().decode(Dump.self, from: Data(dump.outputBytes)).command.all
  }

  /// As one reads it, in lines that are long enough.
  private func text(of page: String) -> String {
    let shown = tool.other("mandoc", "-T", "utf8", "-O", "width=1000", pages.appending("\(page).1").text)
    #expect(shown.exitStatus == 0, "\(shown.error)")
    // Bold and underlined are a letter, a backspace, and a letter.
    return shown.output.replacing(/.\u{8}/, with: "")
  }

  @Test func everyCommandHasAPageAndNothingElse() throws {
    #expect(TestFiles.names(in: pages).sorted() == (try commands()).map { $0.page + ".1" }.sorted())
    #expect(try commands().count > 20)
  }

  @Test func everyPageIsSound() throws {
    for command in try commands() {
      let lint = tool.other("mandoc", "-T", "lint", "-W", "warning", pages.appending("\(command.page).1").text)
      #expect(lint.exitStatus == 0)
      #expect(lint.output + lint.error == "", "\(command.page)")
    }
  }

  @Test func everyOptionAndArgumentIsInItsPage() throws {
    for command in try commands() {
      let text = text(of: command.page)
      #expect(text.contains(command.abstract?.dropLast() ?? ""), "\(command.page)")
      for argument in command.arguments ?? [] where argument.shouldDisplay {
        for name in argument.names ?? [] {
          let spelled = (name.kind == "long" ? "--" : "-") + name.name
          let spelling = try Regex("[ \\[]" + NSRegularExpression.escapedPattern(for: spelled) + "[ ,\\]\n]")
          #expect(text.matches(of: spelling).count >= 1, "\(command.page): \(spelled)")
        }
        if let value = argument.valueName { #expect(text.contains(value), "\(command.page): \(value)") }
        if let abstract = argument.abstract {
          #expect(text.contains(abstract.replacing("`", with: "")), "\(command.page): \(abstract)")
        }
      }
    }
  }

  @Test func everyPageSaysHowItEndsAndWhereToReadOn() throws {
    for command in try commands() {
      let text = text(of: command.page)
      #expect(text.contains("\nEXIT STATUS\n"), "\(command.page)")
      #expect(text.contains("another run holds the lock"), "\(command.page)")
      #expect(text.contains("\nSEE ALSO\n"), "\(command.page)")
      for subcommand in command.subcommands ?? [] where subcommand.commandName != "help" {
        #expect(text.contains("\(subcommand.page)(1)"), "\(command.page): \(subcommand.page)")
      }
    }
    #expect(text(of: "holdfast-backup").contains("\nENVIRONMENT\n"))
    #expect(text(of: "holdfast-backup").contains("\nFILES\n"))
  }
}
