internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

extension RepositoryTargets {
  /// Gives a source another name, at home and at every target that answers.
  /// - Parameters:
  ///   - given: the source, by any of its names.
  ///   - warn: gets the targets that cannot be asked, or do not have the names yet.
  /// - Returns: the source before and after.
  /// - Throws: `EngineError` when there is no such source, when the name belongs to another one, or when this machine
  ///   may not rename.
  package func rename(
    _ given: SourceName, to name: SourceName, in home: Repository, _ warn: (String) -> Void
  ) throws -> (before: SourceName, after: SourceName) {
    try home.keyring.sealed?.checkMayPrune()
    if let problem = try home.names.problem() { throw problem }
    let before = try home.catalog.knownSources(given)[0]
    let first = SourceNames(
      repository: home.id, isSealed: home.keyring.isSealed, time: RecordedTime(home.host.clock.now()))
    let after = try home.names.rename(before, to: name, among: knownSources(home, warn), first: first)
    // Readers and stand-ins for home shall not call it by the earlier name.
    for other in others {
      try attempt("\(other.name) does not have the new name yet, the next sync brings it", warn) {
        try TargetSync.copyList(to: store(of: other), of: home)
      }
    }
    return (before, after)
  }

  /// Returns all sources of which anything is stored, or was: at home, and at the targets that answer.
  private func knownSources(_ home: Repository, _ warn: (String) -> Void) throws -> [SourceName] {
    var known = try home.everySource()
    for other in others {
      try attempt("\(other.name) cannot be asked whether a source there has the name already", warn) {
        known += try home.at(store(of: other)).everySource()
      }
    }
    return known
  }

  private func attempt(_ failure: String, _ warn: (String) -> Void, _ work: () throws -> Void) throws {
    do {
      try work()
    } catch let signal as Interrupted {
      throw signal
    } catch {
      warn("\(failure): \(describe(error).message)")
    }
  }
}

extension Repository {
  /// The sources with snapshots, notes, archived log or a journal, and those that this machine has seen.
  fileprivate func everySource() throws -> [SourceName] {
    try catalog.sourceNames() + catalog.loggedSourceNames() + catalog.journaledSourceNames() + catalog.seenSources()
  }
}
