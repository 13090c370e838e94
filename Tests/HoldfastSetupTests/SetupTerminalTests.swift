import HoldfastModel
import HoldfastTestSupport
import Testing

/// On a terminal a setup asks for what the command line does not say.
@Suite(.serialized) struct SetupTerminalTests {
  @Test func everythingIsAskedFor() throws {
    let shop = try SetupShop()
    let (result, shown) = shop.atTerminal(
      ["--root", "root"],
      [
        ("Which directory is to be backed up? ", shop.tool.source.text),
        ("Where is the repository to be, on another disk than the directory? ", "repository"),
        ("1, 2 or 3 [1] ", "4"), ("\"4\" is no answer to that", ""),
        ("Where is the key file? It is made if it does not exist; a removable disk is a good place. [", "recovery.key"),
        ("Compression, deflate or zstd? ", "zstd"),
        ("When is a snapshot to be taken: 15m, hourly, daily, 02:30, or no? [15m] ", ""),
        ("Type yes to go on: ", "yes"),
      ])
    #expect(result.exitStatus == 0, "\(shown)")
    #expect(shown.contains("would make the key file \(shop.key.text)\n"))
    #expect(shop.text(shop.configuration).contains("\n    compression: zstd:3\n"))
    #expect(shop.text(shop.service).contains(" run --quiet\n") && TestFiles.exists(shop.key))
    #expect(result.output.contains("\ntrial restore  passed: "))
  }

  @Test func aPassphraseIsAskedForTwiceAndNeverShown() throws {
    let shop = try SetupShop()
    let words = "ten words that nobody would guess"
    let (result, shown) = shop.atTerminal(
      ["source", "-r", "repository", "--passphrase", "--no-schedule", "--compression", "deflate"],
      [("New passphrase: ", words), ("The same again: ", words)])
    #expect(result.exitStatus == 0, "\(shown)")
    #expect(!shown.contains(words) && !result.output.contains(words))
    // The repository says how it is opened, so that is not asked.
    let (again, _) = shop.atTerminal(
      ["source", "-r", "repository", "--no-schedule"], [("Passphrase: ", words)])
    #expect(again.exitStatus == 0)
  }

  @Test func withoutAYesNothingIsMade() throws {
    let shop = try SetupShop()
    let (result, shown) = shop.atTerminal(
      ["source", "-r", "repository", "--unsealed", "--no-schedule"],
      [("Compression, deflate or zstd? ", "deflate"), ("Type yes to go on: ", "no")])
    #expect(result.exitStatus == 1)
    #expect(
      shown.hasSuffix(
        "holdfast: it was not confirmed, and nothing was changed\nHINT: Answer yes; with everything on the command line nothing is asked.\n"
      ))
    #expect(TestFiles.names(in: shop.tool.directory.path).sorted() == ["root", "source"])
  }

  @Test(arguments: ["", "x\nx\nx"]) func aQuestionThatIsNotAnsweredEndsIt(_ typed: String) throws {
    let shop = try SetupShop()
    let (result, shown) = shop.atTerminal(
      ["-r", "repository", "--unsealed", "--no-schedule"],
      typed.isEmpty ? [("backed up? ", "")] : [("backed up? ", shop.tool.source.text), ("deflate or zstd?", typed)])
    #expect(result.exitStatus == 2)
    #expect(
      shown.hasSuffix(
        "holdfast: a question was not answered, and nothing was made\nHINT: Answer it, or say \(typed.isEmpty ? "the directory" : "--compression").\n"
      ),
      "\(shown)")
  }
}
