internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The findings of a prune in one source: its snapshots, its notes, and the decisions of the policy.
struct PruneSurvey: Sendable {
  let name: SourceName
  /// The target that it is about; `nil` for home.
  let target: String?
  let snapshots: [Snapshot]
  /// The sequence numbers without a snapshot whose objects a killed run, or an interrupted collection, left. Numbers
  /// above the newest snapshot are not among them, because in a store without locks a backup may be using them. The
  /// next backup removes those.
  let leftovers: [UInt64]
  private let plan: RetentionPlan
  /// The IDs of the snapshots that the policy keeps.
  let kept: Set<Identifier>
  let reading: NotesReading
  /// The time until which each locked snapshot is locked: the end of its own term, or of the term of a snapshot that
  /// builds on it.
  private let locks: [Identifier: Timestamp]
  /// The reason for which nothing of the source may be removed; `nil` if there is none.
  let refusal: Prune.Refusal?

  init(_ name: SourceName, in repository: Repository, policy: RetentionPolicy, reading: NotesReading) throws {
    (self.name, target, self.reading) = (name, nil, reading)
    var damage = reading.damage
    snapshots = try repository.catalog.committedSnapshots(of: name) { damage.append($0) }
    let numbers = try repository.catalog.sequences(of: name)
    locks = Self.locks(of: snapshots, now: repository.host.clock.now())
    // A source that is removed has no newest snapshot, and its numbers are not given again.
    let highest = policy.removesSource ? reading.notes.highest : snapshots.last?.sequence ?? 0
    leftovers = Self.leftovers(in: numbers, upTo: highest, among: snapshots)
    damage += Self.orphans(among: snapshots)
    damage += Self.missing(of: name, in: numbers, among: snapshots, reading.notes)
    plan = RetentionPlan(snapshots, reading.notes, policy, repository)
    kept = plan.kept
    let pinned = policy.removesSource ? plan.lines.first { $0.isKept } : nil
    // A snapshot that cannot be read may build on any other.
    let suspicious = snapshots.last { $0.isSuspicious(reading.notes) && !reading.notes.isDiverged($0) }
    refusal =
      try damage.first.map { Self.refusal(name, $0) } ?? pinned.map { Self.refusal(name, $0) } ?? suspicious.map {
        Self.refusal(name, $0)
      }
      ?? Self.broken(among: snapshots, kept: plan, repository).map { Self.refusal(name, broken: $0) }
  }

  /// Surveys a target with a retention of its own: what it has, and what home has.
  /// - Parameter home: the survey of home.
  init(at apart: TargetApart, beside home: PruneSurvey, in repository: Repository) throws {
    (name, target, reading) = (home.name, apart.name, home.reading)
    let holdings = try? apart.holdings.get()
    let onlyThere = holdings?.onlyThere ?? []
    snapshots = (home.snapshots + onlyThere).sorted { $0.sequence < $1.sequence }
    // A sync removes leftovers, and writes to no target that locks its objects.
    (leftovers, locks) = ([], [:])
    let own = Set(onlyThere.map(\.id))
    let undecided = own.filter { id in !home.reading.notes.notes.contains { $0.snapshot == id && $0.removed != nil } }
    plan = RetentionPlan(snapshots, reading.notes, apart.policy, repository, undecided: undecided)
    kept = plan.kept
    if let orphan = Self.orphans(among: snapshots).first {
      refusal = Self.refusal(home.name, orphan)
      return
    }
    // The objects of the others were compared with those of home.
    guard let target = holdings?.repository,
      let broken = try Self.broken(among: snapshots, kept: plan, target, where: { own.contains($0.id) })
    else {
      refusal = nil
      return
    }
    refusal = Self.refusal(home.name, broken: broken)
  }

  /// The number of the newest snapshot; 0 when there is none.
  var newest: UInt64 { snapshots.last?.sequence ?? 0 }

  /// The snapshots, each with the decision of the policy.
  var decisions: [(snapshot: Snapshot, isKept: Bool)] { Array(zip(snapshots, plan.lines.map(\.isKept))) }

