internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// One source as a prune finds it: what there is, what is noted of it, and what the policy makes of that.
struct PruneSurvey: Sendable {
  let name: SourceName
  private let snapshots: [Snapshot]
  /// Numbers that bear no snapshot and never will, and under which something lies that a killed run left, or a
  /// collection that was cut off. What is above the newest may be a snapshot that is being taken where locks keep
  /// nobody out; the next backup removes it.
  let leftovers: [UInt64]
  private let plan: RetentionPlan
  let reading: NotesReading
  /// Why nothing of it may be removed, where that is so.
  let refusal: Prune.Refusal?

  init(_ name: SourceName, in repository: Repository, policy: RetentionPolicy, reading: NotesReading) throws {
    self.name = name
    self.reading = reading
    var damage = reading.damage
    snapshots = try repository.committedSnapshots(of: name) { damage.append($0) }
    let numbers = try repository.sequences(of: name)
    leftovers = Self.leftovers(in: numbers, among: snapshots)
    damage += Self.orphans(among: snapshots)
    damage += Self.missing(of: name, in: numbers, among: snapshots, reading.notes)
    let keyring = repository.sealed?.keyring
    let candidates = snapshots.map { RetentionCandidate($0, reading.notes[$0], keyring) }
    plan = RetentionPlan(
      candidates, policy: policy, now: repository.host.clock.now(), calendar: LocalCalendar.time(of:))
    // What cannot be read may build on anything.
    let suspicious = snapshots.last { $0.isSuspicious(reading.notes) }
    refusal =
      try damage.first.map { Self.refusal(name, $0) } ?? suspicious.map { Self.refusal(name, $0) }
      ?? Self.broken(among: snapshots, kept: plan, repository).map { Self.refusal(name, broken: $0) }
  }

