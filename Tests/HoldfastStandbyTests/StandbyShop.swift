import HoldfastEngine
import HoldfastModel
import HoldfastOperations
import HoldfastRepository
import HoldfastStandby
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization

/// A shop with snapshots, and a host that stands by.
final class StandbyShop {
  static let name = SourceName(from: Path("source"))
  let shop: TestShop
  let heard = Mutex<[String]>([])
  /// The states of the source that were acknowledged as snapshots.
  private(set) var acknowledged: [TreeDescription] = []

  init(isSealed: Bool = false) throws { shop = try TestShop(isSealed: isSealed) }

  var directory: Path { shop.directory.appending("standby") }

  /// The state to which `current` leads; `nil` if there is no link.
  var current: TreeDescription? {
    let link = directory.appending("current")
    return TestFiles.exists(link.appending(".")) ? TreeDescription(of: link.appending("."), ignoringRoot: true) : nil
  }

  /// Changes some files, adds one, removes one, and takes a snapshot.
  func next(_ round: Int, bytes: Int = 30_000) throws {
    var random = SeededRandom(seed: UInt64(round))
    let source = shop.source
    TestFiles.write(random.bytes(bytes), to: source.appending("orders.db"))
    TestFiles.write("order \(round)", to: source.appending("order-\(round)"))
    TestFiles.remove(source.appending("order-\(round - 2)"))
    if round.isMultiple(of: 2) { TestFiles.makeDirectory(source.appending("day-\(round)")) }
    try shop.backup()
    acknowledged.append(TreeDescription(of: source, ignoringRoot: true))
  }

  /// The standby as a command makes it.
  func standby(
    probe: (any OperationProbe)? = nil, clock: Clock = .system, in directory: Path? = nil, of name: SourceName? = nil,
    configure: (inout Standby.Options) -> Void = { _ in }
  ) throws -> Standby {
    let home = shop.directory.appending("home").text
    let environment = ProcessEnvironment(
      userID: FileSystem.userID, hostName: "standby-1", currentDirectory: shop.directory.path
    ) { ["HOME": home, "HOLDFAST_CONFIG_DIR": home, "HOLDFAST_STATE_DIR": home][$0] }
    let machine = MachineContext(
      host: Host(
        files: FileSystem(probe: probe), clock: clock, workers: 2,
        scratchDirectories: [shop.directory.path]), environment: environment)
    var keys = KeyRequest()
    keys.opens = true
    let context = try RepositoryContext(
      RepositoryRequest(repository: shop.repositoryPath.text, keys: keys), on: machine, of: nil)
    var options = Standby.Options(directory: directory ?? self.directory)
    configure(&options)
    return try Standby(
      name ?? Self.name, at: context, options, observer: Ear { text in self.heard.withLock { $0.append(text) } })
  }
}

/// Keeps what is told, as text.
final class Ear: NoticeObserver {
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
}
