package import HoldfastOperations

/// The part of a setup that concerns the schedule.
package struct SetupSchedule {
  /// The files that are written, and the commands that start them.
  package let plan: SchedulePlan
  package let scheduler: SchedulerDirectory
  /// The installed schedule, as an operator would install it: `holdfast run --quiet, --every 15m, by systemd`.
  package let text: String

  package init(_ plan: SchedulePlan, in scheduler: SchedulerDirectory, text: String) {
    (self.plan, self.scheduler, self.text) = (plan, scheduler, text)
  }

  /// True if everything is installed already.
  var isThere: Bool { plan.write.isEmpty && plan.remove.isEmpty }
}
