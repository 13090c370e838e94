import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// What a site configures once need not be typed again.
@Suite struct ConfigurationTests {
  private let tool = Tool()

  private var file: Path { tool.directory.appending("holdfast.yaml") }

  /// The environment has the configuration, and no repository.
  private func run(_ arguments: String..., variables: [String: String] = [:]) -> ProcessResult {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    start.environment["HOLDFAST_CONFIG"] = file.text
    start.environment.merge(variables) { $1 }
    return RunningProcess(start).wait()
  }

  private func configure(_ text: String) {
    TestFiles.write(text.replacing("DIR", with: tool.directory.path.text), to: file)
    TestFiles.setMode(file, 0o644)
  }

  /// Two sources, the first of them in `source`.
  private func configureShop(_ more: String = "") {
    configure(
      """
      repositories:
        shop: {path: DIR/repository}
      sources:
        orders: {path: DIR/source}
        customers: {path: DIR/customers}

      """ + more)
    TestFiles.write("an order", to: tool.source.appending("orders"))
    TestFiles.makeDirectory(tool.directory.appending("customers"))
    TestFiles.write("a customer", to: tool.directory.appending("customers").appending("list"))
  }

  private func json(_ result: ProcessResult) throws -> Any {
    try JSONSerialization.jsonObject(with: Data(result.outputBytes))
  }

  // MARK: config

  @Test func theExampleIsAccepted() {
    let example = run("config", "example")
    #expect(example.exitStatus == 0)
    configure(example.output)
    let check = run("config", "check")
    #expect(check.error == "")
    #expect(tool.plain(check.output) == "sound: 1 repository, 1 source, 0 notifications, in DIR/holdfast.yaml\n")
    #expect(check.exitStatus == 0)
    #expect(run("config", "check", "--quiet").output == "")
  }

