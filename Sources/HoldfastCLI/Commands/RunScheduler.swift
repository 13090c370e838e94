internal import ArgumentParser
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSetup
internal import HoldfastSystem

/// Schedules `holdfast run` for a setup, as `holdfast schedule install` does. A schedule that runs it already keeps its
/// times and options: it is for all sources.
struct RunScheduler: SetupScheduler {
  let cadence: Cadence
  /// The root directory of an image; `nil` for this machine.
  let root: Path?
  let usesCron: Bool
  /// The file of `--config` as it was given.
  let config: String?
  private let machine = MachineContext.ofThisProcess()

  init(cadence: Cadence, root: Path?, usesCron: Bool, config: String?) {
    (self.cadence, self.root, self.usesCron, self.config) = (cadence, root, usesCron, config)
  }

  private var command: [String] {
    get throws {
      try ["run", "--quiet"] + (config.map { ["--config", Self.text(try machine.environment.absolute($0))] } ?? [])
    }
  }

  func check() throws -> String {
    if let known = try installed() { return try text(known.schedule.cadence, known.scheduler) }
    let scheduler = try chosen()
    guard scheduler.kind != .cron || cadence.cron(minute: 0) != nil else {
      throw ScheduleError.notForCron(cadence.text)
    }
    try scheduler.checkCadence(cadence, machine.host.cancellation)
    return try text(cadence, scheduler)
  }

  private func chosen() throws -> SchedulerDirectory {
    do {
      return try SchedulerDirectory.chosen(machine, root: root, cron: usesCron)
    } catch let error as ScheduleError {
      let instead = "Or say --no-schedule, and let something else run `holdfast run --quiet`."
      throw EngineError(
        error.scope, error.message, hint: [error.hint, instead].compactMap { $0 }.joined(separator: " "),
        exitStatus: error.exitStatus)
    }
  }

  func plan() throws -> SetupSchedule {
    let (fresh, scheduler, schedule) = try planned()
    guard let known = try installed() else {
      return SetupSchedule(fresh, in: scheduler, text: try text(cadence, scheduler))
    }
    var updated = known.schedule
    updated.writable += schedule.writable.filter { !updated.writable.contains($0) }
    if schedule.confinement == .none { updated.confinement = .none }
    var plan = SchedulePlan(write: [])
    if updated != known.schedule || !known.differing.isEmpty {
      plan.write = try known.scheduler.items(updated)
      if known.scheduler.isLive { plan.commandsAfter = known.scheduler.commandsToStart(updated) }
    }
    return SetupSchedule(plan, in: known.scheduler, text: try text(updated.cadence, known.scheduler))
  }

  private func planned() throws -> (SchedulePlan, SchedulerDirectory, Schedule) {
    var words = ["--every", cadence.text]
    if let root { words += ["--root", Self.text(root)] }
    if usesCron { words.append("--cron") }
    return try ScheduleInstall.parse(words + ["--"] + command).planned(machine)
  }

  /// Returns the schedule that runs the same command already; `nil` if none of the usual name is installed.
  /// - Throws: when the usual name is taken by another command, or by a file that is not holdfast's.
  private func installed() throws -> SchedulerDirectory.Installed? {
    guard let name = ScheduleName(nil) else { return nil }
    let schedulers = try SchedulerDirectory.all(machine, root: root)
    _ = try schedulers.map { try $0.present(name) }
    guard let found = try schedulers.flatMap({ try $0.installed() }).first(where: { $0.schedule.name == name }) else {
      return nil
    }
    guard try found.schedule.arguments == command else {
      throw EngineError(
        .usage,
        "the schedule \(name) is there already, and runs `holdfast \(found.schedule.arguments.map(ScheduleText.shown).joined(separator: " "))`",
        hint:
          "Say --no-schedule, and install another one: holdfast schedule install --name run --every \(ScheduleText.shown(cadence.text))",
        exitStatus: .usage)
    }
    return found
  }

  private func text(_ cadence: Cadence, _ scheduler: SchedulerDirectory) throws -> String {
    try
      "`holdfast \(command.map(ScheduleText.shown).joined(separator: " "))`, --every \(ScheduleText.shown(cadence.text)), by \(scheduler.kind.rawValue)"
  }

  private static func text(_ path: Path) -> String { String(decoding: path.bytes, as: UTF8.self) }
}
