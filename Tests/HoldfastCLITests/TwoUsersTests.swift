import HoldfastModel
import HoldfastTestSupport
import Testing

/// Root takes the backups and the database's user pushes its log into the same repository, as docs/operations.md says,
/// word for word. On a machine of its own, because a group is made.
@Suite struct TwoUsersTests {
  private let tool = SealedTool()
  private let recipient: String
  private var home: String { tool.directory.path.text }

  init() throws {
    for name in ["backup", "srv", "media", "media/key", "pg", "bin"] {
      TestFiles.makeDirectory(tool.directory.appending(name))
    }
    // The server's user must find the way.
    TestFiles.setMode(tool.directory.path, 0o755)
    recipient = tool.generate("media/key/recovery.key")
    TestFiles.makeDirectory(tool.directory.appending("srv/orders"))
    TestFiles.write("an order", to: tool.directory.appending("srv/orders/order"))
    TestFiles.write(try #require(Self.log.segments.first).bytes, to: tool.directory.appending("pg/segment"))
    try #require(tool.tool.other("cp", Tool.binary.text, "bin/holdfast").exitStatus == 0)
  }

  private static let log: TestLog = {
    var log = TestLog()
    log.commit(at: 1_700_000_000_000_000)
    log.switchSegment()
    return log
  }()

  /// Runs commands as root with a umask that lets nobody in, on a machine of their own, with places of the test in
  /// those of the document.
  /// - Returns: what they print.
  private func run(_ commands: String) throws -> String {
    var script = commands
    for place in ["/backup/", "/srv/", "/media/"] { script.replace(place, with: home + place) }
    script.replace("/var/lib/postgresql/", with: home + "/pg/")
    script.replace("/usr/local/bin/", with: home + "/bin/")
    TestFiles.write(
      "set -euo pipefail\numask 077\n" + script,
      to: tool.directory.appending("script"))
    var start = RunningProcess.Start(OwnMachine(in: tool.directory.path).prefix + ["bash", "script"])
    start.environment = tool.start([]).environment
    start.environment["PATH"] = "\(home)/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    start.environment["HOLDFAST_REPOSITORY"] = home + "/backup/shop"
    start.directory = tool.directory.path
    start.hasOwnSession = true
    let result = RunningProcess(start).wait()
    try #require(result.exitStatus == 0, "\(result.output)\(result.error)")
    return result.output
  }

  /// The line of the document for `postgresql.conf`, as the server's shell runs it.
  private func push(isSealed: Bool) throws -> String {
    let text = String(decoding: TestFiles.read(Tool.root.appending("docs/operations.md")) ?? [], as: UTF8.self)
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("archive_command = '") }
    let line = try #require(lines.first { $0.contains("HOLDFAST_WRITER_KEY_FILE") == isSealed })
    let name = try #require(Self.log.segments.first).name
    return """

      cp \(home)/pg/segment \(home)/pg/\(name) && chmod 644 \(home)/pg/\(name)
      runuser -u postgres -- env -i sh -c '\(line.dropFirst("archive_command = '".count).dropLast())'

      """.replacing("%p", with: "\(home)/pg/\(name)")
  }

  private static let heading = "Root backs up, the database pushes its log"

  @Test(.requires(.userPostgres, .overlayMounts)) func aSealedRepositoryIsShared() throws {
    let steps = try Runbook.steps(Self.heading).replacing("LINE", with: recipient)
    let said = try run(
      steps + "holdfast backup /srv/orders --name orders --quiet\n" + push(isSealed: true) + """
        holdfast key generate /media/key/third.key > third 2> /dev/null
        holdfast key add --recipient "$(cat third)" --label third --identity /media/key/recovery.key --quiet
        """ + push(isSealed: true) + """
          holdfast backup /srv/orders --name orders --full --quiet
          holdfast verify --data --identity /media/key/recovery.key
          holdfast wal status --identity /media/key/recovery.key
          """)
    #expect(said.contains("1 segment"), "\(said)")
  }

  @Test(.requires(.userPostgres, .overlayMounts)) func anUnsealedRepositoryIsShared() throws {
    let lines = try Runbook.steps(Self.heading).split(separator: "\n")
    let making = try #require(lines.firstIndex { $0.contains("holdfast init") })
    let steps = lines[..<making] + [Substring(lines[making].replacing("--recipient LINE", with: "--unsealed"))]
    let said = try run(
      steps.joined(separator: "\n") + "\nholdfast backup /srv/orders --name orders --quiet\n" + push(isSealed: false)
        + """
        holdfast verify --data
        find /backup/shop -type d -exec chmod +t {} +
        holdfast backup /srv/orders --name orders --full --quiet
        """ + push(isSealed: false) + """
          ! runuser -u postgres -- rm -rf /backup/shop/sources 2> /dev/null
          holdfast verify --data --quiet
          stat -c '%a %G' /backup/shop/sources/orders/*
          """)
    #expect(said.contains("3770 holdfast"), "\(said)")
  }

  /// What was made for root alone becomes shared, and stays so.
  @Test(.requires(.userPostgres, .overlayMounts)) func aRepositoryThatIsThereBecomesShared() throws {
    let groups = try Runbook.steps(Self.heading).split(separator: "\n").prefix(2).joined(separator: "\n")
    let steps = try Runbook.steps("A repository that is there already")
    let said = try run(
      groups + """

        holdfast init --unsealed --quiet
        holdfast backup /srv/orders --name orders --quiet

        """ + steps + push(isSealed: false) + """
          holdfast backup /srv/orders --name orders --full --quiet
          """ + push(isSealed: false) + "holdfast verify --data")
    #expect(said != "")
  }

  @Test func aGroupThatIsNotThereIsRefusedBeforeAnythingIsMade() {
    let tool = SealedTool()
    tool.run("init", "--unsealed", "--group", "no such group").expectRefusal(
      2, "there is no group no such group on this machine",
      hint:
        "Make it with `groupadd --system no such group`, and add users with `usermod --append --groups no such group USER`."
    )
    #expect(!TestFiles.exists(tool.repository))
  }
}