  /// Returns the first object of the kept snapshots that is missing or has another length: then the removed snapshots
  /// may be the only ones that can be restored. If nothing is removed, nothing is checked.
  private static func broken(
    among snapshots: [Snapshot], kept plan: RetentionPlan, _ repository: Repository,
    where isChecked: (Snapshot) -> Bool = { _ in true }
  ) throws -> (Snapshot, finding: String)? {
    guard plan.lines.contains(where: { !$0.isKept }) else { return nil }
    var check = PresenceCheck<Snapshot>(in: repository.store)
    var shared: Set<String> = []
    for (snapshot, line) in zip(snapshots, plan.lines) where line.isKept && isChecked(snapshot) {
      for object in try repository.catalog.whole(snapshot).objects where !shared.contains(object.key) {
        if let broken = try check.add(object, of: snapshot) { return named(broken) }
        // Archives in the directory of their own snapshot are not remembered here: only others are shared.
        if !object.key.hasPrefix(Keys.snapshot(snapshot.sourceName, snapshot.sequence)) { shared.insert(object.key) }
      }
    }
    return try check.finish().map(named)
  }

  private static func named(_ broken: PresenceCheck<Snapshot>.Finding) -> (Snapshot, finding: String) {
    let key = broken.object.key
    let finding = broken.length.map { "\(key) has \($0) bytes instead of \(broken.object.length)" }
    return (broken.owner, finding ?? "\(key) is missing")
  }

  /// Returns the ends of the locks. A snapshot that builds on another one has extended its lock.
  private static func locks(of snapshots: [Snapshot], now: Timestamp) -> [Identifier: Timestamp] {
    var ends: [Identifier: Timestamp] = [:]
    for snapshot in snapshots.reversed() {
      let own = snapshot.envelope.lockedUntil?.moment ?? now
      let end = max(own, ends[snapshot.id] ?? own)
      guard end > now else { continue }
      ends[snapshot.id] = end
      if let parent = snapshot.envelope.parent?.snapshot { ends[parent] = max(end, ends[parent] ?? end) }
    }
    return ends
  }

  private static func leftovers(
    in sequences: [UInt64], upTo highest: UInt64, among snapshots: [Snapshot]
  ) -> [UInt64] {
    let present = Set(snapshots.map(\.sequence))
    return sequences.filter { $0 <= highest && !present.contains($0) }
  }

  /// Returns the parents that are missing. A prune never leaves a snapshot without its parent, because it removes tips
  /// first.
  private static func orphans(among snapshots: [Snapshot]) -> [DamageError] {
    let digests = Dictionary(snapshots.map { ($0.id, $0.digest) }) { $1 }
    return snapshots.compactMap { snapshot in
      guard let parent = snapshot.envelope.parent, digests[parent.snapshot] != parent.digest else { return nil }
      return DamageError(
        Keys.manifest(snapshot.sourceName, parent.sequence),
        "it is missing, and snapshot \(snapshot.id.short) builds on it")
    }
  }

  /// Returns the manifests that are missing although notes say that the snapshot was committed. Other objects under
  /// their numbers are not leftovers.
  private static func missing(
    of name: SourceName, in sequences: [UInt64], among snapshots: [Snapshot], _ notes: SourceNotes
  ) -> [DamageError] {
    let present = Set(snapshots.map(\.id))
    // If another snapshot has the number, the note is about a snapshot that does not exist any more.
    let occupied = Set(sequences).subtracting(snapshots.map(\.sequence))
    return notes.notes.filter { note in
      occupied.contains(note.sequence) && !present.contains(note.snapshot) && note.speaksOfACommit
    }.map { DamageError(Keys.manifest(name, $0.sequence), "it is missing, and nobody has removed it") }
  }

  private static func refusal(_ name: SourceName, _ damage: DamageError) -> Prune.Refusal {
    Prune.Refusal(
      scope: .repository,
      message: "nothing of \(name) is removed while something of it is damaged or missing: \(damage.message)",
      hint: "Run `holdfast verify --data`, and `holdfast list --deleted` to compare what is noted.",
      exitStatus: .dataLoss)
  }

