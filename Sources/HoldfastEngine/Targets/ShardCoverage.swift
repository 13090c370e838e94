internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The targets that have all their shards, as their listings show them.
struct ShardCoverage {
  /// The names of the targets that have a shard of everything that home lists. One that does not answer has nothing.
  private(set) var complete: Set<String> = []

  /// - Parameter home: a repository whose containers are divided; of any other, no target is complete.
  init(_ home: Repository) throws {
    guard let shards = home.shards else { return }
    home.store.refresh()
    let sources = try Set(home.catalog.sourceNames() + home.catalog.loggedSourceNames())
    let needed = try Self.containers(of: sources, in: home.store, shards)
    for member in shards.members where member.position != nil {
      guard let view = shards.view(of: member.name), shards.isTarget(view.base) else { continue }
      do {
        if try Self.containers(of: sources, in: view, shards).isSuperset(of: needed) { complete.insert(member.name) }
      } catch  where error.isTransient {
        continue
      }
    }
  }

  private static func containers(
    of sources: Set<SourceName>, in store: any Store, _ shards: ShardSet
  ) throws -> Set<String> {
    var keys: Set<String> = []
    for prefix in sources.flatMap({ [Keys.source($0), Keys.wal($0)] }) {
      try store.forEachEntry(below: prefix, .everything) { entry in
        if shards.isContainer(prefix + entry.name) { keys.insert(prefix + entry.name) }
        return true
      }
    }
    return keys
  }
}
