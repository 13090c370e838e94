internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// Who builds on whom, among the snapshots of a source that can be read.
struct StatusHistory {
  private var known: [Identifier: Snapshot] = [:]
  /// Those whose chain is there down to its full.
  private(set) var restorable: Set<Identifier> = []

  /// - Parameter snapshots: by ascending sequence.
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

  /// From a snapshot to its full; `nil` where something is missing.
  func chain(to tip: Snapshot) -> [Snapshot]? {
    guard restorable.contains(tip.id) else { return nil }
    var chain = [tip]
    while let parent = chain[chain.count - 1].envelope.parent.flatMap({ known[$0.snapshot] }) { chain.append(parent) }
    return chain
  }

  /// A snapshot and all that it builds on; `nil` where none is meant: then all are.
  func members(of id: Identifier?) -> Set<Identifier>? {
    guard let id else { return nil }
    return Set(known[id].flatMap { chain(to: $0) }?.map(\.id) ?? [id])
  }
}

extension Snapshot {
  var isComplete: Bool { envelope.incomplete == 0 }

  /// When it was committed, as far as it says; of a merged one, when what it stands for was.
  var finishedAt: Timestamp { TimeText.parse(envelope.time.finished) ?? envelope.started }

  /// When its bytes were stored.
  var madeAt: Timestamp { envelope.merged.flatMap { TimeText.parse($0.time) } ?? finishedAt }
}

/// The runs of a source that the journal remembers.
struct StatusJournal {
  /// Those that count, the oldest first: not those that found another run at work.
  let counted: [JournalEntry]
  /// Since when it remembers.
  let oldest: Timestamp?

  init(_ entries: [JournalEntry], now: Timestamp) {
    counted = entries.filter { $0.status != ExitStatus.locked.rawValue }
    // The first that was written, not the smallest time: a clock that was once wrong by years makes no long memory. One that was ahead says nothing.
    oldest = entries.lazy.map { Timestamp(milliseconds: $0.began) }.first { $0 <= now }
  }

  /// Verifies that read data and found nothing that costs any.
  var verifies: [JournalEntry] {
    counted.filter { $0.command == .verify && ($0.share ?? 0) > 0 && !$0.hasFailed }
  }

  /// The last verify that found damage which costs data, unless a later one shows that it is gone: one of manifests alone says nothing of data, and
  /// one of a random share may have missed it.
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

  /// Restores of something into an empty target.
  var restores: [JournalEntry] {
    counted.filter {
      ($0.command == .restore || $0.command == .drill) && !$0.hasFailed && $0.isDelta != true
        && ($0.restoredBytes ?? 0) > 0 && $0.took > 0
    }
  }
}

extension JournalEntry {
  /// Whether the run did not do what it should. One that is incomplete, or found damage that costs nothing, did.
  var hasFailed: Bool {
    let fine: [ExitStatus] = [.done, .incomplete, .repairableDamage]
    return !fine.contains { $0.rawValue == status }
  }
}
