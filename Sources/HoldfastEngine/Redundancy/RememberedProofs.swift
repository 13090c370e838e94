package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// The evidence of copies from what verifies and scrubs have found: for home from the journal and the notes, for other
/// targets from the memory of this machine.
package struct RememberedProofs: CopyProofs {
  /// All results count, however old: a copy that was proved once is better than one that never was.
  private static let window = TimeSpan.days(100_000)
  /// The share that must be proved. It is below 1 because the journal adds up shares.
  private static let shareMin = 0.95

  private let home: StatusComputation
  private let damaged: Set<Identifier>
  private let memories: [String: SourceMemory]

  /// - Parameter places: the other targets, by name.
  package init(of source: SourceName, in home: Repository, targets places: [String: PlaceIdentity]) throws {
    let journal = try home.journal.entriesIfReadable(of: source)
    // A verify of one snapshot has read its chain too. Damage to manifests stops the prune anyway.
    let snapshots = try home.catalog.committedSnapshots(of: source) { _ in }
    self.home = StatusComputation(
      StatusComputation.Facts(source, snapshots: snapshots, journal: journal), Objectives(), now: home.host.clock.now())
    damaged = Set(try home.notes.read(source).notes.notes.filter { $0.damaged != nil }.map(\.snapshot))
    memories = Dictionary(
      uniqueKeysWithValues: places.map { ($0.key, home.machine.scrubs(of: source, at: $0.key, in: $0.value)) })
  }

  package func evidence(for chain: [Snapshot], at target: String?) -> CopyEvidence {
    guard let target else {
      if chain.contains(where: { damaged.contains($0.id) }) { return .damaged }
      return isProved(chain) { home.provedShare(of: [$0], since: Self.window, oldest: $0.madeAt) ?? 0 }
    }
    guard let memory = memories[target] else { return .unproved }
    if memory.isDamaged { return .damaged }
    return isProved(chain) { link in TargetProofs(memory.proofs.filter { link.madeAt <= $0.time }).share }
  }

  private func isProved(_ chain: [Snapshot], share: (Snapshot) -> Double) -> CopyEvidence {
    chain.allSatisfy { share($0) >= Self.shareMin } ? .proved : .unproved
  }
}
