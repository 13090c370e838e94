internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
package import HoldfastRepository

/// The snapshot that a merged one builds on, and so how much of a chain is merged.
package enum MergeBase: Sendable {
  /// Nothing: the whole chain becomes a full.
  case nothing
  /// The differential of the chain, or else its full: all increments become one.
  case increments
  /// The snapshot before the newest ones, of which there are so many. They must be increments.
  case beforeNewest(Int)
  /// This snapshot of the chain.
  case snapshot(SnapshotSelector)

  /// Returns the chain of the snapshot on which the merged one builds, a part of the original's chain.
  /// - Returns: `nil` for a full, and where the chain is shorter than was expected.
  /// - Throws: when nothing may build on it.
  func parents(in chain: Chain, _ repository: Repository) throws -> Chain? {
    guard let parent = try parent(in: chain, repository) else { return nil }
    guard try repository.keyring.hasSameRecipients(as: chain.full) else {
      throw EngineError(
        .usage, "the recipients have changed since \(chain.full.id.short), so nothing more may build on it",
        hint: "Run `holdfast merge --name \(chain.tip.sourceName)`: it makes a full for the recipients of today.")
    }
    let parents = try repository.catalog.chain(to: parent, known: chain.snapshots)
    if let pruned = try repository.notes.collectedPart(of: parents) {
      throw EngineError(
        .usage, "snapshot \(pruned.id.short) was pruned, so nothing may build on it",
        hint: "Run `holdfast merge --name \(chain.tip.sourceName)`: a full builds on nothing.")
    }
    return parents
  }

  private func parent(in chain: Chain, _ repository: Repository) throws -> Snapshot? {
    switch self {
    case .nothing: return nil
    case .increments: return chain.snapshots.last { $0.envelope.kind != .incremental }
    case .beforeNewest(let count):
      let newest = chain.snapshots.suffix(count)
      guard count > 0, count < chain.snapshots.count, newest.allSatisfy({ $0.envelope.kind == .incremental }) else {
        return nil
      }
      return chain.snapshots[chain.snapshots.count - 1 - count]
    case .snapshot(let selector):
      let chosen = try selector.choose(in: repository.catalog) { _ in }
      guard chain.snapshots.dropLast().contains(where: { $0.id == chosen.id }) else {
        throw EngineError(
          .usage, "snapshot \(chain.tip.id.short) does not build on \(chosen.id.short)",
          hint: "Run `holdfast show \(chain.tip.id.short)` to see its chain.", exitStatus: .usage)
      }
      return chosen
    }
  }
}

/// Finds the states between which a merge makes the difference.
struct MergedStates {
  /// The most bodies that are read on top of a cached full. A longer chain is replayed from its beginning, in parts.
  private static let bodiesMax = 256

  let repository: Repository
  let cache: StateCache
  /// The key of the cache; `nil` if the repository is not sealed.
  let key: SealingKey?

  /// Returns the state of a chain's tip: as this machine has kept it, or that of the full with what came after, or from
  /// the repository alone.
  /// - Parameter isFromRepository: true if it must come from the repository alone. In a sealed one, what is cached may
  ///   not know where pages lie.
  func state(of chain: Chain, isFromRepository: Bool = false) throws -> StateFile {
    guard !isFromRepository else { return try repository.containers.replay(chain) }
    if let known = cache.load(chain, in: repository, key: key) { return known }
    guard (2...Self.bodiesMax).contains(chain.snapshots.count),
      let full = try cache.load(repository.catalog.chain(to: chain.full), in: repository, key: key)
    else { return try repository.containers.replay(chain) }
    let bodies = try chain.snapshots.dropFirst().map { try repository.containers.openBody(of: $0) }
    guard let last = bodies.last else { return full }
    let frames = FrameScratch()
    return try repository.containers.replay(
      [full.makeReader()] + bodies.map { BodyReader($0, scratch: frames) }, to: chain.tip, body: last,
      scratchBytesMax: chain.scratchBytesMax)
  }
}
