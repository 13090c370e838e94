internal import FoundationEssentials
package import HoldfastModel
internal import HoldfastReport
package import HoldfastSystem

/// A directory in which schedules can be installed, and its contents.
package struct SchedulerDirectory: Sendable {
  package enum Kind: String, Sendable {
    case systemd
    case systemdOfUser = "systemd of this user"
    case cron
  }

  /// A file or link of a schedule.
  package struct Item: Equatable {
    package enum Content: Equatable {
      case text(String)
      /// The link by which systemd knows that a timer is to be started.
      case link(target: String)
    }

    package let path: Path
    package let content: Content
    var permissions: UInt32 = 0o644
  }

  /// An installed schedule, and the files that differ from what would be installed now.
  package struct Installed: Sendable {
    package let schedule: Schedule
    package let scheduler: SchedulerDirectory
    package let differing: [Path]
  }

  private static let mark = "# Written by `holdfast schedule install`; `holdfast schedule remove` removes it."
  private static let running = Path("/run/systemd/system")
  private static let unfinished = ".holdfast-unfinished"

  package let kind: Kind
  /// The directory of units or crontabs.
  package let directory: Path
  /// True if its scheduler runs on this machine, and must be notified of changes.
  package let isLive: Bool
  private let machine: MachineContext
  private var files: FileSystem { machine.host.files }

  // MARK: Choosing

  /// Returns all scheduler directories for this user.
  /// - Parameter root: the root directory of an image; `nil` for this machine.
  package static func all(_ machine: MachineContext, root: Path?) throws -> [SchedulerDirectory] {
    let isLive = try root == nil && machine.host.files.statusIfPresent(of: running) != nil
    let top = root ?? Path("/")
    guard root != nil || machine.environment.isRoot else {
      guard let directory = machine.environment.userUnitDirectory else { throw ScheduleError.noHome }
      return [SchedulerDirectory(kind: .systemdOfUser, directory: directory, isLive: isLive, machine: machine)]
    }
    return [
      SchedulerDirectory(
        kind: .systemd, directory: top.appending("etc/systemd/system"), isLive: isLive, machine: machine),
      SchedulerDirectory(kind: .cron, directory: top.appending("etc/cron.d"), isLive: false, machine: machine),
    ]
  }

  /// Returns the directory to install to: systemd's if systemd runs, unless cron is asked for; systemd's in an image.
  package static func chosen(_ machine: MachineContext, root: Path?, cron: Bool) throws -> SchedulerDirectory {
    let schedulers = try all(machine, root: root)
    if cron || (root == nil && !schedulers.contains(where: \.isLive)) {
      if let scheduler = schedulers.first(where: { $0.kind == .cron }) {
        guard try cron || root != nil || machine.host.files.statusIfPresent(of: scheduler.directory) != nil else {
          throw ScheduleError.noScheduler
        }
        return scheduler
      }
      throw ScheduleError.cronIsOfRoot
    }
    return schedulers[0]
  }

  // MARK: Files to install

  package func items(_ schedule: Schedule) throws -> [Item] {
    let settings = try "# " + Self.json(schedule)
    guard kind != .cron else {
      guard !schedule.runsAlways else { throw ScheduleError.serviceInCron }
      let crontab = Path("/etc/cron.d").appending(schedule.name.unit)
      // Anyone who can open a file can lock it. Only root can open the file of cron; runs of another user have a lock
      // file of their own.
      let text = try CronLine.text(
        schedule, head: [Self.mark, settings], minute: minute,
        lock: schedule.user == nil ? crontab.description : nil)
      return [Item(path: directory.appending(schedule.name.unit), content: .text(text), permissions: 0o600)]
    }
    let units = SystemdUnits.files(schedule, mark: Self.mark, settings: settings).map {
      Item(path: directory.appending($0.name), content: .text($0.text))
    }
    let started = SystemdUnits.started(schedule)
    let link = Item(
      path: directory.appending(SystemdUnits.wanting(schedule) + ".wants").appending(started),
      content: .link(target: "../" + started))
    return units + [link]
  }

  /// Returns the files of a schedule of this name. Only their paths and the targets of links are meaningful.
  private func items(below name: ScheduleName) throws -> [Item] {
    guard kind != .cron, let any = Cadence("daily") else {
      return [Item(path: directory.appending(name.unit), content: .text(""))]
    }
    var schedule = Schedule(name, any, program: "", arguments: [])
    schedule.isOfUser = kind == .systemdOfUser
    let periodic = try items(schedule)
    schedule.isService = true
    let known = Set(periodic.map(\.path))
    return try periodic + items(schedule).filter { !known.contains($0.path) }
  }

  private static func json(_ schedule: Schedule) throws -> String {
    try JSONText.line(schedule)
  }

  /// The minute of every run on this machine. Other machines have other minutes (FNV-1a of the name of the machine).
  private var minute: Int {
    let hash = machine.environment.hostName.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    return Int(hash % 60)
  }

  // MARK: Installed files

  /// Returns the files of the schedule that exist.
  /// - Throws: when one of them is not holdfast's.
  package func present(_ name: ScheduleName) throws -> [Path] {
    try items(below: name).compactMap { item in
      guard try files.statusIfPresent(of: item.path) != nil else { return nil }
      let isOurs =
        if case .link = item.content { isThere(item) } else { content(item.path)?.hasPrefix(Self.mark + "\n") == true }
      guard isOurs else { throw ScheduleError.foreignFile(item.path) }
      return item.path
    }
  }

  package func installed() throws -> [Installed] {
    guard try files.statusIfPresent(of: directory) != nil else { return [] }
    let listing = try files.open(directory, .directoryFollowingLinks).listing()
    var found: [Installed] = []
    for index in 0..<listing.count {
      let path = directory.appending(Array(listing[index]))
      guard isMain(listing[index]), let schedule = schedule(in: path) else { continue }
      let items = try items(schedule)
      let differing = items.filter { !isThere($0) }.map(\.path)
      found.append(Installed(schedule: schedule, scheduler: self, differing: differing))
    }
    return found.sorted { $0.schedule.name.unit < $1.schedule.name.unit }
  }

  /// True if this is the name of the file that contains the schedule.
  private func isMain(_ name: some Sequence<UInt8>) -> Bool {
    let text = String(decoding: Array(name), as: UTF8.self)
    guard text.hasPrefix("holdfast"), !text.hasPrefix("holdfast-failure@") else { return false }
    return kind == .cron ? !text.contains(".") : text.hasSuffix(".service")
  }

  private func schedule(in path: Path) -> Schedule? {
    guard let lines = content(path)?.split(separator: "\n", maxSplits: 2), lines.count > 1, lines[0] == Self.mark,
      lines[1].hasPrefix("# ")
    else { return nil }
    return try? JSONDecoder().decode(Schedule.self, from: Data(lines[1].dropFirst(2).utf8))
  }

  private func content(_ path: Path) -> String? {
    guard let bytes = try? files.open(path, .read).contents(max: 1 << 20) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func isThere(_ item: Item) -> Bool {
    switch item.content {
    case .text(let text): return content(item.path) == text
    case .link(let target):
      guard let parent = item.path.parent, let directory = try? files.open(parent, .directoryFollowingLinks) else {
        return false
      }
      let name = Path(bytes: Array(item.path.lastComponent))
      return (try? files.readSymbolicLink(name, in: directory)) == Array(target.utf8)
    }
  }

  // MARK: Acting

  /// Writes a file or link, which appears whole.
  package func write(_ item: Item) throws {
    guard let parent = item.path.parent else { return }
    try files.makeDirectories(parent, permissions: 0o755)
    let directory = try files.open(parent, .directoryFollowingLinks)
    let name = Path(bytes: Array(item.path.lastComponent))
    let temporary = Path(bytes: Array(".".utf8) + name.bytes + Array(Self.unfinished.utf8))
    switch item.content {
    case .text(let text):
      let file = try AtomicFile(
        name, in: directory, as: .alone(temporary), mode: .exactly(item.permissions), files: files)
      try file.append(Array(text.utf8))
      try file.commit()
    case .link(let target):
      if try files.statusIfPresent(of: temporary, in: directory) != nil {
        try files.removeFile(temporary, in: directory)
      }
      try files.makeSymbolicLink(temporary, in: directory, target: Array(target.utf8))
      try files.rename(temporary, in: directory, to: name, in: directory, replacing: true)
      try directory.synchronizeDirectory()
    }
  }

  package func remove(_ path: Path) throws {
    try files.removeFile(path)
    if let parent = path.parent { try files.open(parent, .directoryFollowingLinks).synchronizeDirectory() }
  }

  // MARK: systemd

  /// - Throws: when systemd does not understand the calendar event, if it can be asked.
  package func checkCadence(_ cadence: Cadence, _ cancellation: Cancellation) throws {
    guard kind != .cron else { return }
    // The text contains no quote: see `Cadence`.
    let question = "command -v systemd-analyze || exit 0; systemd-analyze calendar '\(cadence.calendar)'"
    do {
      try ShellCommand("exec >/dev/null 2>&1; " + question).run(cancellation)
    } catch is ShellCommandError {
      throw ScheduleError.noCadence(cadence.text)
    }
  }

  private var systemctl: String { kind == .systemdOfUser ? "systemctl --user" : "systemctl" }

  package func commandsToStart(_ schedule: Schedule) -> [String] {
    ["\(systemctl) daemon-reload", "\(systemctl) restart \(SystemdUnits.started(schedule))"]
  }

  /// Returns the command that stops what is started. It must run before the files are removed.
  /// - Parameter files: the files of the schedule.
  package func commandToStop(_ name: ScheduleName, _ files: [Path]) -> String {
    let timer = SystemdUnits.timer(name)
    let isPeriodic = files.contains { $0.lastComponent.elementsEqual(timer.utf8) }
    return "\(systemctl) stop \(isPeriodic ? timer : SystemdUnits.service(name))"
  }

  package var commandToForget: String { "\(systemctl) daemon-reload" }

  /// Returns the next times of the schedule as systemd writes them; empty when systemd cannot be asked.
  package func nextTimes(_ schedule: Schedule, _ cancellation: Cancellation) -> [String] {
    guard kind != .cron, !schedule.runsAlways else { return [] }
    let command =
      isLive
      ? "\(systemctl) list-timers --no-pager --no-legend \(SystemdUnits.timer(schedule.name))"
      : "systemd-analyze calendar --iterations=2 '\(schedule.cadence.calendar)' | grep -E 'Next elapse|Iter'"
    guard let output = try? ShellCommand("exec 2>/dev/null; " + command).output(cancellation) else { return [] }
    return String(decoding: output, as: UTF8.self).split(separator: "\n").map {
      $0.split(separator: " ").joined(separator: " ")
    }
  }
}
