internal import HoldfastModel

/// The file of a schedule in /etc/cron.d: a pure function of the schedule.
package enum CronLine {
  /// cron refuses a longer command.
  private static let commandBytesMax = 990

  /// - Parameters:
  ///   - head: the lines that mark a file as holdfast's.
  ///   - minute: the minute to use when the schedule names none.
  ///   - lock: an existing file that keeps two runs apart, and that only their user can open; `nil` if the runs make
  ///     one themselves in their state directory.
  package static func text(
    _ schedule: Schedule, head: [String], minute: Int, lock: String?
  ) throws(ScheduleError) -> String {
    guard let fields = schedule.cadence.cron(minute: minute) else { throw .notForCron(schedule.cadence.text) }
    let variables =
      schedule.environment.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
      + schedule.credentials.map { ($0.variable, $0.file) }
    guard (schedule.arguments + variables.map(\.1) + [schedule.onFailure ?? ""]).allSatisfy(ScheduleText.fitsCron)
    else { throw .lineEndInCron }
    let flock = ["flock", "-n", "-E", "0"]
    var words = lock == nil ? Self.ownLock(schedule.name, flock) : []
    words += ["\(ProcessEnvironment.scheduleVariable)=\(schedule.name.unit)"]
    words += variables.map { "\($0)=" + ScheduleText.cronArgument($1) }
    words += ["nice", "-n", "10", "ionice", "-c", "2", "-n", "7"]
    // If another run has the lock, this one ends at once, with 0.
    words += lock.map { flock + [ScheduleText.cronArgument($0)] } ?? ["\"$@\""]
    if let timeout = schedule.timeout { words += ["timeout", String(timeout.wholeSeconds)] }
    words += ([schedule.program] + schedule.arguments).map(ScheduleText.cronArgument)
    // A run that finds another one at work, which an operator has started, ends with 0 too.
    words += ["||", "[", "$?", "-eq", "11", "]"]
    if let onFailure = schedule.onFailure {
      words += ["||", "HOLDFAST_SCHEDULE=\(schedule.name)", "sh", "-c", ScheduleText.cronArgument(onFailure)]
    }
    let command = words.joined(separator: " ")
    guard command.utf8.count <= commandBytesMax else { throw .tooLongForCron }
    let lines =
      head + [
        "SHELL=/bin/sh", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "\(fields) \(schedule.user ?? "root") \(command)",
      ]
    return lines.joined(separator: "\n") + "\n"
  }

  /// Returns shell words that lock a file of the user's own, which nobody else can open. If the file cannot be made,
  /// for example without a home, no words are left; then a run that finds another one at work ends because of the lock
  /// in the repository.
  private static func ownLock(_ name: ScheduleName, _ flock: [String]) -> [String] {
    let file = "\"$d/\(name).lock\""
    return ["d=\"$HOME/.local/state/holdfast\";", "set --"] + flock + ["\(file);"]
      + ["(umask 077 && mkdir -p \"$d\" && : >> \(file)) 2>/dev/null || set --;"]
  }
}
