import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A shop that is watched, and a host that stands by: what it hears, and what an operator types when the shop is gone.
@Suite struct StandbyHeartbeatTests {
  private static let patience = Duration.seconds(120)
  private let tool = Tool()

  private func prepare() {
    TestFiles.makeDirectory(tool.configuration)
    TestFiles.write(
      """
      repositories: {shop: {path: \(tool.repository.text)}}
      sources:
        orders:
          path: \(tool.source.text)
          watch: {min-interval: 0, heartbeat: 1s, lease: 3s}
      """, to: tool.configuration.appending("holdfast.yaml"))
    TestFiles.setMode(tool.configuration.appending("holdfast.yaml"), 0o600)
    TestFiles.write("an order", to: tool.source.appending("1"))
    #expect(run("init", "--unsealed").exitStatus == 0)
  }

  private func start(_ arguments: [String], socket: String? = nil) -> RunningProcess.Start {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    start.environment["NOTIFY_SOCKET"] = socket
    return start
  }

  @discardableResult private func run(_ arguments: String...) -> ProcessResult {
    RunningProcess(start(arguments)).wait()
  }

  @Test func aShopIsAliveAndThenSilentAndItsLastSnapshotServes() async throws {
    prepare()
    let manager = try NotifySocket("@" + tool.directory.appending("notify").text)
    let watch = RunningProcess(start(["watch", "--quiet"]))
    let directory = tool.directory.appending("standby")
    var heard: [String] = []
    func waits(for text: String) async -> Bool {
      await Patience.waits(Self.patience) {
        heard += manager.received()
        return heard.contains { $0.contains(text) }
      }
    }
    #expect(await Patience.waits(Self.patience) { isTaken(1) })
    let standby = RunningProcess(
      start(["standby", "orders", "--in", directory.text, "--interval", "1s"], socket: manager.name))
    #expect(await waits(for: "number 1 serves; nothing is newer; the source is alive"), "\(heard)")
    // Its name and its bytes come at once: a snapshot between them would be number 2.
    TestFiles.write("an order", to: tool.directory.appending("2"))
    TestFiles.rename(tool.directory.appending("2"), to: tool.source.appending("2"))
    #expect(await waits(for: "number 2 serves; nothing is newer; the source is alive"), "\(heard)")
    watch.send(SIGKILL)
    _ = await watch.end()
    #expect(await waits(for: "nothing is newer; the source is SILENT: no heartbeat for "), "\(heard)")
    standby.send(SIGTERM)
    let end = await standby.end()
    #expect(end.exitStatus == 0)
    #expect(end.error.contains("orders: WARNING: the source is SILENT: no heartbeat for "), "\(end.error)")
    #expect(
      end.error.contains(
        "HINT: If its host is gone: docs/operations.md, \"The primary is gone: serve from the copy\"."))
    let served = TreeDescription(of: directory.appending("current/."), ignoringRoot: true)
    #expect(served == TreeDescription(of: tool.source, ignoringRoot: true))
  }

  private func isTaken(_ count: Int) -> Bool {
    TestFiles.allFiles(in: tool.repository).count { $0.text.hasSuffix("/manifest.json") } >= count
  }

  /// Types the commands of docs/operations.md, in a directory in the place of /srv.
  @Test func theRunbookServesTheNewestSnapshotFromTheCopy() throws {
    prepare()
    #expect(run("backup", "orders", "--quiet").exitStatus == 0)
    let document = String(decoding: TestFiles.read(Tool.root.appending("docs/operations.md")) ?? [], as: UTF8.self)
    let section = try #require(document.split(separator: "### The primary is gone: serve from the copy").last)
    let commands = section.split(separator: "```")[1].split(separator: "\n").dropFirst()
      .filter { !$0.hasPrefix("systemctl ") }
    #expect(commands.count == 4, "\(commands)")
    for command in commands {
      let script = command.replacing("/srv/", with: tool.directory.appending("srv/").text)
      let result = tool.other("bash", "-ec", "holdfast() { \(Tool.binary.text) \"$@\"; }\n" + script) {
        $0.environment["HOLDFAST_REPOSITORY"] = nil
      }
      #expect(result.exitStatus == 0, "\(command): \(result.error)")
    }
    let orders = tool.directory.appending("srv/orders")
    #expect(TreeDescription(of: orders) == TreeDescription(of: tool.source))
    #expect(isTaken(2), "the backup from the new place goes on with the chain")
  }
}
