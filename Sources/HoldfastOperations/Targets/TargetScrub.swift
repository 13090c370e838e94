internal import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
package import HoldfastSystem
internal import Synchronization

extension RepositoryTargets {
  /// The name of the target that is home, also of a repository that has no others.
  private var scrubbedHome: String { home.target?.name ?? "home" }

  /// Opens the repository for a scrub: at home, or at the first other target where that is possible. A scrub finds and
  /// repairs the damage at home in both cases.
  /// - Parameter warn: gets warnings.
  /// - Returns: the repository, and the name of the target.
  package func openToScrub(
    limit: RateLimit? = nil, warn: (String) -> Void
  ) throws -> (repository: Repository, target: String) {
    do {
      return (try home.open(limit: limit, warn: warn), scrubbedHome)
    } catch let failure as any OperatorError
      where failure.isTransient || failure.isDamage || failure.exitStatus == .noRepository
    {
      for other in others {
        guard let store = try? home.on(other).store(reading: limit),
          var found = try? Repository.open(
            store, host: home.machine.host, memory: home.machine.memory(), acceptsOlder: true)
        else { continue }
        found.isHome = false
        return (found, other.name)
      }
      throw failure
    }
  }

  /// Scrubs the targets of a repository; one that has no others is scrubbed alone.
  /// - Parameters:
  ///   - reference: the repository, and the name of the target at which it was opened.
  ///   - onProved: gets the number of stored bytes that were proved; called by several threads.
  package func scrub(
    _ reference: (repository: Repository, target: String), _ options: Scrub.Options, limit: RateLimit? = nil,
    onProved: @escaping @Sendable (UInt64) -> Void
  ) throws -> [ScrubResult] {
    let opened = reference.repository.uncached.store
    func store(_ name: String, _ make: () throws -> any Store) -> Result<any Store, any Error> {
      name == reference.target ? .success(opened) : Result { try make() }
    }
    let first = Scrub.Place(
      scrubbedHome, at: home.location.description, isHome: true,
      store(scrubbedHome) { try home.store(reading: limit) })
    let places = others.map { other in
      Scrub.Place(
        other.name, at: other.location, isHome: false,
        store(other.name) { try self.store(of: other, reading: limit) })
    }
    return try Scrub(
      [first] + places, reference: reference.repository, openedAt: reference.target, options, onProved: onProved
    ).run()
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
