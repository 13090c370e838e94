import HoldfastConfiguration
import HoldfastModel
import HoldfastSetup
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A configuration that is there is added to, and never changed.
@Suite struct SetupConfigurationTests {
  private func shop(_ configuration: String) throws -> SetupShop {
    let shop = try SetupShop()
    TestFiles.makeDirectory(shop.tool.configuration)
    TestFiles.write(configuration.replacing("DIR", with: shop.tool.directory.path.text), to: shop.configuration)
    return shop
  }

  private static let arguments = ["source", "-r", "repository", "--unsealed", "--no-schedule"]
  private static let other =
    "repositories: {old: {path: DIR/old}}\nsources: {users: {path: DIR/root, repository: old}}\n"

  @Test func theSourceGetsAFileOfItsOwn() throws {
    let shop = try shop(Self.other)
    let made = RunningProcess(shop.start(Self.arguments + ["--compression", "zstd:3"])).wait()
    #expect(made.exitStatus == 0, "\(made.error)")
    #expect(
      shop.tool.plain(shop.text(shop.tool.configuration.appending("conf.d/source.yaml"))).replacing("  ", with: " ")
        == """
        # Written by `holdfast setup`. `holdfast config example` explains every key; `holdfast config check` finds mistakes.
        repositories:
         repository:
         path: DIR/repository
        sources:
         source:
         path: DIR/source
         repository: repository
         compression: zstd:3
         schedule: # at least so long since the last of a kind, or of a bigger one
         full: 4w
         differential: 1d
         incremental: 15min

        """)
    #expect(shop.tool.plain(shop.text(shop.configuration)) == Self.other)
    #expect(shop.holdfast("config", "check").output.hasPrefix("sound: 2 repositories, 2 sources"))
  }

  @Test func defaultsAreUsedAndARepositoryIsNotNamedTwice() throws {
    let shop = try shop(
      "repositories: {shop: {path: DIR/repository}}\ndefaults: {schedule: {full: 1w}}\nsources: {users: {path: DIR/root}}\n"
    )
    let made = RunningProcess(shop.start(["source", "-r", "shop", "--unsealed", "--no-schedule"])).wait()
    #expect(made.exitStatus == 0, "\(made.error)")
    let text = shop.tool.plain(shop.text(shop.tool.configuration.appending("conf.d/source.yaml")))
    #expect(text.hasSuffix("sources:\n  source:\n  path: DIR/source\n  repository: shop\n"), "\(text)")
    #expect(!text.contains("repositories") && !text.contains("schedule"))
  }

  @Test func whatDoesNotFitIsToldWithWhatToAdd() throws {
    // A source that names no repository would no longer know which one is meant.
    let shop = try shop("repositories: {old: {path: DIR/old}}\nsources: {users: {path: DIR/root}}\n")
    let told = RunningProcess(shop.start(Self.arguments)).wait()
    #expect(
      told.refusal(shop) == """
        1 holdfast: the source source is not in the configuration, and it does not fit as it is: the configuration has 1 mistake
        DIR/configuration/holdfast.yaml:2:11: the source users does not say its repository, and there are several
        HINT: Say `repository:` with one of old, repository.
        HINT: Add this to DIR/configuration/conf.d/source.yaml, and run the same command again:
          repositories:
          repository:
          path: DIR/repository
          sources:
          source:
          path: DIR/source
          repository: repository

        """)
    #expect(!TestFiles.exists(shop.tool.repository))
  }

  @Test func aNamedFileThatIsThereIsNotChanged() throws {
    let shop = try shop(Self.other)
    let arguments = Self.arguments + ["--config", shop.configuration.text]
    let told = RunningProcess(shop.start(arguments)).wait()
    #expect(
      told.refusal(shop).hasPrefix(
        "1 holdfast: the source source is not in the configuration, and setup changes no file that is there\nHINT: Add this to DIR/configuration/holdfast.yaml, and run the same command again:\n  repositories:\n"
      ), "\(told.error)")
    let added = """
      repositories: {old: {path: DIR/old}, repository: {path: DIR/repository}}
      sources: {users: {path: DIR/root, repository: old}, source: {path: DIR/source, repository: repository}}
      """
    TestFiles.write(added.replacing("DIR", with: shop.tool.directory.path.text), to: shop.configuration)
    let made = RunningProcess(shop.start(arguments)).wait()
    #expect(made.exitStatus == 0 && made.output.contains(" --config "), "\(made.error)")
  }

  /// Whoever may read the main file may read all of the configuration, and nobody else.
  @Test(arguments: [0o644, 0o640, 0o600]) func theNewFileHasTheAccessOfTheMainFile(_ mode: UInt32) throws {
    let shop = try shop(Self.other)
    TestFiles.setMode(shop.configuration, mode)
    if Tool.isRoot { _ = shop.tool.other("chgrp", "65534", shop.configuration.text) }
    let made = RunningProcess(shop.start(Self.arguments)).wait()
    #expect(made.exitStatus == 0, "\(made.error)")
    let new = shop.tool.configuration.appending("conf.d/source.yaml")
    #expect(TestFiles.permissions(new) == mode)
    guard Tool.isRoot, mode == 0o640 else { return }
    #expect(shop.tool.other("stat", "-c", "%u:%g", new.text).output == "0:65534\n")
  }

  @Test func aNamedFileIsMadeAndScheduled() throws {
    let shop = try SetupShop()
    let made = shop.whole("--config", "own/site.yaml")
    #expect(made.exitStatus == 0, "\(made.error)")
    let file = shop.tool.directory.appending("own/site.yaml")
    #expect(shop.text(file).contains("\nsources:\n"))
    #expect(shop.text(shop.service).contains(" run --quiet --config \(file.text)\n"))
    #expect(!TestFiles.exists(shop.configuration))
  }

  @Test func anotherSourceOfTheNameIsRefused() throws {
    let shop = try shop("repositories: {r: {path: DIR/repository}}\nsources: {source: {path: DIR/root}}\n")
    #expect(
      RunningProcess(shop.start(Self.arguments)).wait().refusal(shop)
        == "2 holdfast: a source source is configured already, with another directory or repository\nHINT: Say another name with --name, or look at it with `holdfast config show`.\n"
    )
    let made = RunningProcess(shop.start(Self.arguments + ["--name", "orders"])).wait()
    #expect(made.exitStatus == 0, "\(made.error)")
  }

  @Test func valuesThatTheConfigurationHasOtherwiseAreNotPassedOver() throws {
    let shop = try shop("repositories: {r: {path: DIR/repository}}\nsources: {shop: {path: DIR/source}}\n")
    #expect(
      RunningProcess(shop.start(Self.arguments + ["--compression", "zstd:3"])).wait().refusal(shop)
        == "2 holdfast: the source shop is configured already, with another value of compression\nHINT: Change it in DIR/configuration/holdfast.yaml, or leave it out of the command line.\n"
    )
    // Its directory is known, and so is its name.
    let made = RunningProcess(shop.start(Self.arguments)).wait()
    #expect(made.exitStatus == 0 && made.output.contains("the source shop is configured already"), "\(made.error)")
  }

  @Test func oddPathsAreQuoted() throws {
    let shop = try SetupShop()
    let odd = shop.tool.directory.appending("a \"b\\c: #\u{1}é")
    TestFiles.copyTree(shop.tool.source, to: odd)
    let made = shop.setup(odd.text, "-r", odd.text + " no", "--unsealed", "--no-schedule", "--name", "no")
    #expect(made.exitStatus == 0, "\(made.error)")
    #expect(shop.holdfast("backup", "no").exitStatus == 0)
  }

  @Test func aFileThatAppearedMeanwhileIsNotReplaced() throws {
    let directory = TemporaryDirectory()
    let path = directory.appending("conf.d/orders.yaml")
    let host = Host(workers: 1, scratchDirectories: [])
    try ConfigurationStep.write(ProposedFile(path, "sources: {}\n"), .init(like: nil), host)
    #expect(TestFiles.permissions(path) == 0o644)
    #expect(
      throws: EngineError(
        .machine, "\(path) exists already", hint: "Look at it, and run the same command again.")
    ) { try ConfigurationStep.write(ProposedFile(path, "other"), .init(like: nil), host) }
    #expect(TestFiles.read(path) == Array("sources: {}\n".utf8))
    #expect(TestFiles.names(in: directory.appending("conf.d")) == ["orders.yaml"], "nothing is left behind")
  }

  @Test func anInstalledScheduleGetsTheNewRepositoryAndKeepsItsTimes() throws {
    let shop = try SetupShop()
    #expect(shop.whole().exitStatus == 0)
    TestFiles.makeDirectory(shop.tool.directory.appending("users"))
    TestFiles.write("an order", to: shop.tool.directory.appending("users/file"))
    let made = shop.setup("users", "-r", "second", "--unsealed", "--every", "1h", "--root", "root")
    #expect(made.exitStatus == 0, "\(made.error)")
    #expect(made.output.contains("\nscheduled `holdfast run --quiet`, --every 15m, by systemd\n"))
    let service = shop.text(shop.service)
    for name in ["repository", "second"] {
      #expect(service.contains("\nReadWritePaths=-\(shop.tool.directory.appending(name).text)\n"))
    }
    let again = shop.setup("users", "-r", "second", "--unsealed", "--every", "1h", "--root", "root")
    #expect(again.output.contains("\nthe schedule is there already: "), "\(again.error)")
  }

  @Test(.requires(.overlayMounts)) func rootGetsTheConfigurationAndTheScheduleOfTheMachine() throws {
    let shop = try SetupShop()
    let script = """
      mkdir -p /etc/cron.d
      "$0" setup source -r repository --key-file recovery.key --every 15m --cron
      "$0" config check && cat /etc/cron.d/holdfast && "$0" run
      """
    var start = RunningProcess.Start(
      OwnMachine(in: shop.tool.directory.path).prefix + ["sh", "-ec", script, Tool.binary.text])
    start.environment = RunningProcess.plainEnvironment
    start.environment["HOME"] = nil
    start.directory = shop.tool.directory.path
    let result = RunningProcess(start).wait()
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(result.output.contains("\nwrote /etc/holdfast/holdfast.yaml\n"))
    #expect(result.output.contains("\nscheduled `holdfast run --quiet`, --every 15m, by cron\n"))
    #expect(
      result.output.contains("\nsound: 1 repository, 1 source, 0 notifications, in /etc/holdfast/holdfast.yaml\n"))
    #expect(result.output.contains(" run --quiet || [ $? -eq 11 ]\n"))
    #expect(!TestFiles.exists(shop.tool.directory.appending("etc")), "nothing is written below the current directory")
  }

  @Test(.requires(.unprivilegedUser)) func anOrdinaryUserGetsAConfigurationInTheHome() throws {
    let shop = try SetupShop()
    let home = shop.tool.directory.appending("home")
    TestFiles.makeDirectory(home)
    if Tool.isRoot {
      _ = shop.tool.other("chown", "-R", "65534", shop.tool.directory.path.text)
    }
    let made = try Unprivileged(shop.tool).run(
      ["setup", "source", "-r", "repository", "--key-file", "recovery.key", "--no-schedule"]
    ) {
      $0.environment["HOME"] = home.text
      for name in ["HOLDFAST_CONFIG_DIR", "HOLDFAST_REPOSITORY", "XDG_CACHE_HOME"] { $0.environment[name] = nil }
    }
    #expect(made.exitStatus == 0, "\(made.error)")
    #expect(made.output.contains("wrote \(home.text)/.config/holdfast/holdfast.yaml\n"))
    #expect(TestFiles.owner(shop.key) == (Tool.isRoot ? 65534 : TestFiles.owner(shop.tool.source)))
  }
}
