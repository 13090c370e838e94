import Foundation
import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// `holdfast mount` as a process. Whatever becomes of a test, nothing stays mounted.
final class TestMount {
  static let patience = Duration.seconds(60)
  let path: Path
  let process: RunningProcess
  private let tool: Tool
  private let manager: NotifySocket

  /// Waits until it says that it is ready.
  init(
    _ tool: Tool, _ options: String..., configure: (inout RunningProcess.Start) -> Void = { _ in }
  ) async throws {
    self.tool = tool
    path = tool.directory.appending("mounted")
    TestFiles.makeDirectory(path)
    manager = try NotifySocket("@" + tool.directory.appending("notify-\(UInt32.random(in: 0 ... .max))").text)
    var start = tool.start(["mount", "mounted"] + options)
    start.environment["NOTIFY_SOCKET"] = manager.name
    configure(&start)
    process = RunningProcess(start)
    var heard: [String] = []
    let isReady = await Patience.waits(Self.patience) { [manager] in
      heard += manager.received()
      return !heard.isEmpty
    }
    try #require(isReady && heard[0].hasPrefix("READY=1\nSTATUS=mounted "), "\(heard) \(process.wait().error)")
  }

  deinit {
    if isMounted { tool.other("fusermount3", "-u", "-z", path.text) }
  }

  var isMounted: Bool {
    let table = String(decoding: TestFiles.read(Path("/proc/self/mounts")) ?? [], as: UTF8.self)
    return table.contains(" \(path.text) fuse.holdfast ")
  }

  /// The directory of a snapshot, not the link to it.
  func snapshot(_ name: String = "source/latest") -> Path { path.appending(name).appending(".") }

  /// Ends it with a signal. It must end well, and unmount.
  /// - Returns: its standard output.
  @discardableResult
  func endWell(_ signal: Int32 = SIGTERM, _ location: Testing.SourceLocation = #_sourceLocation) async -> String {
    let end = await end(signal)
    // Another test may have started a process while this one had a file of the mount open: that has it open, too.
    let isQuiet = end.error == "" || end.error == Self.inUse(path)
    #expect(end.exitStatus == 0 && isQuiet && !isMounted, "\(end.error)", sourceLocation: location)
    return end.output
  }

  /// The warning of a mount that was in use when it ended.
  static func inUse(_ path: Path) -> String {
    "holdfast: WARNING: \(path) was in use: it is unmounted, and whoever uses it gets errors from now on\n"
  }

  /// Ends it with a signal.
  func end(_ signal: Int32 = SIGTERM) async -> ProcessResult {
    process.send(signal)
    return await process.end()
  }
}

extension Tool {
  /// The IDs of all snapshots, the oldest first.
  func identifiers() throws -> [String] {
    let list = try JSONSerialization.jsonObject(with: Data(run("list", "--json").outputBytes)) as? [String: Any]
    return try #require(list?["snapshots"] as? [[String: Any]]).compactMap { $0["id"] as? String }
  }

  /// Takes a snapshot of the source, the first in a new repository.
  func backUp() {
    if !TestFiles.exists(repository) { #expect(run("init", "--unsealed").exitStatus == 0) }
    let result = run("backup", "source", "--quiet")
    // What a test does to its source may look like a disaster (status 3).
    #expect([0, 3].contains(result.exitStatus), "\(result.error)")
  }
}
