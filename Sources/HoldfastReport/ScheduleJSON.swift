/// The installed schedules, as `schedule show --json` shows them.
package struct SchedulesJSON: Encodable {
  let schedules: [ScheduleJSON]

  package init(_ schedules: [ScheduleJSON]) { self.schedules = schedules }
}

/// An installed schedule.
package struct ScheduleJSON: Encodable {
  let name: String
  /// `systemd`, `systemd of this user` or `cron`.
  let scheduler: String
  /// The times at which it runs; `null` for a service that runs all the time.
  let cadence: Known<String>
  /// The command that it runs, with its arguments.
  let commandLine: [String]
  let files: [String]
  let differing: [String]
  let next: [String]

  package init(
    _ name: String, by scheduler: String, cadence: String?, commandLine: [String], files: [String], differing: [String],
    next: [String]
  ) {
    (self.name, self.scheduler, self.cadence, self.commandLine) = (name, scheduler, Known(cadence), commandLine)
    (self.files, self.differing, self.next) = (files, differing, next)
  }
}

/// The changes of an installation or a removal, as `--json` shows them.
package struct ScheduleChangesJSON: Encodable {
  let dryRun: Bool
  let wrote: [String]
  let removed: [String]
  let ran: [String]

  package init(dryRun: Bool, wrote: [String], removed: [String], ran: [String]) {
    (self.dryRun, self.wrote, self.removed, self.ran) = (dryRun, wrote, removed, ran)
  }
}
