internal import HoldfastArchive
internal import HoldfastConfiguration
package import HoldfastEngine
internal import HoldfastModel
internal import HoldfastRepository

extension RepositoryTargets {
  /// Makes a prune respect the other targets: what they keep, and how far their copies are proved.
  package func rule(_ options: inout Prune.Options) {
    options.tellsCollected = tellsCollected
    options.minCopies = minCopies
    options.targets = others.map { target in
      TargetRetention(target.name, policy: target.retention, Result { try store(of: target) })
    }
    options.proofs = { [self] source, home in
      try RememberedProofs(
        of: source, in: home, targets: Dictionary(others.map { ($0.name, identity(of: $0)) }) { first, _ in first })
    }
  }
}

extension RepositoryTargets {
  /// Returns the identity of a target; without its mark if it does not answer.
  func identity(of target: TargetSettings) -> PlaceIdentity {
    let store = try? target == home.target ? home.store() : store(of: target)
    return PlaceIdentity(target.location, store.flatMap { (try? PlaceMark.read(in: $0)) ?? nil })
  }
}

extension RunWatch {
  /// Reports what a prune did not collect because it is the last proved copy, and which targets it left alone.
  package func tellHeld(_ report: Prune.Report) {
    for source in report.sources {
      guard let first = source.lastProved.first else { continue }
      let count = Amount.count(UInt64(source.lastProved.count), "snapshot")
      let text =
        "\(count) of \(source.name) stay at \(first.target ?? "home") though removed, \(first.snapshot.id.short) first: it is the last proved copy, and \(first.copy)"
      tellAndRecord(Notice(.warning, text, of: source.name), as: text)
      tell(
        Notice(
          .hint, "Run `holdfast verify --data` and `holdfast scrub`, which prove the other copies, then prune again."))
    }
  }
}
