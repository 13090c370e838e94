internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

/// The options of the commands that note something on a snapshot.
struct NoteOptions: ParsableArguments {
  @Argument(help: "The snapshot: latest, an ID, or the beginning of an ID.", completion: Candidates.snapshots)
  var snapshot: SnapshotSelector.Name

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func open() throws -> (repository: Repository, snapshot: Snapshot) {
    let (repository, _) = try openHome()
    let chosen = try SnapshotSelector(snapshot, source: source.name).choose(in: repository.catalog) {
      Console.warn($0.message)
    }
    return (repository, chosen)
  }

  func openHome() throws -> (repository: Repository, context: RepositoryContext) {
    let context = try location.context(location.machine(output), writer: writer, of: source.name)
    return (try context.openToWrite { Console.warn($0) }, context)
  }

  func say(_ json: some Encodable, _ text: String) throws {
    if output.json { return try Console.json(json) }
    if !output.quiet { Console.output(text) }
  }
}

struct TagCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tag", abstract: "Add or remove tags.",
    discussion: """
      A tag is a word of up to 64 bytes. `holdfast prune --keep-tag` keeps snapshots with a tag. Tags are not \
      encrypted, not even in a sealed repository.

      \(HelpEnd.text("holdfast tag 3f9c0a12 --add before-upgrade", "holdfast tag latest --remove nightly"))
      """)

  @Option(help: ArgumentHelp("Add this tag. May be repeated.", valueName: "tag"))
  var add: [Tag] = []

  @Option(help: ArgumentHelp("Remove this tag. May be repeated.", valueName: "tag"))
  var remove: [Tag] = []

  @OptionGroup var options: NoteOptions

  func validate() throws {
    guard !add.isEmpty || !remove.isEmpty else { throw ValidationError("--add or --remove is needed") }
  }

  func run() throws {
    let (repository, snapshot) = try options.open()
    let tags = try repository.notes.tag(snapshot, add: Set(add), remove: Set(remove)).map(\.text)
    try options.say(
      TagsJSON(snapshot.id, tags: tags),
      tags.isEmpty
        ? "\(snapshot.id.short) bears no tag" : "\(snapshot.id.short) is tagged " + tags.joined(separator: ", "))
  }
}

struct PinCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pin", abstract: "Keep a snapshot regardless of the retention policy.",
    discussion: """
      Everything that it builds on is kept too. The reason is not encrypted, not even in a sealed repository.

      \(HelpEnd.text("holdfast pin 3f9c0a12 --reason 'the tax office'", "holdfast pin latest"))
      """)

  @Option(help: ArgumentHelp("The reason, for people who read it later.", valueName: "text"))
  var reason = ""

  @OptionGroup var options: NoteOptions

  func run() throws {
    let (repository, snapshot) = try options.open()
    try repository.notes.pin(snapshot, reason: reason)
    try options.say(PinJSON(snapshot.id, pinned: true), "pinned \(snapshot.id.short)")
  }
}

struct UnpinCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unpin", abstract: "Unpin a snapshot: the retention policy applies to it again.",
    discussion: HelpEnd.text("holdfast unpin 3f9c0a12", "holdfast unpin latest --name orders"))

  @OptionGroup var options: NoteOptions

  func run() throws {
    let (repository, snapshot) = try options.open()
    let wasPinned = try repository.notes.unpin(snapshot)
    try options.say(
      PinJSON(snapshot.id, pinned: false),
      wasPinned ? "unpinned \(snapshot.id.short)" : "\(snapshot.id.short) was not pinned")
  }
}

struct AcceptCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "accept", abstract: "Accept the anomalies of a snapshot.",
    discussion: """
      A snapshot that looks like a mass deletion, truncation or encryption of its source blocks `holdfast prune` until \
      it is accepted. Accepted changes count as usual from then on.

      \(HelpEnd.text("holdfast accept 3f9c0a12 --reason 'old invoices removed'", "holdfast accept latest --name orders --reason 'as planned'"))
      """)

  @Option(help: ArgumentHelp("The reason, for people who read it later.", valueName: "text"))
  var reason = ""

  @OptionGroup var options: NoteOptions

  func run() throws {
    let (repository, snapshot) = try options.open()
    try repository.notes.accept(snapshot, reason: reason)
    try options.say(AcceptedJSON(snapshot.id), "accepted \(snapshot.id.short)")
  }
}

struct UndeleteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "undelete", abstract: "Undo a removal within the grace period.",
    discussion: """
      Everything that it builds on comes back with it. The next prune removes it again unless a rule keeps it: pin or \
      tag it. With --from, it comes back at a target that keeps more or less than home.

      \(HelpEnd.text("holdfast undelete 3f9c0a12", "holdfast undelete 3f9c0a12 --from barn"))
      """)

  @Option(help: ArgumentHelp("Undo its removal at this target alone.", valueName: "target"))
  var from: String?

  @OptionGroup var options: NoteOptions

  func run() throws {
    let (repository, chain) = try open()
    let snapshot = chain.tip
    let called = try repository.notes.undelete(chain, at: from)
    let names = called.map(\.id.short).joined(separator: ", ")
    try options.say(
      UndeletedJSON(called.map(\.id)),
      called.isEmpty ? "\(snapshot.id.short) is not removed" : "called back \(names)")
  }

  /// Opens home, and finds the snapshot there or at the target.
  private func open() throws -> (home: Repository, chain: Chain) {
    guard let from else {
      let (repository, snapshot) = try options.open()
      return (repository, try repository.catalog.chain(to: snapshot))
    }
    let (home, context) = try options.openHome()
    let there = try context.on(context.target(named: from)).open().catalog
    let chosen = try SnapshotSelector(options.snapshot, source: options.source.name).choose(in: there) {
      Console.warn($0.message)
    }
    return (home, try there.chain(to: chosen))
  }
}
