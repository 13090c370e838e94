import Foundation
import FoundationXML
import HoldfastModel
import HoldfastTestSupport
import Testing

/// `list`, `status` and `verify` over all configured repositories: `shop` with the source `orders`, `office` with
/// `letters`, and where a test says so `gone`, whose disk is not there.
@Suite struct SeveralRepositoriesTests {
  private let tool = Tool()

  private func configure(withGone: Bool = false) {
    TestFiles.makeDirectory(tool.configuration)
    let letters = tool.directory.appending("letters")
    TestFiles.makeDirectory(letters)
    TestFiles.write("a letter", to: letters.appending("1"))
    TestFiles.write("an order", to: tool.source.appending("1"))
    let names = ["shop", "office"] + (withGone ? ["gone"] : [])
    let repositories = names.map { "  \($0): {path: '\(tool.directory.appending($0).text)'}\n" }.joined()
    let file = tool.configuration.appending("holdfast.yaml")
    TestFiles.write(
      """
      repositories:
      \(repositories)sources:
        orders: {path: '\(tool.source.text)', repository: shop}
        letters: {path: '\(letters.text)', repository: office}

      """, to: file)
    TestFiles.setMode(file, 0o644)
    for name in ["shop", "office"] where !TestFiles.exists(tool.directory.appending(name)) {
      #expect(run("init", "--unsealed", "-r", name).exitStatus == 0)
    }
  }

  @discardableResult
  private func run(_ words: String...) -> ProcessResult {
    var start = tool.start(words)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    return RunningProcess(start).wait()
  }

