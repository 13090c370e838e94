import Foundation
import HoldfastDoctor
import HoldfastModel
import HoldfastOperations
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// `check` compares the clock with that of a server, looks for a schedule, and sends notifications if it is asked to.
@Suite struct MachineTrialTests {
  // MARK: The clock of a server

  @Test(.requires(.seaweedFS)) func theClockIsComparedWithThatOfABucket() throws {
    let site = Site()
    let place = SeaweedFS.shared.location(prefix: "\(UInt64.random(in: .min ... .max))")
    site.configure(
      "repositories: {shop: {url: '\(place)'}}\nsources: {orders: {path: \(site.orders.text)}}")
    let variables = [
      "AWS_ACCESS_KEY_ID": SeaweedFS.accessKeyID, "AWS_SECRET_ACCESS_KEY": SeaweedFS.secretKey,
      "AWS_EC2_METADATA_DISABLED": "true",
    ]
    #expect(site.holdfast("init", "-r", "shop", "--unsealed", variables: variables).exitStatus == 0)
    func line(_ seconds: Int64) throws -> String {
      try site.lines(.clock, variables, clock: TestHost.clock(ahead: seconds))[0]
    }
    #expect(try line(0) == "ok shop: as that of the server, within a minute")
    let hint = "\nHINT: Set the clock (`timedatectl`)."
    #expect(try line(150) == "warning shop: the clock of this machine is 2 min ahead of that of the server" + hint)
    #expect(try line(-3630) == "failed shop: the clock of this machine is 1 h behind that of the server" + hint)
  }

  // MARK: The schedule

