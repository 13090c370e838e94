internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository

/// The plan of a prune for one source. Making it changes nothing. A dry run prints it, and `PruneExecution` carries it
/// out.
package struct PrunePlan: Sendable {
  /// The action for each snapshot, by ascending sequence.
  package private(set) var lines: [Prune.Line]
  /// The removals of archived WAL, for each cluster, after the collected snapshots are gone.
  package internal(set) var logs: [WALPrunePlan] = []
  /// Warnings for the operator. They prevent nothing.
  package let warnings: [String]

  /// The survey that the plan was made from.
  let survey: PruneSurvey
  /// The notes of the source with the removals and recalls of this prune. Nothing is noted as collected yet.
  let notes: SourceNotes
  /// The revision of the notes that contains the removals of this prune: a removal in it or in a later one was made
  /// now.
  let removingRevision: UInt64
  /// The snapshots to collect, by ascending sequence.
  let collected: [Snapshot]

  /// The snapshots that a restore can still use, removed ones included.
  var left: [Snapshot] { lines.filter { $0.action != .collected }.map(\.snapshot) }

  /// The removals whose grace periods this machine counts.
  var removals: Set<WaitingRecord.Item> { survey.removals(notes) }

  /// Records that the store refused to delete objects of a snapshot, because they are locked.
  mutating func hold(_ snapshot: Snapshot, until end: Timestamp) {
    lines = lines.map { $0.snapshot.id == snapshot.id ? $0.acting(.locked(until: end)) : $0 }
  }

  /// The keys of archives that the remaining snapshots need and that may lie in the directories of collected snapshots.
  var neededKeys: Set<String> { survey.sharedKeys(butOf: Set(collected.map(\.id))) }

  /// Plans a source as the survey found it.
  /// - Parameter grace: returns the grace period as it will be when these removals are noted.
  /// - Throws: `Prune.Refusal` if nothing of it may be removed.
  init(_ survey: PruneSurvey, now: Timestamp, grace: (Set<WaitingRecord.Item>) -> GracePeriod) throws(Prune.Refusal) {
    let notes = survey.notesOfRemovals(now: now)
    try self.init(
      survey, notes, removingRevision: survey.reading.next, survey.warnings, grace(survey.removals(notes)),
      mayCollect: nil)
  }

  /// Returns a new plan for the repository as it is after the removals were noted. Snapshots that were called back or
  /// built on meanwhile stay. Nothing is collected that this plan did not collect.
  /// - Throws: `Prune.Refusal` if nothing more may be removed.
  func remade(_ survey: PruneSurvey, _ notes: SourceNotes, _ grace: GracePeriod) throws(Prune.Refusal) -> PrunePlan {
    try PrunePlan(
      survey, notes, removingRevision: removingRevision, warnings, grace, mayCollect: Set(collected.map(\.id)))
  }

  /// Decides the action for each snapshot; no other code does.
  /// - Parameter mayCollect: the snapshots that may be collected; `nil` for all.
  private init(
    _ survey: PruneSurvey, _ notes: SourceNotes, removingRevision: UInt64, _ warnings: [String], _ grace: GracePeriod,
    mayCollect: Set<Identifier>?
  ) throws(Prune.Refusal) {
    if let refusal = survey.refusal { throw refusal }
    (self.survey, self.notes, self.removingRevision, self.warnings) = (survey, notes, removingRevision, warnings)
    collected = survey.collectable(notes) { grace.isOver($0) && (mayCollect?.contains($0.snapshot) ?? true) }
    lines = survey.lines(
      notes, since: removingRevision, collected: Set(collected.map(\.id)), timeLeft: grace.timeLeft)
  }
}
