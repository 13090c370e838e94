package import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// The targets of a repository other than the one of its context, which is home.
package struct RepositoryTargets: Sendable {
  let home: RepositoryContext
  /// In the order of the configuration; empty when there is only one target, or the command names another one than
  /// home.
  package let others: [TargetSettings]

  package init(_ home: RepositoryContext) {
    self.home = home
    others = home.target == home.configured?.home ? home.configured?.others ?? [] : []
  }

  /// All of them, home first; empty when another one than home was named.
  var all: [TargetSettings] { others.isEmpty ? [] : (home.target.map { [$0] } ?? []) + others }

  /// The number of targets that must have a snapshot.
  package var minCopies: Int { home.configured?.minCopies ?? 1 }

  /// How long targets that are not needed are waited for at the end of a run.
  var linger: TimeSpan { home.configured?.linger ?? .zero }

  /// The name of the repository.
  var repositoryName: String { home.configured?.name ?? "" }

  /// The duration for which the notes at home keep saying that a snapshot was collected. A target that is away for
  /// longer keeps the snapshot.
  package var tellsCollected: TimeSpan { others.isEmpty ? .zero : .days(30) }

  /// The name of home.
  package var homeName: String { home.configured?.home.name ?? "" }

  /// Returns the other targets with these names.
  /// - Parameter names: empty for all.
  /// - Throws: with exit status 2 when no target has a name.
  package func chosen(_ names: [String]) throws -> [TargetSettings] {
    try names.isEmpty
      ? others
      : names.map { name in
        guard let target = others.first(where: { $0.name == name }) else {
          throw RepositoryContext.noTarget(name, among: others.map(\.name))
        }
        return target
      }
  }

  /// Makes the stores of targets. Nothing is asked of them yet.
  package func opened(_ targets: [TargetSettings]) -> [OpenedTarget] {
    targets.map { target in
      OpenedTarget(settings: target, store: Result { try store(of: target) })
    }
  }

  /// Brings targets up to home, side by side. If one fails, the others continue.
  /// - Parameters:
  ///   - source: the only source; `nil` for all.
  ///   - isDryRun: true if only plans are made.
  /// - Returns: the results in the order of the targets; a signal is thrown.
  package func sync(
    from repository: Repository, to targets: [OpenedTarget], _ source: SourceName? = nil, isDryRun: Bool = false,
    observer: any SyncObserver
  ) throws -> [TargetResult] {
    try sideBySide(targets) { target in
      do {
        let store = try target.store.get()
        // A pass may have used it.
        store.refresh()
        return try TargetSync(from: repository, to: target.name, in: store, observer: observer).run(
          source, isDryRun: isDryRun)
      } catch let signal as Interrupted {
        throw signal
      } catch {
        return TargetResult(target.name, at: target.settings.location, failure: describe(error))
      }
    }
  }

  /// Returns how far behind each target is, home first.
  /// - Parameter repository: home; a failure when it does not answer.
  /// - Returns: for each target the result of a listing, or the reason why there is none.
  package func standings(
    of repository: Result<Repository, any Error>, _ source: SourceName? = nil
  ) throws -> [(target: TargetSettings, standings: Result<[TargetStanding], any Error>)] {
    let targets = (home.target.map { [$0] } ?? []) + others
    let found = try sideBySide(targets) { target in
      Result<[TargetStanding], any Error> {
        let opened = try? repository.get()
        if target == home.target, opened == nil { _ = try repository.get() }
        let store = try target == home.target ? home.store() : store(of: target)
        let standings = try TargetStanding.read(store, home: opened, host: home.machine.host, of: source)
        guard target != home.target, let machine = opened?.machine else { return standings }
        return standings.map { standing in
          var standing = standing
          standing.proofs = machine.proofs(of: standing.source, at: target.name)
          return standing
        }
      }
    }
    return Array(zip(targets, found)).map { (target: $0, standings: $1) }
  }

  /// Makes sure that nothing is written into a source.
  /// - Throws: when a target lies in the source, or the source in a target.
  func checkAreApart(from source: Path) throws {
    guard let path = try? home.machine.host.files.resolve(source) else { return }
    for target in others {
      guard let directory = try home.on(target).location.directory, path.contains(directory) || directory.contains(path)
      else { continue }
      throw EngineError(
        .usage, "the target \(target.name) in \(directory) and the source \(path) lie in one another",
        hint: "Keep every target on another disk than the source.")
    }
  }

  /// Checks, before anything is made, that every other target is empty or already a target of home.
  /// - Parameter repository: home; `nil` when it is not made yet.
  package func checkMayBeMade(of repository: Repository?) throws {
    for target in others {
      let store = try store(of: target)
      try repository.map { try TargetSync.checkMayBeMade(store, of: $0) } ?? Repository.checkIsEmpty(store)
    }
  }

  /// Makes the other targets.
  /// - Returns: all other targets; `isNew` is true for those that were made now.
  package func make(
    of repository: Repository, warn: (String) -> Void
  ) throws -> [(target: TargetSettings, location: String, isNew: Bool)] {
    try others.map { target in
      let store = try store(of: target)
      return (target, store.location, try TargetSync.make(store, of: repository, warn: warn))
    }
  }

  /// - Throws: `TargetError.sameLocation` when an earlier target has the same location.
  func store(of target: TargetSettings, reading limit: RateLimit? = nil) throws -> any Store {
    let context = try home.on(target)
    let location = context.location
    for other in (home.target.map { [$0] } ?? []) + others {
      if other == target { break }
      if try home.on(other).location == location {
        throw TargetError.sameLocation(target: target.name, other: other.name, location: location.description)
      }
    }
    return try context.store(reading: limit)
  }

  private func sideBySide<Element: Sendable, Value: Sendable>(
    _ targets: [Element], _ body: @escaping @Sendable (Element) throws -> Value
  ) throws -> [Value] {
    let found = FoundValues<Value>()
    try SideBySide.run(targets.count, threads: targets.count) { found.put(try body(targets[$0]), at: $0) }
    return found.inOrder
  }
}

/// The values that several threads found.
private final class FoundValues<Value: Sendable>: Sendable {
  private let values = Mutex<[Int: Value]>([:])

  var inOrder: [Value] { values.withLock { $0 }.sorted { $0.key < $1.key }.map(\.value) }

  func put(_ value: Value, at index: Int) { values.withLock { $0[index] = value } }
}
