internal import ArgumentParser
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// A command whose output is backed up instead of a directory.
struct CommandOptions: ParsableArguments {
  private static let standardFileName = "stdin"

  @Option(
    help: ArgumentHelp(
      "Back up the output of this command as one file, instead of a directory. If the command fails, so does the backup. Needs --name.",
      valueName: "command"))
  var fromCommand: String?

  @Option(help: ArgumentHelp("The name of the file with --from-command. (default: stdin)", valueName: "name"))
  var fileName: String?

  var shell: ShellCommand? { fromCommand.map { ShellCommand($0) } }

  /// The file that takes the output; `nil` without a command.
  var file: Path? { fromCommand.map { _ in Path(fileName ?? Self.standardFileName) } }

  /// - Parameter hasDirectoryOptions: whether options are given that only make sense for a directory.
  func check(source: String?, name: SourceName?, hasDirectoryOptions: Bool) throws {
    guard let fromCommand else {
      guard fileName == nil else { throw ValidationError("--file-name is for --from-command.") }
      return
    }
    guard source == nil else { throw ValidationError("--from-command takes the place of the source directory.") }
    guard !fromCommand.isEmpty else { throw ValidationError("The command of --from-command is empty.") }
    guard name != nil else { throw ValidationError("--from-command needs --name.") }
    guard !hasDirectoryOptions else {
      throw ValidationError("--exclude, --paranoid and --no-group are for directories, not for --from-command.")
    }
    guard let file, !file.isEmpty, file.isSoundEntryPath, !file.bytes.contains(Path.separator),
      file != Scanner.unfinishedRestore
    else {
      throw ValidationError("--file-name \(fileName ?? "") is not the name of a file.")
    }
  }
}
