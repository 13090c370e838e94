internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge", abstract: "Merge snapshots into a new full or one increment, without the source.",
    discussion: """
      Every page is verified. Frames whose pages are all needed are copied without being compressed again. The new \
      full stands for the snapshot: it has its state and its time, and later snapshots build on it. With --increments \
      or --onto only the end of the chain is merged, into one increment that stands for the snapshot in the same way. \
      To merge in a sealed repository, the machine needs an identity that opens it and must be a writer.

      \(HelpEnd.text("holdfast merge --dry-run", "holdfast merge --increments --name orders"))
      """)

  @Argument(help: "The snapshot: latest, an ID, or the beginning of an ID.", completion: Candidates.snapshots)
  var snapshot = SnapshotSelector.Name.latest

  @Flag(help: "Merge only the increments on top of the full or the differential, into one increment.")
  var increments = false

  @Option(
    help: ArgumentHelp("Merge only what came after this snapshot, into one increment on top of it.", valueName: "id"),
    completion: Candidates.snapshots)
  var onto: String?

  @Option(
    help: ArgumentHelp(
      "Compression of frames that cannot be copied: none, deflate, deflate:1-9 or zstd:1-19.", valueName: "how"))
  var compression = Compression.standard

  @Option(
    help: ArgumentHelp(
      "Parity of the new snapshot: none, or 2% to 20%. (default: as configured for the source, else as the snapshot has it)",
      valueName: "n%"))
  var parity: ParityShare?

  @Flag(name: .long, help: "Only show what would be read, copied, compressed again and stored.")
  var dryRun = false

  @Flag(help: "Wait for another run on the same source instead of giving up.")
  var wait = false

  @OptionGroup var targets: LingerOptions
  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if increments, onto != nil { throw ValidationError("give either --increments or --onto") }
    if onto == "latest" { throw ValidationError("--onto takes the ID of a snapshot that the merged one builds on") }
  }

  private var base: MergeBase {
    if let onto { return .snapshot(SnapshotSelector(SnapshotSelector.Name(onto), source: source.name)) }
    return increments ? .increments : .nothing
  }

  func run() throws {
    let machine = location.machine(output)
    let watch = output.watch(.merge, machine, isDryRun: dryRun)
    try watch.run { try run(machine, watch) }
  }

  private func run(_ machine: MachineContext, _ watch: RunWatch) throws {
    let context = try location.context(machine, identity: identity, writer: writer, asks: true, of: source.name)
    let repository = try context.openToWrite(for: source.name, takesLease: !dryRun) { Console.warn($0) }
    watch.opened(repository, source: source.name)
    let progress = watch.makeProgress()
    defer { progress.end() }
    var options = Merge.Options(SnapshotSelector(snapshot, source: source.name))
    options.base = base
    options.compression = compression
    let configured = try context.configuredSources(in: repository)
    options.parity = { [parity] name in parity ?? configured.first { $0.name == name }?.parity }
    options.isDryRun = dryRun
    options.waitsForLock = wait
    let cache = try machine.cache()
    func merge(_ repository: Repository) throws -> Merge.Report {
      try Merge(repository: repository, options: options, cache: cache, progress: progress).run()
    }
    let run = RunTargets(repository, of: context, linger: targets.linger)
    let (report, pass) =
      try dryRun ? (merge(repository), nil) : run.inOnePass(on: \.chain.tip.sourceName, progress, merge)
    progress.end()
    watch.parts = [RunRecord.Part(report)]
    let copies = try copies(of: report, run, pass, watch)
    if let copies { watch.tell(copies) }
    if output.json {
      try Console.json(MergeJSON(report, targets: copies?.json), machine)
    } else if !output.quiet || dryRun {
      (lines(report) + (copies.map { ["  \($0.summary)"] } ?? [])).forEach(Console.output)
      Console.transfer(machine)
    }
    try Outcome.end(copies?.exitStatus ?? .done)
  }

  private func copies(
    of report: Merge.Report, _ targets: RunTargets, _ pass: RunTargets.Pass?, _ watch: RunWatch
  ) throws -> SnapshotCopies? {
    guard let pass, let envelope = report.envelope else { return nil }
    let copying = watch.makeProgress()
    defer { copying.end() }
    return try targets.bringUp(envelope.source.name, envelope.sequence, after: pass, copying)
  }

  private func lines(_ report: Merge.Report) -> [String] {
    let original = report.chain.tip
    guard let plan = report.plan else {
      let which = "\(original.id.short) of \(original.sourceName)"
      guard increments || onto != nil, original.envelope.kind != .full else {
        return ["\(which) is a full already: there is nothing to merge"]
      }
      return ["\(which) is the only increment there: there is nothing to merge"]
    }
    let count = Amount.count(UInt64(report.merged.count), "snapshot")
    let made = report.envelope.map { result($0, on: report.parent) } ?? ""
    let isDry = report.envelope == nil
    return [
      "\(isDry ? "would merge" : "merged") \(count) up to \(original.id.short) of \(original.sourceName)\(made)",
      "  \(isDry ? "would read" : "read") \(Amount.bytes(plan.readBytes)) in \(Amount.count(plan.frames, "frame"))",
      "  \(isDry ? "would carry over" : "carried over") \(Amount.bytes(plan.carriedBytes)) in \(Amount.count(plan.carriedFrames, "frame")) as they are",
      "  \(isDry ? "would compress" : "compressed") \(Amount.bytes(plan.compressedBytes)) anew",
      stored(report, plan),
    ] + incompleteness(original.envelope)
  }

  private func result(_ envelope: Envelope, on parent: Snapshot?) -> String {
    let name = "\(envelope.snapshot.short), number \(envelope.sequence)"
    return parent.map { " into increment \(name), on \($0.id.short)" } ?? " into full \(name)"
  }

  private func stored(_ report: Merge.Report, _ plan: MergePlan) -> String {
    guard let envelope = report.envelope else {
      return "  would store about \(Amount.bytes(plan.expectedBytes)) and a manifest"
    }
    return "  stored \(Amount.bytes(envelope.storedBytes)) for \(Amount.bytes(envelope.state.bytes)) in "
      + "\(Amount.count(envelope.state.files, "file")), in \(Amount.duration(report.duration)); every page was proved"
  }

  private func incompleteness(_ envelope: Envelope) -> [String] {
    guard envelope.incomplete > 0 else { return [] }
    return [
      "  incomplete as the snapshot is: \(Amount.count(envelope.incomplete, "path")), \(envelope.consistency.name)"
    ]
  }
}
