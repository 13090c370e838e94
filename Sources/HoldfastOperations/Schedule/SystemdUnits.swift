internal import HoldfastModel

/// The units of a schedule: a pure function of the schedule.
package enum SystemdUnits {
  /// A file with its name in the directory of units.
  package struct File: Sendable, Equatable {
    package let name: String
    package let text: String
  }

  /// Capabilities that a backup needs beyond its user's rights: to read everything, to write to the repository whoever
  /// owns it, to keep group and set-group-ID of its directories, to see which processes have a database open, and
  /// (CAP_SYS_ADMIN) to see `trusted.*` attributes, which the kernel hides from everybody else.
  private static let capabilities =
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_SYS_ADMIN CAP_SYS_PTRACE"

  /// System calls that a run does not make, although the capabilities would allow them. Calls unknown to systemd are
  /// allowed: a list of allowed calls would refuse those of the next kernel.
  private static let refusedCalls = "@clock @cpu-emulation @debug @module @mount @obsolete @raw-io @reboot @swap"

  /// - Parameters:
  ///   - mark: the first line of every file of holdfast.
  ///   - settings: the second line of the service, from which the schedule is read again.
  package static func files(_ schedule: Schedule, mark: String, settings: String) -> [File] {
    let unit = schedule.name.unit
    let timer = File(name: timer(schedule.name), text: text([mark], timerLines(schedule)))
    return [File(name: service(schedule.name), text: text([mark, settings], serviceLines(schedule)))]
      + (schedule.runsAlways ? [] : [timer]) + [
        File(name: "holdfast-failure@\(unit).service.service", text: text([mark], failureLines(schedule)))
      ]
  }

  /// Returns the unit that is started: the timer, or the service itself.
  package static func started(_ schedule: Schedule) -> String {
    schedule.runsAlways ? service(schedule.name) : timer(schedule.name)
  }

  /// Returns the unit that wants this one when the machine, or the user's systemd, has started.
  package static func wanting(_ schedule: Schedule) -> String {
    guard schedule.runsAlways else { return "timers.target" }
    return schedule.isOfUser ? "default.target" : "multi-user.target"
  }

  package static func service(_ name: ScheduleName) -> String { name.unit + ".service" }
  package static func timer(_ name: ScheduleName) -> String { name.unit + ".timer" }

  private static func text(_ head: [String], _ lines: [String]) -> String {
    (head + lines).joined(separator: "\n") + "\n"
  }

  private static func serviceLines(_ schedule: Schedule) -> [String] {
    let command =
      [ScheduleText.unitValue(schedule.program)] + schedule.arguments.map { ScheduleText.unitArgument($0) }
    var lines = [
      "[Unit]",
      "Description=holdfast: what \(schedule.name) runs by itself",
      "Documentation=man:holdfast-schedule(1)",
      "OnFailure=holdfast-failure@%n.service",
    ]
    if schedule.runsAlways { lines += startLimitLines }
    lines += ["", "[Service]"]
    lines += schedule.runsAlways ? alwaysLines(command) : onceLines(schedule, command)
    lines += [
      "Nice=10",
      "CPUSchedulingPolicy=batch",
      "IOSchedulingClass=best-effort",
      "IOSchedulingPriority=7",
      "UMask=0077",
    ]
    if let user = schedule.user { lines.append("User=" + user) }
    lines += schedule.environment.sorted { $0.key < $1.key }.map {
      "Environment=" + ScheduleText.unitValue("\($0.key)=\($0.value)")
    }
    lines += schedule.credentials.map { "LoadCredential=" + ScheduleText.unitValue("\($0.name):\($0.file)") }
    lines += confinementLines(schedule)
    guard schedule.runsAlways else { return lines }
    return lines + ["", "[Install]", "WantedBy=" + wanting(schedule)]
  }

  private static func onceLines(_ schedule: Schedule, _ command: [String]) -> [String] {
    [
      "Type=oneshot",
      "ExecStart=" + command.joined(separator: " "),
      "# Another run holds the lock: it does the work.",
      "SuccessExitStatus=11",
      "TimeoutStartSec=" + (schedule.timeout.map { String($0.wholeSeconds) } ?? "infinity"),
    ]
  }

  /// systemd tells of the failure of a service only when it does not start it anew. One that ends again and again is
  /// broken in a way that no new start mends, and somebody must hear of it.
  private static let startLimitLines = [
    "# After five starts in half an hour it stays failed, and OnFailure runs.",
    "StartLimitIntervalSec=1800",
    "StartLimitBurst=5",
  ]

  /// A service says when it is ready, and is started anew when it fails or gives no sign of life. With a wrong command
  /// line or configuration (status 2) that would not help.
  private static func alwaysLines(_ command: [String]) -> [String] {
    [
      "Type=notify",
      "NotifyAccess=main",
      "ExecStart=" + command.joined(separator: " "),
      "Restart=on-failure",
      "RestartSec=10",
      "RestartPreventExitStatus=2",
      "WatchdogSec=120",
      "TimeoutStopSec=120",
      "# It is ready before it opens anything.",
      "TimeoutStartSec=120",
    ]
  }

  private static func confinementLines(_ schedule: Schedule) -> [String] {
    // The systemd of a user can restrict only little.
    guard !schedule.isOfUser else { return schedule.confinement == .none ? [] : ["NoNewPrivileges=yes"] }
    // A user without a login has no home for these directories.
    let directory = schedule.user.map { "holdfast-" + $0 } ?? "holdfast"
    var lines = [
      "CacheDirectory=\(directory)", "CacheDirectoryMode=0700", "StateDirectory=\(directory)",
      "StateDirectoryMode=0700",
      "Environment=HOLDFAST_CACHE_DIR=%C/\(directory) HOLDFAST_STATE_DIR=%S/\(directory)",
    ]
    guard schedule.confinement != .none else { return lines }
    // No setting here hides a file, because a source may contain it (so no PrivateTmp, PrivateDevices, ProtectHome,
    // ProtectKernelModules), and PostgreSQL's socket may be in /tmp. RestrictSUIDSGID is missing because systemd then
    // refuses openat2.
    lines += [
      "NoNewPrivileges=yes",
      "CapabilityBoundingSet=" + capabilities,
      "SystemCallFilter=~" + refusedCalls,
      "SystemCallErrorNumber=EPERM",
      "SystemCallArchitectures=native",
      "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
      "RestrictNamespaces=yes",
      "RestrictRealtime=yes",
      "LockPersonality=yes",
      "DevicePolicy=closed",
      "ProtectControlGroups=yes",
      "ProtectHostname=yes",
      "ProtectKernelTunables=yes",
    ]
    guard schedule.confinement == .strict else { return lines + ["ProtectSystem=full"] }
    lines += ["ProtectSystem=strict", "ReadWritePaths=/tmp /var/tmp"]
    // A missing directory must not prevent the run from reporting that itself.
    return lines + schedule.writable.map { "ReadWritePaths=" + ScheduleText.unitValue("-" + $0) }
  }

  private static func timerLines(_ schedule: Schedule) -> [String] {
    var lines = [
      "[Unit]",
      "Description=holdfast: when \(schedule.name) runs",
      "Documentation=man:holdfast-schedule(1)",
      "",
      "[Timer]",
      "OnCalendar=" + schedule.cadence.calendar,
      "# What was missed while the machine was off is made up for.",
      "Persistent=true",
    ]
    if schedule.delay > .zero {
      lines += ["RandomizedDelaySec=\(schedule.delay.wholeSeconds)", "FixedRandomDelay=true"]
    }
    return lines + ["", "[Install]", "WantedBy=timers.target"]
  }

  private static func failureLines(_ schedule: Schedule) -> [String] {
    let command =
      schedule.onFailure.map { "/bin/sh -c " + ScheduleText.unitArgument($0) }
      // The number is the priority in the journal: an error.
      ?? "/bin/echo \"<3>\(schedule.name).service failed: journalctl -u \(schedule.name).service tells why\""
    var lines = [
      "[Unit]",
      "Description=holdfast: after a failure of \(schedule.name)",
      "",
      "[Service]",
      "Type=oneshot",
      "Environment=HOLDFAST_SCHEDULE=\(schedule.name)",
      "ExecStart=" + command,
      "TimeoutStartSec=5min",
    ]
    if let user = schedule.user { lines.append("User=" + user) }
    return lines
  }
}
