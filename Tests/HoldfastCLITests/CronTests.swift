import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// What cron and other minimal surroundings give is enough.
@Suite struct CronTests {
  /// No HOME, no locale, a strict umask, `/` as directory, no standard input; on a machine of its own.
  private func underCron(_ tool: Tool, _ arguments: [String]) -> ProcessResult {
    let shell = ["/bin/sh", "-c", #"cd / && umask 077 && exec "$@" <&-"#, "sh", Tool.binary.text]
    var start = RunningProcess.Start(OwnMachine(in: tool.directory.path).prefix + shell + arguments)
    start.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
    start.input = .closed
    return RunningProcess(start).wait()
  }

  @Test(.requires(.overlayMounts)) func backupWorksInTheEnvironmentOfCron() throws {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    #expect(underCron(tool, ["init", "--unsealed", "-r", tool.repository.text, "--quiet"]).exitStatus == 0)
    let descriptor = try #require(TestFiles.read(tool.repository.appending("holdfast.json")))
    let identifier = try #require(String(decoding: descriptor, as: UTF8.self).firstMatch(of: /"repository":"(\w+)"/)).1
    for _ in 0..<2 {
      let result = underCron(tool, ["backup", tool.source.text, "-r", tool.repository.text, "--quiet"])
      #expect(result.exitStatus == 0)
      #expect(result.output == "")
      #expect(result.error == "")
    }
    // Root without a HOME keeps its cache where it belongs to the machine.
    let cache = OwnMachine(in: tool.directory.path).cache.appending("holdfast")
    #expect(TestFiles.exists(cache.appending(String(identifier))))
    #expect(tool.run("verify", "--data").exitStatus == 0)
    #expect(tool.run("restore", "--target", "restored").exitStatus == 0)
    #expect(TreeDescription(of: tool.directory.appending("restored")) == TreeDescription(of: tool.source))
  }

  /// A closed descriptor is given to the next file that is opened: what is said must not end in the repository.
  @Test func closedDescriptorsDoNoHarm() {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    // A socket is remarked upon while the objects are open.
    tool.other(
      "python3", "-c", "import socket\nfor n in range(9): socket.socket(socket.AF_UNIX).bind('source/socket%d' % n)")
    let closed: (inout RunningProcess.Start) -> Void = { ($0.input, $0.output, $0.error) = (.closed, .closed, .closed) }
    #expect(tool.run("init", "--unsealed", configure: closed).exitStatus == 0)
    #expect(tool.run("backup", "source", configure: closed).exitStatus == 0)
    #expect(tool.run("verify", "--data").exitStatus == 0)
    #expect(tool.run("cat", "latest", "orders").output == "an order")
    for file in TestFiles.allFiles(in: tool.repository) {
      #expect(TestFiles.read(file)?.starts(with: Array("holdfast: ".utf8)) == false, "\(file)")
    }
  }

  /// What an unprivileged user may not read is named, the rest is captured, and the run is no success.
  @Test(.requires(.unprivilegedUser)) func whatCannotBeReadIsNamed() throws {
    let tool = Tool()
    TestFiles.setMode(tool.directory.path, 0o777)
    TestFiles.write("an order", to: tool.source.appending("orders"))
    TestFiles.write("secret", to: tool.source.appending("secret"))
    TestFiles.setMode(tool.source.appending("secret"), 0)
    TestFiles.makeDirectory(tool.source.appending("vault"), mode: 0)
    defer { TestFiles.setMode(tool.source.appending("vault"), 0o700) }
    let nobody = try Unprivileged(tool)
    #expect(nobody.run("init", "--unsealed").exitStatus == 0)
    let result = nobody.run("backup", "source")
    #expect(result.exitStatus == 3)
    #expect(
      result.error == """
        holdfast: INCOMPLETE: secret: Permission denied
        holdfast: INCOMPLETE: vault: Permission denied

        """)
    #expect(result.output.hasSuffix("\n  INCOMPLETE: 2 paths could not be captured whole\n"))
    #expect(nobody.run("cat", "latest", "orders").output == "an order")

    let json = try #require(
      try JSONSerialization.jsonObject(with: Data(nobody.run("backup", "source", "--json").outputBytes))
        as? [String: Any])
    let problems = try #require(json["problems"] as? [[String: String]])
    #expect(
      problems == [
        ["path": "secret", "reason": "Permission denied"], ["path": "vault", "reason": "Permission denied"],
      ])
    #expect(json["committed"] as? Bool == true)
    #expect(nobody.run("list").output.contains("  INCOMPLETE: 2 paths, unreadable\n"))

    let cat = nobody.run("cat", "latest", "secret")
    #expect(cat.exitStatus == 3)
    #expect(
      cat.error == "holdfast: secret could not be read when the snapshot was taken\nHINT: Try an older snapshot.\n")

    let restored = nobody.run("restore", "--target", "restored")
    #expect(restored.exitStatus == 3, "a part of the source is not in the snapshot")
    #expect(
      restored.error == """
        holdfast: INCOMPLETE: secret: unreadable when the snapshot was taken
        holdfast: INCOMPLETE: .: 1 path could not be read when the snapshot was taken: what lies there is from an earlier \
        snapshot, or is missing

        """)
    #expect(TestFiles.names(in: tool.directory.appending("restored")).sorted() == ["orders", "vault"])
  }

  /// Owners are root's to give: without, a restore brings back everything else, and that is a success.
  @Test(.requires(.unprivilegedUser)) func aRestoreNeedsNoPrivilege() throws {
    let tool = Tool()
    TestFiles.setMode(tool.directory.path, 0o777)
    TestFiles.write("an order", to: tool.source.appending("orders"))
    TestFiles.setMode(tool.source.appending("orders"), 0o4751)
    let nobody = try Unprivileged(tool)
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    tool.other("chmod", "-R", "a+rX", "repository")
    let restored = nobody.run("restore", "--target", "restored")
    #expect(restored.exitStatus == 0, "\(restored.error)")
    let node = try #require(TreeDescription(of: tool.directory.appending("restored")).nodes["orders"])
    #expect(node.content == Array("an order".utf8))
    #expect(node.mode & 0o7777 == 0o751, "it must not run as whoever restored it")
    if Tool.isRoot { #expect(node.userID == Unprivileged.userID) }
  }

  @Test(.requires(.unprivilegedUser)) func aSourceThatMayNotBeReadAtAllFails() throws {
    let tool = Tool()
    TestFiles.setMode(tool.directory.path, 0o777)
    let nobody = try Unprivileged(tool)
    nobody.run("init", "--unsealed")
    TestFiles.setMode(tool.source, 0)
    let result = nobody.run("backup", "source")
    TestFiles.setMode(tool.source, 0o700)
    #expect(result.exitStatus == 1)
    #expect(
      tool.plain(result.error) == """
        holdfast: cannot open DIR/source: Permission denied
        HINT: Run as a user who may do that, or correct the permissions.

        """)
    #expect(tool.run("list").output.hasPrefix("no snapshots in "))
  }
}
