internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem
internal import HoldfastWatch

struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Take a snapshot whenever a configured source changes.",
    discussion: """
      Runs until a signal ends it, best as a service: `holdfast schedule install --watch`. `watch` in the configuration \
      of a source says how soon and how often, instead of `schedule` (only a full that is due is taken) and \
      `merge-after`. Increments are merged, level by level (a machine that cannot open what is sealed takes \
      differentials instead), so that chains stay short; then what `keep` \
      and `verify` demand is done, and meanwhile nothing is captured. What fails is told once, and tried again.

      While it watches a source it holds the lease of it. Other runs on that source end with 11. A source with hooks \
      cannot be watched.

      \(HelpEnd.text("holdfast watch", "holdfast watch orders --quiet"))
      """)

  @Argument(help: ArgumentHelp("Only these sources. (default: all configured directories)", valueName: "name"))
  var names: [SourceName] = []

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var writer: WriterOptions

  @Flag(name: [.short, .long], help: "Print only errors and warnings.")
  var quiet = false

  func run() throws {
    let output = try OutputOptions.parse(quiet ? ["--quiet"] : [])
    let machine = location.machine(output)
    let settings: Settings
    let sources: [SourceSettings]
    do {
      (settings, sources) = try chosen(machine, output)
    } catch {
      // Whoever is told of its backups is told that there will be none.
      try? output.watch(.backup, machine).run { () throws -> Void in throw error }
      throw error
    }
    let request = location.request(machine, identity: identity, writer: writer)
    try Watch(settings: settings, machine: machine, request).run(sources) { output.observer(machine) }
  }

  private func chosen(_ machine: MachineContext, _ output: OutputOptions) throws -> (Settings, [SourceSettings]) {
    var flags = FlagValues()
    flags.set("repository", location.repository)
    let settings = try machine.neededSettings(flags: flags, for: "sources to watch")
    let run = ConfiguredRun(settings: settings, machine: machine, observer: output.observer(machine))
    let sources = try run.sources(names).filter {
      if case .directory = $0.subject { true } else { !names.isEmpty }
    }
    return (settings, sources)
  }
}
