package import HoldfastArchive
package import HoldfastConfiguration
package import HoldfastEngine
internal import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Changes of the list of targets.
extension RepositoryTargets {
  /// Fills a place from home, and writes it into the list of targets. It may be stopped at any time, and run again.
  /// - Parameters:
  ///   - repository: home.
  ///   - seed: a copy of the repository, such as one on a disk that was carried there: what it has is taken from it,
  ///     each object proved on its way, before anything is asked of home.
  ///   - warn: is told what is weaker there, and which targets do not have the list yet.
  /// - Returns: the results of the copies from the seed and from home.
  package func add(
    _ target: TargetSettings, of repository: Repository, seed: Repository?, observer: any SyncObserver,
    warn: (String) -> Void
  ) throws -> [TargetResult] {
    let store = try store(of: target)
    try TargetSync.checkMayBeMade(store, of: repository)
    var results: [TargetResult] = []
    if let seed {
      if try TargetSync.make(store, of: seed, warn: warn) { try repository.machine.forgetScrubs(at: target.name) }
      results.append(try TargetSync(from: seed, to: target.name, in: store, observer: observer, isNew: true).run())
    }
    _ = try make(target, in: store, of: repository, warn: warn)
    var change = try TargetListChange(repository, home: try member(current))
    try change.add(member(target))
    try change.publish()
    try spreadList(of: repository, warn)
    let place = repository.shards?.with(spare: target.name, store).view(of: target.name) ?? store
    results.append(try TargetSync(from: repository, to: target.name, in: place, observer: observer).run())
    return results
  }

  /// Checks that home has everything that a target has.
  /// - Parameters:
  ///   - repository: home.
  ///   - warn: is told when that is not known.
  /// - Throws: `EngineError` when only the target has a snapshot or notes.
  package func checkHasNothingAlone(_ name: String, of repository: Repository, warn: (String) -> Void) throws {
    guard let target = others.first(where: { $0.name == name }) else {
      return warn("\(name) is not in the configuration, so it is not known what only it has")
    }
    let found: [String]
    do {
      found = try TargetSync.onlyThere(in: repository.place(name, store(of: target)), as: name, of: repository)
    } catch let failure as any OperatorError
      where (failure.isTransient || failure.exitStatus == .noRepository) && !(failure is Interrupted)
    {
      return warn("it is not known what only \(name) has: \(failure.message)")
    }
    guard !found.isEmpty else { return }
    throw EngineError(
      .usage, "\(name) has what home does not have: \(found.joined(separator: ", "))",
      hint: "Run `holdfast sync`; if that does not bring it home, `holdfast scrub --repair`.", exitStatus: .usage)
  }

  /// Takes a target out of the list.
  /// - Parameter repository: home.
  package func remove(_ name: String, from repository: Repository, warn: (String) -> Void) throws -> TargetList {
    var change = try TargetListChange(repository, home: try member(current))
    try change.remove(name)
    try change.publish()
    try spreadList(of: repository, warn)
    return change.list
  }

  /// Writes the scheme of the configuration into the list of targets, if that has another one.
  /// - Parameter repository: home.
  /// - Returns: true if the list was changed: the repository must be opened again.
  package func divide(_ repository: Repository) throws -> Bool {
    guard try repository.targets.newest() != nil else { return false }
    var change = try TargetListChange(repository, home: try member(current))
    try change.divide(erasure)
    guard change.isChanged else { return false }
    try change.publish()
    return true
  }

  /// Makes the target that was opened home. The others learn it now, or with the next sync.
  /// - Throws: `TargetError` when another target that answers has a newer list.
  package func promote(_ repository: Repository, warn: (String) -> Void) throws -> TargetList {
    guard try repository.targets.newest() != nil else {
      throw EngineError(
        .usage, "\(repository.location) has no list of targets", hint: "Run `holdfast init` while home is there.",
        exitStatus: .usage)
    }
    var change = try TargetListChange(repository, home: try member(current))
    try change.promote(try current.name)
    for other in others {
      do {
        try TargetSync.copyList(to: store(of: other), of: repository, isDryRun: true)
      } catch let error as TargetError {
        if case .absent = error { continue }
        throw error
      } catch let error as any OperatorError where error.isTransient {
        continue
      }
    }
    try change.publish()
    try spreadList(of: repository, warn)
    return change.list
  }

  /// In how many places each source has its newest snapshot without one target, for people.
  /// - Parameter repository: home.
  package func redundancy(of repository: Repository, without name: String) throws -> [String] {
    var holders: [SourceName: [String]] = [:]
    for (target, standings) in try standings(of: .success(repository)) where target.name != name {
      guard case .success(let found) = standings else { continue }
      for standing in found { holders[standing.source, default: []] += standing.hasNewest == true ? [target.name] : [] }
    }
    let list = try repository.targets.newest()
    if let scheme = list?.erasure {
      return holders.sorted { $0.key < $1.key }.map { source, names in
        let counted = names.filter { list?.member($0)?.shard != nil }
        return "without \(name), shards of the newest snapshot of \(source) are on "
          + (counted.isEmpty ? "no target" : counted.joined(separator: ", "))
          + ": \(scheme.data) are needed to read it"
      }
    }
    return holders.sorted { $0.key < $1.key }.map { source, names in
      "without \(name), the newest snapshot of \(source) is on "
        + (names.isEmpty ? "no target" : names.joined(separator: ", ") + (names.count == 1 ? " alone" : ""))
    }
  }

  private func spreadList(of repository: Repository, _ warn: (String) -> Void) throws {
    for other in others {
      do {
        try TargetSync.copyList(to: store(of: other), of: repository)
      } catch let signal as Interrupted {
        throw signal
      } catch {
        warn("\(other.name) does not have the list of targets yet, the next sync brings it: \(describe(error).message)")
      }
    }
  }
}
