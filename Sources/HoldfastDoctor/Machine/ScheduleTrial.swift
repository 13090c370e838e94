internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

/// Looks whether holdfast runs by itself, and whether its schedule is as it was installed.
struct ScheduleTrial: Trial {
  /// The root directory of an image; `nil` for this machine.
  let root: Path?
  let group = TrialGroup(.schedule)
  let name = "schedule"

  func run(on machine: MachineContext) throws -> [TrialResult] {
    let schedulers: [SchedulerDirectory]
    do {
      schedulers = try SchedulerDirectory.all(machine, root: root)
    } catch ScheduleError.noHome {
      return [result(.notTried, ScheduleError.noHome.message, hint: ScheduleError.noHome.hint)]
    }
    let installed = try schedulers.flatMap { try $0.installed() }
    guard !installed.isEmpty else {
      return [
        result(
          .warning, "`holdfast schedule` has installed none for \(user(machine))",
          hint: "Run `holdfast schedule install --every 15m`, unless something else runs holdfast.")
      ]
    }
    return try installed.map { try judge($0, machine) }
  }

  private func judge(_ found: SchedulerDirectory.Installed, _ machine: MachineContext) throws -> TrialResult {
    let schedule = found.schedule
    let name = schedule.name.unit
    let again = "Run `holdfast schedule install` again, or `holdfast schedule remove`."
    guard found.differing.isEmpty else {
      return result(
        .failed, "it is not as it was installed: \(found.differing.map(\.description).joined(separator: ", "))",
        hint: again,
        name: name)
    }
    let program = Path(schedule.program)
    guard let status = try? machine.host.files.status(of: program, followLink: true), status.kind == .file else {
      return result(.failed, "the program that it runs is not there: \(program)", hint: again, name: name)
    }
    if found.scheduler.isLive, found.scheduler.kind != .cron, !schedule.runsAlways,
      found.scheduler.nextTimes(schedule, machine.host.cancellation).isEmpty
    {
      return result(
        .failed, "systemd does not know when it runs next",
        hint: "Run `systemctl enable --now \(name).timer`, and see `systemctl status \(name).timer`.", name: name)
    }
    let period = schedule.runsAlways ? "runs all the time" : "runs \(ScheduleText.shown(schedule.cadence.text))"
    let owner = schedule.user ?? (schedule.isOfUser ? user(machine) : "root")
    let text = "\(period) as \(owner), by \(found.scheduler.kind.rawValue), as installed"
    let caller = user(machine)
    guard owner == caller else {
      return result(
        .warning, "\(text); this check runs as \(caller), who may read other files and has other keys",
        hint: "Run it as that user: `runuser -u \(owner) -- holdfast check`.", name: name)
    }
    return result(.ok, text, name: name)
  }

  private func user(_ machine: MachineContext) -> String {
    Accounts.name(of: machine.environment.userID).map { "\(Path($0))" } ?? "user \(machine.environment.userID)"
  }
}
