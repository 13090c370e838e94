import HoldfastConfiguration
import HoldfastEngine
import HoldfastModel
import HoldfastOperations
import HoldfastRepository
import HoldfastSystem
import HoldfastTestSupport

/// A directory that is all a machine has: its home, its configuration, its repositories and its sources.
struct Site {
  static let orders = SourceName(from: Path("orders"))
  /// Not root, to whom `/etc/holdfast` belongs.
  private static let user = FileSystem.userID == 0 ? 1000 : FileSystem.userID
  let directory = TemporaryDirectory()

  /// - Parameters:
  ///   - variables: what is set in the environment beside `HOME` and `HOLDFAST_CONFIG`.
  ///   - clock: the clock of the machine.
  func machine(_ variables: [String: String] = [:], clock: Clock = .system) -> MachineContext {
    let home = directory.path.description
    let usual = ["HOME": home, "HOLDFAST_CONFIG": home + "/holdfast.yaml"]
    let environment = ProcessEnvironment(userID: Self.user, hostName: "shop-1", currentDirectory: directory.path) {
      variables[$0] ?? usual[$0]
    }
    return MachineContext(
      host: Host(clock: clock, workers: 2, scratchDirectories: [directory.path]), environment: environment)
  }

  func configure(_ text: String) { TestFiles.write(text, to: directory.appending("holdfast.yaml")) }

  /// What a command line says: how the repository is called, and that it reads and writes.
  func request(_ name: String? = nil) -> RepositoryRequest {
    var keys = KeyRequest()
    (keys.opens, keys.signs) = (true, true)
    return RepositoryRequest(repository: name, keys: keys)
  }
}

/// Keeps what runs tell, in their order.
final class Listener: SourceRunObserver {
  private(set) var heard: [String] = []
  private(set) var notices: [Notice] = []
  private final class Silent: RunProgress {
    func begin(phase: String, totalBytes: UInt64?) {}
    func advance(bytes: UInt64, files: UInt64) {}
    func skip(bytes: UInt64) {}
    func note(_ message: String) {}
    func warn(_ message: String) {}
    func end() {}
  }

  func tell(_ notice: Notice) { notices.append(notice) }
  func makeProgress() -> any RunProgress { Silent() }

  func planned(_ report: SourceRun.Report, isDryRun: Bool) {
    let steps = report.plan?.lines.count
    heard.append("\(isDryRun ? "would do" : "planned") \(report.source): \(steps.map(String.init) ?? "nothing")")
  }

  func ended(_ step: SourceRun.Done, of source: SourceName) {
    heard.append("\(source): \(step.outcome.status)")
  }
}