  private func object(_ result: ProcessResult) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Any])
  }

  private func repositories(_ result: ProcessResult) throws -> [[String: Any]] {
    try #require(try object(result)["repositories"] as? [[String: Any]])
  }

  @Test func eachIsShownBelowItsName() throws {
    configure()
    #expect(run("backup").exitStatus == 0)
    let list = tool.plain(run("list").output).split(separator: "\n", omittingEmptySubsequences: false)
    #expect(list.first == "shop: DIR/shop" && list.contains("") && list.contains("office: DIR/office"))
    #expect(list.contains { $0.contains("orders") } && list.contains { $0.contains("letters") })
    let status = run("status")
    #expect(status.exitStatus == 0 && status.output.hasPrefix("shop: ") && status.output.contains("\n  letters: OK\n"))
    #expect(run("status", "--quiet").output == "")
    let verify = run("verify", "--data")
    #expect(verify.exitStatus == 0)
    #expect(verify.output.matches(of: /1 of 1 snapshot sound/).count == 2, "\(verify.output)")
    #expect(tool.plain(verify.output).hasPrefix("shop: DIR/shop\n1 of 1 snapshot sound; "))
    // Each keeps a journal of its own verify.
    let told = try repositories(run("status", "--json"))
    let sources = told.compactMap { (($0["result"] as? [String: Any])?["sources"] as? [[String: Any]])?.first }
    #expect(sources.map { $0["source"] as? String } == ["orders", "letters"])
    #expect(sources.allSatisfy { $0["lastVerify"] is [String: Any] && $0["provedShare"] as? Double == 1 })
  }

  @Test func whatNamesOneIsAboutOne() throws {
    configure()
    #expect(run("backup").exitStatus == 0)
    #expect(try object(run("list", "--json", "-r", "office"))["snapshots"] != nil)
    #expect(try object(run("status", "--json", "--source", "orders"))["sources"] != nil)
    #expect(try object(run("verify", "--json", "--name", "letters"))["snapshots"] != nil)
    for words in [["verify", "latest"], ["list", "--from", "here"], ["verify", "--expect-head", "1234"]] {
      var start = tool.start(words)
      start.environment["HOLDFAST_REPOSITORY"] = nil
      let result = RunningProcess(start).wait()
      #expect(result.exitStatus == 2)
      #expect(
        result.error
          == "holdfast: several repositories are configured: shop, office\nHINT: Say --repository with one of these names.\n"
      )
    }
  }

  @Test func oneThatIsAwayHidesNoneOfTheOthers() throws {
    configure()
    #expect(run("backup").exitStatus == 0)
    configure(withGone: true)
    let message = "gone: there is no repository in DIR/gone"
    for command in ["list", "status", "verify"] {
      let result = run(command)
      #expect(result.exitStatus == 10, "\(command)")
      #expect(tool.plain(result.error).hasPrefix("holdfast: \(message)"), "\(command): \(result.error)")
      #expect(result.output.contains("shop: ") && result.output.contains("office: "), "\(command)")
      #expect(!result.error.contains("did you mean"), "\(command)")
      let told = try repositories(run(command, "--json"))
      #expect(told.map { $0["name"] as? String } == ["shop", "office", "gone"])
      #expect(told.map { $0["exitStatus"] as? Int } == [0, 0, 10])
      #expect(told.map { $0["result"] is NSNull } == [false, false, true])
      #expect((told[2]["error"] as? [String: Any])?["code"] as? String == "noRepository")
      #expect(told[0]["error"] is NSNull)
    }
    #expect(tool.plain(run("status").output).hasSuffix("\n\ngone: DIR/gone\n  ! there is no repository in DIR/gone\n"))
    let quiet = run("status", "--quiet")
    #expect(quiet.output == "" && tool.plain(quiet.error).hasPrefix("holdfast: \(message)"))
  }

  @Test func theExitStatusIsTheWorst() throws {
    configure()
    #expect(run("backup").exitStatus == 0)
    let archive = try #require(
      TestFiles.allFiles(in: tool.directory.appending("office")).first { $0.text.contains("archive-") })
    TestFiles.truncate(archive, to: 10)
    let verify = run("verify", "--data", "--json", "--junit", "report.xml")
    #expect(verify.exitStatus == 21)
    #expect(try repositories(verify).map { $0["exitStatus"] as? Int } == [0, 21])
    let xml = String(decoding: TestFiles.read(tool.directory.appending("report.xml")) ?? [], as: UTF8.self)
    let suites = try XMLDocument(xmlString: xml).rootElement()?.elements(forName: "testsuite") ?? []
    #expect(
      suites.map { $0.attribute(forName: "name")?.stringValue } == ["holdfast verify shop", "holdfast verify office"])
    #expect(suites.map { $0.attribute(forName: "failures")?.stringValue } == ["0", "1"])
    #expect(run("status").exitStatus == 21)
    configure(withGone: true)
    #expect(run("status").exitStatus == 21, "damage is worse than a disk that is away")
  }

  // MARK: Monitoring

  @Test func aPluginPrintsOneLineForAll() {
    configure()
    #expect(run("backup").exitStatus == 0)
    func line(_ words: String...) -> (Int32, String) {
      var start = tool.start(["status", "--nagios"] + words)
      start.environment["HOLDFAST_REPOSITORY"] = nil
      let result = RunningProcess(start).wait()
      #expect(result.error == "" && result.output.filter(\.isNewline).count == 1, "\(result.error)")
      return (result.exitStatus, String(tool.plain(result.output).prefix { $0 != "|" }))
    }
    #expect(
      line() == (
        0,
        "HOLDFAST OK - shop: 1 source, the newest snapshot of orders is SECONDS old; office: 1 source, the newest snapshot of letters is SECONDS old "
      ))
    #expect(run("status", "--nagios").output.contains(" | 'shop_orders_age'="))
    configure(withGone: true)
    #expect(line() == (2, "HOLDFAST CRITICAL - gone: there is no repository in DIR/gone "))
    let (status, text) = line("--max-age", "0")
    #expect(status == 2)
    #expect(
      text.hasPrefix("HOLDFAST CRITICAL - shop: orders: the newest") && text.contains("; gone: there is no"), "\(text)")
  }

  @Test func aFileForPrometheusHasAll() throws {
    configure()
    #expect(run("backup").exitStatus == 0)
    configure(withGone: true)
    #expect(run("status", "--prometheus", "holdfast.prom", "--quiet").exitStatus == 10)
    let text = String(decoding: TestFiles.read(tool.directory.appending("holdfast.prom")) ?? [], as: UTF8.self)
    #expect(text.matches(of: /# TYPE holdfast_snapshots gauge/).count == 1, "a metric is explained once")
    #expect(
      text.matches(
        of: /(?m)^holdfast_snapshots\{name="(shop|office)",repository="[0-9a-f]{32}",source="(orders|letters)"\} 1$/
      ).count == 2)
    #expect(
      text.matches(of: /(?m)^holdfast_repository_answers\{name="(shop|office)"\} 1$/).count
        == 2)
    #expect(text.contains("holdfast_repository_answers{name=\"gone\"} 0\n"))
    let script = """
      import sys
      from prometheus_client.parser import text_string_to_metric_families
      print(len(list(text_string_to_metric_families(open(sys.argv[1], newline="").read()))))
      """
    let read = tool.other("/usr/bin/python3", "-c", script, "holdfast.prom")
    #expect(read.exitStatus == 0, "\(read.error)")
  }

  /// The figures of yesterday must not stay in the file.
  @Test func aFileForPrometheusTellsAlsoOfTheOnlyRepository() {
    TestFiles.makeDirectory(tool.configuration)
    let file = tool.configuration.appending("holdfast.yaml")
    TestFiles.write("repositories: {gone: {path: '\(tool.directory.appending("gone").text)'}}\n", to: file)
    TestFiles.setMode(file, 0o644)
    for more in [["--nagios"], [], ["--json"]] {
      let metrics = tool.directory.appending("holdfast.prom")
      TestFiles.write("holdfast_level 0\n", to: metrics)
      var start = tool.start(["status", "--prometheus", "holdfast.prom"] + more)
      start.environment["HOLDFAST_REPOSITORY"] = nil
      #expect(RunningProcess(start).wait().exitStatus == (more == ["--nagios"] ? 2 : 10))
      let lines = String(decoding: TestFiles.read(metrics) ?? [], as: UTF8.self).split(separator: "\n")
      #expect(lines.filter { !$0.hasPrefix("#") } == ["holdfast_repository_answers{name=\"gone\"} 0"], "\(more)")
    }
  }

  /// What calls a plugin reads one line of standard output, whatever is wrong.
  @Test func aPluginThatIsCalledWronglyPrintsItsLine() throws {
    for command in ["status", "check"] {
      let result = RunningProcess(tool.start([command, "--nagios", "--bogus"])).wait()
      #expect(result.exitStatus == 3)
      #expect(result.output == "HOLDFAST UNKNOWN - unknown option '--bogus'\n")
      let both = RunningProcess(tool.start([command, "--nagios", "--json"])).wait()
      #expect(both.exitStatus == 3)
      let error = try #require(try object(both)["error"] as? [String: Any])
      #expect(error["exitStatus"] as? Int == 3, "the document says how the process ends")
    }
    #expect(run("status", "--nagios", "--help").output.hasPrefix("OVERVIEW: "))
  }
}