  private static func refusal(_ name: SourceName, broken: (snapshot: Snapshot, finding: String)) -> Prune.Refusal {
    let id = broken.snapshot.id.short
    return Prune.Refusal(
      scope: .repository,
      message: "nothing of \(name) is removed while \(id), which is to stay, is not whole: \(broken.finding)",
      hint:
        "Take a new full and prove it: `holdfast backup --full`, `holdfast verify --data`. Then prune by rules that do not keep \(id) nor what builds on it.",
      exitStatus: .dataLoss)
  }

  /// Returns the refusal to remove a source with pinned snapshots.
  private static func refusal(_ name: SourceName, _ pinned: RetentionPlan.Line) -> Prune.Refusal {
    let id = pinned.candidate.id.short
    return Prune.Refusal(
      scope: .usage, message: "the source \(name) is not removed, because \(id) is kept: \(pinned.reasons[0])",
      hint: "Run `holdfast list --name \(name)` to see what is pinned, and `holdfast unpin` for each.",
      exitStatus: .failed)
  }

  /// Returns the refusal because of anomalies: older snapshots may have the only copy of what was lost.
  private static func refusal(_ name: SourceName, _ suspicious: Snapshot) -> Prune.Refusal {
    let found = suspicious.envelope.comparison?.anomalies.first.map { "\($0)" } ?? ""
    let id = suspicious.id.short
    return Prune.Refusal(
      scope: .usage, message: "nothing of \(name) is removed, because of what \(id) looks like: \(found)",
      hint:
        "Run `holdfast show \(id)`. If that was meant, run `holdfast accept \(id)`; else restore what came before it.",
      exitStatus: .incomplete)
  }

  // MARK: Notes

  /// Applies the policy of home to the notes. Snapshots that it does not keep are removed; those that it keeps are
  /// called back, whoever removed them. Snapshots that are noted as collected stay so, because another machine may be
  /// deleting their objects now.
  /// - Parameters:
  ///   - spared: the targets for which new removals do not hold.
  ///   - promise: the time for which new removals can be undone, whoever prunes; `nil` if no such promise is made.
  func noteRemovals(
    in notes: inout SourceNotes, now: Timestamp, sparing spared: Set<String>, promising promise: TimeSpan?
  ) {
    for line in plan.lines {
      var note = notes[line.candidate.id, line.candidate.sequence]
      if line.isKept {
        if note.removed?.isCollected == false { note.removed = nil }
      } else if note.removed == nil {
        note.removed = SourceNotes.Removal(revision: reading.next, time: RecordedTime(now))
        note.removed?.promise(promise)
        note.spare(spared)
      }
      notes[line.candidate.id, line.candidate.sequence] = note
    }
  }

  /// Drops the notes on snapshots that are gone, unless they are needed.
  func forgetGone(in notes: inout SourceNotes, unless isNeeded: (SourceNotes.Note) -> Bool) {
    let present = Set(snapshots.map(\.id))
    // Numbers above the newest may have the tags of a snapshot that is being taken.
    notes.notes.removeAll { note in
      note.sequence <= newest && !present.contains(note.snapshot) && !isNeeded(note)
    }
  }

  /// Returns the removal of a snapshot that holds here.
  private func removal(of snapshot: Snapshot, _ notes: SourceNotes) -> SourceNotes.Removal? {
    let note = notes[snapshot]
    return target.map(note.removal) ?? note.removed
  }

  /// The removals whose grace periods this machine counts.
  func removals(_ notes: SourceNotes) -> Set<WaitingRecord.Item> {
    Set(snapshots.compactMap { item(of: $0, notes) })
  }

  private func item(of snapshot: Snapshot, _ notes: SourceNotes) -> WaitingRecord.Item? {
    removal(of: snapshot, notes).map {
      WaitingRecord.Item(source: name.key, snapshot: snapshot.id, revision: $0.revision, target: target)
    }
  }

  /// Returns the snapshots whose grace period is over; the tips of chains last.
  /// - Parameter hold: returns the reason why a snapshot is not collected yet.
  func collectable(
    _ notes: SourceNotes, hold: (Snapshot) -> Prune.Hold?, isGraceOver: (WaitingRecord.Item) -> Bool
  ) -> [Snapshot] {
    let overdue = snapshots.filter { snapshot in
      !kept.contains(snapshot.id) && hold(snapshot) == nil && locks[snapshot.id] == nil
        && (item(of: snapshot, notes).map(isGraceOver) ?? false)
    }
    // A snapshot that stays needs the snapshots that it builds on.
    var held: Set<Identifier> = []
    let going = Set(overdue.map(\.id))
    for snapshot in snapshots.reversed() where !going.contains(snapshot.id) || held.contains(snapshot.id) {
      if let parent = snapshot.envelope.parent?.snapshot { held.insert(parent) }
    }
    return overdue.filter { !held.contains($0.id) }
  }

