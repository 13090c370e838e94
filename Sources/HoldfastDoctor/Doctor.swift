package import HoldfastConfiguration
package import HoldfastModel
package import HoldfastOperations

/// Tries everything on which the backups of this machine depend: repositories, keys, sources, databases, clock,
/// schedule, notifications.
package struct Doctor {
  package struct Options: Sendable {
    /// True if storage and servers may be changed: small objects are written and removed, and a database server ends a
    /// segment of its log.
    package var writes = true
    /// True if each receiver of notifications gets one.
    package var notifies = false
    /// The root directory of the image in which schedules are looked for; `nil` for this machine.
    package var root: Path?
    /// The longest time that one trial may take.
    package var limit = TimeSpan.minutes(5)
    /// The longest time that all trials together may take; `nil` for no limit.
    package var total: TimeSpan?
    /// The longest wait for a segment of a database's log to arrive in the repository.
    package var logPatience = TimeSpan.seconds(60)

    package init() {}
  }

  private let settings: Settings
  private let machine: MachineContext
  private let options: Options

  package init(_ settings: Settings, on machine: MachineContext, options: Options = Options()) {
    (self.settings, self.machine, self.options) = (settings, machine, options)
  }

  /// Runs all trials.
  /// - Throws: `Interrupted` after a signal.
  package func run() throws -> DoctorReport {
    let schedules = ScheduleTrial(on: machine, root: options.root)
    let plan = TrialPlan(settings, machine, options, schedules)
    let run = TrialRun(on: machine, limit: options.limit, total: options.total, other: schedules.otherUser)
    return DoctorReport(try run.results(of: plan.trials))
  }
}
