internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository

/// The plan of a prune for one source. Making it changes nothing. A dry run prints it, and `PruneExecution` carries it
/// out.
package struct PrunePlan: Sendable {
  /// The action for each snapshot at home, by ascending sequence.
  package private(set) var lines: [Prune.Line]
  /// The plans for the targets with a retention of their own, in the order of the configuration. The notes tell the
  /// targets, and a sync carries them out.
  package let targets: [TargetPrunePlan]
  /// The removals of archived WAL, for each cluster, after the collected snapshots are gone.
  package internal(set) var logs: [WALPrunePlan] = []
  /// Warnings for the operator. They prevent nothing.
  package let warnings: [String]

  /// The survey that the plan was made from.
  let survey: SourceSurvey
  /// The notes of the source with the removals and recalls of this prune. Nothing is noted as collected yet, but for
  /// what a target never had.
  let notes: SourceNotes
  /// The revision of the notes that contains the removals of this prune: a removal in it or in a later one was made
  /// now.
  let removingRevision: UInt64
  /// The snapshots to collect at home, by ascending sequence.
  let collected: [Snapshot]

  /// The number of snapshots that home keeps and fewer targets than `Prune.Options.minCopies` keep.
  var belowMinCopies: Int { targets.isEmpty ? 0 : survey.belowMinCopies }

  /// The snapshots that a restore can still use, removed ones included.
  var left: [Snapshot] { lines.filter { $0.action != .collected }.map(\.snapshot) }

  /// The removals whose grace periods this machine counts.
  var removals: Set<WaitingRecord.Item> { survey.removals(notes) }

  /// True if anything is collected, at home or elsewhere.
  var collects: Bool { !collected.isEmpty || targets.contains { !$0.collected.isEmpty } }

  /// Records that the store refused to delete objects of a snapshot, because they are locked.
  mutating func hold(_ snapshot: Snapshot, until end: Timestamp) {
    lines = lines.map { $0.snapshot.id == snapshot.id ? $0.acting(.locked(until: end)) : $0 }
  }

  /// The keys of archives that the remaining snapshots need and that may lie in the directories of collected snapshots.
  var neededKeys: Set<String> { survey.home.sharedKeys(butOf: Set(collected.map(\.id))) }

  /// Plans a source as the survey found it.
  /// - Parameter grace: returns the grace period as it will be when these removals are noted.
  /// - Throws: `Prune.Refusal` if nothing of it may be removed.
  init(_ survey: SourceSurvey, now: Timestamp, grace: (Set<WaitingRecord.Item>) -> GracePeriod) throws(Prune.Refusal) {
    let notes = survey.notesOfRemovals(now: now)
    try self.init(
      survey, notes, removingRevision: survey.reading.next, survey.warnings, grace(survey.removals(notes)),
      mayCollect: nil)
  }

  /// Returns a new plan for the repository as it is after the removals were noted. Snapshots that were called back or
  /// built on meanwhile stay. Nothing is collected that this plan did not collect.
  /// - Throws: `Prune.Refusal` if nothing more may be removed.
  func remade(_ survey: SourceSurvey, _ notes: SourceNotes, _ grace: GracePeriod) throws(Prune.Refusal) -> PrunePlan {
    var mayCollect: [String?: Set<Identifier>] = [nil: Set(collected.map(\.id))]
    for target in targets { mayCollect[target.name] = Set(target.collected.map(\.id)) }
    return try PrunePlan(
      survey, notes, removingRevision: removingRevision, warnings, grace, mayCollect: mayCollect)
  }

  /// Decides the action for each snapshot; no other code does.
  /// - Parameter mayCollect: the snapshots that may be collected, by the name of the target, which is `nil` for home;
  ///   `nil` for all.
  private init(
    _ survey: SourceSurvey, _ notes: SourceNotes, removingRevision: UInt64, _ warnings: [String], _ grace: GracePeriod,
    mayCollect: [String?: Set<Identifier>]?
  ) throws(Prune.Refusal) {
    if let refusal = survey.home.refusal { throw refusal }
    var grace = grace
    grace.promised = survey.promises(notes)
    (self.survey, self.notes, self.removingRevision, self.warnings) = (survey, notes, removingRevision, warnings)
    func isOver(_ removal: WaitingRecord.Item) -> Bool {
      grace.isOver(removal) && (mayCollect.map { $0[removal.target]?.contains(removal.snapshot) ?? false } ?? true)
    }
    var going: [String?: Set<Identifier>] = [
      nil: Set(survey.home.collectable(notes, hold: survey.awaits, isGraceOver: grace.isOver).map(\.id))
    ]
    for target in survey.targets where target.refusal == nil {
      going[target.name] = Set(target.collectable(notes, hold: { _ in nil }, isGraceOver: grace.isOver).map(\.id))
    }
    let proved = LastProvedCopies(survey, going: going, survey.proofs)
    func hold(_ snapshot: Snapshot) -> Prune.Hold? { survey.awaits(snapshot) ?? proved.hold(snapshot, at: nil) }
    collected = survey.home.collectable(notes, hold: hold, isGraceOver: isOver)
    lines = survey.home.lines(
      notes, since: removingRevision, collected: Set(collected.map(\.id)), hold: hold, timeLeft: grace.timeLeft)
    targets = survey.targets.map { target in
      TargetPrunePlan(
        target, notes, since: removingRevision, hold: { proved.hold($0, at: target.name) }, isOver: isOver, grace)
    }
  }
}

/// The plan of a prune for one source at a target with a retention of its own.
package struct TargetPrunePlan: Sendable {
  package let name: String
  package let policy: RetentionPolicy
  /// The action for each snapshot that the target has or shall have, by ascending sequence.
  package let lines: [Prune.Line]
  /// The number of snapshots that home keeps and the target does not.
  package let keptAtHomeOnly: Int
  /// The number of snapshots that the target keeps and home does not.
  package let keptHereOnly: Int
  /// The reason why nothing is removed there; `nil` if there is none.
  package let refusal: Prune.Refusal?
  /// The snapshots to collect there, by ascending sequence.
  let collected: [Snapshot]

  fileprivate init(
    _ target: TargetSurvey, _ notes: SourceNotes, since: UInt64, hold: (Snapshot) -> Prune.Hold?,
    isOver: (WaitingRecord.Item) -> Bool, _ grace: GracePeriod
  ) {
    (name, policy, refusal) = (target.name, target.apart.policy, target.refusal)
    let kept = target.survey.kept
    (keptAtHomeOnly, keptHereOnly) = target.differences
    guard refusal == nil else {
      (lines, collected) = ([], [])
      return
    }
    collected = target.collectable(notes, hold: hold, isGraceOver: isOver)
    lines = target.survey.lines(
      notes, since: since, collected: Set(collected.map(\.id)), hold: hold, timeLeft: grace.timeLeft
    ).filter { kept.contains($0.snapshot.id) || target.apart.lists($0.snapshot.sequence) }
  }
}
