internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastBrowse
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository

struct LsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls", abstract: "List one directory of a snapshot.",
    discussion: """
      The columns are those of `ls -l`: mode, owner, size in bytes, time of modification, path. A single argument is a \
      snapshot if it is `latest` or the beginning of the ID of one, otherwise a path in the newest: `./abcd` is always \
      a path.

      \(HelpEnd.text("holdfast ls", "holdfast ls 3f9c0a12 /srv/orders/invoices --recursive"))
      """)

  @Argument(
    help: ArgumentHelp("The snapshot: latest, an ID, or the beginning of an ID.", valueName: "snapshot"),
    completion: Candidates.snapshotsOrPaths)
  var first: String?

  @Argument(
    help: ArgumentHelp(
      "The directory: relative to the source, or absolute below its path. (default: the whole source)",
      valueName: "path"), completion: Candidates.paths)
  var second: String?

  @Flag(name: [.customShort("R"), .long], help: "List everything below the directory.")
  var recursive = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let repository = try location.context(machine, identity: identity, asks: true, of: source.name).open(
      copy, looksAround: source.name == nil)
    let (name, path) = try arguments(in: repository)
    let chosen = try SnapshotSelector(name, source: source.name).choose(in: repository.catalog) {
      Console.warn($0.message)
    }
    let directory = try repository.entryPath(path, of: chosen)
    let listing = try DirectoryListing(of: chosen, in: repository)
    if output.json {
      try JSONStream.write(DirectoryHeadJSON(chosen, directory), array: "entries") { stream in
        try listing.forEachEntry(of: directory, isRecursive: recursive) { try stream.add(EntryJSON($0)) }
      }
    } else {
      try listing.forEachEntry(of: directory, isRecursive: recursive) { Console.output(EntryLine.text($0)) }
    }
    repository.warnOfParityUses()
  }

  /// Tells a snapshot from a path where only one of them is given.
  private func arguments(in repository: Repository) throws -> (SnapshotSelector.Name, TypedPath) {
    let root = TypedPath(".")
    guard let first else { return (.latest, root) }
    let name = SnapshotSelector.Name(first)
    if let second { return (name, TypedPath(second)) }
    guard case .id(let text) = name else { return (name, root) }
    let isDigits = !text.isEmpty && text.utf8.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
    let isSnapshot =
      try isDigits
      && repository.catalog.allSnapshots(
        of: source.name, includingRemoved: true, includingDiverged: true, onDamage: { _ in }
      ).contains {
        $0.id.description.hasPrefix(text.lowercased())
      }
    return isSnapshot ? (name, root) : (.latest, TypedPath(text))
  }
}
