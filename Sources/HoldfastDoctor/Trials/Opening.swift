internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSystem
internal import Synchronization

/// A configured repository, which one trial opens for all others that need it.
final class Opening: Sendable {
  /// The facts of a snapshot that trials need.
  struct KnownSnapshot: Sendable {
    let source: SourceName
    let started: Timestamp
    let stored: StorageGrowth.Stored
  }

  /// The snapshots of all sources.
  struct History: Sendable {
    var known: [KnownSnapshot] = []
    /// The newest snapshot of each source.
    var newest: [SourceName: Snapshot] = [:]
    /// The newest of those that are complete.
    var newestComplete: [SourceName: Snapshot] = [:]
    /// The messages about what is damaged or missing. What is damaged is in none of the other lists.
    var damage: [SourceName: [String]] = [:]
    /// The sources of which anything is stored, if only the rest of what was removed or never finished.
    var begun: Set<SourceName> = []
  }

  let settings: RepositorySettings
  private let opened = Mutex<Repository?>(nil)
  private let read = Mutex<Result<History, any Error>?>(nil)
  private let amounts = Mutex<Result<[StorageGrowth.Source], any Error>?>(nil)

  init(_ settings: RepositorySettings) { self.settings = settings }

  /// The name of the repository in the configuration.
  var name: String { settings.name }

  /// The repository; `nil` before it is open, or if it cannot be opened.
  var repository: Repository? { opened.withLock { $0 } }

  func keep(_ repository: Repository) { opened.withLock { $0 = repository } }

  /// Returns the open repository, for a trial that needs it.
  func use() throws -> Repository {
    guard let repository else { throw EngineError(.transient, "the repository is not open", hint: nil) }
    return repository
  }

  /// Returns the snapshots, which are read once.
  func history() throws -> History {
    try read.withLock { read in
      let result = read ?? Result { try Self.history(of: try use()) }
      read = result
      return try result.get()
    }
  }

  /// Returns what is stored of each source, with its archived log, which is listed once.
  func stored() throws -> [StorageGrowth.Source] {
    let known = Dictionary(grouping: try history().known, by: \.source)
    return try amounts.withLock { amounts in
      let result =
        amounts
        ?? Result {
          let repository = try use()
          return try repository.catalog.knownSources(nil).map { name in
            StorageGrowth.Source(
              known[name, default: []].map(\.stored), log: try WALArchive(repository, of: name).amount())
          }
        }
      amounts = result
      return try result.get()
    }
  }

  private static func history(of repository: Repository) throws -> History {
    var history = History()
    let catalog = repository.catalog
    for name in try catalog.knownSources(nil) {
      var damage: [DamageError] = []
      let snapshots = try catalog.allSnapshots(of: name) { damage.append($0) }
      if let lost = try catalog.newerThanPresent(of: name), !damage.contains(where: { $0.object == lost.object }) {
        damage.append(lost)
      }
      history.damage[name] = damage.map(\.message)
      if try !catalog.sequences(of: name).isEmpty { history.begun.insert(name) }
      history.known += snapshots.map { snapshot in
        KnownSnapshot(source: name, started: snapshot.envelope.started, stored: StorageGrowth.Stored(snapshot))
      }
      history.newest[name] = snapshots.max(by: Snapshot.isOlder)
      history.newestComplete[name] = snapshots.filter { $0.envelope.incomplete == 0 }.max(by: Snapshot.isOlder)
    }
    return history
  }
}
