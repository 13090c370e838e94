internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct SourceRenameCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rename", abstract: "Give a source another name.",
    discussion: """
      Its history goes on. Nothing is moved: the objects keep the name under which the source is stored, and every \
      output shows the new one. Reading works under both names, and says which is the present one. Backups under the old \
      name are refused, so change the configuration of every host that takes them, the units that call \
      `holdfast standby` and `holdfast serving`, and the commands of its database server. A name that a source has or had is never given to another source. In a sealed repository only a writer that \
      may prune can rename.

      \(HelpEnd.text("holdfast source rename orders shop-orders", "holdfast source rename orders shop-orders -r /backup/shop"))
      """)

  @Argument(help: ArgumentHelp("The source.", valueName: "name"))
  var name: SourceName

  @Argument(help: ArgumentHelp("Its new name.", valueName: "new-name"))
  var newName: SourceName

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let context = try location.context(location.machine(output), writer: writer, of: name)
    let repository = try context.openToWrite { Console.warn($0) }
    let (before, after) = try RepositoryTargets(context).rename(name, to: newName, in: repository) { Console.warn($0) }
    if output.json {
      try Console.json(SourceRenamedJSON(from: before, to: after))
    } else if !output.quiet {
      Console.output("\(before) is called \(after) now")
    }
    for hint in try hints(before, after, repository, context) { Console.hint(hint) }
  }

  /// Returns what must be changed outside of the repository.
  private func hints(
    _ before: SourceName, _ after: SourceName, _ repository: Repository, _ context: RepositoryContext
  ) throws -> [String] {
    var hints: [String] = []
    // A mistake in the configuration is no reason to hide that the source was renamed.
    if let configured = try? context.configuredSources(in: repository), configured.contains(where: { $0.name == after })
    {
      hints.append(
        "Write \(after) instead of \(before) in the configuration, and run `holdfast schedule install` again: backups as \(before) are refused from now on."
      )
    }
    if try repository.catalog.loggedSourceNames().contains(after) {
      let several = (try? context.machine.loader().load())?.repositories.count ?? 0 > 1
      hints.append(
        "Write \(after) where the database server calls `holdfast wal push`; until then \(before) goes on"
          + (several ? ", with --repository also after the configuration has \(after)." : "."))
    }
    return hints
  }
}
