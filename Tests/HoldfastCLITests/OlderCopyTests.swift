import HoldfastModel
import HoldfastTestSupport
import Testing

/// A copy of the repository that is older than what this machine has seen is refused, and read where that is said; what
/// is remembered stays.
@Suite struct OlderCopyTests {
  private let tool = SealedTool()
  private var copy: String { tool.directory.appending("copy").text }
  private static let warning =
    "holdfast: WARNING: the repository is not compared with what this machine has seen of it (--older-copy): its newest snapshots, and who may no longer write, may be missing in it\n"

  /// Last night's copy; since then one snapshot more, and one recipient.
  init() {
    tool.makeRepository()
    tool.run("backup", "source", "--name", "shop", "--quiet")
    TestFiles.copyTree(tool.repository, to: tool.directory.appending("copy"))
    TestFiles.write("another order", to: tool.source.appending("orders"))
    tool.run("backup", "source", "--name", "shop", "--quiet")
    let second = tool.generate("second")
    tool.run("key", "add", "--recipient", second, "--label", "second", "--identity", "identity", "--quiet")
  }

  @Test func itIsRefusedAndTheHintSaysHowItIsRead() {
    let refused = tool.run("list", "-r", copy)
    #expect(refused.exitStatus == 21)
    #expect(
      tool.plain(refused.error)
        == "holdfast: the repository in DIR/copy is not the one that was there: its keyring lacks revision 2, which this machine has seen\n"
        + "HINT: Somebody may have exchanged it or put back an old copy. Find out; to read a copy that is known to be older, say --older-copy; only if that was meant, run `holdfast key forget`.\n"
    )
  }

  @Test(arguments: [
    ["list"], ["show", "latest"], ["verify", "--data", "--identity", "identity"],
    ["cat", "latest", "orders", "--identity", "identity"],
    ["restore", "latest", "--target", "restored", "--identity", "identity", "--quiet"],
  ])
  func whoReadsSaysThatItIsOlder(_ command: [String]) {
    let result = tool.run(command + ["-r", copy, "--older-copy"])
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(result.error.contains(Self.warning))
    if command[0] == "restore" {
      #expect(TestFiles.read(tool.directory.appending("restored/orders")) == Array("an order".utf8))
    }
    // Nothing was learnt from the copy, and nothing written into it but what its journal says.
    #expect(tool.run("list", "-r", copy).exitStatus == 21)
    #expect(!TestFiles.exists(tool.directory.appending("copy/sources/shop/notes")))
    let primary = tool.run("list")
    #expect(primary.exitStatus == 0 && primary.error == "", "\(primary.error)")
  }

  @Test func anotherRepositoryIsNoOlderCopy() {
    TestFiles.removeTree(tool.repository)
    tool.run("init", "--recipient", tool.generate("third"), "-r", tool.directory.appending("other").text)
    TestFiles.rename(tool.directory.appending("other"), to: tool.repository)
    let result = tool.run("list", "--older-copy")
    #expect(result.exitStatus == 21)
    #expect(result.error.contains("it has another ID than the one that this machine knows there"))
  }

  /// Whoever has the storage in his hands knows the ID, and can go on from what was true earlier.
  @Test func aCopyThatWentAnotherWayIsNoOlderCopy() {
    let other = tool.generate("other")
    let fork = tool.run("key", "add", "--recipient", other, "--label", "other", "--identity", "identity", "-r", copy) {
      $0.environment["HOLDFAST_STATE_DIR"] = tool.directory.appending("elsewhere").text
    }
    #expect(fork.exitStatus == 0, "\(fork.error)")
    let result = tool.run("list", "--older-copy", "-r", copy)
    #expect(result.exitStatus == 21)
    #expect(result.error.contains("its keyring is no earlier one of the repository that this machine has seen"))
  }
}
