internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastSource

/// A command whose output is backed up instead of a directory.
struct CommandOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Back up the output of this command as one file, instead of a directory. If the command fails, so does the backup. Needs --name.",
      valueName: "command"))
  var fromCommand: String?

  @Option(help: ArgumentHelp("The name of the file with --from-command. (default: stdin)", valueName: "name"))
  var fileName: String?

  /// The command, and the file that gets its output; `nil` when no command was given.
  var subject: SourceSettings.Subject? {
    fromCommand.map { .command($0, fileName: fileName ?? SourceSettings.usualFileName) }
  }

  /// - Parameter hasDirectoryOptions: true if there are options that only make sense for a directory.
  func check(source: String?, name: SourceName?, hasDirectoryOptions: Bool) throws {
    guard let fromCommand else {
      guard fileName == nil else { throw ValidationError("--file-name is for --from-command") }
      return
    }
    guard source == nil else { throw ValidationError("--from-command takes the place of the source directory") }
    guard !fromCommand.isEmpty else { throw ValidationError("the command of --from-command is empty") }
    guard name != nil else { throw ValidationError("--from-command needs --name") }
    guard !hasDirectoryOptions else {
      throw ValidationError("--exclude, --paranoid and --no-group are for directories, not for --from-command")
    }
    let file = Path(fileName ?? SourceSettings.usualFileName)
    guard !file.isEmpty, file.isSoundEntryPath, !file.bytes.contains(Path.separator),
      file != Scanner.unfinishedRestore
    else {
      throw ValidationError("--file-name \(fileName ?? "") is not the name of a file")
    }
  }
}
