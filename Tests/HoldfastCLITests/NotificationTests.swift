import Foundation
import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Somebody is told how runs go; and no run fails, or waits without end, because somebody could not be told.
@Suite struct NotificationTests {
  private let tool = Tool()
  private let server = TestServer()

  init() {
    tool.run("init", "--unsealed")
    TestFiles.write("an order", to: tool.source.appending("orders"))
  }

  @discardableResult
  private func run(_ arguments: String..., telling variables: [String: String]) -> ProcessResult {
    start(arguments, telling: variables).wait()
  }

  private func start(_ arguments: [String], telling variables: [String: String]) -> RunningProcess {
    var start = tool.start(arguments)
    start.environment.merge(variables) { $1 }
    return RunningProcess(start)
  }

  private var ping: [String: String] { ["HOLDFAST_PING_URL": server.address + "/ok/uuid"] }

  @Test func aBackupPingsWhenItBeginsAndWhenItIsDone() {
    let result = run("backup", "source", "--quiet", telling: ping)
    #expect(result.exitStatus == 0)
    #expect(result.output + result.error == "")
    #expect(server.requests.map { "\($0.method) \($0.path)" } == ["GET /ok/uuid/start", "GET /ok/uuid"])
    #expect(server.requests.allSatisfy { $0.agent == "holdfast/\(Program.version)" })
  }

  @Test func aFailureIsPingedWithTheLastThingsThatWereSaid() throws {
    let result = run("backup", "nowhere", "--quiet", telling: ping)
    #expect(result.exitStatus == 1)
    #expect(server.requests.map { "\($0.method) \($0.path)" } == ["GET /ok/uuid/start", "POST /ok/uuid/fail"])
    let body = try #require(server.requests.last?.body)
    #expect(body.hasPrefix("holdfast backup on "))
    #expect(body.contains(" ended with status 1: failed; nothing was committed"))
    #expect(body.hasSuffix("\n" + result.error.dropFirst("holdfast: ".count).prefix { $0 != "\n" } + "\n"), "\(body)")
  }

  @Test(arguments: ["merge", "verify", "prune", "restore"])
  func everyCommandThatWorksOnSnapshotsTells(command: String) {
    tool.run("backup", "source", "--name", "shop")
    let options = ["restore": ["--target", "restored"], "prune": ["--keep-last", "1"]][command] ?? []
    var start = tool.start([command] + options)
    start.environment.merge(ping) { $1 }
    #expect(RunningProcess(start).wait().exitStatus == 0)
    #expect(server.requests.map(\.path) == ["/ok/uuid/start", "/ok/uuid"])
  }

  @Test func aDryRunTellsNobody() {
    run("backup", "source", "--dry-run", telling: ping)
    #expect(server.requests.isEmpty)
  }

