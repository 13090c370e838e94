import HoldfastModel
import HoldfastTestSupport
import Testing

/// The sheet is new paper, and its commands work on a machine that knows nothing.
@Suite struct SetupSheetTests {
  private static let key = ["source", "-r", "repository", "--key-file", "keys/k.key", "--no-schedule"]

  /// Makes a shop with a directory for keys.
  private func shop() throws -> SetupShop {
    let shop = try SetupShop()
    TestFiles.makeDirectory(shop.tool.directory.appending("keys"))
    return shop
  }

  @Test(arguments: [
    (
      "keys/k.key",
      "2 holdfast: DIR/keys/k.key is named for the sheet, and is the key file\nHINT: Name another file with --sheet.\n"
    ),
    (
      "configuration/writer.key",
      "2 holdfast: DIR/configuration/writer.key is named for the sheet, and is the writer key of this machine\nHINT: Name another file with --sheet.\n"
    ),
    (
      "keys/../configuration/holdfast.yaml",
      "2 holdfast: DIR/keys/../configuration/holdfast.yaml is named for the sheet, and is the configuration\nHINT: Name another file with --sheet.\n"
    ),
    (
      "repository/sheet",
      "2 holdfast: the sheet DIR/repository/sheet lies in the repository DIR/repository\nHINT: Name a file elsewhere with --sheet: whoever loses the repository would lose the sheet with it.\n"
    ),
    (
      "source/orders.db",
      "2 holdfast: the sheet DIR/source/orders.db lies in the source DIR/source\nHINT: Name a file elsewhere with --sheet: whoever loses the source would lose the sheet with it.\n"
    ),
    (
      "keys/letter",
      "2 holdfast: the file DIR/keys/letter exists already\nHINT: Name a new file with --sheet: none is replaced.\n"
    ),
    ("nowhere/sheet", "1 holdfast: cannot open DIR/nowhere: No such file or directory\n"),
  ]) func itsFileIsNewAndApart(_ sheet: String, _ message: String) throws {
    let shop = try shop()
    TestFiles.write("dear customer", to: shop.tool.directory.appending("keys/letter"))
    let refused = RunningProcess(shop.start(Self.key + ["--sheet", sheet])).wait()
    #expect(refused.refusal(shop) == message)
    #expect(!TestFiles.exists(shop.tool.repository) && !TestFiles.exists(shop.tool.configuration))
    #expect(shop.text(shop.tool.directory.appending("keys/letter")) == "dear customer")
  }

  /// The only key may be in a file that is there already.
  @Test func aKeyIsNeverReplaced() throws {
    let shop = try shop()
    #expect(RunningProcess(shop.start(Self.key)).wait().exitStatus == 0)
    let key = shop.text(shop.tool.directory.appending("keys/k.key"))
    TestFiles.symbolicLink("k.key", at: shop.tool.directory.appending("keys/link"))
    for name in ["k.key", "link"] {
      let again = RunningProcess(shop.start(Self.key + ["--sheet", "keys/\(name)"])).wait()
      #expect(again.exitStatus == 2, "\(again.error)")
    }
    #expect(shop.text(shop.tool.directory.appending("keys/k.key")) == key)
  }

  /// Returns the start of a command on a machine that has seen nothing, as the sheet says it.
  private func elsewhere(_ command: String, _ shop: SetupShop) -> RunningProcess.Start {
    var start = RunningProcess.Start([
      "bash", "-c", command.replacing("holdfast", with: Tool.binary.text, maxReplacements: 1),
    ])
    start.environment = shop.tool.environment
    start.environment["HOLDFAST_REPOSITORY"] = nil
    for name in ["STATE", "CACHE", "CONFIG"] {
      start.environment["HOLDFAST_\(name)_DIR"] = shop.tool.directory.appending("elsewhere/\(name)").text
    }
    start.directory = shop.tool.directory.path
    start.hasOwnSession = true
    return start
  }

  private func commands(_ sheet: String) -> [String] {
    sheet.split(separator: "\n").compactMap { line in
      line.firstRange(of: " holdfast ").map { "holdfast " + line[$0.upperBound...] }
    }
  }

