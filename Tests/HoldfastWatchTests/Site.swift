import HoldfastArchive
import HoldfastConfiguration
import HoldfastEngine
import HoldfastModel
import HoldfastOperations
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import HoldfastWatch
import Synchronization

/// A machine with one configured source, `orders`, and a repository for it.
final class Site: Sendable {
  static let orders = SourceName(from: Path("orders"))
  /// Not root, to whom `/etc/holdfast` belongs.
  private static let user = FileSystem.userID == 0 ? 1000 : FileSystem.userID
  let directory = TemporaryDirectory()
  let cancellation = Cancellation()
  let heard = Mutex<[String]>([])

  var source: Path { directory.appending("orders") }
  var repository: Path { directory.appending("shop") }

  /// - Parameter watch: the keys below `watch`.
  init(watch: String = "{min-interval: 0, max-interval: 1s, heartbeat: 1s, lease: 3s}") throws {
    TestFiles.makeDirectory(source)
    TestFiles.write(
      """
      repositories:
        shop: {path: \(repository)}
      sources:
        orders: {path: \(source), exclude: ['*.tmp'], watch: \(watch)}
      """, to: directory.appending("holdfast.yaml"))
    let context = try RepositoryContext(request, on: machine())
    _ = try Repository.create(in: context.store(), host: context.machine.host)
  }

  /// - Parameter cancellation: `nil` for a command of its own.
  func machine(_ cancellation: Cancellation? = nil) -> MachineContext {
    let home = directory.path.description
    let usual = ["HOME": home, "HOLDFAST_CONFIG": home + "/holdfast.yaml"]
    let environment = ProcessEnvironment(userID: Self.user, hostName: "shop-1", currentDirectory: directory.path) {
      usual[$0]
    }
    return MachineContext(
      host: Host(
        cancellation: cancellation ?? Cancellation(), workers: 2, scratchDirectories: [directory.path]),
      environment: environment)
  }

  var request: RepositoryRequest {
    var keys = KeyRequest()
    (keys.opens, keys.signs) = (true, true)
    return RepositoryRequest(keys: keys)
  }

  /// Begins to watch, as the command does.
  /// - Returns: waits for the end of the watch, and returns its error.
  func watch(_ observers: [any HeartbeatObserver] = []) throws -> @Sendable () throws -> Void {
    let machine = machine(cancellation)
    let settings = try machine.neededSettings()
    let request = request
    let ended = Future<Bool>(beginsNow: true) { [self] in
      try Watch(settings: settings, machine: machine, request).run(
        settings.sources, makeObserver: { Listener { text in self.heard.withLock { $0.append(text) } } },
        observers: { _ in observers })
      return true
    }
    return { [cancellation] in
      cancellation.raise()
      _ = try ended.value()
    }
  }

  func opened() throws -> Repository { try RepositoryContext(request, on: machine()).open { _ in } }

  func snapshots() throws -> [Snapshot] {
    let repository = try opened()
    guard try repository.catalog.isKnown(Self.orders) else { return [] }
    return try repository.catalog.allSnapshots(of: Self.orders) { _ in }.sorted { $0.sequence < $1.sequence }
  }

  /// Tests that use the processor keep those that wait from looking.
  static let patience = Duration.seconds(300)

  var count: Int { (try? snapshots().count) ?? 0 }

  /// Waits until there are no more snapshots for a while: what changed is captured.
  func rests() async -> Bool {
    var last = (count: -1, since: ContinuousClock.now)
    return await Patience.waits(Site.patience) {
      let now = self.count
      if now != last.count { last = (now, ContinuousClock.now) }
      return now > 0 && ContinuousClock.now - last.since > .milliseconds(600)
    }
  }

  /// Restores a snapshot into a new directory.
  func restore(_ snapshot: Snapshot, as name: String) throws -> Path {
    let target = directory.appending(name)
    _ = try Restore(
      repository: try opened(), snapshot: snapshot, options: Restore.Options(target: target),
      progress: Listener { _ in }.makeProgress()
    ).run()
    return target
  }
}

/// Keeps what is told, as text.
final class Listener: SourceRunObserver {
  private let hear: (String) -> Void

  init(_ hear: @escaping (String) -> Void) { self.hear = hear }

  private final class Silent: RunProgress {
    func begin(phase: String, totalBytes: UInt64?) {}
    func advance(bytes: UInt64, files: UInt64) {}
    func skip(bytes: UInt64) {}
    func note(_ message: String) {}
    func warn(_ message: String) {}
    func end() {}
  }

  func tell(_ notice: Notice) { hear(notice.text) }
  func makeProgress() -> any RunProgress { Silent() }

  func planned(_ report: SourceRun.Report, isDryRun: Bool) {
    if let error = report.failure?.error { hear(error.message) }
  }

  func ended(_ step: SourceRun.Done, of source: SourceName) {
    if let error = step.outcome.error { hear(error.message) }
  }
}
