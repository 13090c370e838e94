internal import ArgumentParser
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

struct PatroniCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "patroni", abstract: "Make the data directories of a PostgreSQL cluster that Patroni manages.",
    discussion: """
      What Patroni calls: `patroni bootstrap` as the method of a bootstrap, `patroni replica` as one of \
      create_replica_methods. Both end with 0 only where the data directory is whole. docs/operations.md has a complete \
      patroni.yml.

      \(HelpEnd.text(
        "holdfast patroni bootstrap --scope shop --datadir /srv/pg",
        "holdfast patroni replica --scope shop --datadir /srv/pg"))
      """,
    subcommands: [PatroniBootstrapCommand.self, PatroniReplicaCommand.self])
}

/// The options that Patroni gives to both commands.
struct PatroniOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The name of the Patroni cluster (from Patroni).", valueName: "name"))
  var scope: String

  @Option(help: ArgumentHelp("The data directory to make (from Patroni).", valueName: "dir"), completion: .directory)
  var datadir: String

  /// The source: that of `--name`, else the one of the same name as the Patroni cluster.
  func source(_ named: SourceName?) throws -> SourceName {
    if let named { return named }
    guard let name = SourceName(scope) else {
      throw ValidationError("\(scope) is no name of a source: say --name NAME in the command")
    }
    return name
  }

  /// Returns the words of a restore into the data directory.
  /// - Parameter machine: for the look at what is there.
  func words(_ machine: MachineContext) throws -> [String] {
    let target = try machine.environment.absolute(datadir)
    return ["--target", datadir]
      + (try Restore.isOverCluster(target, files: machine.host.files) ? ["--delta", "--yes"] : [])
  }
}

struct PatroniBootstrapCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bootstrap", abstract: "Restore the first node of a Patroni cluster from the archive.",
    discussion: """
      It restores the cluster as `holdfast restore --to-end` does, or to another target that the command or a key of the \
      method names (to-time: …); the server recovers, and is promoted. Say keep_existing_recovery_conf: true beside it.

      \(HelpEnd.text(
        "holdfast patroni bootstrap --scope shop --datadir /srv/pg",
        "holdfast patroni bootstrap --name orders --scope shop --datadir /srv/pg"))
      """)

  @OptionGroup var patroni: PatroniOptions
  @OptionGroup var recovery: RecoveryOptions
  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var rate: RateOptions
  @OptionGroup var source: SourceOptions

  @Flag(name: [.short, .long], help: "Print only errors and warnings.")
  var quiet = false

  func validate() throws {
    guard !recovery.standby else {
      throw ValidationError("the first node of a cluster is no --standby: leave it out")
    }
  }

  func run() throws {
    var restore = try RestoreCommand.parse(patroni.words(location.machine(nil)))
    restore.recovery = recovery
    if recovery.target == nil { restore.recovery.toEnd = true }
    (restore.location, restore.copy, restore.identity, restore.rate) = (location, copy, identity, rate)
    (restore.source.name, restore.output.quiet) = (try patroni.source(source.name), quiet)
    try restore.run()
  }
}

struct PatroniReplicaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replica", abstract: "Restore a replica of a Patroni cluster, and not from its primary.",
    discussion: """
      It restores the newest snapshot that leads to the end of the archived log as a standby: over what is in the data \
      directory, if that is a cluster (keep_data: true), and also where the cluster has no leader (no_leader: true). \
      Patroni then says which primary it follows; say the restore_command below recovery_conf.

      \(HelpEnd.text(
        "holdfast patroni replica --scope shop --datadir /srv/pg",
        "holdfast patroni replica --name orders --scope shop --datadir /srv/pg"))
      """)

  @OptionGroup var patroni: PatroniOptions

  @Option(help: ArgumentHelp("What the node becomes (from Patroni).", valueName: "role"))
  var role: String?

  @Option(help: ArgumentHelp("The leader, which is not asked (from Patroni).", valueName: "conninfo"))
  var connstring: String?

  @Option(
    name: .customLong("keep_data"),
    help: ArgumentHelp("The key keep_data of the method (from Patroni).", valueName: "truth"))
  var keepData: String?

  @Option(
    name: .customLong("no_leader"),
    help: ArgumentHelp("The key no_leader of the method (from Patroni).", valueName: "truth"))
  var noLeader: String?

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var rate: RateOptions
  @OptionGroup var source: SourceOptions

  @Flag(name: [.short, .long], help: "Print only errors and warnings.")
  var quiet = false

  func run() throws {
    var restore = try RestoreCommand.parse(patroni.words(location.machine(nil)) + ["--standby"])
    (restore.location, restore.copy, restore.identity, restore.rate) = (location, copy, identity, rate)
    (restore.source.name, restore.output.quiet) = (try patroni.source(source.name), quiet)
    try restore.run()
  }
}
