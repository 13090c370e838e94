internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
package import HoldfastSystem
internal import Synchronization

extension RepositoryContext {
  /// Opens home, as the list of targets says it: the target that was promoted, if the configuration still has another
  /// one first.
  /// - Parameters:
  ///   - limit: the limit for reading objects.
  ///   - warn: is told when the configuration should be changed.
  /// - Returns: the repository, and the place where it was opened.
  package func openHome(
    for source: SourceName? = nil, takesLease: Bool = false, limit: RateLimit? = nil, warn: (String) -> Void
  ) throws -> (repository: Repository, place: RepositoryContext) {
    let first: Repository
    do {
      first = try open(limit: limit, for: source, takesLease: takesLease, warn: warn)
    } catch let failure as any OperatorError where Self.isAway(failure) {
      guard let found = openPromoted(for: source, takesLease: takesLease, warn: warn) else { throw failure }
      return found
    }
    guard let (promoted, text) = try otherHome(of: first) else { return (first, self) }
    warn("\(text): name it first in the configuration")
    let place = try on(promoted)
    return (try place.open(limit: limit, for: source, takesLease: takesLease, warn: warn), place)
  }

  /// Opens the repository for a command that writes to home only.
  /// - Throws: with exit status 2 when another target is named, or another one is home by the list of targets.
  package func openToWrite(
    for source: SourceName? = nil, takesLease: Bool = false, warn: (String) -> Void
  ) throws -> Repository {
    try checkIsHome()
    let repository = try open(for: source, takesLease: takesLease, warn: warn)
    guard let (_, text) = try otherHome(of: repository) else { return repository }
    throw EngineError(.usage, text, hint: "Name it first in the configuration.", exitStatus: .usage)
  }

  /// Warns a reader if another target is home by the list of targets. A list that cannot be read keeps nobody from
  /// reading.
  package func warnOfOtherHome(than repository: Repository, _ warn: (String) -> Void) {
    if let (_, text) = try? otherHome(of: repository) { warn("\(text): name it first in the configuration") }
  }

  /// Returns the target of the configuration that is home by the list of targets, and says so; `nil` if it is the one
  /// that was opened.
  func otherHome(of repository: Repository) throws -> (target: TargetSettings, text: String)? {
    guard let configured, !configured.others.isEmpty, let target, let list = try repository.targets.newest(),
      list.home != target.name, list.member(target.name) != nil,
      let promoted = configured.targets.first(where: { $0.name == list.home })
    else { return nil }
    return (promoted, "\(list.home) is home by revision \(list.revision) of the list of targets, not \(target.name)")
  }

  /// True if a target does not answer, or there is no repository any more.
  private static func isAway(_ failure: any OperatorError) -> Bool {
    (failure.isTransient || failure.exitStatus == .noRepository) && !(failure is Interrupted)
  }

  /// Opens the target that was promoted, as the lists of other targets tell, where the first one of the configuration
  /// is away.
  /// - Returns: `nil` when no list tells of another home that answers.
  private func openPromoted(
    for source: SourceName?, takesLease: Bool, warn: (String) -> Void
  ) -> (repository: Repository, place: RepositoryContext)? {
    guard let configured, target == configured.home else { return nil }
    for other in configured.others {
      guard let place = try? on(other),
        let found = try? place.open(for: source, takesLease: takesLease, warn: { _ in }),
        let list = try? found.targets.newest(), list.home != configured.home.name
      else { continue }
      func opened(at place: RepositoryContext, _ repository: Repository) -> (Repository, RepositoryContext) {
        warn(
          "\(list.home) is home by revision \(list.revision) of the list of targets, and \(configured.home.name) is away: name \(list.home) first in the configuration"
        )
        return (repository, place)
      }
      if list.home == other.name { return opened(at: place, found) }
      guard let promoted = configured.others.first(where: { $0.name == list.home }), let place = try? on(promoted),
        let home = try? place.open(for: source, takesLease: takesLease, warn: { _ in })
      else { continue }
      return opened(at: place, home)
    }
    return nil
  }

  /// Opens a copy of the repository from which a new target is filled.
  /// - Parameter repository: home.
  /// - Throws: when another repository is there, or when no copy has whole archives.
  package func openSeed(_ directory: Path, of repository: Repository) throws -> Repository {
    if let shards = repository.shards {
      throw EngineError(
        .usage, "\(directory) cannot have what a target needs: archives are in shards, \(shards.scheme)",
        hint: "Leave out --seed: a new target is a spare, and a sync makes its shards of those at the others.",
        exitStatus: .usage)
    }
    let seed = try Repository.open(
      machine.schemes.open(.directory(directory), machine.host, OpeningOptions()), host: machine.host,
      acceptsOlder: true, target: repository.targets.newest()?.home)
    guard seed.id == repository.id else {
      throw TargetError.otherRepository(target: seed.location, home: repository.location)
    }
    return seed
  }

  /// Opens home for a run that adds a snapshot. Where it is away and the configuration says so, the next target of the
  /// list that answers is opened instead, which gives numbers of its own; notes and journal are not written there.
  /// - Parameters:
  ///   - patience: the longest wait for a home that is not on this machine, if another target may stand in for it.
  ///   - away: the targets that did not answer for other sources of the run.
  /// - Throws: what home said, where nobody else answers.
  package func openToCommit(
    for source: SourceName, patience: TimeSpan = .seconds(30), away: AwayTargets = AwayTargets(),
    warn: (String) -> Void
  ) throws -> (repository: Repository, place: RepositoryContext) {
    guard let configured, configured.continuesWithoutHome, let target else {
      return try openHome(for: source, takesLease: true, warn: warn)
    }
    do {
      if let obstacle = away.obstacle(at: target.name, of: configured.name) { throw obstacle }
      let warnings = Mutex<[String]>([])
      defer { warnings.withLock { $0 }.forEach(warn) }
      return try openSoon(patience) {
        try openHome(for: source, takesLease: true) { text in warnings.withLock { $0.append(text) } }
      }
    } catch let failure as any OperatorError where Self.isAway(failure) {
      away.note(failure, at: target.name, of: configured.name)
      return try openStandIn(for: source, because: failure, warn: warn)
    }
  }

  private func openStandIn(
    for source: SourceName, because failure: any OperatorError, warn: (String) -> Void
  ) throws -> (repository: Repository, place: RepositoryContext) {
    for other in configured?.others ?? [] {
      let place = try on(other)
      guard var found = try? place.open(for: source, takesLease: true, warn: { _ in }),
        let member = try? found.targets.member(), found.shards == nil || member.shard != nil
      else { continue }
      found.isHome = false
      warn(
        "HOME IS AWAY: \(failure.message); the snapshot is taken at \(other.name), \(found.location), and the next sync brings it home"
      )
      return (found, place)
    }
    throw failure
  }
}
