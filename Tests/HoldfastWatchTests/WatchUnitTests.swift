import HoldfastModel
import HoldfastTestSupport
import Testing

/// `schedule install --watch` writes a service that systemd takes, and `remove` takes it away.
@Suite struct WatchUnitTests {
  private let tool = Tool()
  private var root: Path { tool.directory.appending("root") }
  private var units: Path { root.appending("etc/systemd/system") }

  init() {
    TestFiles.makeDirectory(root)
    TestFiles.makeDirectory(tool.configuration)
    TestFiles.write(
      "repositories: {shop: {path: /backup/shop}}\nsources: {orders: {path: /srv/orders}}\n",
      to: tool.configuration.appending("holdfast.yaml"))
    TestFiles.setMode(tool.configuration.appending("holdfast.yaml"), 0o600)
  }

  private func schedule(_ command: String, _ arguments: String...) -> ProcessResult {
    var start = tool.start(["schedule", command, "--root", root.text] + arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    return RunningProcess(start).wait()
  }

  private func text(_ name: String) -> String {
    String(decoding: TestFiles.read(units.appending(name)) ?? [], as: UTF8.self)
  }

  @Test func theServiceSaysThatItIsReadyAndIsConfinedAsARunIs() {
    let installed = schedule("install", "--watch", "--program", Tool.binary.text)
    #expect(installed.exitStatus == 0, "\(installed.error)")
    let service = text("holdfast-watch.service")
    #expect(
      service.contains(
        """
        Type=notify
        NotifyAccess=main
        ExecStart=\(Tool.binary.text) watch --quiet
        Restart=on-failure
        RestartSec=10
        RestartPreventExitStatus=2
        WatchdogSec=120
        TimeoutStopSec=120
        """), "\(service)")
    #expect(service.contains("\nStartLimitIntervalSec=1800\nStartLimitBurst=5\n\n[Service]\n"), "OnFailure runs then")
    #expect(service.contains("\nProtectSystem=strict\n") && service.contains("\nReadWritePaths=-/backup/shop\n"))
    #expect(service.hasSuffix("\n\n[Install]\nWantedBy=multi-user.target\n"))
    #expect(!TestFiles.exists(units.appending("holdfast-watch.timer")))
    let verified = tool.other(
      "systemd-analyze", "verify", "--man=no", units.appending("holdfast-watch.service").text)
    #expect(verified.exitStatus == 0 && verified.output + verified.error == "", "\(verified.error)")

    let shown = schedule("show").output
    #expect(shown.hasPrefix("holdfast-watch: by systemd, --watch\n") && !shown.contains("differs"), "\(shown)")
    #expect(shown.contains("/multi-user.target.wants/holdfast-watch.service: as installed"))
    #expect(schedule("remove", "--name", "watch").exitStatus == 0)
    #expect(TestFiles.allFiles(in: root).isEmpty)
  }

  /// A timer of the same name would run beside the service.
  @Test func aServiceTakesThePlaceOfATimerOfItsName() {
    #expect(schedule("install", "--name", "shop", "--every", "1h").exitStatus == 0)
    #expect(TestFiles.exists(units.appending("holdfast-shop.timer")))
    #expect(schedule("install", "--name", "shop", "--watch").exitStatus == 0)
    #expect(!TestFiles.exists(units.appending("holdfast-shop.timer")))
    #expect(text("holdfast-shop.service").contains("\nType=notify\n"))
    #expect(schedule("install", "--name", "shop", "--every", "1h").exitStatus == 0)
    #expect(!TestFiles.exists(units.appending("multi-user.target.wants/holdfast-shop.service")))
    #expect(text("holdfast-shop.service").contains("\nType=oneshot\n"))
  }

  /// A service of a command that ends was never ready, and a timer for one that does not end never fires again.
  @Test func onlyAWatchIsAService() {
    let other = schedule("install", "--watch", "--", "run")
    #expect(other.exitStatus == 2)
    #expect(
      other.error == """
        holdfast: only `holdfast watch` runs all the time, and --watch is given for another command
        HINT: Leave --watch out, and say --every.

        """)
    let period = schedule("install", "--watch", "--every", "15m")
    #expect(period.exitStatus == 2)
    #expect(
      period.error == """
        holdfast: what runs all the time has no --every, --delay or --timeout
        HINT: Leave them out, or leave --watch out.

        """)
    let timer = schedule("install", "--", "watch", "--quiet")
    #expect(timer.exitStatus == 2)
    #expect(
      timer.error == """
        holdfast: `holdfast watch` runs all the time, and cannot be started periodically
        HINT: Say --watch.

        """)
  }

  @Test func cronKeepsNoServiceRunning() {
    let result = schedule("install", "--watch", "--cron")
    #expect(result.exitStatus == 2)
    #expect(
      result.error == """
        holdfast: cron cannot keep a service running
        HINT: Let whatever keeps services running here start `holdfast watch`, or leave --watch out.

        """)
  }
}
