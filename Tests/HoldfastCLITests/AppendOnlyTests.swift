import HoldfastModel
import HoldfastTestSupport
import Testing

/// Where names can only be added, runs end well, and nobody removes: a real ext4 with what docs/operations.md says.
@Suite(.requires(.root, .loopDevices)) struct AppendOnlyTests {
  private let tool = SealedTool()
  private var home: String { tool.directory.path.text }
  private static let heading = "Storage where the host can only add"

  /// Runs commands with a small ext4 of their own at `/backup`.
  private func run(_ commands: String) -> ProcessResult {
    let mounting = """
      set -euo pipefail
      truncate -s 16M disk && mkfs.ext4 -q disk && mkdir backup && mount -o loop disk backup
      """
    return runScript(mounting + "\n" + commands.replacing("/backup/", with: home + "/backup/"))
  }

  /// In a mount namespace of its own: with the last process what it has mounted goes.
  private func runScript(_ script: String) -> ProcessResult {
    var start = RunningProcess.Start([
      "unshare", "--mount", "--propagation", "private", "bash", "-c", script,
    ])
    start.environment = tool.start([]).environment
    start.environment["PATH"] = "\(home):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    start.environment["HOLDFAST_REPOSITORY"] = home + "/backup/shop"
    start.directory = tool.directory.path
    start.hasOwnSession = true
    return RunningProcess(start).wait()
  }

  init() throws {
    TestFiles.symbolicLink(Tool.binary.text, at: tool.directory.appending("holdfast"))
    var log = TestLog()
    for _ in 0..<2 {
      log.filler(100)
      log.switchSegment()
    }
    for (name, bytes) in log.segments { TestFiles.write(bytes, to: tool.directory.appending("\(name)")) }
  }

  @Test func runsEndWellAndAPruneSaysThatItCannot() throws {
    let recipient = tool.generate("identity")
    let (adding, pruning) = try (Self.steps(0), Self.steps(1))
    let push = "holdfast wal push $(ls 00000001*%) --name shop --quiet\n"
    let result = run(
      """
      holdfast init --recipient \(recipient) --quiet
      holdfast backup source --name shop --quiet
      \(adding)
      for order in 2 3; do
        echo $order >> source/orders
        holdfast backup source --name shop --full --quiet
        \(push.replacing("%", with: "$((order - 1))"))
        \(adding)
      done
      holdfast pin latest --reason 'of the year' --quiet
      holdfast verify --data --identity identity --quiet
      holdfast key generate second > second.line 2> /dev/null
      holdfast key add --recipient "$(cat second.line)" --label second --identity identity --quiet
      mkdir backup/shop/sources/shop/0000000004 && chattr +a backup/shop/sources/shop/0000000004
      holdfast backup source --name shop --quiet 2> left
      cat left
      \(adding)
      ! rm -rf backup/shop/sources 2> /dev/null
      holdfast prune --keep-last 1 --grace 0 --quiet 2> refused || echo "status $?"
      cat refused
      holdfast verify --data --identity identity --quiet
      \(pruning.replacing(/holdfast prune .*/, with: "holdfast prune --keep-last 1 --grace 0 --quiet"))
      holdfast verify --data --identity identity --quiet
      ls backup/shop/sources/shop
      """)
    #expect(result.error == "")
    #expect(result.exitStatus == 0)
    let left =
      "holdfast: WARNING: sources/shop/0000000004/ is what a killed run left, and it stays: sources/shop/0000000004 may not be removed from DIR/backup/shop\n"
    let refused = """
      status 1
      holdfast: sources/shop/0000000004 may not be removed from DIR/backup/shop
      HINT: Run as a user who may remove there. Where names can only be added (chattr +a), whoever made it so lifts that, prunes, and makes it so again.

      """
    #expect(tool.plain(result.output) == left + refused + "0000000003\n0000000005\nnotes\n")
  }

  /// The blocks of commands under the heading.
  private static func steps(_ index: Int) throws -> String {
    let text = String(decoding: TestFiles.read(Tool.root.appending("docs/operations.md")) ?? [], as: UTF8.self)
    let part = try #require(text.split(separator: "\n### \(heading)\n", maxSplits: 1).dropFirst().first)
    let blocks = part.split(separator: "```sh\n", maxSplits: 3).dropFirst()
    try #require(blocks.count > index)
    let block = blocks[blocks.startIndex + index]
    return String(block.prefix(upTo: block.firstRange(of: "```")?.lowerBound ?? block.endIndex))
  }
}
