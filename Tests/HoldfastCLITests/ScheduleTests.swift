import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// What `holdfast schedule` writes is what the schedulers take, and goes again.
@Suite struct ScheduleTests {
  private let tool = Tool()
  private var root: Path { tool.directory.appending("root") }
  private var units: Path { root.appending("etc/systemd/system") }
  private static let mark = "# Written by `holdfast schedule install`; `holdfast schedule remove` removes it.\n"

  init() { TestFiles.makeDirectory(root) }

  private func text(_ path: Path) -> String { String(decoding: TestFiles.read(path) ?? [], as: UTF8.self) }

  private func schedule(
    _ arguments: String..., configure: (inout RunningProcess.Start) -> Void = { _ in }
  ) -> ProcessResult {
    var start = tool.start(["schedule"] + arguments + [])
    start.environment["HOLDFAST_REPOSITORY"] = nil
    configure(&start)
    return RunningProcess(start).wait()
  }

  /// A backup that needs nothing else.
  private static let backup = ["--", "backup", "/srv/a shop", "--repository", "/backup", "--quiet"]

  @discardableResult
  private func install(_ options: [String] = [], _ command: [String] = backup) -> ProcessResult {
    var start = tool.start(["schedule", "install", "--root", root.text] + options + command)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    return RunningProcess(start).wait()
  }

  private func verify(_ names: String...) -> String {
    var start = RunningProcess.Start(
      ["systemd-analyze", "verify", "--man=no"] + names.map { units.appending($0).text })
    start.environment = tool.environment
    let result = RunningProcess(start).wait()
    return result.output + result.error + (result.exitStatus == 0 ? "" : "status \(result.exitStatus)")
  }

  // MARK: systemd

