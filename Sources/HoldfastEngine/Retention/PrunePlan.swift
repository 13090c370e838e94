internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository

/// What a prune does with one source. A dry run prints it, and `PruneExecution` carries it out; nothing is done by
/// making it.
package struct PrunePlan: Sendable {
  /// What becomes of each snapshot, by ascending sequence.
  package let lines: [Prune.Line]
  /// What goes of archived logs, cluster by cluster, once what is collected is gone.
  package internal(set) var logs: [WALPrunePlan] = []
  /// What an operator should look at, and what is in nobody's way.
  package let warnings: [String]

  /// What it was made from.
  let survey: PruneSurvey
  /// The notes on the source with what this prune removes and calls back; nothing is noted as collected yet.
  let notes: SourceNotes
  /// The revision of the notes that says what this prune removes: what is noted in it or later was removed now.
  let removingRevision: UInt64
  /// What is beyond recall from now on, by ascending sequence.
  let collected: [Snapshot]

  /// What a restore can still begin with, called back or not.
  var left: [Snapshot] { lines.filter { $0.action != .collected }.map(\.snapshot) }

  /// What is removed, as this machine waits for it.
  var removals: Set<WaitingRecord.Item> { survey.removals(notes) }

  /// The archives that what is left consists of, and that may lie with what goes.
  var neededKeys: Set<String> { survey.sharedKeys(butOf: Set(collected.map(\.id))) }

  /// Plans a source as it was found.
  /// - Parameter grace: says what of the grace period has passed once these removals are noted.
  /// - Throws: `Prune.Refusal` where nothing of it may be removed.
  init(_ survey: PruneSurvey, now: Timestamp, grace: (Set<WaitingRecord.Item>) -> GracePeriod) throws(Prune.Refusal) {
    let notes = survey.notesOfRemovals(now: now)
    try self.init(
      survey, notes, removingRevision: survey.reading.next, survey.warnings, grace(survey.removals(notes)),
      mayCollect: nil)
  }

  /// The same plan for what is there now, after its removals were noted: what somebody has called back since stays, and
  /// so does what somebody builds on by now. Nothing is collected that was not to be before.
  /// - Throws: `Prune.Refusal` where nothing more may be removed.
  func remade(_ survey: PruneSurvey, _ notes: SourceNotes, _ grace: GracePeriod) throws(Prune.Refusal) -> PrunePlan {
    try PrunePlan(
      survey, notes, removingRevision: removingRevision, warnings, grace, mayCollect: Set(collected.map(\.id)))
  }

  /// The one decision on what becomes of each snapshot.
  /// - Parameter mayCollect: `nil`: all of them.
  private init(
    _ survey: PruneSurvey, _ notes: SourceNotes, removingRevision: UInt64, _ warnings: [String], _ grace: GracePeriod,
    mayCollect: Set<Identifier>?
  ) throws(Prune.Refusal) {
    if let refusal = survey.refusal { throw refusal }
    (self.survey, self.notes, self.removingRevision, self.warnings) = (survey, notes, removingRevision, warnings)
    collected = survey.collectable(notes) { grace.isOver($0) && (mayCollect?.contains($0.snapshot) ?? true) }
    lines = survey.lines(
      notes, since: removingRevision, collected: Set(collected.map(\.id)), secondsLeft: grace.secondsLeft)
  }
}