  @Test func aWebhookGetsWhatThereIsToKnow() throws {
    let variables = [
      "HOLDFAST_WEBHOOK_URL": server.address + "/ok/hook", "HOLDFAST_NOTIFY_ON": "success,failure",
    ]
    #expect(run("backup", "source", "--name", "shop", telling: variables).exitStatus == 0)
    let request = try #require(server.requests.first)
    #expect(server.requests.count == 1)
    #expect(request.method == "POST" && request.type == "application/json")
    let json = try #require(try JSONSerialization.jsonObject(with: Data(request.body.utf8)) as? [String: Any])
    #expect(json["event"] as? String == "success")
    #expect(json["command"] as? String == "backup")
    #expect(json["source"] as? String == "shop")
    #expect(json["repository"] as? String == tool.repository.text)
    #expect(json["exitStatus"] as? Int == 0)
    #expect(json["outcome"] as? String == "done, and durable")
    #expect(json["bytes"] as? Int == 8)
    #expect(json["warnings"] as? Int == 0)
    #expect(json["lines"] as? [String] == [])
    #expect(json["program"] as? String == Program.nameAndVersion)
    for key in ["began", "ended"] { #expect((json[key] as? String)?.hasSuffix("Z") == true) }
    let snapshot = tool.run("list").output.split(separator: "\n").last?.split(separator: " ").first ?? "?"
    let sources = try #require(json["sources"] as? [[String: String]])
    #expect(sources.count == 1 && sources[0]["snapshot"]?.hasPrefix(snapshot) == true && sources[0]["kind"] == "full")
  }

  @Test func aWebhookHearsOfFailuresOnlyUnlessItAsksForMore() throws {
    let variables = ["HOLDFAST_WEBHOOK_URL": server.address + "/ok/hook"]
    run("backup", "source", telling: variables)
    #expect(server.requests.isEmpty)
    run("backup", "nowhere", telling: variables)
    let body = try #require(server.requests.first?.body)
    let json = try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any])
    #expect(json["event"] as? String == "failure" && json["exitStatus"] as? Int == 1)
    #expect((json["lines"] as? [String])?.count == 1)
  }

  @Test func aCommandGetsVariablesAndJSON() throws {
    let variables = [
      "HOLDFAST_NOTIFY_ON": "start,success",
      "HOLDFAST_NOTIFY_COMMAND":
        #"cat >> told; echo "$HOLDFAST_EVENT $HOLDFAST_COMMAND $HOLDFAST_SOURCE $HOLDFAST_EXIT_STATUS $HOLDFAST_BYTES" >> told"#,
    ]
    #expect(run("backup", "source", "--name", "shop", telling: variables).exitStatus == 0)
    let told = String(decoding: TestFiles.read(tool.directory.appending("told")) ?? [], as: UTF8.self)
    #expect(told.contains(#""event":"start""#) && told.contains("start backup   \n"), "\(told)")
    #expect(told.contains(#""event":"success""#) && told.hasSuffix("success backup shop 0 8\n"), "\(told)")
  }

  /// It would never end.
  @Test func aHoldfastThatIsRunToTellTellsNobody() {
    let variables = [
      "HOLDFAST_NOTIFY_ON": "success",
      "HOLDFAST_NOTIFY_COMMAND": "echo told >> told; '\(Tool.binary.text)' verify --quiet",
    ]
    #expect(run("backup", "source", telling: variables).exitStatus == 0)
    #expect(TestFiles.read(tool.directory.appending("told")) == Array("told\n".utf8))
  }

  @Test func aRunThatFindsAnotherAtWorkTellsNothingOfItsEnd() {
    let gate = ClosedGate(in: tool.directory.path)
    var start = tool.start(
      ["backup", "--from-command", "touch begun; \(gate.wait); echo x", "--name", "shop", "--quiet"])
    start.environment = tool.environment
    let first = RunningProcess(start)
    let patience = Pseudoterminal()
    #expect(patience.waits { TestFiles.exists(tool.directory.appending("begun")) })
    #expect(run("backup", "--from-command", "true", "--name", "shop", telling: ping).exitStatus == 11)
    gate.open()
    #expect(first.wait().exitStatus == 0)
    #expect(server.requests.map(\.path) == ["/ok/uuid/start"])
  }

  @Test func anInterruptedRunIsAFailure() {
    var start = tool.start(
      ["backup", "--from-command", "touch begun; exec sleep 1000", "--name", "shop", "--quiet"])
    start.environment.merge(ping) { $1 }
    let run = RunningProcess(start)
    let patience = Pseudoterminal()
    #expect(patience.waits { TestFiles.exists(tool.directory.appending("begun")) })
    run.send(SIGTERM)
    #expect(run.wait().exitStatus == 130)
    #expect(server.requests.map(\.path) == ["/ok/uuid/start", "/ok/uuid/fail"])
  }

  // MARK: Servers that do not do what they should

  @Test func aServerThatFailsTwiceIsToldTheThirdTime() async {
    let result = await start(
      ["backup", "source", "--quiet"], telling: ["HOLDFAST_PING_URL": server.address + "/flaky"]
    ).end()
    #expect(result.exitStatus == 0)
    #expect(result.error == "")
    #expect(
      server.requests.map(\.path) == Array(repeating: "/flaky/start", count: 3) + Array(repeating: "/flaky", count: 3))
  }

  /// With the time that a silent server costs, twice.
  @Test(arguments: ["silent", "garbage", "gone", "broken", "unknown", "file", "round"])
  func aServerThatIsNoUseCostsOneLine(kind: String) async {
    let result = await start(
      ["backup", "source", "--quiet"], telling: ["HOLDFAST_PING_URL": server.address + "/\(kind)/uuid"]
    ).end()
    #expect(result.exitStatus == 0)
    #expect(result.output == "")
    let lines = result.error.split(separator: "\n")
    #expect(lines.count == 1, "\(result.error)")
    #expect(
      result.error.hasPrefix("holdfast: WARNING: nobody was told of this run: \(server.address)/… "), "\(result.error)")
    #expect(!result.error.contains("uuid"))
    #expect(tool.run("verify", "--data").exitStatus == 0)
  }

  @Test func aServerThatNeverStopsIsToldAllTheSame() {
    let result = run("backup", "source", "--quiet", telling: ["HOLDFAST_PING_URL": server.address + "/endless"])
    #expect(result.exitStatus == 0)
    #expect(result.error == "")
  }

  @Test func aServerThatIsNotWhoItSaysIsNotTold() {
    let secure = TestServer(isSecure: true)
    let result = run("backup", "source", "--quiet", telling: ["HOLDFAST_PING_URL": secure.address + "/ok/uuid"])
    #expect(result.exitStatus == 0)
    #expect(
      result.error
        == "holdfast: WARNING: nobody was told of this run: \(secure.address)/… cannot be reached: SSL peer certificate or SSH remote key was not OK\n"
    )
    #expect(secure.requests.isEmpty)
  }

  @Test func aCommandThatFailsCostsOneLine() {
    let result = run(
      "backup", "source", "--quiet",
      telling: ["HOLDFAST_NOTIFY_COMMAND": "exit 4", "HOLDFAST_NOTIFY_ON": "success"])
    #expect(result.exitStatus == 0)
    #expect(
      result.error
        == "holdfast: WARNING: nobody was told of this run: the command failed with exit status 4\n")
  }

  // MARK: What is said wrongly

  @Test func anAddressComesFromAFileThatNobodyElseCanRead() {
    let file = tool.directory.appending("url")
    TestFiles.write(server.address + "/ok/uuid\n", to: file)
    TestFiles.setMode(file, 0o600)
    #expect(run("backup", "source", "--quiet", telling: ["HOLDFAST_PING_URL_FILE": "url"]).error == "")
    #expect(server.requests.map(\.path) == ["/ok/uuid/start", "/ok/uuid"])
    TestFiles.setMode(file, 0o644)
    let result = run("backup", "source", "--quiet", telling: ["HOLDFAST_PING_URL_FILE": "url"])
    #expect(result.exitStatus == 0)
    #expect(
      tool.plain(result.error)
        == "holdfast: WARNING: nobody is told of this run: the address file DIR/url can be used by others (mode 0644)\n"
    )
    #expect(server.requests.count == 2)
  }

  @Test func whatCannotBeUnderstoodIsAWarning() {
    for (variables, warning) in [
      (["HOLDFAST_PING_URL": "hc.example/uuid"], "HOLDFAST_PING_URL is no address of http or https"),
      (["HOLDFAST_WEBHOOK_URL": "ftp://hc.example/uuid"], "HOLDFAST_WEBHOOK_URL is no address of http or https"),
      (["HOLDFAST_PING_URL_FILE": "/nowhere"], "there is no address file /nowhere"),
      (
        ["HOLDFAST_NOTIFY_COMMAND": "true", "HOLDFAST_NOTIFY_ON": "sucess"],
        "HOLDFAST_NOTIFY_ON does not list start, success, failure or incomplete"
      ),
    ] {
      let result = run("backup", "source", "--quiet", telling: variables)
      #expect(result.exitStatus == 0)
      #expect(result.error == "holdfast: WARNING: nobody is told of this run: \(warning)\n")
    }
  }

  // MARK: Configuration

  private func configure(_ notifications: String) -> String {
    let text = """
      repositories:
        r: {path: \(tool.repository.text)}
      sources:
        shop: {path: \(tool.source.text)}
        other: {path: \(tool.source.text)}
      notifications:
      \(notifications)
      """
    let file = tool.directory.appending("holdfast.yaml")
    TestFiles.write(text, to: file)
    TestFiles.setMode(file, 0o600)
    return file.text
  }

  @Test func whoIsConfiguredIsToldOfTheSourcesThatWereAskedFor() {
    let file = configure(
      """
        a: {ping-url: "\(server.address)/ok/a", sources: shop}
        b: {ping-url: "\(server.address)/ok/b", sources: other}
        c: {webhook-url: "\(server.address)/ok/c", on: [success]}
      """)
    let result = run("backup", tool.source.text, "--name", "shop", "--quiet", telling: ["HOLDFAST_CONFIG": file])
    #expect(result.exitStatus == 0)
    #expect(result.error == "")
    #expect(Set(server.requests.map(\.path)) == ["/ok/a/start", "/ok/a", "/ok/c"])
  }

  @Test func whatTheEnvironmentSaysTakesThePlaceOfWhatIsConfigured() {
    let file = configure(
      """
        a: {ping-url: "\(server.address)/ok/a"}
        c: {webhook-url: "\(server.address)/ok/c", on: [success]}
      """)
    run("verify", "--config", file, telling: ping)
    #expect(server.requests.map(\.path).sorted() == ["/ok/c", "/ok/uuid", "/ok/uuid/start"])
    run("verify", "--config", file, telling: ["HOLDFAST_PING_URL": "", "HOLDFAST_WEBHOOK_URL": ""])
    #expect(server.requests.count == 3)
  }

  @Test func aConfigurationThatCannotBeUsedIsAWarningWhereItIsNotNeeded() {
    let file = configure("  a: {ping-url: ftp://x}")
    let result = run("backup", tool.source.text, "--quiet", telling: ["HOLDFAST_CONFIG": file])
    #expect(result.exitStatus == 0)
    #expect(
      result.error
        == "holdfast: WARNING: nobody is told of this run: the configuration cannot be used; `holdfast config check` tells why\n"
    )
    let needed = run("backup", "shop", "--quiet", telling: ["HOLDFAST_CONFIG": file, "HOLDFAST_REPOSITORY": ""])
    #expect(needed.exitStatus == 2)
    #expect(!needed.error.contains("nobody"))
  }
}