  /// The first object that is missing of what would be left, or has another length: what is to go may be all that can
  /// be restored. Where nothing goes, nobody looks.
  private static func broken(
    among snapshots: [Snapshot], kept plan: RetentionPlan, _ repository: Repository
  ) throws -> (Snapshot, finding: String)? {
    guard plan.lines.contains(where: { !$0.isKept }) else { return nil }
    var check = PresenceCheck<Snapshot>(in: repository.store)
    var shared: Set<String> = []
    for (snapshot, line) in zip(snapshots, plan.lines) where line.isKept {
      for object in try repository.whole(snapshot).objects where !shared.contains(object.key) {
        if let broken = try check.add(object, of: snapshot) { return named(broken) }
        // What lies with itself is nobody else's.
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

  private static func leftovers(in sequences: [UInt64], among snapshots: [Snapshot]) -> [UInt64] {
    let present = Set(snapshots.map(\.sequence))
    return sequences.filter { $0 < snapshots.last?.sequence ?? 0 && !present.contains($0) }
  }

  /// Snapshots whose parent is not there. A prune removes tips first, so it never makes one.
  private static func orphans(among snapshots: [Snapshot]) -> [DamageError] {
    let digests = Dictionary(snapshots.map { ($0.id, $0.digest) }) { $1 }
    return snapshots.compactMap { snapshot in
      guard let parent = snapshot.envelope.parent, digests[parent.snapshot] != parent.digest else { return nil }
      return DamageError(
        Keys.manifest(snapshot.sourceName, parent.sequence),
        "it is missing, and snapshot \(snapshot.id.short) builds on it")
    }
  }

  /// Snapshots that were committed, as notes tell, and have no manifest: what else lies under their numbers is no
  /// leftover.
  private static func missing(
    of name: SourceName, in sequences: [UInt64], among snapshots: [Snapshot], _ notes: SourceNotes
  ) -> [DamageError] {
    let present = Set(snapshots.map(\.id))
    // Where a number bears another snapshot, a note speaks of nothing.
    let occupied = Set(sequences).subtracting(snapshots.map(\.sequence))
    return notes.notes.filter { note in
      occupied.contains(note.sequence) && !present.contains(note.snapshot) && note.speaksOfACommit
    }.map { DamageError(Keys.manifest(name, $0.sequence), "it is missing, and nobody has removed it") }
  }

  private static func refusal(_ name: SourceName, _ damage: DamageError) -> Prune.Refusal {
    Prune.Refusal(
      message: "nothing of \(name) is removed while something of it is damaged or missing: \(damage.message)",
      hint: "Run `holdfast verify --data`, and `holdfast list --deleted` to compare what is noted.",
      exitStatus: .dataLoss)
  }

  private static func refusal(_ name: SourceName, broken: (snapshot: Snapshot, finding: String)) -> Prune.Refusal {
    let id = broken.snapshot.id.short
    return Prune.Refusal(
      message: "nothing of \(name) is removed while \(id), which is to stay, is not whole: \(broken.finding)",
      hint:
        "Take a new full and prove it: `holdfast backup --full`, `holdfast verify --data`. Then prune by rules that do not keep \(id) nor what builds on it.",
      exitStatus: .dataLoss)
  }

  /// What is older may be all that is left of what was lost.
  private static func refusal(_ name: SourceName, _ suspicious: Snapshot) -> Prune.Refusal {
    let found = suspicious.envelope.comparison?.anomalies.first.map { "\($0)" } ?? ""
    let id = suspicious.id.short
    return Prune.Refusal(
      message: "nothing of \(name) is removed, because of what \(id) looks like: \(found)",
      hint:
        "Run `holdfast show \(id)`. If that was meant, run `holdfast accept \(id)`; else restore what came before it.",
      exitStatus: .incomplete)
  }

  // MARK: Notes

  /// The notes as the policy wants them: what goes is removed, what stays is called back, whoever has removed it, and
  /// what is gone is forgotten. What a note says is beyond recall may be on its way out on another machine at this
  /// moment, so that is left as it is, and nothing of it is removed here.
  func notesOfRemovals(now: Timestamp) -> SourceNotes {
    var notes = reading.notes
    for line in plan.lines {
      var note = notes[line.candidate.id, line.candidate.sequence]
      if line.isKept {
        if note.removed?.isCollected == false { note.removed = nil }
      } else if note.removed == nil {
        note.removed = SourceNotes.Removal(revision: reading.next, time: TimeText.utc(now))
      }
      notes[line.candidate.id, line.candidate.sequence] = note
    }
    let present = Set(snapshots.map(\.id))
    let newest = snapshots.last?.sequence ?? 0
    // Above the newest may be the tags of one that is being taken.
    notes.notes.removeAll { $0.sequence <= newest && !present.contains($0.snapshot) }
    if notes != reading.notes { notes.highest = max(notes.highest, newest) }
    return notes
  }

  /// What was removed, as this machine waits for it.
  func removals(_ notes: SourceNotes) -> Set<WaitingRecord.Item> {
    Set(snapshots.compactMap { item(of: $0, notes) })
  }

  private func item(of snapshot: Snapshot, _ notes: SourceNotes) -> WaitingRecord.Item? {
    notes[snapshot].removed.map {
      WaitingRecord.Item(source: name.text, snapshot: snapshot.id, revision: $0.revision)
    }
  }

  /// Whose grace period is over; the tips of chains last.
  func collectable(_ notes: SourceNotes, isGraceOver: (WaitingRecord.Item) -> Bool) -> [Snapshot] {
    let needed = Set(plan.lines.filter(\.isKept).map(\.candidate.id))
    let overdue = snapshots.filter { !needed.contains($0.id) && (item(of: $0, notes).map(isGraceOver) ?? false) }
    // What waits goes before what it builds on.
    var held: Set<Identifier> = []
    let going = Set(overdue.map(\.id))
    for snapshot in snapshots.reversed() where !going.contains(snapshot.id) || held.contains(snapshot.id) {
      if let parent = snapshot.envelope.parent?.snapshot { held.insert(parent) }
    }
    return overdue.filter { !held.contains($0.id) }
  }

  // MARK: Report

  /// - Parameter since: what was removed in this revision or a later one was removed now.
  func lines(
    _ notes: SourceNotes, since: UInt64, collected: Set<Identifier>, secondsLeft: (WaitingRecord.Item) -> Double?
  ) -> [Prune.Line] {
    let needed = sharedKeys(butOf: Set(plan.lines.filter { !$0.isKept }.map(\.candidate.id)))
    return zip(snapshots, plan.lines).map { snapshot, line in
      Prune.Line(
        snapshot: snapshot,
        action: collected.contains(snapshot.id) ? .collected : action(of: snapshot, line, notes, since, secondsLeft),
        bytes: line.isKept ? snapshot.envelope.storedBytes : snapshot.bytes(butThose: needed))
    }
  }

  private func action(
    of snapshot: Snapshot, _ line: RetentionPlan.Line, _ notes: SourceNotes, _ since: UInt64,
    _ secondsLeft: (WaitingRecord.Item) -> Double?
  ) -> Prune.Action {
    let removal = notes[snapshot].removed
    if line.isKept {
      if removal != nil { return .kept(line.reasons + [.heldBack]) }
      return .kept(line.reasons + (reading.removal(of: snapshot) == nil ? [] : [.cameBack]))
    }
    guard let removal, let item = item(of: snapshot, notes) else { return .kept([.calledBack]) }
    return removal.revision >= since ? .removed : .waiting(seconds: secondsLeft(item))
  }

  /// What an operator should look at.
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

  /// The archives that all but these snapshots consist of, and that lie or may lie with others: those of a snapshot
  /// that has its archives to itself are nobody else's.
  func sharedKeys(butOf gone: Set<Identifier>) -> Set<String> {
    let sharing = Set(snapshots.filter { !$0.hasItsArchivesToItself }.flatMap { $0.envelope.archives.map(\.sequence) })
    return Set(
      snapshots.filter { !gone.contains($0.id) && (!$0.hasItsArchivesToItself || sharing.contains($0.sequence)) }
        .flatMap(\.archiveKeysHeld))
  }
}

extension RetentionCandidate {
  /// - Parameter keyring: `nil` where the repository is not sealed.
  init(_ snapshot: Snapshot, _ note: SourceNotes.Note, _ keyring: Keyring?) {
    let envelope = snapshot.envelope
    self.init(
      id: snapshot.id, sequence: snapshot.sequence, kind: envelope.kind, parent: envelope.parent?.snapshot,
      time: envelope.started)
    tags = Set(note.tags)
    pin = note.pinned?.reason
    // To take the place of another one is to have it removed.
    mayReplace = keyring.map { keyring in envelope.signature.map { keyring.mayPrune($0.key) } ?? false } ?? true
    standsFor = snapshot.standsFor
    isIncomplete = envelope.incomplete > 0
    provedShare = note.proved?.share
  }
}

extension Snapshot {
  /// Nothing where they are not held: then nobody else has them.
  fileprivate var archiveKeysHeld: [String] { envelope.archives.isHeld ? archiveKeys : [] }

  /// What its objects take, but for those.
  func bytes(butThose needed: Set<String>) -> UInt64 {
    guard !needed.isEmpty, envelope.archives.isHeld else { return envelope.storedBytes }
    return zip(archiveKeys, envelope.archives).reduce(envelope.body.length) { sum, archive in
      needed.contains(archive.0) ? sum : sum.saturatingAdding(archive.1.length)
    }
  }
}
