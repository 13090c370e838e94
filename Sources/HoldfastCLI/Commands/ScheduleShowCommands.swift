internal import ArgumentParser
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastSystem

struct ScheduleShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show installed schedules, whether their files are unchanged, and when they run next.",
    discussion: HelpEnd.text("holdfast schedule show", "holdfast schedule show --json"))

  @OptionGroup var target: ScheduleOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = MachineContext.ofThisProcess()
    let wanted = try target.name.map { _ in try target.scheduleName() }
    let installed = try target.schedulers(machine).flatMap { try $0.installed() }.filter {
      wanted == nil || $0.schedule.name == wanted
    }
    if let wanted, installed.isEmpty { throw ScheduleError.notInstalled(wanted) }
    if output.json {
      return try Console.json(
        SchedulesJSON(
          installed.map {
            ScheduleJSON(
              $0.schedule.name.unit, by: $0.scheduler.kind.rawValue,
              cadence: $0.schedule.runsAlways ? nil : $0.schedule.cadence.text,
              commandLine: [$0.schedule.program] + $0.schedule.arguments,
              files: try $0.scheduler.items($0.schedule).map(\.path.description),
              differing: $0.differing.map(\.description),
              next: $0.scheduler.nextTimes($0.schedule, machine.host.cancellation)
            )
          }))
    }
    if installed.isEmpty { Console.output("nothing is scheduled") }
    for found in installed {
      let words = [found.schedule.program] + found.schedule.arguments
      Console.output(
        "\(found.schedule.name): by \(found.scheduler.kind.rawValue), "
          + (found.schedule.runsAlways ? "--watch" : "--every \(ScheduleText.shown(found.schedule.cadence.text))")
      )
      Console.output("  runs \(words.map(ScheduleText.shown).joined(separator: " "))")
      for item in try found.scheduler.items(found.schedule) {
        let state = found.differing.contains(item.path) ? "differs from what would be installed" : "as installed"
        Console.output("  \(item.path): \(state)")
      }
      for line in found.scheduler.nextTimes(found.schedule, machine.host.cancellation) {
        Console.output("  next: \(line)")
      }
    }
  }
}

struct ScheduleRemove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Remove a schedule.",
    discussion: """
      This removes exactly the files that `holdfast schedule install` has written.

      \(HelpEnd.text("holdfast schedule remove", "holdfast schedule remove --dry-run"))
      """)

  @OptionGroup var target: ScheduleOptions

  @Flag(name: .long, help: "Only show what would be removed and run.")
  var dryRun = false

  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = MachineContext.ofThisProcess()
    let name = try target.scheduleName()
    let schedulers = try target.schedulers(machine)
    var plan = SchedulePlan(write: [])
    plan.remove = try schedulers.flatMap { try $0.present(name) }
    guard !plan.remove.isEmpty else { throw ScheduleError.notInstalled(name) }
    if schedulers[0].isLive {
      plan.commandsBefore = [schedulers[0].commandToStop(name, plan.remove)]
      plan.commandsAfter = [schedulers[0].commandToForget]
    }
    try plan.perform(schedulers[0], machine.host, isDry: dryRun, output)
  }
}

extension SchedulePlan {
  /// Executes the plan unless this is a dry run, and shows what it does.
  func perform(_ scheduler: SchedulerDirectory, _ host: Host, isDry: Bool, _ output: OutputOptions) throws {
    if !isDry { try execute(in: scheduler, host.cancellation) }
    if output.json {
      return try Console.json(
        ScheduleChangesJSON(
          dryRun: isDry, wrote: write.map(\.path.description), removed: remove.map(\.description),
          ran: commandsBefore + commandsAfter))
    }
    guard isDry || !output.quiet else { return }
    for path in remove { Console.output((isDry ? "would remove " : "removed ") + path.description) }
    for item in write { show(item, isDry: isDry) }
    for command in commandsBefore + commandsAfter { Console.output((isDry ? "would run " : "ran ") + command) }
  }

  private func show(_ item: SchedulerDirectory.Item, isDry: Bool) {
    guard isDry else { return Console.output("wrote \(item.path)") }
    switch item.content {
    case .text(let text):
      Console.output("would write \(item.path):")
      text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().forEach {
        Console.output($0.isEmpty ? "" : "  " + $0)
      }
    case .link(let target): Console.output("would link \(item.path) to \(target)")
    }
  }
}
