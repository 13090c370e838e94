import HoldfastModel
import HoldfastTestSupport
import Testing

/// What is scheduled runs: by the cron of the machine, and told to its systemd.
@Suite struct ScheduledRunTests {
  private let tool = Tool()

  init() { tool.run("init", "--unsealed") }

  private func text(_ name: String) -> String {
    String(decoding: TestFiles.read(tool.directory.appending(name)) ?? [], as: UTF8.self)
  }

  /// A shell in which the test has changed what lies where, for itself alone.
  private func shellApart(_ script: String, _ arguments: [String] = []) -> RunningProcess {
    var start = RunningProcess.Start(["unshare", "--mount", "sh", "-ec", script, "sh"] + arguments)
    start.environment = tool.environment
    start.directory = tool.directory.path
    return RunningProcess(start)
  }

  /// A minute is what cron takes.
  private func waits(until condition: () -> Bool) async -> Bool {
    await Patience.waits(.seconds(90), until: condition)
  }

  /// One line a minute is as often as cron runs anything, so one test does it all: every character that cron, the shell
  /// or holdfast could take for its own.
  @Test(.requires(.mounts)) func cronRunsWhatWasInstalledWordByWord() async throws {
    let command = #"printf '%s' 'a\b "c" $d %e'; touch done"#
    let installed = tool.run(
      "schedule", "install", "--root", ".", "--cron", "--every", "1m", "--repository", "repository", "--",
      "backup", "--from-command", "cd '\(tool.directory.path.text)'; \(command)", "--name", "orders", "--quiet")
    #expect(installed.exitStatus == 0, "\(installed.error)")
    #expect(TestFiles.permissions(tool.directory.appending("etc/cron.d/holdfast")) == 0o600)
    // Cron sets the HOME that the machine's root has, where no line says another.
    TestFiles.makeDirectory(tool.directory.appending("home"))
    let line = text("etc/cron.d/holdfast")
    TestFiles.write(
      "HOME=\(tool.directory.appending("home"))\n" + line, to: tool.directory.appending("etc/cron.d/holdfast"))
    TestFiles.write("", to: tool.directory.appending("crontab"))
    TestFiles.makeDirectory(tool.directory.appending("spool"))
    TestFiles.makeDirectory(tool.directory.appending("spool/crontabs"))
    let cron = shellApart(
      """
      mount --bind etc/cron.d /etc/cron.d; mount --bind spool /var/spool/cron; mount --bind crontab /etc/crontab
      mount -t tmpfs tmpfs /run
      exec cron -f -L 0
      """)
    #expect(await waits { TestFiles.exists(tool.directory.appending("done")) })
    #expect(await waits { tool.run("list", "--json").output.contains(#""source" : "orders""#) })
    cron.send(15)
    _ = await cron.end()
    #expect(tool.run("cat", "latest", "stdin").output == #"a\b "c" $d %e"#)
  }

  /// The part of the line that cron hands to the shell.
  private func cronCommand() throws -> String {
    let line = try #require(text("etc/cron.d/holdfast").split(separator: "\n").last)
    let command = String(line.split(separator: " ", maxSplits: 6)[6])
    // The lock of the test, not that of the machine.
    return command.replacing("\\%", with: "%").replacing("/etc/cron.d/", with: "etc/cron.d/")
  }

  @Test func twoRunsAtOnceAreNoFailure() async throws {
    let gate = ClosedGate(in: tool.directory.path)
    tool.run(
      "schedule", "install", "--root", ".", "--cron", "--repository", "repository", "--", "backup", "--from-command",
      "touch begun; \(gate.wait); echo done", "--name", "orders", "--quiet")
    let command = try cronCommand()
    var start = RunningProcess.Start(["sh", "-c", command])
    start.environment = tool.environment
    start.directory = tool.directory.path
    let first = RunningProcess(start)
    #expect(await waits { TestFiles.exists(tool.directory.appending("begun")) })
    let second = tool.other("sh", "-c", command)
    #expect(second.exitStatus == 0)
    #expect(second.output + second.error == "")
    // One that somebody else has started holds the lock of the repository, not that of the line.
    let third = tool.other("sh", "-c", command.replacing("flock -n -E 0 etc/cron.d/holdfast", with: ""))
    #expect(third.exitStatus == 0)
    #expect(third.output + third.error == "", "that another run is at work is no news")
    gate.open()
    #expect(first.wait().exitStatus == 0)
    #expect(tool.run("list", "--json").output.ranges(of: #""source" : "orders""#).count == 1)
  }