  @Test func checkTellsAllMistakes() {
    configure("repositories:\n  shop: {path: backup}\nsource: {}\n")
    let check = run("config", "check")
    #expect(check.exitStatus == 2)
    #expect(check.output == "")
    #expect(
      tool.plain(check.error) == """
        holdfast: the configuration has 2 mistakes
        DIR/holdfast.yaml:2:16: path: "backup" is not an absolute path
        HINT: It begins with /.
        DIR/holdfast.yaml:3:1: there is no key source in the configuration
        HINT: Did you mean sources?

        """)
  }

  @Test func checkLooksAtTheFilesOfSecrets() {
    configure("repositories:\n  shop: {path: /backup, writer-key: /nowhere}\n")
    #expect(
      tool.plain(run("config", "check").error) == """
        holdfast: the configuration has 1 mistake
        DIR/holdfast.yaml:2:37: there is no file /nowhere
        HINT: Make it, with mode 0600, or name another one.

        """)
    #expect(run("config", "show").exitStatus == 0)
  }

  @Test func showTellsWhereEachValueComesFromAndHidesSecrets() throws {
    configureShop(
      "defaults: {postgres: password=geheim}\nnotifications: {chat: {webhook-url: 'https://geheim.example'}}\n")
    let shown = run("config", "show", variables: ["HOLDFAST_COMPRESSION": "zstd:3"])
    #expect(shown.exitStatus == 0)
    #expect(!shown.output.contains("geheim"))
    let lines = tool.plain(shown.output).split(separator: "\n").map(String.init)
    #expect(lines.contains("repositories.shop.path  DIR/repository  DIR/holdfast.yaml:2:16"))
    #expect(lines.contains("sources.orders.compression  zstd:3  HOLDFAST_COMPRESSION"))
    #expect(lines.contains("sources.orders.paranoid  no  default"))
    #expect(lines.contains("sources.orders.postgres  (hidden)  DIR/holdfast.yaml:6:22"))
    #expect(lines.contains("notifications.chat.webhook-url  (hidden)  DIR/holdfast.yaml:7:37"))

    let result = run("config", "show", "--json")
    #expect(!result.output.contains("geheim"))
    let values = try #require((try json(result) as? [String: Any])?["values"] as? [[String: Any]])
    let path = try #require(values.first { $0["key"] as? [String] == ["sources", "orders", "path"] })
    #expect(path["value"] as? String == tool.source.text)
    #expect(path["origin"] as? String == "file")
    #expect(path["line"] as? Int == 4)
    #expect(path["column"] as? Int == 18)
  }

  @Test(.requires(.overlayMounts), arguments: [["config", "check"], ["config", "show"], ["backup"]])
  func withoutAConfigurationTheMessageShowsOne(arguments: [String]) {
    var start = RunningProcess.Start(OwnMachine(in: tool.directory.path).prefix + [Tool.binary.text] + arguments)
    start.environment["HOLDFAST_CONFIG"] = ""
    let result = RunningProcess(start).wait()
    #expect(result.exitStatus == 2)
    let what = arguments == ["backup"] ? "sources to back up" : "sources"
    let place = Tool.isRoot ? "/etc/holdfast/holdfast.yaml" : "/nonexistent/.config/holdfast/holdfast.yaml"
    #expect(
      result.error == """
        holdfast: there is no configuration that names \(what)
        HINT: Write one into \(place) (`holdfast config example` shows everything that can stand there):
        repositories:
          shop: {path: /backup/shop}
        sources:
          orders: {path: /srv/orders}

        """)
  }

  // MARK: Repositories

  @Test func commandsFindTheOneRepositoryThatIsConfigured() {
    configureShop()
    #expect(run("init", "--unsealed").exitStatus == 0)
    #expect(run("backup", "orders", "--quiet").exitStatus == 0)
    let commands = [
      ["list"], ["show"], ["verify"], ["restore", "--target", "restored"], ["cat", "latest", "orders"],
    ]
    for arguments in commands {
      var start = tool.start(arguments + ["--config", file.text])
      start.environment["HOLDFAST_REPOSITORY"] = nil
      let result = RunningProcess(start).wait()
      let error = result.error
      #expect(result.exitStatus == 0, "\(arguments): \(error)")
    }
    #expect(TreeDescription(of: tool.directory.appending("restored")) == TreeDescription(of: tool.source))
  }

  @Test func amongSeveralRepositoriesOneIsNamedByItsNameOrByItsSource() {
    configure(
      """
      repositories: {a: {path: DIR/a}, b: {path: DIR/b}}
      sources: {orders: {path: DIR/source, repository: b}}
      """)
    TestFiles.write("an order", to: tool.source.appending("orders"))
    let refused = run("init", "--unsealed")
    #expect(refused.exitStatus == 2)
    #expect(
      refused.error
        == "holdfast: several repositories are configured: a, b\nHINT: Say --repository with one of these names.\n")
    #expect(run("init", "--unsealed", "-r", "b").exitStatus == 0)
    #expect(run("backup").exitStatus == 0)
    #expect(run("list", "-r", "b").exitStatus == 0)
    #expect(run("list", "--name", "orders").exitStatus == 0)
    #expect(run("list", variables: ["HOLDFAST_REPOSITORY": "b"]).exitStatus == 0)
    #expect(run("list", "-r", tool.directory.appending("b").text).exitStatus == 0, "a path goes on working")
    #expect(run("list", "-r", "a").exitStatus == 10)
    TestFiles.rename(tool.directory.appending("b"), to: tool.directory.appending("c"))
    #expect(run("list", "-r", "c").exitStatus == 0, "what is there is a path")
  }

  /// Whoever names the repository by its path must get at it also when the configuration is broken.
  @Test func aBrokenConfigurationStopsNobodyWhoNamesThePath() {
    configure("nonsense: {")
    TestFiles.write("an order", to: tool.source.appending("orders"))
    let repository = tool.repository.text
    #expect(run("init", "--unsealed", "-r", repository).exitStatus == 0)
    #expect(run("backup", tool.source.text, "-r", repository).exitStatus == 0)
    #expect(run("restore", "--target", "restored", "-r", repository).exitStatus == 0)
    #expect(run("list").exitStatus == 2)
  }

  @Test func keysOfASealedRepositoryAreThoseThatAreConfigured() throws {
    let sealed = SealedTool()
    let recipient = sealed.generate("identity")
    let directory = sealed.directory.path.text
    let file = sealed.directory.appending("holdfast.yaml")
    TestFiles.write(
      """
      repositories:
        shop: {path: \(sealed.repository.text), writer-key: \(directory)/its.key, identity: \(directory)/identity}
      sources: {orders: {path: \(sealed.source.text)}}
      """, to: file)
    TestFiles.setMode(file, 0o644)
    let configure: (inout RunningProcess.Start) -> Void = { start in
      start.environment["HOLDFAST_REPOSITORY"] = nil
      start.environment["HOLDFAST_WRITER_KEY_FILE"] = nil
      start.environment["HOLDFAST_CONFIG"] = file.text
    }
    #expect(sealed.run("init", "--recipient", recipient, configure: configure).exitStatus == 0)
    #expect(TestFiles.exists(sealed.directory.appending("its.key")))
    #expect(sealed.run("backup", configure: configure).exitStatus == 0)
    #expect(sealed.run("cat", "latest", "orders", configure: configure).output == "an order")
    // Which repository it must be is configured as well.
    let keyring = try #require(
      sealed.run("key", "list", "--json", configure: configure).output.firstMatch(of: /[0-9a-f]{64}/)
    ).0
    TestFiles.write(
      "repositories: {shop: {path: \(sealed.repository.text), expect-keyring: \(keyring)}}\n", to: file)
    #expect(sealed.run("list", configure: configure).exitStatus == 0)
    TestFiles.write(
      "repositories: {shop: {path: \(sealed.repository.text), expect-keyring: \(String(repeating: "0", count: 64))}}\n",
      to: file)
    #expect(sealed.run("list", configure: configure).exitStatus == 21)
    // Nor does a run get around it by naming the same repository by its path.
    TestFiles.write(
      "repositories: {shop: {path: \(sealed.repository.text), expect-keyring: \(String(repeating: "0", count: 64))}}\nsources: {orders: {path: \(sealed.source.text)}}\n",
      to: file)
    let byPath = sealed.run("backup", "--quiet") { start in
      configure(&start)
      start.environment["HOLDFAST_REPOSITORY"] = sealed.repository.text
    }
    #expect(byPath.exitStatus == 21, "\(byPath.error)")
  }

  // MARK: backup

  @Test func backupWithoutArgumentsTakesEverySource() throws {
    configureShop()
    #expect(run("init", "--unsealed").exitStatus == 0)
    let result = run("backup")
    #expect(result.exitStatus == 0)
    #expect(
      tool.plain(result.output).replacing(/stored [0-9.]+ (B|KiB)/, with: "stored BYTES") == """
        orders: took full ID, number 1; stored BYTES in SECONDS
        customers: took full ID, number 1; stored BYTES in SECONDS

        """)
    #expect(run("backup", "--quiet").output == "")
    let dry = run("backup", "--dry-run", "--json")
    let outcomes = try #require((try json(dry) as? [String: Any])?["sources"] as? [[String: Any]])
    #expect(outcomes.map { $0["source"] as? String } == ["orders", "customers"])
    #expect(outcomes.allSatisfy { ($0["backup"] as? [String: Any])?["committed"] as? Bool == false })
    let one = run("backup", "--name", "customers", "--full")
    #expect(tool.plain(one.output).hasPrefix("took full ID of customers, number 3\n"))
  }

  @Test func aSourceThatFailsDoesNotStopTheOthersAndIsNoSuccess() throws {
    configureShop()
    #expect(run("init", "--unsealed").exitStatus == 0)
    TestFiles.removeTree(tool.source)
    let result = run("backup")
    #expect(result.exitStatus == 1)
    #expect(
      tool.plain(result.error) == """
        holdfast: orders: the source DIR/source does not exist
        HINT: Name the directory that holds the order database.

        """)
    let lines = tool.plain(result.output).split(separator: "\n")
    #expect(lines[0] == "orders: failed: the source DIR/source does not exist")
    #expect(lines[1].hasPrefix("customers: took full ID"))
    let told = try #require(try json(run("backup", "--json")) as? [String: Any])
    let outcomes = try #require(told["sources"] as? [[String: Any]])
    #expect(outcomes.map { $0["exitStatus"] as? Int } == [1, 0])
    let error = try #require(outcomes[0]["error"] as? [String: Any])
    #expect((error["message"] as? String)?.hasSuffix("/source does not exist") == true)
  }

  @Test func aNameStandsForAConfiguredSourceUnlessThereIsSuchAPath() {
    configureShop()
    #expect(run("init", "--unsealed").exitStatus == 0)
    #expect(
      tool.plain(run("backup", "orders").output).hasPrefix(
        "took full ID of orders, number 1 (orders has no snapshot yet)\n"))
    TestFiles.makeDirectory(tool.directory.appending("orders"))
    TestFiles.write("something else", to: tool.directory.appending("orders").appending("file"))
    let other = run("backup", "orders", "--name", "other")
    #expect(tool.plain(other.output).hasPrefix("took full ID of other, number 1"))
    let twice = run("backup", "elsewhere")
    #expect(tool.plain(twice.error).hasPrefix("holdfast: the source DIR/elsewhere does not exist\n"))
    TestFiles.removeTree(tool.directory.appending("orders"))
    #expect(
      run("backup", "orders", "--name", "other").error
        == "holdfast: orders is a configured source, and has its name already\nHINT: Leave --name out.\n")
    #expect(
      run("backup", "--name", "nothing").error
        == "holdfast: no source nothing is configured\nHINT: There can be orders, customers.\n")
  }

  @Test func withoutSourcesThereIsNothingToBackUp() {
    configure("repositories: {shop: {path: DIR/repository}}\n")
    let result = run("backup")
    #expect(result.exitStatus == 2)
    #expect(
      tool.plain(result.error)
        == "holdfast: no source is configured in DIR/holdfast.yaml\nHINT: Name one below sources: `orders: {path: /srv/orders}`.\n"
    )
  }

  @Test func whatIsConfiguredOfASourceIsDoneAndTheCommandLineGoesBeforeIt() throws {
    configureShop(
      "  dump: {from-command: 'echo dumped', file-name: dump, tag: nightly, after: 'echo thawed >&2'}\ndefaults: {exclude: '*.tmp'}\n"
    )
    TestFiles.write("scratch", to: tool.source.appending("a.tmp"))
    #expect(run("init", "--unsealed").exitStatus == 0)
    let result = run("backup")
    #expect(result.exitStatus == 0)
    #expect(
      tool.plain(result.error) == "holdfast: customers: nothing in DIR/customers matches the exclusion *.tmp\nthawed\n")
    #expect(run("cat", "latest", "dump", "--name", "dump").output == "dumped\n")
    #expect(run("list", "--name", "dump", "--json").output.contains("\"nightly\""))
    #expect(run("cat", "latest", "a.tmp", "--name", "orders").exitStatus == 1)
    #expect(run("backup", "orders", "--exclude", "nothing").exitStatus == 0)
    #expect(run("cat", "latest", "a.tmp", "--name", "orders").output == "scratch")
  }

  @Test func aVariableThatIsWrongIsTold() {
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    let result = tool.run("backup", "source") { $0.environment["HOLDFAST_COMPRESSION"] = "lz4" }
    #expect(result.exitStatus == 2)
    #expect(
      result.error
        == "holdfast: HOLDFAST_COMPRESSION is \"lz4\"\nHINT: Set it to something like deflate, or unset it.\n")
    let slow = tool.run("verify") { $0.environment["HOLDFAST_LIMIT_RATE"] = "fast" }
    #expect(
      slow.error
        == "holdfast: HOLDFAST_LIMIT_RATE is \"fast\"\nHINT: Set it to something like 500K, 20M or 1GiB, or unset it.\n"
    )
    #expect(tool.run("backup", "source") { $0.environment["HOLDFAST_COMPRESSION"] = "zstd" }.exitStatus == 0)
  }

  // MARK: status

  @Test func objectivesThatAreConfiguredAreThoseThatAreJudged() throws {
    configureShop("defaults: {objectives: {max-chain: 1}}\n")
    #expect(run("init", "--unsealed").exitStatus == 0)
    let empty = run("status")
    #expect(empty.exitStatus == 30, "without an objective, too")
    #expect(
      empty.output.contains("customers: CRITICAL\n  ! there is no snapshot\n"), "what never ran is not overlooked")
    #expect(run("backup").exitStatus == 0)
    #expect(run("status").exitStatus == 0)
    #expect(run("backup", "orders").exitStatus == 0)
    let missed = run("status")
    #expect(missed.exitStatus == 30)
    #expect(missed.output.contains("orders: CRITICAL\n"))
    #expect(missed.output.contains("customers: OK\n"))
    #expect(run("status", "--max-chain", "2").exitStatus == 0, "the command line goes before it")
    #expect(run("status", "-r", tool.repository.text).exitStatus == 30, "its path means the same repository")
  }

  /// As cron starts it: no HOME, no terminal, a strict umask.
  @Test(arguments: ["backup", "run"])
  func oneLineInCronIsEnough(command: String) {
    configureShop()
    #expect(run("init", "--unsealed").exitStatus == 0)
    var start = RunningProcess.Start(
      ["/bin/sh", "-c", #"cd / && umask 077 && exec "$@" <&-"#, "sh", Tool.binary.text, command, "--quiet"])
    start.environment = [
      "PATH": "/usr/bin:/bin", "HOLDFAST_CONFIG": file.text, "HOLDFAST_CACHE_DIR": tool.cache.text,
      "HOLDFAST_STATE_DIR": tool.directory.appending("state").text,
    ]
    start.input = .closed
    let result = RunningProcess(start).wait()
    #expect(result.exitStatus == 0)
    #expect(result.output == "" && result.error == "")
  }
}
