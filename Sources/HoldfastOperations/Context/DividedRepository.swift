internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

extension RepositoryContext {
  /// Returns a repository with the other targets over which its containers are divided, if they are. Where that is not
  /// known, whoever asks for a container that is not there learns it.
  /// - Parameters:
  ///   - store: the store of the target that was opened, without what lies over it.
  ///   - limit: the limit for reading objects.
  func divided(_ repository: Repository, at store: any Store, reading limit: RateLimit?) -> Repository {
    guard let configured, let scheme = configured.erasure, let target else { return scattered(repository) }
    // A list that cannot be read keeps nobody from reading; whoever writes needs it for its numbers.
    let list = try? repository.targets.newest()
    guard let scheme = list.map(\.erasure) ?? scheme else { return scattered(repository) }
    func position(_ name: String, _ index: Int) -> Int? {
      if let list { return list.member(name)?.shard }
      return index < scheme.shards ? index : nil
    }
    let known = configured.targets.enumerated().map { index, other in
      ShardSet.Member(
        other.name, other == target ? store : try? on(other).store(reading: limit),
        position: position(other.name, index))
    }
    let unknown = (list?.targets ?? []).filter { member in !known.contains { $0.name == member.name } }.map {
      ShardSet.Member($0.name, nil, position: $0.shard)
    }
    guard let home = known.first(where: { $0.name == target.name }) else { return scattered(repository) }
    let tell = FirstAnswers(machine.tell)
    return repository.divided(
      over: ShardSet(
        scheme, home: home, known + unknown, of: repository.id,
        ShardSet.Keys(marker: Keys.descriptor) { Keys.containerID($0) }, clock: machine.host.clock
      ) { tell.note($0, $1, $2) })
  }

  private func scattered(_ repository: Repository) -> Repository {
    let (targets, location) = (repository.targets, repository.location)
    return repository.through { store in
      ScatteredStore(store, isContainer: { Keys.containerID($0) != nil }) {
        guard let list = try? targets.newest(), let scheme = list.erasure else { return nil }
        return ShardError.scattered(
          location: location, scheme, targets: list.targets.map { "\($0.name) (\($0.location))" })
      }
    }
  }
}

/// Tells the first bad answer of each target.
private final class FirstAnswers: Sendable {
  private let tell: @Sendable (String) -> Void
  private let told = Mutex<Set<String>>([])

  init(_ tell: @escaping @Sendable (String) -> Void) { self.tell = tell }

  func note(_ target: String, _ key: String, _ error: any Error) {
    guard told.withLock({ $0.insert(target).inserted }) else { return }
    tell(
      "the target \(target) gave no sound shard of \(key), which is rebuilt from others: \(describe(error).message)"
        + "\nHINT: Run `holdfast scrub` when all targets answer, to see what is damaged.")
  }
}