  // MARK: Report

  /// - Parameters:
  ///   - since: removals in this revision of the notes or a later one were made now.
  ///   - hold: returns the reason why a snapshot is not collected yet.
  func lines(
    _ notes: SourceNotes, since: UInt64, collected: Set<Identifier>, hold: (Snapshot) -> Prune.Hold?,
    timeLeft: (WaitingRecord.Item) -> TimeSpan?
  ) -> [Prune.Line] {
    let needed = sharedKeys(butOf: Set(plan.lines.filter { !$0.isKept }.map(\.candidate.id)))
    return zip(snapshots, plan.lines).map { snapshot, line in
      let action = action(of: snapshot, line, notes, since, hold(snapshot), timeLeft)
      return Prune.Line(
        snapshot: snapshot, action: collected.contains(snapshot.id) ? .collected : action,
        bytes: line.isKept ? snapshot.envelope.storedBytes : snapshot.bytes(butThose: needed))
    }
  }

  private func action(
    of snapshot: Snapshot, _ line: RetentionPlan.Line, _ notes: SourceNotes, _ since: UInt64, _ hold: Prune.Hold?,
    _ timeLeft: (WaitingRecord.Item) -> TimeSpan?
  ) -> Prune.Action {
    let removal = self.removal(of: snapshot, notes)
    if line.isKept {
      if removal != nil { return .kept(line.reasons + [.heldBack]) }
      return .kept(line.reasons + (self.removal(of: snapshot, reading.notes) == nil ? [] : [.cameBack]))
    }
    guard let removal, let item = item(of: snapshot, notes) else { return .kept([.calledBack]) }
    let left = timeLeft(item)
    if left == .zero, let hold { return .held(hold) }
    guard removal.revision < since else { return .removed }
    if left == .zero, let end = locks[snapshot.id] { return .locked(until: end) }
    return .waiting(timeLeft: left)
  }

  /// Warnings for the operator.
  var warnings: [String] {
    var warnings: [String] = []
    if let first = reading.ignoredRemovals.first {
      warnings.append(
        "\(Amount.count(UInt64(reading.ignoredRemovals.count), "snapshot")) of \(name), \(first.snapshot.short) first, are noted as removed by nobody who may prune: that does not count"
      )
    }
    if let first = plan.lines.first(where: \.isOutOfOrder) {
      let count = plan.lines.count { $0.isOutOfOrder }
      warnings.append(
        "the times of \(Amount.count(UInt64(count), "snapshot")) of \(name) contradict their numbers, number \(first.candidate.sequence) first: a clock was wrong, or somebody writes wrong times; none of them displaces another"
      )
    }
    return warnings
  }

  /// Returns the keys of archives that all snapshots except these need and that may lie in the directories of other
  /// snapshots.
  func sharedKeys(butOf gone: Set<Identifier>) -> Set<String> {
    let sharing = Set(snapshots.filter { !$0.hasItsArchivesToItself }.flatMap { $0.envelope.archives.map(\.sequence) })
    return Set(
      snapshots.filter { !gone.contains($0.id) && (!$0.hasItsArchivesToItself || sharing.contains($0.sequence)) }
        .flatMap(\.archiveKeysHeld))
  }
}

extension RetentionPlan {
  fileprivate var kept: Set<Identifier> { Set(lines.filter(\.isKept).map(\.candidate.id)) }
}

extension Snapshot {
  /// Returns the number of bytes of its objects without the needed ones.
  func bytes(butThose needed: Set<String>) -> UInt64 {
    guard !needed.isEmpty, envelope.archives.isHeld else { return envelope.storedBytes }
    return zip(archiveKeys, envelope.archives).reduce(envelope.body.length) { sum, archive in
      needed.contains(archive.0) ? sum : sum.saturatingAdding(archive.1.length)
    }
  }
}
