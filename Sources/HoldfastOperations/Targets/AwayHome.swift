internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

extension RepositoryContext {
  /// Opens home, as the list of targets says it: the target that was promoted, if the configuration still has another
  /// one first.
  /// - Parameter warn: is told when the configuration should be changed.
  /// - Returns: the repository, and the place where it was opened.
  package func openHome(
    for source: SourceName? = nil, takesLease: Bool = false, warn: (String) -> Void
  ) throws -> (repository: Repository, place: RepositoryContext) {
    let first = try open(for: source, takesLease: takesLease, warn: warn)
    guard let configured, let target, let list = try first.targets.newest(), list.home != target.name,
      list.member(target.name) != nil, let promoted = configured.targets.first(where: { $0.name == list.home })
    else { return (first, self) }
    warn(
      "\(list.home) is home by revision \(list.revision) of the list of targets, not \(target.name): name it first in the configuration"
    )
    let place = try on(promoted)
    return (try place.open(for: source, takesLease: takesLease, warn: warn), place)
  }

  /// Opens a copy of the repository from which a new target is filled.
  /// - Parameter repository: home.
  /// - Throws: when another repository is there.
  package func openSeed(_ directory: Path, of repository: Repository) throws -> Repository {
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
  /// - Throws: what home said, where nobody else answers.
  package func openToCommit(
    for source: SourceName, warn: (String) -> Void
  ) throws -> (repository: Repository, place: RepositoryContext) {
    do {
      return try openHome(for: source, takesLease: true, warn: warn)
    } catch let failure as any OperatorError
      where (failure.isTransient || failure.exitStatus == .noRepository) && !(failure is Interrupted)
    {
      guard let configured, configured.continuesWithoutHome else { throw failure }
      for other in configured.others {
        let place = try on(other)
        guard var found = try? place.open(for: source, takesLease: true, warn: { _ in }),
          (try? found.targets.member()) != nil
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
}
