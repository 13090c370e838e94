internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastBrowse
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct FindCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "find", abstract: "Find paths in all snapshots by patterns.",
    discussion: """
      Each path is shown once, with the first and the last snapshot that have it, and the size that it has in the last. \
      A pattern is that of --exclude: without a slash it is a name in any directory, otherwise a path from the source \
      on; ** stands for any number of directories. Quote it, so that the shell leaves it alone. That nothing matches is \
      no error.

      \(HelpEnd.text("holdfast find '*.db' --since 2026-11-01", "holdfast find 'invoices/**' --deleted"))
      """)

  @Argument(help: "A pattern of paths, such as '*.db' or 'invoices/2026/**'.")
  var glob: [String]

  @Flag(help: "Only paths that the newest snapshot of their source does not have.")
  var deleted = false

  @Flag(help: "Only in the newest snapshot of each source.")
  var newest = false

  @Option(
    help: "Only in this snapshot: latest, an ID, or the beginning of an ID.", completion: Candidates.snapshots)
  var snapshot: SnapshotSelector.Name?

  @Option(
    help: ArgumentHelp(
      "Only in snapshots that were begun at or after this time, such as 2026-11-22 or \"2026-11-22 14:05\".",
      valueName: "time"))
  var since: String?

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if let since, WrittenTime(since) == nil {
      throw ValidationError("--since \(since) is not a time such as 2026-11-22T14:05 or 2026-11-22")
    }
    guard [deleted || since != nil, newest, snapshot != nil].count(where: { $0 }) <= 1 else {
      throw ValidationError("--newest, --snapshot, and --deleted or --since exclude each other")
    }
  }

  func run() throws {
    let machine = location.machine(output)
    let repository = try location.context(machine, identity: identity, asks: true, of: source.name).open(
      copy, looksAround: source.name == nil)
    let found = try Find(
      glob, choice(in: repository), isDeletedOnly: deleted, in: repository, cache: machine.changeCache())
    if output.json {
      try JSONStream.write(FindHeadJSON(found), array: "matches") { stream in
        for source in found.sources { try source.forEach { try stream.add(FindJSON($0, of: source)) } }
      }
    } else {
      for (index, source) in found.sources.enumerated() {
        if index > 0 { Console.output("") }
        FindText.lines(source).forEach(Console.output)
      }
      if !output.quiet { hint(found) }
    }
    repository.warnOfParityUses()
    try Outcome.end(found.damage, hint: "Run `holdfast verify --data` to see what can still be restored.")
  }

  private func choice(in repository: Repository) throws -> SnapshotChoice {
    var choice = SnapshotChoice()
    choice.source = source.name
    choice.since = since.flatMap { WrittenTime($0)?.first }
    choice.isNewestOnly = newest
    if let snapshot {
      let chosen = try SnapshotSelector(snapshot, source: source.name).choose(in: repository.catalog) {
        Console.warn($0.message)
      }
      (choice.snapshot, choice.source) = (chosen, chosen.sourceName)
    }
    return choice
  }

  /// Says what to do next: how the first of the deleted paths comes back, or that nothing was found.
  private func hint(_ found: Find) {
    var first: Find.Match?
    found.sources.first?.forEach { match in first = first ?? match }
    guard let first else { return Console.error("holdfast: nothing matches\(deleted ? " that is deleted" : "")") }
    guard deleted else { return }
    // A word that begins with a dash would be an option.
    let name = first.newest.path.description
    let (id, path) = (first.last.id.short, ShellText.word(name.hasPrefix("-") ? "./" + name : name))
    Console.hint(
      first.newest.file == nil
        ? "Run `holdfast restore \(id) --target DIR --path \(path)` to get the first of them back."
        : "Run `holdfast cat \(id) \(path) > FILE` to get the first of them back, or `holdfast restore \(id) --target DIR --path \(path)`."
    )
  }
}