  @Test func withoutAScheduleThereIsAWarning() throws {
    let line = try #require(try Site().lines(.schedule).first)
    #expect(
      line.wholeMatch(
        of:
          /warning schedule: `holdfast schedule` has installed none for .+\nHINT: Run `holdfast schedule install --every 15m`, unless something else runs holdfast\./
      ) != nil, "\(line)")
  }

  @Test func aScheduleIsToldAndAChangeOfItToo() throws {
    let site = Site()
    let program = site.directory.appending("program")
    run(.systemd, on: site)
    TestFiles.write("#!/bin/sh\n", to: program)
    func install(_ arguments: String...) -> String {
      var start = site.tool.start(
        ["schedule", "install", "--root", site.image.text, "--program", program.text, "--every", "15m"] + arguments)
      start.environment["HOLDFAST_REPOSITORY"] = nil
      return RunningProcess(start).wait().error
    }
    #expect(install() == "")
    #expect(
      try site.lines(.schedule) == [
        "warning holdfast: runs `holdfast run --quiet` 15m as root, by systemd, as installed; this check runs as \(Site.userName), who may read other files, and has other keys, logins and memory\nHINT: Run it as that user: `runuser -u root -- holdfast check`."
      ])
    TestFiles.remove(program)
    let again = "HINT: Run `holdfast schedule install` again, or `holdfast schedule remove`."
    #expect(
      try site.lines(.schedule)
        == ["failed holdfast: the program that it runs is not there: DIR/program\n\(again)"])
    let timer = site.image.appending("etc/systemd/system/holdfast.timer")
    TestFiles.write((TestFiles.read(timer) ?? []) + Array("# changed\n".utf8), to: timer)
    #expect(
      try site.lines(.schedule)
        == ["failed holdfast: it is not as it was installed: DIR/image/etc/systemd/system/holdfast.timer\n\(again)"])
  }

  private enum Scheduler { case systemd, cron }

  /// Lets a scheduler run in the image.
  private func run(_ scheduler: Scheduler, on site: Site) {
    func makeDirectory(_ path: String) -> Path {
      path.split(separator: "/").reduce(site.image) { parent, name in
        TestFiles.makeDirectory(parent.appending(name))
        return parent.appending(name)
      }
    }
    switch scheduler {
    case .systemd: _ = makeDirectory("run/systemd/system")
    case .cron:
      for (process, name) in [("1", "init"), ("42", "cron")] {
        TestFiles.write(name + "\n", to: makeDirectory("proc/" + process).appending("comm"))
      }
    }
  }

  private func install(_ arguments: [String], on site: Site) {
    var start = site.tool.start(
      ["schedule", "install", "--root", site.image.text, "--program", "/bin/sh"] + arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    #expect(RunningProcess(start).wait().error == "")
  }

  @Test func aScheduleNeedsASchedulerThatRuns() throws {
    let site = Site()
    install(["--user", Site.userName, "--cron", "--every", "daily", "--name", "night"], on: site)
    let text = "runs `holdfast run --quiet` daily as \(Site.userName), by cron, as installed"
    #expect(
      try site.lines(.schedule) == ["notTried holdfast-night: \(text); this user cannot see whether cron runs"])
    run(.cron, on: site)
    #expect(try site.lines(.schedule) == ["ok holdfast-night: \(text)"])
    TestFiles.removeTree(site.image.appending("proc/42"))
    #expect(
      try site.lines(.schedule) == [
        "warning holdfast-night: \(text); but cron does not run on this machine\nHINT: Install and start it: `apt-get install cron`, `systemctl enable --now cron`."
      ])
    install(["--user", Site.userName, "--every", "daily", "--name", "night"], on: site)
    #expect(
      try site.lines(.schedule) == [
        "failed holdfast-night: \(text.replacing("cron", with: "systemd")); but systemd does not run on this machine\nHINT: Run `holdfast schedule install --cron` where there is no systemd, or start systemd."
      ])
  }

  @Test(arguments: [["drill"], ["run", "--dry-run"], ["status", "--quiet"]])
  func aScheduleThatTakesNoSnapshotsIsNotEnough(command: [String]) throws {
    let site = Site()
    run(.systemd, on: site)
    install(["--user", Site.userName, "--every", "weekly", "--"] + command, on: site)
    let lines = try site.lines(.schedule)
    #expect(lines.count == 2 && lines[0].hasPrefix("ok holdfast: runs `holdfast \(command[0])"), "\(lines)")
    #expect(
      lines.last
        == "warning schedule: none of them takes snapshots\nHINT: Run `holdfast schedule install --every 15m`, unless something else runs holdfast."
    )
  }

  /// Keys and logins of the caller say nothing of the user whose runs matter.
  @Test func whatDependsOnTheUserIsNotTriedBesideAScheduleOfAnother() throws {
    let site = Site()
    run(.systemd, on: site)
    install(["--every", "15m"], on: site)
    site.holdfast("init", "-r", "shop", "--unsealed")
    let report = try site.check()
    #expect(report.results.first?.group.kind == .schedule)
    #expect(
      site.lines(of: report, .keys).first
        == "notTried writer key: what it says of this user says nothing of root, who runs the schedule")
    #expect(site.lines(of: report, .repository)[1].hasPrefix("ok repository: "))
  }

  // MARK: Notifications

  @Test func nobodyIsToldUnlessThatIsAskedFor() throws {
    let server = TestServer()
    let site = Site(more: "notifications: {hook: {webhook-url: '\(server.address)/ok/secret'}}")
    #expect(try site.lines(.notification) == ["notTried hook: --notify sends it one"])
    #expect(server.requests.isEmpty)
    #expect(
      try Site().lines(.notification) == ["notTried receivers: none is configured: nobody is told when a run fails"])
  }

  @Test func eachReceiverGetsOneAndItsAnswerIsTold() throws {
    let server = TestServer()
    let site = Site()
    let told = site.directory.appending("told")
    site.configure(
      """
      repositories: {shop: {path: \(site.shop.text)}}
      sources: {orders: {path: \(site.orders.text)}}
      notifications:
        watcher: {ping-url: '\(server.address)/ok/secret'}
        hook: {webhook-url: '\(server.address)/ok/hook'}
        lost: {webhook-url: '\(server.address)/unknown/secret'}
        mail: {command: 'echo $HOLDFAST_EVENT $HOLDFAST_COMMAND > \(told.text)'}
        broken: {command: 'exit 3'}
      """)
    let place = server.address + "/…"
    let lines = try site.lines(.notification) { $0.notifies = true }.sorted()
    #expect(lines.count == 5, "\(lines)")
    #expect(lines[0].hasPrefix("failed broken: "), "\(lines)")
    #expect(
      Array(lines[1...]) == [
        "failed lost: \(place) answered with status 404\nHINT: Correct it below `notifications`, or where it is received.",
        "ok hook: \(place) answered with status 200", "ok mail: the command ended with status 0",
        "ok watcher: \(place) answered with status 200",
      ])
    #expect(!lines.joined().contains("secret"))
    #expect(TestFiles.read(told) == Array("test check\n".utf8))
    // Whoever waits for runs must not take this for one.
    let pings = server.requests.filter { $0.path.hasPrefix("/ok/secret") }
    #expect(pings.map { "\($0.method) \($0.path)" } == ["POST /ok/secret/log"])
    #expect(pings.first?.body.hasSuffix(" tries this notification; nothing has happened\n") == true)
    let hook = try #require(server.requests.first { $0.path == "/ok/hook" })
    let json = try #require(try JSONSerialization.jsonObject(with: Data(hook.body.utf8)) as? [String: Any])
    #expect(json["event"] as? String == "test" && json["command"] as? String == "check")
    #expect(json["exitStatus"] == nil || json["exitStatus"] is NSNull)
  }

  @Test func aReceiverThatCannotBeUsedIsNamed() throws {
    let lines = try Site().lines(.notification, ["HOLDFAST_PING_URL": "no address"])
    #expect(
      lines == [
        "failed receivers: HOLDFAST_PING_URL is no address of http or https\nHINT: Run `holdfast config check`."
      ])
  }
}
