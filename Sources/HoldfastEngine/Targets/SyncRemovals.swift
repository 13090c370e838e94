internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore

/// Plans the removals at a target: the snapshots that the notes say are collected, if no other snapshot there builds on
/// them, and the objects that interrupted runs left. A snapshot that home does not have although nobody has removed it
/// stays: it may be the last copy.
struct SyncRemovals {
  let planner: SyncPlanner
  let atHome: SourceListing
  let atTarget: SourceListing
  /// The notes at home, as they are written.
  let written: SourceNotes
  /// The same, as they hold at the target.
  let notes: SourceNotes

  private var source: SourceName { planner.source }

  func add(to plan: inout SyncPlan) throws {
    let noted = notes.collectedNumbers
    let doubtful = atTarget.committed.filter { noted.contains($0) || !atHome.committed.contains($0) }
    let spare = spareKeys()
    guard !doubtful.isEmpty || !spare.isEmpty else { return }
    let going = try collectable(doubtful, &plan)
    guard !going.isEmpty || !spare.isEmpty, plan.findings.isEmpty else { return }
    try choose(going, spare, &plan)
  }

  /// Objects that home does not have, in directories of snapshots that the target does not have: a killed run left
  /// them. Numbers that home has not given yet are left alone.
  private func spareKeys() -> [String] {
    let highest = max(notes.highest, atHome.committed.max() ?? 0)
    return atTarget.data.filter { sequence, _ in
      sequence <= highest && !atTarget.committed.contains(sequence)
    }.flatMap(\.value).filter { !atHome.lengths.keys.contains($0) }.sorted()
  }

  /// Returns the snapshots that are collected, by sequence, and records those that only the target has.
  private func collectable(_ doubtful: Set<UInt64>, _ plan: inout SyncPlan) throws -> [UInt64: Snapshot] {
    var going: [UInt64: Snapshot] = [:]
    let notesAtHome = written.holding(at: try planner.home.targets.ownName())
    // The notes of the target are those of the last sync. They still have collected snapshots that home has forgotten.
    let earlier = try planner.target.notes.read(source).notes
    for sequence in doubtful.sorted() {
      guard let snapshot = try snapshotAtTarget(sequence, &plan) else { continue }
      let isNoted = notes[snapshot].removed?.isCollected == true
      // A removal may have been undone since, for all or for this target alone; then the target has the last copy.
      let wasRemoved =
        !atHome.committed.contains(sequence) && sequence <= notes.highest
        && earlier[snapshot].removed?.isCollected == true && earlier.revision < notes.revision
        && !written.notes.contains { $0.snapshot == snapshot.id }
      if isNoted || wasRemoved {
        going[sequence] = snapshot
      } else if notesAtHome[snapshot].removed?.isCollected == true {
        plan.keptThere.append(snapshot)
      } else if !atHome.committed.contains(sequence) {
        plan.onlyThere.append(snapshot)
      }
    }
    return going
  }

  private func snapshotAtTarget(_ sequence: UInt64, _ plan: inout SyncPlan) throws -> Snapshot? {
    do {
      return try planner.target.catalog.snapshotIfCommitted(source, sequence)
    } catch let damage as DamageError {
      plan.findings.append(SyncFinding(damage, at: planner.target.location))
      return nil
    }
  }

  /// Adds the removals to the plan, without the objects that remaining snapshots need.
  private func choose(_ going: [UInt64: Snapshot], _ spare: [String], _ plan: inout SyncPlan) throws {
    var going = going
    var needed: Set<String> = []
    let coming = plan.snapshots.map(\.snapshot.sequence)
    for sequence in atTarget.committed.union(coming).sorted(by: >) where going[sequence] == nil {
      // Most of the manifests of home are cached on this machine.
      let known =
        try atHome.committed.contains(sequence) ? planner.home.catalog.snapshotIfCommitted(source, sequence) : nil
      guard let snapshot = try known ?? snapshotAtTarget(sequence, &plan) else { return }
      if let parent = snapshot.envelope.parent?.sequence { going[parent] = nil }
      if !snapshot.hasItsArchivesToItself { needed.formUnion(snapshot.archiveKeys) }
    }
    // The listing of home may lag behind.
    for line in plan.snapshots { needed.formUnion(try planner.home.catalog.whole(line.snapshot).containers.map(\.key)) }
    plan.collected = going.sorted { $0.key < $1.key }.map(\.value)
    plan.needed = needed
    plan.leftovers = spare.filter { !needed.contains($0) }
  }
}
