internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The chains of a source's readable snapshots.
struct StatusHistory {
  private var known: [Identifier: Snapshot] = [:]
  /// The IDs of the snapshots whose chain is complete.
  private(set) var restorable: Set<Identifier> = []

  /// - Parameter snapshots: the snapshots by ascending sequence.
  init(_ snapshots: [Snapshot]) {
    for snapshot in snapshots {
      known[snapshot.id] = snapshot
      guard let parent = snapshot.envelope.parent else {
        restorable.insert(snapshot.id)
        continue
      }
      if known[parent.snapshot]?.digest == parent.digest, restorable.contains(parent.snapshot) {
        restorable.insert(snapshot.id)
      }
    }
  }

  /// Returns the snapshots from `tip` to its full; `nil` if one is missing.
  func chain(to tip: Snapshot) -> [Snapshot]? {
    guard restorable.contains(tip.id) else { return nil }
    var chain = [tip]
    while let parent = chain[chain.count - 1].envelope.parent.flatMap({ known[$0.snapshot] }) { chain.append(parent) }
    return chain
  }

  /// Returns the IDs of a snapshot and all that it builds on; `nil` without an ID, which means all snapshots.
  func members(of id: Identifier?) -> Set<Identifier>? {
    guard let id else { return nil }
    return Set(known[id].flatMap { chain(to: $0) }?.map(\.id) ?? [id])
  }
}

extension Snapshot {
  var isComplete: Bool { envelope.incomplete == 0 }

  /// The time at which the snapshot was committed; for a merged one, that of the snapshot that it stands for.
  var finishedAt: Timestamp { envelope.time.finished.moment }

  /// The time at which its bytes were stored.
  var madeAt: Timestamp { envelope.merged?.time.moment ?? finishedAt }
}

/// The runs of a source in the journal.
struct StatusJournal {
  /// The runs that count, the oldest first: all except those that found another run, or another host, at work.
  let counted: [JournalEntry]
  /// The time of the first entry.
  let oldest: Timestamp?

  init(_ entries: [JournalEntry], now: Timestamp) {
    let others = [ExitStatus.locked, .notServing].map(\.rawValue)
    counted = entries.filter { !others.contains($0.status) }
    // The first entry that was written, not the one with the smallest time: a clock that was once wrong by years must
    // not make a long history. A time later than now is ignored.
    oldest = entries.lazy.map(\.began).first { $0 <= now }
  }

  /// The verifies that read data and found no damage to data.
  var verifies: [JournalEntry] {
    counted.filter { $0.command == .verify && ($0.share ?? 0) > 0 && !$0.hasFailed }
  }

  /// The last verify that found damage to data, unless a later one shows that it is gone. A verify of manifests alone
  /// says nothing about data, and one of a random share may have missed the damage.
  var standingDamage: JournalEntry? {
    let verifies = counted.filter { $0.command == .verify }
    guard let last = verifies.lastIndex(where: { $0.status == ExitStatus.dataLoss.rawValue }) else { return nil }
    let found = verifies[last]
    let isGone = verifies[(last + 1)...].contains { later in
      !later.hasFailed && (later.snapshot == nil || later.snapshot == found.snapshot)
        && ((found.share ?? 0) == 0 || later.share == 1)
    }
    return isGone ? nil : found
  }

  /// The restores into an empty target.
  var restores: [JournalEntry] {
    counted.filter {
      ($0.command == .restore || $0.command == .drill) && !$0.hasFailed && $0.isDelta != true
        && ($0.restoredBytes ?? 0) > 0 && $0.took > .zero
    }
  }
}

extension JournalEntry {
  /// True if the run failed. A run that was incomplete, or found damage that affects no data, did not fail.
  package var hasFailed: Bool {
    let fine: [ExitStatus] = [.done, .incomplete, .repairableDamage]
    return !fine.contains { $0.rawValue == status }
  }
}
