internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastMount
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSystem

struct MountCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mount", abstract: "Show snapshots as directories, read-only, until it is ended.",
    discussion: """
      DIR/SOURCE/2026-11-30T03-00-04Z is a snapshot by the time (UTC) at which it was begun, DIR/SOURCE/latest leads to \
      the newest, and DIR/.ids/3f9c0a12 leads to the one with that ID or beginning of an ID. New snapshots appear after \
      some seconds. Every page is proved when it is read; where that fails the reader gets an I/O error, and a warning \
      here names the file. It stays in the foreground: Ctrl-C, SIGTERM or `umount` ends it.

      \(HelpEnd.text("holdfast mount /mnt/shop", "holdfast mount /mnt/shop --snapshot 3f9c0a12"))
      """)

  @Argument(help: ArgumentHelp("An empty directory.", valueName: "dir"), completion: .directory)
  var directory: String

  @Option(
    help: ArgumentHelp(
      "Show only this snapshot, directly in DIR: latest, an ID, or the beginning of an ID.", valueName: "snapshot"),
    completion: Candidates.snapshots)
  var snapshot: SnapshotSelector.Name?

  @Option(help: ArgumentHelp("Show only this source. May be repeated.", valueName: "name"))
  var name: [SourceName] = []

  @Flag(
    help:
      "Let other users use the mount, each with the rights that owners and modes give; snapshots are entered by root alone, unless --ignore-parents is given. (default: only who mounts)"
  )
  var allowOther = false

  @Flag(
    help:
      "With --allow-other: let others enter a snapshot as the mode of the source's directory says, though directories above the source may have kept them out. (default: only root and who mounts enter)"
  )
  var ignoreParents = false

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var rate: RateOptions

  @Flag(name: [.short, .long], help: "Print only errors and warnings.")
  var quiet = false

  func validate() throws {
    guard allowOther || !ignoreParents else {
      throw ValidationError("--ignore-parents says what other users may do: give --allow-other, too")
    }
    guard snapshot == nil || name.count <= 1 else {
      throw ValidationError("--snapshot shows one snapshot, of one source: give --name once")
    }
  }

  func run() throws {
    let machine = location.machine(try OutputOptions.parse(quiet ? ["--quiet"] : []))
    let source = name.count == 1 ? name[0] : nil
    let repository = try location.context(machine, identity: identity, asks: true, of: source).open(
      copy, limit: rate.limit(machine), looksAround: source == nil)
    var options = Mount.Options(path: try machine.environment.absolute(directory))
    (options.sources, options.letsOthers, options.ignoresParents) = (name, allowOther, ignoreParents)
    // At night a mount does not wait for a configuration that is sound again.
    if let settings = try? machine.loader().load() {
      options.configuredSources = settings.sources.compactMap {
        guard case .directory(let path) = $0.subject else { return nil }
        return path
      }
      options.configuredRepositories = settings.repositories.flatMap(\.targets).map(\.location)
        .filter { $0.hasPrefix("/") }.map { Path($0) }
    }
    options.snapshot = try snapshot.map { name in
      try SnapshotSelector(name, source: source).choose(in: repository.catalog) { Console.warn($0.message) }
    }
    let service = ServiceNotices(socket: machine.environment.text("NOTIFY_SOCKET"))
    defer { service?.stopping() }
    try Mount(options, in: repository).run(
      onReady: { report in
        if !quiet { say(report).forEach(Console.output) }
        service?.ready(say(report)[0])
      }, warn: { Console.warnAboveProgress($0) })
    repository.warnOfParityUses()
  }

  private func say(_ report: Mount.Report) -> [String] {
    let what =
      snapshot == nil
      ? "\(Amount.count(UInt64(report.snapshots), "snapshot")) of \(Amount.count(UInt64(report.sources.count), "source"))"
      : "a snapshot of \(report.sources.map(\.text).joined())"
    var lines = ["mounted \(what) on \(report.path), read-only"]
    if snapshot == nil, let first = report.sources.first {
      lines.append("  the newest of \(first): \(report.path.appending(first.text).appending("latest"))")
    }
    if allowOther, !ignoreParents {
      lines.append("  other users see which snapshots there are; only root enters them (see --ignore-parents)")
    }
    return lines + ["  Ctrl-C ends it, or `umount \(report.path)`"]
  }
}
