package import HoldfastModel
package import HoldfastSystem

/// The actions of an installation or a removal of a schedule: a value that can be shown, and executed.
package struct SchedulePlan {
  /// The files and links that are written.
  package var write: [SchedulerDirectory.Item]
  /// The files that are removed.
  package var remove: [Path] = []
  /// The commands that run before any file is removed.
  package var commandsBefore: [String] = []
  /// The commands that run when all files are written.
  package var commandsAfter: [String] = []

  package init(write: [SchedulerDirectory.Item]) { self.write = write }

  /// Executes the plan: the commands before, removals, files, the commands after.
  package func execute(in scheduler: SchedulerDirectory, _ cancellation: Cancellation) throws {
    for command in commandsBefore { try ShellCommand(command).run(cancellation) }
    for path in remove { try scheduler.remove(path) }
    for item in write { try scheduler.write(item) }
    for command in commandsAfter { try ShellCommand(command).run(cancellation) }
  }
}
