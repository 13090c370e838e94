package import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// The decision of a retention policy about each snapshot of a source, with the reasons. It is for readers: unlike the
/// plan of a prune it looks at no stored object, considers no grace period, and is made of a damaged source, too.
package struct KeptSnapshots: Sendable {
  package struct Line: Sendable {
    package let snapshot: Snapshot
    /// The reasons to keep it; empty when no rule keeps it.
    package let reasons: [RetentionReason]
  }

  /// The rules; `nil` if there are none, so that everything is kept.
  package let policy: RetentionPolicy?
  /// One line for each snapshot that is not removed, by ascending sequence.
  package let lines: [Line]
  /// The number of snapshots that are removed, and not collected yet.
  package let removed: Int

  /// - Parameters:
  ///   - snapshots: all snapshots of one source, removed ones included: a prune considers them, too.
  ///   - notes: the notes on them.
  ///   - policy: `nil` if no rule says what to keep.
  package init(
    _ snapshots: [Snapshot], _ notes: NotesReading, policy: RetentionPolicy?, in repository: Repository
  ) {
    self.policy = policy
    let there = snapshots.filter { notes.removal(of: $0) == nil }
    let known = Dictionary(there.map { ($0.id, $0) }) { first, _ in first }
    lines = RetentionPlan(snapshots, notes.notes, policy ?? RetentionPolicy(), repository).lines.compactMap { line in
      known[line.candidate.id].map { Line(snapshot: $0, reasons: line.reasons) }
    }
    removed = snapshots.count - there.count
  }

  /// True if no prune by these rules removes it.
  package func isKept(_ line: Line) -> Bool { policy == nil || !line.reasons.isEmpty }
}

extension RetentionPlan {
  /// - Parameters:
  ///   - snapshots: all snapshots of one source.
  ///   - undecided: the snapshots about which home has never decided.
  init(
    _ snapshots: [Snapshot], _ notes: SourceNotes, _ policy: RetentionPolicy, _ repository: Repository,
    undecided: Set<Identifier> = []
  ) {
    let keyring = repository.keyring.sealed?.keyring
    let candidates = snapshots.map { snapshot in
      var candidate = RetentionCandidate(snapshot, notes[snapshot], keyring)
      candidate.isDiverged = notes.isDiverged(snapshot)
      candidate.isUndecided = undecided.contains(snapshot.id)
      return candidate
    }
    self.init(candidates, policy: policy, now: repository.host.clock.now(), calendar: LocalCalendar.time(of:))
  }
}

extension RetentionCandidate {
  /// - Parameter keyring: the keyring; `nil` if the repository is not sealed.
  fileprivate init(_ snapshot: Snapshot, _ note: SourceNotes.Note, _ keyring: Keyring?) {
    let envelope = snapshot.envelope
    self.init(
      id: snapshot.id, sequence: snapshot.sequence, kind: envelope.kind, parent: envelope.parent?.snapshot,
      time: envelope.started)
    tags = Set(note.tags)
    pin = note.pinned?.reason
    // Replacing another snapshot removes it, so it takes the same right.
    mayReplace = keyring.map { keyring in envelope.signature.map { keyring.mayPrune($0.key) } ?? false } ?? true
    standsFor = snapshot.standsFor
    isIncomplete = envelope.incomplete > 0
    provedShare = note.proved?.share
  }
}
