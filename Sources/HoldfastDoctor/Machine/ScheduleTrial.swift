internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

/// Looks whether backups are made by themselves: whether a schedule takes snapshots, is as it was installed, and is of
/// a scheduler that runs.
struct ScheduleTrial: Trial {
  /// The commands that take snapshots.
  private static let taking: Set = ["run", "backup", "watch"]

  /// The root directory of an image; `nil` for this machine.
  private let root: Path?
  private let found: Result<[SchedulerDirectory.Installed], any Error>
  private let caller: String
  let opening: Opening? = nil
  let group = TrialGroup(.schedule)
  let name = "schedule"

  init(on machine: MachineContext, root: Path?) {
    self.root = root
    let user = machine.environment.userID
    caller = Accounts.name(of: user).map { "\(Path($0))" } ?? "user \(user)"
    found = Result { try SchedulerDirectory.all(machine, root: root).flatMap { try $0.installed() } }
  }

  /// The user who takes the snapshots of this machine by schedule, if that is not the caller.
  var otherUser: String? {
    let owners = ((try? found.get()) ?? []).map(\.schedule).filter(Self.takes).map(owner)
    return owners.contains(caller) ? nil : owners.first
  }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    let installed: [SchedulerDirectory.Installed]
    do {
      installed = try found.get()
    } catch ScheduleError.noHome {
      return [result(.notTried, ScheduleError.noHome.message, hint: ScheduleError.noHome.hint)]
    }
    let hint = "Run `holdfast schedule install --every 15m`, unless something else runs holdfast."
    guard !installed.isEmpty else {
      return [result(.warning, "`holdfast schedule` has installed none for \(caller)", hint: hint)]
    }
    let results = try installed.map { try judge($0, machine) }
    guard installed.contains(where: { Self.takes($0.schedule) }) else {
      return results + [result(.warning, "none of them takes snapshots", hint: hint)]
    }
    return results
  }

  private static func takes(_ schedule: Schedule) -> Bool {
    schedule.arguments.first.map { taking.contains($0) } == true && !schedule.arguments.contains("--dry-run")
  }

  private func owner(_ schedule: Schedule) -> String { schedule.user ?? (schedule.isOfUser ? caller : "root") }

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
    let scheduler = RunningScheduler(found.scheduler.kind, root: root, files: machine.host.files)
    let command = "`holdfast \(schedule.arguments.map { "\(Path($0))" }.joined(separator: " "))`"
    let period = schedule.runsAlways ? "all the time" : ScheduleText.shown(schedule.cadence.text)
    let owner = owner(schedule)
    let text = "runs \(command) \(period) as \(owner), by \(found.scheduler.kind.rawValue), as installed"
    switch scheduler.isRunning {
    case true?: break
    case false?:
      return result(
        scheduler.absence, "\(text); but \(scheduler.name) does not run on this machine", hint: scheduler.hint,
        name: name)
    case nil:
      return result(.notTried, "\(text); this user cannot see whether \(scheduler.name) runs", name: name)
    }
    if found.scheduler.isLive, found.scheduler.kind != .cron, !schedule.runsAlways,
      found.scheduler.nextTimes(schedule, machine.host.cancellation).isEmpty
    {
      return result(
        .failed, "systemd does not know when it runs next",
        hint: "Run `systemctl enable --now \(name).timer`, and see `systemctl status \(name).timer`.", name: name)
    }
    guard owner == caller else {
      return result(
        .warning,
        "\(text); this check runs as \(caller), who may read other files, and has other keys, logins and memory",
        hint: "Run it as that user: `runuser -u \(owner) -- holdfast check`.", name: name)
    }
    return result(.ok, text, name: name)
  }
}
