internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastConfiguration
package import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The recovery target of a PostgreSQL cluster.
package struct RecoveryOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Recover a PostgreSQL cluster to this time, with all transactions that ended by then, such as 2026-11-22T14:05:03.",
      valueName: "time"))
  var toTime: String?

  @Option(help: ArgumentHelp("Recover a PostgreSQL cluster to this position of its WAL.", valueName: "lsn"))
  var toLsn: LogSequenceNumber?

  @Option(
    help: ArgumentHelp("Recover a PostgreSQL cluster to the restore point of this name.", valueName: "name"))
  var toName: String?

  @Flag(help: "Recover a PostgreSQL cluster to the end of the archived WAL.")
  var toEnd = false

  @Option(
    help: ArgumentHelp(
      "The timeline of the recovery target. (default: the newest that is archived)", valueName: "number")
  )
  var timeline: UInt32?

  package init() {}

  package func validate() throws {
    let count = [toTime != nil, toLsn != nil, toName != nil, toEnd].count { $0 }
    guard count <= 1 else {
      throw ValidationError("--to-time, --to-lsn, --to-name and --to-end exclude each other")
    }
    guard timeline == nil || count == 1 else {
      throw ValidationError("--timeline says where --to-time, --to-lsn, --to-name or --to-end lies")
    }
    if let toTime, TimeText.parse(toTime) == nil {
      throw ValidationError(
        "--to-time \(toTime) is not a time such as 2026-11-22T14:05, 2026-11-22T14:05:03+01:00 or 2026-11-22")
    }
    // The mistake that must not be recovered may lie in the hour between the two.
    if let toTime, let (earlier, later) = WrittenTime(toTime)?.twice {
      let (first, second) = (Self.text(earlier), Self.text(later))
      throw ValidationError(
        "--to-time \(toTime) came twice, because the clock was put back: say --to-time \"\(first)\" or --to-time \"\(second)\""
      )
    }
    if let toName, !(1...63).contains(toName.utf8.count) {
      throw ValidationError("--to-name is the name of a restore point: 1 to 63 bytes")
    }
  }

  /// Returns a time as exact as it was written, with its zone.
  private static func text(_ time: Timestamp) -> String {
    time.nanoseconds == 0 ? TimeText.local(time) : TimeText.exact(time)
  }

  package var target: RecoveryTarget? {
    if let time = toTime.flatMap({ TimeText.parse($0) }) { return .time(time) }
    if let toLsn { return .lsn(toLsn) }
    if let toName { return .restorePoint(toName) }
    return toEnd ? .end : nil
  }
}

extension LogSequenceNumber: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}

extension RestoreCommand {
  /// Chooses the snapshot from which the target can be reached, and proves that it can.
  func plan(
    _ target: RecoveryTarget, _ context: RepositoryContext, _ repository: Repository, _ progress: any ProgressObserver
  ) throws -> RecoverySettings {
    let named =
      snapshot == .latest
      ? nil
      : try SnapshotSelector(snapshot, source: source.name).choose(in: repository.catalog) { progress.warn($0.message) }
    let plan = try RecoveryPlanner(repository, target: target, timeline: recovery.timeline).plan(
      from: named, of: source.name
    ) { progress.warn($0.message) }
    return RecoverySettings(plan, restoreCommand: try context.restoreCommand(for: plan, in: repository))
  }

  func show(_ settings: RecoverySettings, isDryRun: Bool) {
    let plan = settings.plan
    Console.output(
      "  when its server starts, it \(isDryRun ? "would recover" : "recovers") to \(plan.target.text) on timeline \(plan.timeline), reading \(Amount.count(plan.count, "archived segment")), \(plan.first) to \(plan.last)"
    )
    for line in settings.lines { Console.output("    \(line)") }
    for (name, value) in plan.minima.sorted(by: { $0.key < $1.key }) {
      Console.output("    \(name) = \(value) or more, as the log asks for: raised where the snapshot has less")
    }
    for tablespace in plan.tablespaces {
      Console.output(
        "  it makes tablespace \(tablespace.oid) in \(tablespace.directory), which is empty; the user who owns the cluster must own that too"
      )
    }
    if !isDryRun {
      Console.output("  start the server as the user who owns the cluster; it must be able to run the restore_command")
    }
  }
}
