import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// `holdfast setup` takes a directory from nothing to a snapshot that was restored, and goes on where it stopped.
@Suite struct SetupTests {
  private static let sheet = """
    THE BACKUP OF source: print this, and keep it away from this machine

    written  TIME, on HOST
    source  source: DIR/source
    repository  LONGID
      in DIR/repository
      It is on the file system of the source: a disk that fails takes both.
    keyring  DIGEST
      The commands below say it, so that no other repository is taken for this one.
    key  DIR/recovery.key
      Copy it to two places away from this machine and from the repository, then remove it here:
      snapshots are taken without it. Without it nobody can restore anything.
      In the commands below, name the place where you keep it.
    configuration  DIR/configuration/holdfast.yaml
    schedule  `holdfast run --quiet`, --every 15m, by systemd
    trial restore  passed: snapshot ID of source was restored in SECONDS: 1 database is sound
      Repeat it now and then: holdfast drill source -r DIR/repository --expect-keyring DIGEST --identity DIR/recovery.key
    status  holdfast status -r DIR/repository --expect-keyring DIGEST
    snapshots  holdfast list -r DIR/repository --expect-keyring DIGEST
    restore  holdfast restore --target DIR/source-restored -r DIR/repository --expect-keyring DIGEST --name source --identity DIR/recovery.key

    """

  private func plain(_ text: String, _ shop: SetupShop) -> String {
    shop.tool.plain(text).replacing(/(written  TIME, on ).*/) { "\($0.1)HOST" }
      .replacing(/stored [0-9.]+ [KM]?i?B/, with: "stored SIZE")
  }

