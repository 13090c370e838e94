internal import ArgumentParser

/// A shell with completions.
enum Shell: String, ExpressibleByArgument, CaseIterable {
  case bash, zsh, fish

  fileprivate var script: String {
    switch self {
    case .bash: Holdfast.completionScript(for: .bash)
    case .zsh: Holdfast.completionScript(for: .zsh)
    case .fish: Holdfast.completionScript(for: .fish)
    }
  }
}

struct CompletionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completions", abstract: "Print shell completions for commands, options, snapshots and sources.",
    discussion: """
      For bash: holdfast completions bash > ~/.local/share/bash-completion/completions/holdfast
      For zsh, in a directory of its fpath: holdfast completions zsh > ~/.zfunc/_holdfast
      For fish: holdfast completions fish > ~/.config/fish/completions/holdfast.fish

      Snapshots and sources are looked up in the repository of the command line, otherwise in HOLDFAST_REPOSITORY. No \
      key is needed, and nothing is asked.

      \(HelpEnd.text("holdfast completions bash > /etc/bash_completion.d/holdfast", "holdfast completions fish > ~/.config/fish/completions/holdfast.fish"))
      """)

  @Argument(help: "The shell: bash, zsh or fish.")
  var shell: Shell

  func run() { Console.output(shell.script) }
}