  @Test func theUnitsConfineARunToWhatItNeeds() {
    #expect(install(["--every", "15m", "--program", Tool.binary.text]).exitStatus == 0)
    let service = text(units.appending("holdfast.service"))
    #expect(service.hasPrefix(Self.mark + "# {"))
    #expect(
      service.split(separator: "\n", omittingEmptySubsequences: false).dropFirst(2).joined(separator: "\n") == """
        [Unit]
        Description=holdfast: what holdfast runs by itself
        Documentation=man:holdfast-schedule(1)
        OnFailure=holdfast-failure@%n.service

        [Service]
        Type=oneshot
        ExecStart=\(Tool.binary.text) backup "/srv/a shop" --repository /backup --quiet
        # Another run holds the lock: it does the work.
        SuccessExitStatus=11
        TimeoutStartSec=infinity
        Nice=10
        CPUSchedulingPolicy=batch
        IOSchedulingClass=best-effort
        IOSchedulingPriority=7
        UMask=0077
        Environment=HOLDFAST_CONFIG_DIR=\(tool.configuration.text)
        CacheDirectory=holdfast
        CacheDirectoryMode=0700
        StateDirectory=holdfast
        StateDirectoryMode=0700
        Environment=HOLDFAST_CACHE_DIR=%C/holdfast HOLDFAST_STATE_DIR=%S/holdfast
        NoNewPrivileges=yes
        CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_SYS_ADMIN CAP_SYS_PTRACE
        SystemCallFilter=~@clock @cpu-emulation @debug @module @mount @obsolete @raw-io @reboot @swap
        SystemCallErrorNumber=EPERM
        SystemCallArchitectures=native
        RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
        RestrictNamespaces=yes
        RestrictRealtime=yes
        LockPersonality=yes
        DevicePolicy=closed
        ProtectControlGroups=yes
        ProtectHostname=yes
        ProtectKernelTunables=yes
        ProtectSystem=strict
        ReadWritePaths=/tmp /var/tmp
        ReadWritePaths=-/backup

        """)
    #expect(
      text(units.appending("holdfast.timer")) == Self.mark + """
        [Unit]
        Description=holdfast: when holdfast runs
        Documentation=man:holdfast-schedule(1)

        [Timer]
        OnCalendar=*-*-* *:00/15:00
        # What was missed while the machine was off is made up for.
        Persistent=true
        RandomizedDelaySec=90
        FixedRandomDelay=true

        [Install]
        WantedBy=timers.target

        """)
    #expect(verify("holdfast.service", "holdfast.timer", "holdfast-failure@holdfast.service.service") == "")
    for name in ["holdfast.service", "holdfast.timer"] {
      #expect(TestFiles.permissions(units.appending(name)) == 0o644)
    }
    let exposure = tool.other("systemd-analyze", "security", "--offline=true", units.appending("holdfast.service").text)
    let rating = exposure.output.firstMatch(of: /Overall exposure level for holdfast.service: ([\d.]+)/)?.1
    #expect(rating.flatMap { Double($0) }.map { $0 < 5 } == true, "\(exposure.output.suffix(200))\(exposure.error)")
  }

  @Test func unitsWithEverythingThatCanBeAskedForAreSound() {
    let odd = #"/srv/"50%" $x\y; 'z' é"#
    let installed = install(
      [
        "--name", "a-b_1", "--every", "Mon,Thu 02:30", "--delay", "5min", "--timeout", "6h", "--user", "daemon",
        "--identity", "/keys/id", "--passphrase-file", "/keys/pass", "--writer-key", "/keys/w r", "--write",
        "/srv/more",
        "-r", "/back up", "--on-failure", odd, "--program", Tool.binary.text,
      ], ["--", "backup", odd, "--exclude", ";", "--exclude", "a\nb"])
    #expect(installed.exitStatus == 0, "\(installed.error)")
    #expect(verify("holdfast-a-b_1.service", "holdfast-a-b_1.timer") == "")
    #expect(verify("holdfast-failure@holdfast-a-b_1.service.service") == "")
    let service = text(units.appending("holdfast-a-b_1.service"))
    for line in [
      #"ExecStart=\#(Tool.binary.text) backup "/srv/\"50%%\" $$x\\y; 'z' é" --exclude ";" --exclude "a\x0ab""#,
      "TimeoutStartSec=21600", "User=daemon", #"Environment="HOLDFAST_REPOSITORY=/back up""#,
      "LoadCredential=holdfast-identity:/keys/id", "LoadCredential=holdfast-passphrase:/keys/pass",
      #"LoadCredential="holdfast-writer-key:/keys/w r""#, "ReadWritePaths=-/srv/more", #"ReadWritePaths="-/back up""#,
      "CacheDirectory=holdfast-daemon",
    ] {
      #expect(service.contains("\n\(line)\n"), "\(line)\n\(service)")
    }
    #expect(text(units.appending("holdfast-a-b_1.timer")).contains("\nOnCalendar=Mon,Thu *-*-* 02:30:00\n"))
    #expect(text(units.appending("holdfast-a-b_1.timer")).contains("\nRandomizedDelaySec=300\n"))
  }

  @Test(arguments: ["--from-command", "--before", "--after", "--on-failure", "--identity-command"])
  func commandsOfTheSiteAreNotConfined(option: String) {
    let source = option == "--from-command" ? ["--name", "shop"] : ["/srv/shop"]
    #expect(install([], ["--", "backup"] + source + [option, "su postgres -c true"]).exitStatus == 0)
    let service = text(units.appending("holdfast.service"))
    #expect(!service.contains("NoNewPrivileges") && !service.contains("Protect") && !service.contains("Capability"))
    #expect(service.contains("\nCacheDirectory=holdfast\n"))
  }

  /// What a directive hides is not in the snapshot, and nobody is told.
  @Test(arguments: ["/", "/tmp/shop", "/var", "/usr", "/home", "/dev/shm"]) func nothingIsHiddenFromARun(source: String)
  {
    #expect(install([], ["--", "backup", source, "-r", "/backup"]).exitStatus == 0)
    let service = text(units.appending("holdfast.service"))
    for hiding in [
      "PrivateTmp", "PrivateDevices", "ProtectHome", "ProtectKernelModules", "ProtectProc", "InaccessiblePaths",
      "TemporaryFileSystem", "RootDirectory", "PrivateUsers", "PrivateNetwork", "ProtectKernelLogs",
    ] {
      #expect(!service.contains(hiding), "\(hiding)")
    }
    #expect(service.contains("\nReadWritePaths=/tmp /var/tmp\n"))
  }

  /// It makes files of all kinds, with all owners and modes, wherever it is told.
  @Test func aRestoreIsNotConfined() {
    #expect(install([], ["--", "restore", "-r", "/backup", "--target", "/srv/warm", "--delta"]).exitStatus == 0)
    let service = text(units.appending("holdfast.service"))
    #expect(!service.contains("NoNewPrivileges") && !service.contains("Protect") && !service.contains("Capability"))
  }

  @Test func whereTheRepositoryIsNotKnownOnlyTheSystemIsClosed() {
    #expect(install([], ["--", "list"]).exitStatus == 0)
    #expect(text(units.appending("holdfast.service")).hasSuffix("\nProtectSystem=full\n"))
  }

  @Test func whatIsConfiguredIsWhatARunMayWrite() {
    let file = tool.directory.appending("holdfast.yaml")
    let text = "repositories: {r: {path: /back/up}}\nsources: {shop: {path: /srv/shop}, o: {path: /srv/o}}\n"
    TestFiles.write(text, to: file)
    TestFiles.setMode(file, 0o600)
    for (command, places) in [
      (["backup"], ["/back/up"]), (["backup", "shop"], ["/back/up"]), (["backup", "/srv/x"], ["/back/up"]),
      (["verify", "--repository", "r"], ["/back/up"]), (["backup", "/srv/x", "--repository", "/other"], ["/other"]),
    ] {
      #expect(install([], ["--"] + command + ["--config", file.text]).exitStatus == 0)
      let service = self.text(units.appending("holdfast.service"))
      #expect(
        service.matches(of: /ReadWritePaths=-(.*)/).map { String($0.1) } == places, "\(command): \(service)")
      #expect(service.contains("\nProtectSystem=strict\n"))
    }
    TestFiles.write(text + "notifications: {n: {command: mail}}\n", to: file)
    install([], ["--", "backup", "--config", file.text])
    #expect(!self.text(units.appending("holdfast.service")).contains("Protect"))
  }

  // MARK: Life of a schedule

  @Test func aScheduleIsShownAsItWasInstalledAndWhatWasChangedIsNamed() throws {
    #expect(schedule("show", "--root", root.text).output == "nothing is scheduled\n")
    #expect(install(["--every", "daily", "--program", "/usr/bin/holdfast"]).exitStatus == 0)
    let shown = schedule("show", "--root", root.text)
    #expect(shown.exitStatus == 0)
    let expected = """
      holdfast: by systemd, --every daily
        runs /usr/bin/holdfast backup "/srv/a shop" --repository /backup --quiet
        DIR/root/etc/systemd/system/holdfast.service: as installed
        DIR/root/etc/systemd/system/holdfast.timer: as installed
        DIR/root/etc/systemd/system/holdfast-failure@holdfast.service.service: as installed
        DIR/root/etc/systemd/system/timers.target.wants/holdfast.timer: as installed
        next: Next elapse:
      """
    #expect(tool.plain(shown.output).hasPrefix(tool.plain(expected)), "\(shown.output)")

    TestFiles.write(text(units.appending("holdfast.timer")) + "# mine\n", to: units.appending("holdfast.timer"))
    TestFiles.remove(units.appending("timers.target.wants/holdfast.timer"))
    let json = try #require(
      try JSONSerialization.jsonObject(with: Data(schedule("show", "--root", root.text, "--json").outputBytes))
        as? [String: Any])
    let schedules = try #require(json["schedules"] as? [[String: Any]])
    #expect(schedules.count == 1 && schedules[0]["cadence"] as? String == "daily")
    #expect(
      schedules[0]["differing"] as? [String]
        == ["holdfast.timer", "timers.target.wants/holdfast.timer"].map { units.appending($0).text })
    #expect(install(["--every", "daily", "--program", "/usr/bin/holdfast"]).exitStatus == 0)
    #expect(!schedule("show", "--root", root.text).output.contains("differs"))
  }

  @Test func aDryRunShowsWhatARunThenWrites() {
    let dry = install(["--every", "daily", "--dry-run"])
    #expect(dry.exitStatus == 0)
    #expect(TestFiles.allFiles(in: root).isEmpty)
    #expect(tool.plain(dry.output).hasPrefix("would write DIR/root/etc/systemd/system/holdfast.service:\n  # Written"))
    let done = install(["--every", "daily"])
    #expect(
      tool.plain(done.output) == """
        wrote DIR/root/etc/systemd/system/holdfast.service
        wrote DIR/root/etc/systemd/system/holdfast.timer
        wrote DIR/root/etc/systemd/system/holdfast-failure@holdfast.service.service
        wrote DIR/root/etc/systemd/system/timers.target.wants/holdfast.timer

        """)
    for line in text(units.appending("holdfast.service")).split(separator: "\n") {
      #expect(dry.output.contains("  \(line)\n"), "\(line)")
    }
    #expect(tool.plain(schedule("remove", "--root", root.text, "--dry-run").output).hasPrefix("would remove DIR/root/"))
    #expect(TestFiles.exists(units.appending("holdfast.service")))
  }

  @Test func aRemovalTakesExactlyWhatWasInstalled() {
    TestFiles.makeDirectory(root.appending("etc"))
    install()
    install(["--name", "two"])
    let other = units.appending("holdfast-mine.service")
    TestFiles.write("[Unit]\n", to: other)
    let removed = schedule("remove", "--root", root.text)
    #expect(removed.exitStatus == 0)
    #expect(removed.output.split(separator: "\n").count == 4)
    #expect(schedule("remove", "--root", root.text, "--name", "two").exitStatus == 0)
    #expect(TestFiles.allFiles(in: root) == [other])
    let again = schedule("remove", "--root", root.text)
    #expect(again.exitStatus == 1)
    #expect(
      again.error
        == "holdfast: no schedule holdfast is installed\nHINT: Run `holdfast schedule show` to see what is.\n")
  }

  /// Otherwise both would run.
  /// Whoever can open a file can hold its lock, and every run that wants it would end with 0 having done nothing.
  @Test func noOtherUserCanKeepAScheduleFromRunning() {
    let crontab = root.appending("etc/cron.d/holdfast")
    #expect(install(["--cron"]).exitStatus == 0)
    #expect(text(crontab).contains(" flock -n -E 0 /etc/cron.d/holdfast "))
    #expect(TestFiles.permissions(crontab) == 0o600)
    #expect(install(["--cron", "--user", "nobody"]).exitStatus == 0)
    #expect(!text(crontab).contains("/etc/cron.d") && text(crontab).contains(" flock -n -E 0 \"$d/holdfast.lock\""))
    #expect(TestFiles.permissions(crontab) == 0o600)
  }

  @Test func cronTakesThePlaceOfSystemdUnderTheSameName() {
    install(["--every", "daily"])
    let changed = install(["--every", "daily", "--cron"])
    #expect(changed.output.hasSuffix("wrote \(root.appending("etc/cron.d/holdfast"))\n"))
    #expect(TestFiles.allFiles(in: root) == [root.appending("etc/cron.d/holdfast")])
    install(["--every", "daily"])
    #expect(!TestFiles.exists(root.appending("etc/cron.d/holdfast")))
  }

  @Test(arguments: [
    "etc/systemd/system/holdfast.service", "etc/cron.d/holdfast",
    "etc/systemd/system/timers.target.wants/holdfast.timer",
  ])
  func aForeignFileOfTheNameIsLeftAlone(name: String) {
    install(["--name", "other"])
    TestFiles.makeDirectory(root.appending("etc/cron.d"))
    // A masked unit is a link.
    if name.hasSuffix("timer") {
      TestFiles.symbolicLink("/dev/null", at: root.appending(name))
    } else {
      TestFiles.write("# mine\n", to: root.appending(name))
    }
    for result in [install(), schedule("remove", "--root", root.text)] {
      #expect(result.exitStatus == 1)
      #expect(
        tool.plain(result.error) == """
          holdfast: DIR/root/\(name) was not written by `holdfast schedule`
          HINT: Move it away, or take another --name.

          """)
    }
    #expect(TestFiles.exists(root.appending(name)))
    #expect(TestFiles.allFiles(in: root).count == 5)
  }

  // MARK: What is refused

  struct Refused: Sendable, CustomTestStringConvertible {
    let options: [String]
    let command: [String]
    let message: String
    var testDescription: String { (options + command).joined(separator: " ") }
    init(_ options: [String], _ command: [String] = ScheduleTests.backup, says message: String) {
      (self.options, self.command, self.message) = (options, command, message)
    }
  }

  @Test(arguments: [
    Refused(
      ["--name", "a.b"],
      says: "\"a.b\" is not the name of a schedule\nHINT: Take 1 to 32 letters, digits, _ or -, other than failure."),
    Refused(
      ["--every", "7m"],
      says:
        "\"7m\" does not say how often\nHINT: Say 15m, 6h, hourly, daily, \"02:30\", \"Mon,Thu 02:30\", or a calendar event of systemd.time(7)."
    ),
    Refused(
      ["--every", "next year"],
      says:
        "\"next year\" does not say how often\nHINT: Say 15m, 6h, hourly, daily, \"02:30\", \"Mon,Thu 02:30\", or a calendar event of systemd.time(7)."
    ),
    Refused(
      ["--every", "*-*-01 02:00", "--cron"],
      says:
        "cron cannot run anything \"*-*-01 02:00\"\nHINT: Say 15m, 6h, hourly, daily, weekly, monthly, \"02:30\" or \"Mon,Thu 02:30\"."
    ),
    Refused(
      ["--cron"], ["--", "list", "--repository", "/a\nb"],
      says:
        "a line of a crontab cannot hold a line end\nHINT: Put what shall run into a script or a configuration file."),
    Refused(
      ["--cron"], ["--", "list", "--repository", "/" + String(repeating: "a", count: 1000)],
      says: "the command is too long for cron\nHINT: Put what shall run into a script or a configuration file."),
    Refused(
      [], ["--", "frobnicate"],
      says:
        "what shall run is no command line of holdfast: unexpected argument 'frobnicate'\nHINT: Say it after --, as in: holdfast schedule install -- backup /srv/shop --repository /backup --quiet"
    ),
    Refused(
      [], ["--", "backup", "shop"],
      says: "shop is relative, and what runs by itself starts somewhere else\nHINT: Say it from the root on."),
    Refused(["--user", "a b"], says: "\"a b\" is not the name of a user\nHINT: Say it as /etc/passwd does."),
  ])
  func whatCannotRunIsRefusedBeforeAnythingIsWritten(refused: Refused) {
    let result = install(refused.options, refused.command)
    #expect(result.exitStatus == 2)
    #expect(result.error == "holdfast: " + refused.message + "\n")
    #expect(TestFiles.allFiles(in: root).isEmpty)
  }
}