  /// A user's runs do not pile up either, those among them that take no lock of the repository; and nobody else holds
  /// them up.
  @Test func twoRunsOfAUserAtOnceAreNoFailure() async throws {
    let gate = ClosedGate(in: tool.directory.path)
    tool.run(
      "schedule", "install", "--root", ".", "--cron", "--user", "nobody", "--repository", "repository", "--",
      "backup", "--from-command", "echo >> begun; \(gate.wait); echo done", "--name",
      "orders", "--quiet")
    // Where nothing but the lock of the line keeps the second one out.
    let command = try cronCommand().replacing("--name orders", with: "--name $NAME")
    func start(_ name: String, home: String) -> RunningProcess.Start {
      var start = RunningProcess.Start(["sh", "-c", command])
      start.environment = tool.environment
      start.environment["HOME"] = tool.directory.appending(home).text
      start.environment["NAME"] = name
      start.directory = tool.directory.path
      return start
    }
    let first = RunningProcess(start("one", home: "home"))
    #expect(await waits { TestFiles.exists(tool.directory.appending("begun")) })
    let lock = tool.directory.appending("home/.local/state/holdfast/holdfast.lock")
    #expect(TestFiles.permissions(lock) == 0o600)
    let second = RunningProcess(start("two", home: "home")).wait()
    #expect(second.exitStatus == 0 && second.output + second.error == "", "\(second.error)")
    #expect(text("begun") == "\n", "the second did not begin")
    gate.open()
    #expect(first.wait().exitStatus == 0)
    // Without a home there is no lock, and the run goes on.
    TestFiles.write("no directory", to: tool.directory.appending("file"))
    let homeless = RunningProcess(start("three", home: "file")).wait()
    #expect(homeless.exitStatus == 0 && homeless.error == "", "\(homeless.error)")
    #expect(text("begun") == "\n\n")
  }

  @Test func aFailureRunsWhatWasAskedFor() throws {
    tool.run(
      "schedule", "install", "--root", ".", "--cron", "--name", "n", "--on-failure",
      "echo $HOLDFAST_SCHEDULE 100% > told",
      "--", "backup", "/nowhere", "--repository", tool.repository.text)
    TestFiles.rename(
      tool.directory.appending("etc/cron.d/holdfast-n"), to: tool.directory.appending("etc/cron.d/holdfast"))
    let command = try cronCommand().replacing("etc/cron.d/holdfast-n", with: "etc/cron.d/holdfast")
    #expect(tool.other("sh", "-c", command).exitStatus == 0)
    #expect(text("told") == "holdfast-n 100%\n")
  }

  // MARK: Where systemd runs

  /// A machine on which systemd seems to run, and notes what it is told.
  private func underSystemd(_ script: String, _ arguments: String...) -> RunningProcess {
    TestFiles.makeDirectory(tool.directory.appending("bin"))
    TestFiles.write(
      "#!/bin/sh\necho \"$@\" >> '\(tool.directory.path.text)/told'\n", to: tool.directory.appending("bin/systemctl"))
    TestFiles.setMode(tool.directory.appending("bin/systemctl"), 0o755)
    TestFiles.setMode(tool.directory.path, 0o777)
    TestFiles.write("", to: tool.directory.appending("told"))
    TestFiles.setMode(tool.directory.appending("told"), 0o666)
    return shellApart(
      """
      mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/system; chmod -R a+rX /run
      mkdir units cron; mount --bind units /etc/systemd/system; mkdir -p /etc/cron.d; mount --bind cron /etc/cron.d
      export PATH="$PWD/bin:$PATH" HOME="$PWD/home"
      """ + "\n" + script, arguments)
  }

  @Test(.requires(.mounts)) func systemdIsToldWhatIsInstalledAndWhatIsRemoved() {
    let script = #"""
      "$1" schedule install --every daily -- list -r /backup
      "$1" schedule show
      "$1" schedule remove
      """#
    let run = underSystemd(script, Tool.binary.text)
    let result = run.wait()
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(
      text("told") == """
        daemon-reload
        restart holdfast.timer
        list-timers --no-pager --no-legend holdfast.timer
        stop holdfast.timer
        daemon-reload

        """)
    #expect(
      result.output.split(separator: "\n").filter { $0.hasPrefix("ran ") } == [
        "ran systemctl daemon-reload", "ran systemctl restart holdfast.timer", "ran systemctl stop holdfast.timer",
        "ran systemctl daemon-reload",
      ])
    #expect(TestFiles.allFiles(in: tool.directory.appending("units")).isEmpty)
  }

  @Test(.requires(.mounts)) func whoIsNotRootHasAScheduleOfTheirOwn() throws {
    let script = #"""
      cp "$1" holdfast; mkdir home; chown 65534 home
      run() { setpriv --reuid 65534 --regid 65534 --clear-groups "$PWD/holdfast" schedule "$@"; }
      run install --every daily -- list -r /backup
      run install --user root -- list -r /backup || echo refused $?
      run install --cron -- list -r /backup || echo refused $?
      unset HOME; run show || echo refused $?
      """#
    let running = underSystemd(script, Tool.binary.text)
    let result = running.wait()
    #expect(
      result.error == """
        holdfast: only root can say as whom something runs
        HINT: Leave --user out, or run as root.
        holdfast: only root can write to /etc/cron.d
        HINT: Run as root, or write a line of your own with `crontab -e`.
        holdfast: there is no home directory for units of a user
        HINT: Set HOME, or run as root.

        """)
    #expect(result.output.hasSuffix("refused 2\nrefused 1\nrefused 1\n"), "\(result.output)")
    #expect(text("told") == "--user daemon-reload\n--user restart holdfast.timer\n")
    let unit = text("home/.config/systemd/user/holdfast.service")
    #expect(unit.hasSuffix("\nNoNewPrivileges=yes\n") && !unit.contains("Protect"), "\(unit)")
  }

  @Test(.requires(.mounts)) func whereNothingCanRunAnythingIsSaid() {
    let run = shellApart(
      "mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /etc; \"$1\" schedule install -- list", [Tool.binary.text])
    let result = run.wait()
    #expect(result.exitStatus == 1)
    #expect(
      result.error == """
        holdfast: there is neither systemd nor cron here
        HINT: Install one of them, or run `holdfast run` by whatever runs things here.

        """)
  }
}