  @Test func oneCommandGivesAProvedBackup() throws {
    let shop = try SetupShop()
    let made = shop.whole("--sheet", "sheet.txt")
    #expect(made.exitStatus == 0 && made.error == SetupShop.beside, "\(made.error)")
    #expect(
      plain(made.output, shop) == """
        DIR/source: 1 SQLite database (orders.db); 1 file, 8.0 KiB in all
        made the key file DIR/recovery.key
        made the repository ID in DIR/repository
        wrote DIR/configuration/holdfast.yaml
        took full ID, number 1; stored SIZE in SECONDS
        scheduled `holdfast run --quiet`, --every 15m, by systemd
        restored on trial: snapshot ID of source was restored in SECONDS: 1 database is sound

        \(Self.sheet)
        """)
    let sheet = shop.tool.directory.appending("sheet.txt")
    #expect(plain(shop.text(sheet), shop) == Self.sheet)
    #expect(TestFiles.permissions(sheet) == 0o600 && TestFiles.permissions(shop.key) == 0o600)
    let checked = shop.holdfast("config", "check")
    #expect(checked.output.hasPrefix("sound: 1 repository, 1 source, 0 notifications"), "\(checked.error)")
    #expect(shop.text(shop.service).contains(" run --quiet\n"))
    #expect(shop.text(shop.service).contains("\nReadWritePaths=-\(shop.tool.repository.text)\n"))
    #expect(shop.holdfast("schedule", "show", "--root", "root").output.contains("as installed"))
    // What the sheet says can be typed as it is.
    let commands = shop.text(sheet).split(separator: "\n").compactMap { line in
      line.firstRange(of: "  holdfast ").map { String(line[$0.upperBound...]) }
    }
    #expect(commands.count == 3)
    for command in commands {
      let words = command.split(separator: " ").map(String.init)
      var start = shop.tool.start(words)
      start.environment["HOLDFAST_REPOSITORY"] = nil
      let result = RunningProcess(start).wait()
      #expect(result.exitStatus == 0, "\(command): \(result.error)")
    }
    let restored = shop.tool.directory.appending("source-restored")
    #expect(TreeDescription(of: restored) == TreeDescription(of: shop.tool.source))
    // The journal has the drill, and the configured runs go on.
    #expect(shop.holdfast("status").output.contains("1 of 1 passed"))
    let run = shop.holdfast("run")
    #expect(run.exitStatus == 0, "\(run.error)")
  }

  @Test func theSameAgainChangesNothingAndProvesTheBackupAnew() throws {
    let shop = try SetupShop()
    #expect(shop.whole().exitStatus == 0)
    let (configuration, service) = (shop.text(shop.configuration), shop.text(shop.service))
    let again = shop.whole()
    #expect(again.exitStatus == 0 && again.error == SetupShop.beside, "\(again.error)")
    #expect(
      plain(again.output, shop) == """
        DIR/source: 1 SQLite database (orders.db); 1 file, 8.0 KiB in all
        the repository ID is in DIR/repository already
        the source source is configured already
        snapshot ID of source is there already
        the schedule is there already: `holdfast run --quiet`, --every 15m, by systemd
        restored on trial: snapshot ID of source was restored in SECONDS: 1 database is sound

        \(Self.sheet)
        """)
    #expect(shop.text(shop.configuration) == configuration && shop.text(shop.service) == service)
    #expect(shop.holdfast("list", "--json").output.ranges(of: "\"sequence\"").count == 1)
  }

  @Test(arguments: [0, 1, 2, 3]) func itGoesOnWhereItStopped(_ steps: Int) throws {
    let shop = try SetupShop()
    #expect(shop.tool.run("key", "generate", "recovery.key").exitStatus == 0)
    if steps > 0 {
      let recipient = shop.text(shop.key).split(separator: "\n").first { $0.hasPrefix("# recipient: ") }?.dropFirst(13)
      #expect(shop.tool.run("init", "--recipient", String(try #require(recipient))).exitStatus == 0)
    }
    if steps > 1 {
      TestFiles.write(
        "repositories: {repository: {path: \(shop.tool.repository.text)}}\nsources: {source: {path: \(shop.tool.source.text)}}\n",
        to: shop.configuration)
    }
    if steps > 2 { #expect(shop.holdfast("backup", "source").exitStatus == 0) }
    let id = shop.tool.run("check", "--json").output
    let made = shop.whole()
    #expect(made.exitStatus == 0, "\(made.error)")
    #expect(!made.output.contains("made the key file"))
    #expect(made.output.contains("made the repository") == (steps == 0))
    #expect(made.output.contains("wrote ") == (steps < 2))
    #expect(made.output.contains("took full") == (steps < 3))
    if steps > 0 {
      #expect(id.firstMatch(of: /[0-9a-f]{32}/)?.output == made.output.firstMatch(of: /[0-9a-f]{32}/)?.output)
    }
    #expect(shop.holdfast("verify", "--data").exitStatus == 0)
  }

  @Test func aFailedStepSaysWhatIsDoneAndTheNextSetupGoesOn() throws {
    let shop = try SetupShop()
    // A file is where drills are made.
    let obstacle = shop.tool.state.appending("drill")
    TestFiles.makeDirectory(shop.tool.state)
    TestFiles.setMode(shop.tool.state, 0o700)
    TestFiles.write("", to: obstacle)
    let failed = shop.whole()
    #expect(failed.exitStatus == 1)
    let told = failed.refusal(shop)
    #expect(told.hasPrefix("1 holdfast: the setup stopped at the trial restore: "), "\(told)")
    #expect(
      told.hasSuffix(
        """
        Done before that: the key file, the repository, the configuration, the first snapshot, the schedule.
        Run the same command again: it goes on from there.

        """), "\(told)")
    TestFiles.remove(obstacle)
    let passed = shop.whole()
    #expect(passed.exitStatus == 0 && passed.output.contains("trial restore  passed"), "\(passed.error)")
  }

  @Test func aDrillThatFailsLeavesTheScheduleAndEndsWith22() throws {
    let shop = try SetupShop()
    let database = try TestDatabase(
      shop.tool.source.appending("orders.db"),
      "CREATE TABLE lines (id, order_id REFERENCES orders (id)); INSERT INTO lines VALUES (1, 9)")
    try database.run("SELECT 1")
    let failed = shop.whole("--json")
    #expect(failed.exitStatus == 22, "\(failed.error)")
    let json = try #require(try JSONSerialization.jsonObject(with: Data(failed.outputBytes)) as? [String: Any])
    #expect((json["drill"] as? [String: Any])?["passed"] as? Bool == false)
    #expect((json["sheet"] as? String)?.contains("trial restore  FAILED: the drill failed at checks") == true)
    #expect(TestFiles.exists(shop.service))
  }

  @Test func aDryRunMakesNothing() throws {
    let shop = try SetupShop()
    let shown = shop.whole("--dry-run", "--compression", "zstd:3")
    #expect(shown.exitStatus == 0 && shown.error == SetupShop.beside, "\(shown.error)")
    #expect(TestFiles.names(in: shop.tool.directory.path).sorted() == ["root", "source"])
    let lines = shop.tool.plain(shown.output).split(separator: "\n")
    #expect(
      lines.filter { !$0.hasPrefix(" ") } == [
        "would make the key file DIR/recovery.key", "would make a repository in DIR/repository, sealed to that key",
        "would write DIR/configuration/holdfast.yaml:", "would take the first snapshot of source, DIR/source",
        "would schedule `holdfast run --quiet`, --every 15m, by systemd", "would restore the newest snapshot on trial",
      ])
    #expect(lines.contains("  compression: zstd:3"))
    let json = shop.whole("--dry-run", "--json")
    #expect(
      json.output.hasPrefix("{\n  \"dryRun\" : true,\n  \"intentions\" : [\n    \"would make the key file"),
      "\(json.output)")
    #expect(shop.whole().exitStatus == 0)
    let after = shop.whole("--dry-run").output
    #expect(after.contains("would use the repository") && after.contains("would take no snapshot"), "\(after)")
  }

  // MARK: Keys

  @Test func aPassphraseInAFileOpensTheRepository() throws {
    let shop = try SetupShop()
    let file = shop.tool.directory.appending("passphrase")
    TestFiles.write("ten words that nobody would guess\n", to: file)
    TestFiles.setMode(file, 0o600)
    let arguments = ["source", "-r", "repository", "--passphrase-file", "passphrase", "--no-schedule"]
    let made = RunningProcess(shop.start(arguments)).wait()
    #expect(made.exitStatus == 0, "\(made.error)")
    #expect(shop.tool.plain(made.output).contains("key  a passphrase\n"))
    #expect(made.output.contains("schedule       none: nothing takes the next snapshot by itself"))
    #expect(!shop.text(shop.configuration).contains("passphrase"))
    TestFiles.write("another one", to: file)
    let wrong = RunningProcess(shop.start(arguments)).wait()
    #expect(wrong.refusal(shop).hasPrefix("12 holdfast: the passphrase is wrong\n"), "\(wrong.error)")
  }

  @Test func unsealedIsSaidOnTheSheet() throws {
    let shop = try SetupShop()
    let made = shop.setup("source", "-r", "repository", "--unsealed", "--no-schedule")
    #expect(made.exitStatus == 0, "\(made.error)")
    #expect(
      shop.tool.plain(made.output).contains("key  none\n  Whoever can read the repository can read the orders in it.\n")
    )
    #expect(!made.output.contains("keyring"))
  }

  @Test(.requires(.mounts)) func nothingIsWarnedOfOnAnotherDisk() throws {
    let shop = try SetupShop()
    let disk = try SmallDisk(at: shop.tool.directory.appending("disk"), mebibytes: 16)
    let made = shop.setup("source", "-r", "disk/repository", "--unsealed", "--every", "1h", "--root", "root", "--cron")
    #expect(made.exitStatus == 0 && made.error == "", "\(made.error)")
    #expect(!made.output.contains("a disk that fails"))
    #expect(shop.text(shop.root.appending("etc/cron.d/holdfast")).contains(" run --quiet "))
    withExtendedLifetime(disk) {}
  }

  @Test(.requires(.sftpServer)) func aRepositoryOnAServerIsConfiguredByItsLocation() throws {
    let shop = try SetupShop()
    let location = "sftp:backup@server.example\(shop.tool.repository.text)"
    let made = shop.setup("source", "-r", location, "--key-file", "recovery.key", "--every", "1h", "--root", "root") {
      $0.environment["HOLDFAST_SSH_COMMAND"] = SFTPServerProgram.plain
    }
    #expect(made.exitStatus == 0, "\(made.error)")
    #expect(shop.text(shop.configuration).contains("    url: \"\(location)\"\n"))
    #expect(shop.text(shop.service).contains("HOLDFAST_SSH_COMMAND="))
  }

  @Test func nothingIsPrintedWhenQuiet() throws {
    let shop = try SetupShop()
    let made = shop.whole("--quiet")
    #expect(made.exitStatus == 0 && made.output == "" && made.error == SetupShop.beside, "\(made.error)")
  }
}
