import ArgumentParser
import Foundation
import HoldfastCLI
import HoldfastModel
import Testing

/// Wrong usage of any command is told in one form: a fact in lower case, the usage of the command, and the help to
/// read.
@Suite struct UsageErrorTests {
  /// What the argument parser says of a command.
  private struct Command: Decodable {
    struct Argument: Decodable {
      struct Name: Decodable {
        let kind: String
        let name: String
      }

      let kind: String
      let isOptional: Bool
      let preferredName: Name?

      /// The option as it is typed.
      var option: String? { preferredName.map { ($0.kind == "long" ? "--" : "-") + $0.name } }
    }

    let commandName: String
    let subcommands: [Command]?
    let arguments: [Argument]?

    /// The command and all below it, each with the words by which it is called.
    func all(_ words: [String] = []) -> [(words: [String], command: Command)] {
      [(words, self)]
        + (subcommands ?? []).filter { $0.commandName != "help" }.flatMap { $0.all(words + [$0.commandName]) }
    }
  }

  private struct Tool: Decodable {
    let command: Command
  }

  private let commands: [(words: [String], command: Command)]

  init() throws {
    commands = try JSONDecoder().decode(Tool.self, from: Data(Holdfast._dumpHelp().utf8)).command.all()
  }

  /// Returns the message for wrong arguments, after a look at its form.
  /// - Parameter words: the words of the command.
  @discardableResult
  private func message(_ words: [String], _ rest: [String]) -> String {
    let arguments = words + rest
    let error = #expect(throws: (any Error).self, "\(arguments)") { try Holdfast.parseAsRoot(arguments) }
    guard let error else { return "" }
    #expect(Holdfast.exitCode(for: error) == .validationFailure, "\(arguments)")
    let lines = UsageErrorText.text(error, arguments).split(separator: "\n")
    let name = (["holdfast"] + words).joined(separator: " ")
    #expect(lines.first?.wholeMatch(of: /holdfast: ([a-z0-9-]|[A-Z]{2}).*/) != nil, "\(lines)")
    #expect(lines.first.map { !$0.hasSuffix(".") || $0.contains(". ") } == true, "\(lines)")
    #expect(lines.count { $0 == "Usage: \(name)" || $0.hasPrefix("Usage: \(name) ") } == 1, "\(lines)")
    #expect(lines.last?.hasPrefix("HINT: ") == true, "\(lines)")
    #expect(lines.last?.hasSuffix("Run `\(name) --help` for all options and examples.") == true, "\(lines)")
    return lines.first.map(String.init) ?? ""
  }

  @Test func anUnknownOptionIsToldByEveryCommand() {
    let examples = examples()
    #expect(examples.count > 45)
    for (words, rest) in examples {
      #expect(message(words, ["--frobnicate"] + rest) == "holdfast: unknown option '--frobnicate'", "\(words)")
    }
  }

  @Test func aMissingArgumentIsToldByEveryCommandThatNeedsOne() {
    let needing = commands.filter { $0.command.arguments?.contains { !$0.isOptional && $0.kind != "flag" } ?? false }
    #expect(needing.count > 15)
    for (words, _) in needing {
      #expect(message(words, []).hasPrefix("holdfast: missing expected argument '"), "\(words)")
    }
  }

  @Test func aMissingValueIsToldByEveryOption() {
    for (words, command) in commands {
      for option in (command.arguments ?? []).filter({ $0.kind == "option" }).compactMap(\.option) {
        #expect(message(words, [option]).hasPrefix("holdfast: missing value for '\(option)"), "\(words)")
      }
    }
  }

  @Test func aWrongValueIsToldByEveryCommand() {
    for (words, command) in commands {
      for flag in (command.arguments ?? []).filter({ $0.kind == "flag" }).compactMap(\.option)
      where flag.hasPrefix("--") && !["--help", "--version"].contains(flag) {
        #expect(
          message(words, ["\(flag)=x"])
            == "holdfast: the option '\(flag)' does not take any value, but 'x' was specified")
      }
    }
  }

  /// Values of a type of their own: names, sizes, times.
  @Test func aValueThatCannotBeReadIsTold() throws {
    var count = 0
    for (words, command) in commands {
      for option in (command.arguments ?? []).filter({ $0.kind == "option" }).compactMap(\.option) {
        do {
          _ = try Holdfast.parseAsRoot(words + [option, "\u{1}/"])
        } catch {
          guard Holdfast.message(for: error).hasPrefix("The value '") else { continue }
          count += 1
          #expect(
            message(words, [option, "\u{1}/"]).hasPrefix("holdfast: the value '\\x01/' is invalid for '\(option)"))
        }
      }
    }
    #expect(count > 60)
  }

  /// Arguments may come from others, such as the names of files.
  @Test(arguments: ["\u{1B}[31mX", "a\nholdfast: all is well", "\u{9B}2J\u{202E}x", "a\r\nb"])
  func nothingOfTheArgumentsReachesATerminal(_ text: String) {
    for rest in [["--name", text], ["--name=\(text)"], ["--\(text)"], [text], ["-r", "x", text]] {
      let arguments = ["list"] + rest
      let error = #expect(throws: (any Error).self, "\(arguments)") { try Holdfast.parseAsRoot(arguments) }
      guard let error else { continue }
      let lines = UsageErrorText.text(error, arguments).split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.allSatisfy { $0.unicodeScalars.allSatisfy(Path.isPrintable) }, "\(lines)")
      #expect(lines.count { $0.hasPrefix("holdfast: ") } == 1, "\(lines)")
      #expect(lines.first?.contains("\\x") == true, "\(lines)")
    }
  }

  @Test func anArgumentTooManyIsToldByEveryCommandThatTakesNone() {
    let none = Set(
      commands.filter { !($0.command.arguments ?? []).contains { $0.kind == "positional" } }.map(\.words))
    let taking = examples().filter { none.contains($0.words) }
    #expect(taking.count > 10)
    for (words, rest) in taking {
      #expect(message(words, rest + ["extra"]) == "holdfast: unexpected argument 'extra'", "\(words)")
    }
  }

  /// The commands without commands below them, each with the arguments of an example.
  private func examples() -> [(words: [String], rest: [String])] {
    AllCommands.list().filter { $0.command.configuration.subcommands.isEmpty }.compactMap { words, command in
      AllCommands.examples(of: command).first.map { (words, Array(AllCommands.words($0).dropFirst(words.count))) }
    }
  }
}
