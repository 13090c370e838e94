/// An installed schedule, as `schedule show --json` shows it.
package struct ScheduleJSON<Schedule: Encodable>: Encodable {
  let schedule: Schedule
  let by: String
  let files: [String]
  let differing: [String]
  let next: [String]

  package init(schedule: Schedule, by: String, files: [String], differing: [String], next: [String]) {
    (self.schedule, self.by, self.files) = (schedule, by, files)
    (self.differing, self.next) = (differing, next)
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
