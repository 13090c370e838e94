internal import HoldfastArchive
internal import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
package import HoldfastSystem
internal import Synchronization

extension RepositoryTargets {
  /// The name of the target that is home, also of a repository that has no others.
  package var scrubbedHome: String { home.target?.name ?? "home" }

  /// Opens the repository for a scrub: at home, as the list of targets says it, or at the first other target where that
  /// is possible. A scrub finds and repairs the damage at home in both cases.
  /// - Parameter warn: gets warnings.
  /// - Returns: the repository, the name of the target where it was opened, and the targets, of which the list says who
  ///   is home.
  package func openToScrub(
    limit: RateLimit? = nil, warn: (String) -> Void
  ) throws -> (repository: Repository, target: String, targets: RepositoryTargets) {
    do {
      // A place that was chosen by its location is scrubbed there.
      guard home.target == home.configured?.home else {
        return (try home.open(limit: limit, warn: warn), scrubbedHome, self)
      }
      let (repository, place) = try home.openHome(limit: limit, warn: warn)
      let targets = place.target == home.target ? self : RepositoryTargets(place, isChosen: true)
      return (repository, targets.scrubbedHome, targets)
    } catch let failure as any OperatorError
      where failure.isTransient || failure.isDamage || failure.exitStatus == .noRepository
    {
      for other in others {
        guard let place = try? home.on(other), let store = try? place.store(reading: limit),
          let opened = try? Repository.open(
            store, host: home.machine.host, memory: home.machine.memory(), acceptsOlder: true)
        else { continue }
        var found = place.divided(opened, at: store, reading: limit)
        // The configuration may have another target first than the one that was promoted.
        let listed = try? found.targets.newest()?.home
        found.isHome = listed == other.name
        let promoted = listed.flatMap { name in others.first { $0.name == name } }
        guard let promoted, let homePlace = try? home.on(promoted) else { return (found, other.name, self) }
        return (found, other.name, RepositoryTargets(homePlace, isChosen: true))
      }
      throw failure
    }
  }

  /// Scrubs the targets of a repository; one that has no others is scrubbed alone.
  /// - Parameters:
  ///   - reference: the repository, and the name of the target at which it was opened.
  ///   - obstacles: the targets that are not asked, by name, with the reasons.
  ///   - onProved: gets the number of stored bytes that were proved; called by several threads.
  package func scrub(
    _ reference: (repository: Repository, target: String), _ options: Scrub.Options, limit: RateLimit? = nil,
    obstacles: [String: BehindReason] = [:], onProved: @escaping @Sendable (UInt64) -> Void
  ) throws -> [ScrubResult] {
    // Of a divided repository, each target is proved by its own shards.
    let repository = reference.repository.alone
    let opened = repository.uncached.store
    func store(_ name: String, _ make: () throws -> any Store) -> Result<any Store, any Error> {
      if let obstacle = obstacles[name] { return .failure(obstacle) }
      return name == reference.target ? .success(opened) : Result { repository.place(name, try make()) }
    }
    let first = Scrub.Place(
      scrubbedHome, at: home.target?.location ?? home.location.description, isHome: true,
      store(scrubbedHome) { try home.store(reading: limit) })
    let places = others.map { other in
      Scrub.Place(
        other.name, at: other.location, isHome: false,
        store(other.name) { try self.store(of: other, reading: limit) })
    }
    return try Scrub(
      [first] + places, reference: repository, openedAt: reference.target, options, onProved: onProved
    ).run()
  }
}

extension RepositoryContext {
  /// Finds the directories of sources for a scrub: as they are configured, and others as their snapshots record them. A
  /// source that is a command has none.
  package func sourceDirectories(in repository: Repository) -> Scrub.SourceDirectory {
    { [names = repository.names] name, recorded in
      switch (try? configuration(of: name, in: names))??.subject {
      case .directory(let path): path
      case .command: nil
      case nil: recorded
      }
    }
  }
}

/// Shows the bytes that several threads have proved as one progress.
package final class ScrubProgress: @unchecked Sendable {
  // Sendable because of the lock: the display belongs to one thread at a time.
  private let shown: any ProgressObserver
  private let turn = Mutex(())

  package init(_ shown: any ProgressObserver) {
    self.shown = shown
    shown.begin(phase: "scrubbing", totalBytes: nil)
  }

  package func proved(_ bytes: UInt64) { turn.withLock { _ in shown.advance(bytes: bytes, files: 0) } }
}
