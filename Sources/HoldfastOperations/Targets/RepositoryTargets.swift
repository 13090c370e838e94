internal import HoldfastArchive
package import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// The targets of a repository other than the one of its context, which is home or stands in for it.
package struct RepositoryTargets: Sendable {
  let home: RepositoryContext
  /// The other targets in the order of the configuration; empty when there is only one target, or when the command
  /// names another one than home.
  package let others: [TargetSettings]

  /// - Parameter isChosen: true if the context is home or stands in for it, though the configuration does not have it
  ///   first.
  package init(_ home: RepositoryContext, isChosen: Bool = false) {
    self.home = home
    if isChosen, let configured = home.configured {
      others = configured.targets.filter { $0 != home.target }
      return
    }
    others = home.target == home.configured?.home ? home.configured?.others ?? [] : []
  }

  /// All targets, home first; empty when `others` is empty.
  var all: [TargetSettings] { others.isEmpty ? [] : (home.target.map { [$0] } ?? []) + others }

  /// The number of targets that must have a snapshot.
  package var minCopies: Int { home.configured?.minCopies ?? 1 }

  /// The scheme in which the configuration divides archives over the targets; `nil` if it does not.
  var erasure: ErasureScheme? { home.configured?.erasure }

  /// The longest wait at the end of a run for targets that are not needed.
  var linger: TimeSpan { home.configured?.linger ?? .zero }

  /// The name of the repository.
  var repositoryName: String { home.configured?.name ?? "" }

  /// The duration for which the notes at home keep saying that a snapshot was collected. A target that is away for
  /// longer keeps the snapshot.
  package var tellsCollected: TimeSpan { others.isEmpty ? .zero : .days(30) }

  /// The place that the context means.
  var current: TargetSettings {
    get throws {
      guard let target = home.target else { throw RepositoryContext.notConfigured }
      return target
    }
  }

  /// The name of home.
  package var homeName: String { home.target?.name ?? "" }

  /// Returns the other targets with these names.
  /// - Parameter names: the names; empty for all.
  /// - Throws: `EngineError` with exit status 2 when no target has one of the names.
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

  /// Makes the stores of targets, without a request to them.
  package func opened(_ targets: [TargetSettings]) -> [OpenedTarget] {
    targets.map { target in
      OpenedTarget(settings: target, store: Result { try store(of: target) })
    }
  }

  /// Brings targets up to home, side by side. If one fails, the others continue.
  /// - Parameters:
  ///   - source: the only source; `nil` for all.
  ///   - isDryRun: true if only plans are made.
  /// - Returns: the results in the order of the targets.
  /// - Throws: `Interrupted` after a signal.
  package func sync(
    from repository: Repository, to targets: [OpenedTarget], _ source: SourceName? = nil, isDryRun: Bool = false,
    observer: any SyncObserver
  ) throws -> [TargetResult] {
    let first = try syncOnce(from: repository, to: targets, source, isDryRun: isDryRun, observer: observer)
    // Of what one target has brought home, the others must have enough shards before any two may be lost.
    guard repository.shards != nil, !isDryRun, first.contains(where: \.hasBroughtHome) else { return first }
    let second = try syncOnce(from: repository, to: targets, source, isDryRun: false, observer: observer)
    return zip(first, second).map { $0.followed(by: $1) }
  }

  private func syncOnce(
    from repository: Repository, to targets: [OpenedTarget], _ source: SourceName?, isDryRun: Bool,
    observer: any SyncObserver
  ) throws -> [TargetResult] {
    let turns = ReturnTurns()
    return try sideBySide(targets) { target in
      do {
        let store = repository.place(target.name, try target.store.get())
        // A pass may have used it.
        store.refresh()
        return try TargetSync(
          from: repository, to: target.name, in: store, observer: observer, turns: turns
        ).run(source, isDryRun: isDryRun)
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
        let own = try target == home.target ? home.store() : store(of: target)
        let store = opened?.place(target.name, own) ?? own
        let standings = try TargetStanding.read(
          store, as: target.name, home: opened, host: home.machine.host, of: source)
        guard target != home.target, let machine = opened?.machine else { return standings }
        return standings.map { standing in
          var standing = standing
          standing.proofs = TargetProofs(
            machine.scrubs(
              of: standing.source, at: target.name, in: PlaceIdentity(target.location, standing.mark)
            ).proofs)
          return standing
        }
      }
    }
    return Array(zip(targets, found)).map { (target: $0, standings: $1) }
  }

  /// Checks that no target lies in a source.
  /// - Throws: `EngineError` when a target lies in the source, or the source in a target.
  package func checkAreApart(from source: Path) throws {
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
  /// - Parameter repository: the repository at home; `nil` when it is not made yet.
  package func checkMayBeMade(of repository: Repository?) throws {
    for target in others {
      let store = try store(of: target)
      try repository.map { try TargetSync.checkMayBeMade(store, of: $0) } ?? Repository.checkIsEmpty(store)
    }
  }

  /// Makes the other targets, and writes all of them into the list of targets.
  /// - Returns: all other targets; `isNew` is true for those that this call made.
  package func make(
    of repository: Repository, warn: (String) -> Void
  ) throws -> [(target: TargetSettings, location: String, isNew: Bool)] {
    guard let home = home.target, !others.isEmpty else { return [] }
    let stores = try others.map { try store(of: $0) }
    let made = try zip(others, stores).map { target, store in
      (target, store.location, try make(target, in: store, of: repository, warn: warn))
    }
    var change = try TargetListChange(repository, home: member(home))
    for target in [home] + others where change.list.member(target.name) == nil { try change.add(member(target)) }
    try change.divide(erasure)
    try change.publish()
    for store in stores { try TargetSync.copyList(to: store, of: repository) }
    return made
  }

  /// Returns a target as a member of the list of targets, without a residue.
  func member(_ target: TargetSettings) throws -> TargetList.Member {
    TargetList.Member(
      name: target.name, residue: nil, location: try home.on(target).location.description,
      domains: Dictionary(uniqueKeysWithValues: target.domains.map { ($0.key.rawValue, $0.value) }))
  }

  /// Makes the store of a target.
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
