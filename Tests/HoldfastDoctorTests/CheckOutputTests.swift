import Foundation
import Glibc
import HoldfastDoctor
import HoldfastModel
import HoldfastReport
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// `check` shows its results as text, as JSON and as a line for Nagios, and ends with a status that says how bad it is.
@Suite struct CheckOutputTests {
  private let site = Site()

  private func makeSound() {
    site.holdfast("init", "-r", "shop", "--unsealed")
    site.holdfast("backup", "orders")
  }

  /// As somebody who is not root and has no home, so that no schedule of this machine is looked at.
  private func check(_ arguments: String..., as other: Unprivileged) -> ProcessResult {
    other.run(["check"] + arguments) { $0.environment["HOLDFAST_REPOSITORY"] = nil }
  }

  private func share() throws -> Unprivileged {
    let other = try Unprivileged(site.tool)
    _ = site.tool.other("chmod", "-R", "a+rwX", site.directory.text)
    for path in [site.tool.configuration, site.tool.configuration.appending("holdfast.yaml")] {
      TestFiles.setMode(path, path == site.tool.configuration ? 0o755 : 0o644)
    }
    return other
  }

  @Test(.requires(.unprivilegedUser)) func allIsWell() throws {
    makeSound()
    let other = try share()
    let result = check("--no-write", as: other)
    #expect(result.exitStatus == 0, "\(result.output)\(result.error)")
    #expect(
      site.tool.plain(result.output).replacing(/[\d.]+ \w+ are/, with: "ROOM are") == """
        repository shop
          ok  storage  DIR/shop answers; what it can do was not tried (--no-write)
          ok  repository  LONGID is open; it is not sealed and has 1 source
        keys of shop
          not tried  writer key  the repository is not sealed, and needs no keys
        source orders
          ok  directory  DIR/orders: 2 entries can be read; 1 file opened
          ok  newest snapshot  begun TIME, full ID
        room of shop
          ok  storage  ROOM are free; too little was stored so far to tell when that ends
        clock
          ok  snapshots of shop  none is from the future
        schedule
          not tried  schedule  there is no home directory for units of a user
          HINT: Set HOME, or run as root.
        notification
          not tried  receivers  none is configured: nobody is told when a run fails
        6 ok, 3 not tried

        """)
    #expect(check("--no-write", "--quiet", as: other).output == "")
    let nagios = check("--no-write", "--nagios", as: other)
    #expect(nagios.exitStatus == 0)
    #expect(nagios.output == "HOLDFAST OK - 6 ok, 3 not tried | 'failed'=0;;0 'warnings'=0;0 'ok'=6 'notTried'=3\n")
  }

  @Test(.requires(.unprivilegedUser)) func aWarningGives3AndAFailure30() throws {
    site.holdfast("init", "-r", "shop", "--unsealed")
    let other = try share()
    let warned = check("--no-write", "--quiet", as: other)
    #expect(warned.exitStatus == 3)
    #expect(
      site.tool.plain(warned.output) == """
        source orders
          warning  newest snapshot  it was never backed up
          HINT: Run `holdfast backup orders`.

        """)
    let warning = check("--no-write", "--nagios", as: other)
    #expect(warning.exitStatus == 1)
    #expect(
      warning.output
        == "HOLDFAST WARNING - source orders, newest snapshot: it was never backed up | 'failed'=0;;0 'warnings'=1;0 'ok'=4 'notTried'=4\n"
    )
    TestFiles.removeTree(site.orders)
    let failed = check("--no-write", "--json", as: other)
    #expect(failed.exitStatus == 30)
    let json = try #require(try JSONSerialization.jsonObject(with: Data(failed.outputBytes)) as? [String: Any])
    #expect(json["schema"] as? Int == 1 && json["verdict"] as? String == "failed")
    #expect(json["failedCount"] as? Int == 1 && json["warningCount"] as? Int == 1)
    let results = try #require(json["results"] as? [[String: Any]])
    #expect(results.count == (json["okCount"] as? Int ?? 0) + (json["notTriedCount"] as? Int ?? 0) + 2)
    let worst = try #require(results.first { $0["verdict"] as? String == "failed" })
    #expect(worst["group"] as? String == "source" && worst["subject"] as? String == "orders")
    #expect(worst["name"] as? String == "directory")
    #expect(worst["text"] as? String == "the source \(site.orders.text) does not exist")
    #expect(worst["hint"] as? String == "Name the directory that holds the order database.")
    #expect(results.allSatisfy { $0.keys.sorted() == ["group", "hint", "name", "subject", "text", "verdict"] })
    let critical = check("--no-write", "--nagios", as: other)
    #expect(critical.exitStatus == 2)
    #expect(critical.output.hasPrefix("HOLDFAST CRITICAL - source orders, directory: the source "))
  }

  @Test func whatCannotBeLookedAtIsUnknownToNagios() {
    site.configure("repositories: {shop: {path: relative}}")
    let result = site.holdfast("check", "--nagios")
    #expect(result.exitStatus == 3)
    #expect(result.output.hasPrefix("HOLDFAST UNKNOWN - "))
    #expect(site.holdfast("check").exitStatus == 2)
    #expect(site.holdfast("check", "--nagios", "--json").exitStatus == 3)
  }

  @Test func aSignalEndsItAtOnce() {
    site.configure(
      """
      repositories: {far: {url: 'sftp:backup@nas/volume/shop', ssh-command: \(site.hangingCommand().text)}}
      sources: {orders: {path: \(site.orders.text)}}
      """)
    var start = site.tool.start(["check"])
    start.environment["HOLDFAST_REPOSITORY"] = nil
    let process = RunningProcess(start)
    // On a thread of its own: with many tests beside it, this one may wait longer than a trial does.
    WorkerThread.detach { [begun = site.begun, number = process.processID] in
      for _ in 0..<6000 where !TestFiles.exists(begun) { Pause.time(.milliseconds(10)) }
      kill(number, SIGINT)
    }
    let result = process.wait()
    #expect(result.exitStatus == 130)
    #expect(result.output == "")
  }

  /// What could not be looked at is not well.
  @Test func nothingTriedIsUnknownToNagios() {
    let line = DoctorNagios(DoctorReport([]))
    #expect(line.status == .unknown)
    #expect(
      line.text
        == "HOLDFAST UNKNOWN - 0 ok, 0 not tried | 'failed'=0;;0 'warnings'=0;0 'ok'=0 'notTried'=0")
    #expect(DoctorReport([]).exitStatus == .incomplete)
  }

  /// A variable in the shell of an operator must not turn off what monitoring relies on.
  @Test func aVariableDoesNotTurnOffWhatIsConfigured() {
    makeSound()
    for place in [site.shop, site.directory.appending("elsewhere")] {
      let result = site.holdfast("check", variables: ["HOLDFAST_REPOSITORY": place.text])
      #expect(result.output.hasPrefix("repository shop\n"), "\(result.output)\(result.error)")
      #expect(result.output.contains(" newest snapshot  begun "), "\(result.output)")
    }
  }

  /// A disk that is not mounted leaves an empty directory.
  @Test func aConfiguredRepositoryThatIsNotThereFails() {
    TestFiles.makeDirectory(site.shop)
    let result = site.holdfast("check", "-r", "shop")
    #expect(result.exitStatus == 30)
    #expect(
      site.tool.plain(result.error)
        == "holdfast: there is no repository in DIR/shop\nHINT: Mount its disk if it should be there; if it is new, run `holdfast init -r shop`.\n"
    )
    #expect(site.holdfast("check", "-r", site.shop.text).exitStatus == 30)
    makeSound()
    let descriptor = site.shop.appending("holdfast.json")
    TestFiles.remove(descriptor)
    TestFiles.write("{", to: descriptor)
    #expect(site.holdfast("check", "-r", "shop").exitStatus == 21)
  }

  /// One repository alone is tried as it always was.
  @Test func aNamedRepositoryIsTriedAlone() {
    makeSound()
    let result = site.holdfast("check", "-r", "shop")
    #expect(result.exitStatus == 0)
    #expect(result.output.hasPrefix("\(site.shop.text)\n  there is a repository here: "), "\(result.output)")
    for flag in ["--notify", "--no-write", "--nagios"] {
      let refused = site.holdfast("check", "-r", "shop", flag)
      #expect(refused.exitStatus == (flag == "--nagios" ? 3 : 2))
      #expect(
        refused.error.hasPrefix(
          "holdfast: --notify, --no-write and --nagios are for everything that is configured: leave --repository out\n"
        ))
    }
  }
}
