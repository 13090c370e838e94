internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The findings of a prune in one source, at home and at the targets with a retention of their own.
struct SourceSurvey: Sendable {
  let home: PruneSurvey
  let targets: [TargetSurvey]
  /// The names of the other targets, which keep what home keeps.
  let followers: [String]
  /// The names of the targets that new removals at home spare.
  private let spared: Set<String>
  /// The time after its removal for which the notes keep a collected snapshot.
  private let tellsCollected: TimeSpan
  /// The number of snapshots that home keeps and fewer targets than `minCopies` keep.
  let belowMinCopies: Int
  /// The evidence of its copies; `nil` if nothing is known of them.
  let proofs: (any CopyProofs)?
  /// The grace period that is promised while the source is removed as a whole; `nil` for any other prune.
  private let promise: TimeSpan?

  init(
    _ home: PruneSurvey, _ targets: [TargetSurvey], sparing spared: Set<String>, promising promise: TimeSpan?,
    _ proofs: (any CopyProofs)?, _ options: Prune.Options
  ) {
    (self.proofs, self.promise) = (proofs, promise)
    (self.home, self.targets, self.spared, tellsCollected) = (home, targets, spared, options.tellsCollected)
    let followers = options.targets.map(\.name).filter { name in !targets.contains { $0.name == name } }
    self.followers = followers
    belowMinCopies = home.kept.count { id in
      1 + followers.count + targets.count { $0.survey.kept.contains(id) } < options.minCopies
    }
  }

  var reading: NotesReading { home.reading }

  /// Returns the notes after all policies were applied. Notes on snapshots that are gone everywhere are dropped.
  func notesOfRemovals(now: Timestamp) -> SourceNotes {
    var notes = reading.notes
    home.noteRemovals(in: &notes, now: now, sparing: spared, promising: promise)
    for target in targets where target.refusal == nil {
      target.noteRemovals(in: &notes, revision: reading.next, now: now, promising: promise)
    }
    home.forgetGone(in: &notes) { isNeeded($0, now: now) }
    if notes != reading.notes { notes.highest = max(notes.highest, home.newest) }
    return notes
  }

  /// Returns the grace periods that were promised. Whoever removes the source as a whole says it anew, and is asked.
  func promises(_ notes: SourceNotes) -> [Identifier: TimeSpan] {
    guard promise == nil else { return [:] }
    var promises: [Identifier: TimeSpan] = [:]
    for note in notes.notes {
      let removals = [note.removed].compactMap(\.self) + (note.removedAt ?? [:]).values
      guard let longest = removals.compactMap(\.graceSeconds).max() else { continue }
      promises[note.snapshot] = .seconds(Double(longest))
    }
    return promises
  }

  /// True if another target still has to read the note, or may have the snapshot.
  private func isNeeded(_ note: SourceNotes.Note, now: Timestamp) -> Bool {
    if isTold(note.removed, now) { return true }
    return note.targetsApart.contains { name in
      guard let target = targets.first(where: { $0.name == name }), target.apart.isKnown else { return true }
      return target.apart.lists(note.sequence) || isTold(note.removedAt?[name], now)
    }
  }

  private func isTold(_ removal: SourceNotes.Removal?, _ now: Timestamp) -> Bool {
    removal.map { $0.isCollected && now - $0.time.moment < tellsCollected } ?? false
  }

  /// The removals whose grace periods this machine counts.
  func removals(_ notes: SourceNotes) -> Set<WaitingRecord.Item> {
    targets.reduce(into: home.removals(notes)) { $0.formUnion($1.survey.removals(notes)) }
  }

  /// Returns the first target that keeps a snapshot and does not have it: home does not collect it before.
  func awaits(_ snapshot: Snapshot) -> Prune.Hold? {
    targets.first { $0.keeps(snapshot) && !$0.has(snapshot) }.map { .awaited(target: $0.name) }
  }

  var warnings: [String] { home.warnings + targets.flatMap { $0.warnings(reading.notes) } }
}

/// The findings of a prune in one source at a target with a retention of its own. Its policy decides about the
/// snapshots that it has, and about those of home that it does not have yet.
struct TargetSurvey: Sendable {
  let apart: TargetApart
  let survey: PruneSurvey
  /// The numbers of the snapshots that home keeps and the target does not, and the other way round.
  let differences: (atHomeOnly: Int, hereOnly: Int)

  init(_ apart: TargetApart, beside home: PruneSurvey, _ repository: Repository) throws {
    self.apart = apart
    survey = try PruneSurvey(at: apart, beside: home, in: repository)
    let (here, atHome) = (survey.kept, home.kept)
    differences = (atHome.subtracting(here).count, here.subtracting(atHome).count)
  }

  var name: String { apart.name }

  /// The reason why nothing is removed there; `nil` if there is none.
  var refusal: Prune.Refusal? { if case .failure(let refusal) = apart.holdings { refusal } else { survey.refusal } }

  /// Returns the snapshots there whose grace period is over; the tips of chains last.
  func collectable(
    _ notes: SourceNotes, hold: (Snapshot) -> Prune.Hold?, isGraceOver: (WaitingRecord.Item) -> Bool
  ) -> [Snapshot] {
    survey.collectable(notes, hold: hold, isGraceOver: isGraceOver).filter { apart.lists($0.sequence) }
  }

  func keeps(_ snapshot: Snapshot) -> Bool { survey.kept.contains(snapshot.id) }

  /// True if it has a snapshot, and no sync that has read the notes as they are may be removing it.
  func has(_ snapshot: Snapshot) -> Bool {
    apart.has(snapshot) && survey.reading.notes[snapshot].removal(at: name)?.isCollected != true
  }

  /// Notes the removals that the policy of the target demands, and calls back what it keeps, also what was collected: a
  /// sync copies it again if it is gone. A snapshot that the target neither keeps nor ever had is noted as collected at
  /// once, so that no sync copies it.
  func noteRemovals(in notes: inout SourceNotes, revision: UInt64, now: Timestamp, promising promise: TimeSpan?) {
    for (snapshot, isKept) in survey.decisions {
      var note = notes[snapshot]
      let known = note.removal(at: name)
      let isThere = apart.lists(snapshot.sequence)
      if isKept {
        note.setRemoval(nil, at: name)
      } else if known == nil {
        var removal = SourceNotes.Removal(revision: revision, time: RecordedTime(now), isCollected: !isThere)
        removal.promise(promise)
        note.setRemoval(removal, at: name)
      }
      notes[snapshot.id, snapshot.sequence] = note
    }
  }

  func warnings(_ notes: SourceNotes) -> [String] {
    guard apart.isKnown else { return [] }
    let lost = notes.notes.filter {
      $0.removed?.isCollected == true && $0.removal(at: name) == nil && !apart.lists($0.sequence)
    }
    guard let first = lost.first else { return [] }
    let count = Amount.count(UInt64(lost.count), "snapshot")
    return [
      "\(name) does not have \(count) of \(survey.name), \(first.snapshot.short) first, that home has removed and \(name) keeps"
    ]
  }
}
