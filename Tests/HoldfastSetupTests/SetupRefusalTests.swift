import HoldfastModel
import HoldfastTestSupport
import Testing

/// A setup that cannot be made is refused before anything is made.
@Suite struct SetupRefusalTests {
  private static let example =
    "HINT: Say all of it, for example: holdfast setup /srv/orders --repository /backup/shop --key-file /media/key/recovery.key --every 15m\n"

  @Test(arguments: [
    (
      [],
      "the directory to back up; --repository DIR; --key-file FILE, --passphrase-file FILE or --unsealed; --every WHEN or --no-schedule"
    ),
    (["source", "-r", "repository", "--unsealed"], "--every WHEN or --no-schedule"),
    (["source", "-r", "repository", "--every", "1h"], "--key-file FILE, --passphrase-file FILE or --unsealed"),
  ]) func withoutATerminalItNamesWhatIsMissing(_ arguments: [String], _ missing: String) throws {
    let shop = try SetupShop()
    #expect(
      RunningProcess(shop.start(arguments)).wait().refusal(shop)
        == "2 holdfast: there is no terminal to ask on, and setup needs \(missing)\n\(Self.example)")
  }

  @Test(arguments: [
    (
      ["--key-file", "k", "--unsealed"],
      "holdfast: --key-file, --passphrase, --passphrase-file and --unsealed exclude each other"
    ),
    (["--every", "1h", "--no-schedule"], "holdfast: --every and --no-schedule exclude each other"),
  ]) func flagsThatExcludeEachOther(_ arguments: [String], _ message: String) throws {
    let shop = try SetupShop()
    let result = RunningProcess(shop.start(["source"] + arguments)).wait()
    #expect(result.exitStatus == 2 && result.error.hasPrefix(message + "\n"), "\(result.error)")
  }

  /// - Parameter prepare: makes what is in the way.
  private func refused(
    _ arguments: String..., prepare: (SetupShop) throws -> Void = { _ in }
  ) throws -> String {
    let shop = try SetupShop()
    try prepare(shop)
    let before = TestFiles.names(in: shop.tool.directory.path).sorted()
    let result = RunningProcess(shop.start(arguments)).wait()
    #expect(TestFiles.names(in: shop.tool.directory.path).sorted() == before, "nothing was made")
    #expect(result.output.split(separator: "\n").count <= 1, "\(result.output)")
    return result.refusal(shop)
  }

  @Test func theSourceMustBeThere() throws {
    #expect(
      try refused("srouce", "-r", "repository", "--unsealed", "--no-schedule")
        == "2 holdfast: the source DIR/srouce does not exist\nHINT: Name the directory that holds the order database.\n"
    )
    #expect(
      try refused("file", "-r", "repository", "--unsealed", "--no-schedule") {
        TestFiles.write("", to: $0.tool.directory.appending("file"))
      }
        == "2 holdfast: the source DIR/file is not a directory\nHINT: Name the directory that holds the order database.\n"
    )
    #expect(
      try refused("root", "-r", "repository", "--unsealed", "--no-schedule")
        == "2 holdfast: the source DIR/root is empty\nHINT: Is its disk mounted? Nothing was made.\n")
  }

  @Test func theRepositoryMustBeElsewhere() throws {
    #expect(
      try refused("source", "-r", "source/repository", "--unsealed", "--no-schedule")
        == "2 holdfast: the repository DIR/source/repository and the source DIR/source lie in one another\nHINT: Keep the repository on another disk than the source.\n"
    )
    #expect(
      try refused("source", "-r", "repository", "--unsealed", "--no-schedule") {
        TestFiles.makeDirectory($0.tool.repository)
        TestFiles.write("", to: $0.tool.repository.appending("file"))
      }.hasPrefix("1 holdfast: DIR/repository is not empty\n"))
  }

  @Test(arguments: ["source", "repository"]) func theKeyMustNotLieWithWhatItOpens(_ place: String) throws {
    #expect(
      try refused("source", "-r", "repository", "--key-file", "\(place)/key", "--no-schedule")
        == "2 holdfast: the key file DIR/\(place)/key lies in the \(place) DIR/\(place)\nHINT: Name a file elsewhere: whoever loses the \(place) would lose the key with it.\n"
    )
    #expect(
      try refused("source", "-r", "repository", "--unsealed", "--no-schedule", "--drill-in", "\(place)/drill")
        == "2 holdfast: the place for the trial restore, DIR/\(place)/drill, lies in the \(place) DIR/\(place)\nHINT: Name a directory elsewhere with --drill-in DIR.\n"
    )
  }

  @Test func aRepositoryThatIsThereKeepsItsProtection() throws {
    func sealed(_ shop: SetupShop) {
      _ = shop.tool.run("key", "generate", "recovery.key")
      let recipient = shop.text(shop.key).split(separator: "\n").first { $0.hasPrefix("# recipient: ") }?.dropFirst(13)
      #expect(shop.tool.run("init", "--recipient", String(recipient ?? "")).exitStatus == 0)
    }
    #expect(
      try refused("source", "-r", "repository", "--unsealed", "--no-schedule", prepare: sealed)
        == "2 holdfast: the repository in DIR/repository is there already, and it is sealed to recipient-1 (ID)\nHINT: Say what opens it, with --key-file FILE or --passphrase, or name another place with --repository.\n"
    )
    #expect(
      try refused("source", "-r", "repository", "--key-file", "other", "--no-schedule") {
        sealed($0)
        _ = $0.tool.run("key", "generate", "other")
      }
        == "12 holdfast: DIR/other does not open the repository in DIR/repository\nHINT: It is sealed to recipient-1 (ID).\n"
    )
    #expect(
      try refused("source", "-r", "repository", "--key-file", "lost", "--no-schedule", prepare: sealed).hasPrefix(
        "12 holdfast: there is no identity file DIR/lost\n"))
    #expect(
      try refused("source", "-r", "repository", "--passphrase-file", "words", "--no-schedule") {
        sealed($0)
        TestFiles.write("words", to: $0.tool.directory.appending("words"))
        TestFiles.setMode($0.tool.directory.appending("words"), 0o600)
      }
        == "12 holdfast: no passphrase opens the repository in DIR/repository\nHINT: It is sealed to recipient-1 (ID): say --key-file FILE.\n"
    )
    #expect(
      try refused("source", "-r", "repository", "--key-file", "recovery.key", "--no-schedule") {
        _ = $0.tool.run("init", "--unsealed")
      }
        == "2 holdfast: the repository in DIR/repository is there already, and it is not sealed\nHINT: Say --unsealed to use it as it is, or name another place with --repository.\n"
    )
  }

  @Test func snapshotsOfAnotherDirectoryAreNotContinued() throws {
    #expect(
      try refused("source", "-r", "repository", "--unsealed", "--no-schedule") {
        _ = $0.tool.run("init", "--unsealed")
        TestFiles.write("", to: $0.root.appending("file"))
        _ = $0.tool.run("backup", "root", "--name", "source")
      }
        == "2 holdfast: there are snapshots of a source source in DIR/repository, and this machine has not taken them of DIR/source\nHINT: Say another name with --name.\n"
    )
  }

  @Test func aPathMustFitIntoAConfiguration() throws {
    let shop = try SetupShop()
    let odd = Path(bytes: shop.tool.directory.path.bytes + Array("/a".utf8) + [0xff])
    TestFiles.copyTree(shop.tool.source, to: odd)
    var link = RunningProcess.Start(["ln", "-s", "", "link"])
    link.arguments[2] = odd.bytes
    link.directory = shop.tool.directory.path
    #expect(RunningProcess(link).wait().exitStatus == 0)
    #expect(
      shop.setup("link", "-r", "repository", "--unsealed", "--no-schedule").refusal(shop)
        == "2 holdfast: DIR/a\\xff cannot be written into a configuration\nHINT: Use a path of UTF-8.\n")
  }

  @Test func aPassphraseNeedsATerminalOrAFile() throws {
    #expect(
      try refused("source", "-r", "repository", "--passphrase", "--no-schedule")
        == "2 holdfast: there is no terminal to ask for a passphrase on\nHINT: Put it into a file, and say --passphrase-file FILE.\n"
    )
  }

  @Test(.requires(.unprivilegedUser)) func withoutASchedulerThereIsAWayOut() throws {
    let shop = try SetupShop()
    TestFiles.setMode(shop.tool.directory.path, 0o777)
    let refused = try Unprivileged(shop.tool).run([
      "setup", "source", "-r", "repository", "--unsealed", "--every", "1h",
    ]) {
      $0.environment["HOME"] = shop.tool.directory.path.text
    }
    #expect(
      refused.refusal(shop).contains(
        "HINT: Run as root, or write a line of your own with `crontab -e`. Or say --no-schedule, and let something else run `holdfast run --quiet`.\n"
      ), "\(refused.error)")
  }

  @Test func aScheduleMustBePossible() throws {
    func refused(_ every: String, prepare: (SetupShop) throws -> Void = { _ in }) throws -> String {
      try self.refused(
        "source", "-r", "repository", "--unsealed", "--every", every, "--root", "root", "--cron", prepare: prepare)
    }
    #expect(try refused("7m").hasPrefix("2 holdfast: \"7m\" does not say how often\n"))
    #expect(
      try refused("*-*-* 02:00:00/7").hasPrefix("2 holdfast: cron cannot run anything \"*-*-* 02:00:00/7\"\n"))
    #expect(
      try refused("1h") {
        _ = $0.tool.run(
          "schedule", "install", "--root", "root", "--cron", "--every", "1h", "--", "backup", "/srv/a", "-r", "/b")
      }
        == "2 holdfast: the schedule holdfast is there already, and runs `holdfast backup /srv/a -r /b`\nHINT: Say --no-schedule, and install another one: holdfast schedule install --name run --every 1h\n"
    )
  }
}