  @Test func itsCommandsChangeNothingFromAnotherMachine() throws {
    let shop = try shop()
    let made = shop.setup("source", "-r", "repository", "--key-file", "keys/k.key", "--no-schedule", "--sheet", "sheet")
    #expect(made.exitStatus == 0, "\(made.error)")
    let commands = commands(shop.text(shop.tool.directory.appending("sheet")))
    #expect(commands.count == 4 && commands.allSatisfy { $0.contains(" --expect-keyring ") }, "\(commands)")
    let before = shop.holdfast("status").output
    for command in commands {
      let result = RunningProcess(elsewhere(command, shop)).wait()
      #expect(result.exitStatus == 0, "\(command): \(result.error)")
      if command.contains(" drill ") {
        #expect(
          shop.tool.plain(result.error).contains(
            "holdfast: WARNING: this drill is not in the journal, because its evidence is not signed: there is no writer key file "
          ), "\(result.error)")
      }
    }
    #expect(!before.contains("WARNING") && !shop.holdfast("status").output.contains("WARNING"))
    // Another repository in its place is refused.
    TestFiles.removeTree(shop.tool.repository)
    let replaced = RunningProcess(elsewhere("holdfast init --unsealed -r repository", shop)).wait()
    #expect(replaced.exitStatus == 0, "\(replaced.error)")
    let exchanged = RunningProcess(elsewhere(try #require(commands.last), shop)).wait()
    #expect(exchanged.exitStatus == 21, "\(exchanged.error)")
  }

  @Test func aPassphraseIsNamedByAVariable() throws {
    let shop = try shop()
    TestFiles.write("ten words that nobody would guess\n", to: shop.tool.directory.appending("words"))
    TestFiles.setMode(shop.tool.directory.appending("words"), 0o600)
    let made = shop.setup("source", "-r", "repository", "--passphrase-file", "words", "--no-schedule")
    #expect(made.exitStatus == 0, "\(made.error)")
    #expect(
      shop.tool.plain(made.output).contains(
        "  Drill and restore ask for it on a terminal. Without one, put HOLDFAST_PASSPHRASE_FILE=FILE before the command.\n"
      ))
    let drill = try #require(commands(made.output).first { $0.contains(" drill ") })
    let closed = RunningProcess(elsewhere(drill, shop)).wait()
    #expect(closed.exitStatus == 12, "\(closed.error)")
    #expect(RunningProcess(elsewhere("HOLDFAST_PASSPHRASE_FILE=words " + drill, shop)).wait().exitStatus == 0)
    #expect(shop.holdfast("status", "--json").output.contains("\"failedRuns\" : 0,"), "a try without the key is no run")
  }

  /// A break of lines that YAML folds (U+0085), and characters that a terminal obeys.
  @Test func oddCharactersReachNeitherTheTerminalNorAnotherDirectory() throws {
    let shop = try SetupShop()
    let odd = shop.tool.directory.appending("a\u{85}b\u{1b}[31m'\\c\u{2028}d é")
    TestFiles.copyTree(shop.tool.source, to: odd)
    let made = shop.setup(odd.text, "-r", odd.text + "\u{85}r", "--unsealed", "--no-schedule", "--name", "odd")
    #expect(made.exitStatus == 0, "\(made.error)")
    #expect(!made.output.contains("\u{1b}") && !made.output.contains("\u{85}"), "\(made.output.debugDescription)")
    #expect(shop.holdfast("backup", "odd").exitStatus == 0)
    let restore = try #require(commands(made.output).last)
    let restored = RunningProcess(elsewhere(restore, shop)).wait()
    #expect(restored.exitStatus == 0, "\(restore): \(restored.error)")
    #expect(TestFiles.exists(Path(bytes: odd.bytes + Array("-restored/orders.db".utf8))))
  }

  /// A second machine with a directory of the same path must not be told that it is backed up.
  @Test(arguments: [false, true]) func snapshotsOfAnotherMachineAreNotVouchedFor(_ isConfigured: Bool) throws {
    let shop = try SetupShop()
    let arguments = ["source", "-r", "repository", "--unsealed", "--no-schedule"]
    #expect(RunningProcess(shop.start(arguments)).wait().exitStatus == 0)
    let other = shop.tool.directory.appending("other")
    TestFiles.makeDirectory(other)
    if isConfigured { TestFiles.copyTree(shop.tool.configuration, to: other.appending("config")) }
    var start = shop.start(arguments)
    for name in ["state", "cache", "config"] {
      start.environment["HOLDFAST_\(name.uppercased())_DIR"] = other.appending(name).text
    }
    #expect(
      RunningProcess(start).wait().refusal(shop)
        == "2 holdfast: there are snapshots of a source source in DIR/repository, and this machine has not taken them of DIR/source\nHINT: Say another name with --name.\n"
    )
    #expect(RunningProcess(shop.start(arguments)).wait().exitStatus == 0, "the first machine knows them")
  }
}
