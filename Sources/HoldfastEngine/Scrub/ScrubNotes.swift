internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository

/// Compares the revisions of the notes on one source at the targets.
struct ScrubNotes {
  let source: SourceName
  let targets: [ScrubTarget]
  let surveys: [ScrubSurvey]
  /// The index of home in `targets`; `nil` when home did not answer.
  let home: Int?

  /// Returns the revisions that are damaged, or missing although newer ones are there. A sync copies revisions that are
  /// newer than the newest one of a target.
  func faults(at index: Int) throws -> [ScrubFault] {
    let survey = surveys[index]
    let newest = surveys.compactMap { $0.notes.keys.max() }.max() ?? 0
    var faults: [ScrubFault] = []
    for (number, damage) in survey.damagedNotes.sorted(by: { $0.key < $1.key }) {
      let bytes = try bytes(number, notAt: index)
      // An old revision that no target has sound is not needed: a newer one repeats its notes.
      guard bytes != nil || number > newest else { continue }
      let damage = DamageError(Keys.notes(source, number), damage.finding)
      faults.append(ScrubFault(damage: damage, demand: .small(bytes)))
    }
    for number in missing(at: index).sorted() {
      let damage = DamageError(Keys.notes(source, number), "it is missing, and newer ones are there")
      faults.append(
        ScrubFault(damage: damage, demand: .small(try bytes(number, notAt: index)), isMissing: true))
    }
    return faults
  }

  /// Returns the error for revisions of which an operator has to decide which ones count: another target has a
  /// different one under the same number, or this target a newer one than home; `nil` when there are none.
  func fork(at index: Int) -> TargetError? {
    for (number, revision) in surveys[index].notes.sorted(by: { $0.key < $1.key }) {
      guard let first = surveys.firstIndex(where: { $0.notes[number] != nil }),
        surveys[first].notes[number]?.digest != revision.digest
      else { continue }
      return .forked(
        key: Keys.notes(source, number), target: targets[index].location, home: targets[first].location)
    }
    guard let home, index != home, let newest = surveys[index].notes.keys.max() else { return nil }
    let isKnown = surveys[home].listing.notes.contains { $0 >= newest } || missing(at: home).contains(newest)
    return isKnown
      ? nil
      : .newerNotes(
        key: Keys.notes(source, newest), target: targets[index].location, home: targets[home].location)
  }

  /// Returns true if the target is not home, and home has a newer revision.
  func isBehind(_ index: Int) -> Bool {
    guard let home, index != home else { return false }
    let newest = max(surveys[home].listing.notes.max() ?? 0, missing(at: home).max() ?? 0)
    return newest > surveys[index].listing.notes.max() ?? 0
  }

  private func missing(at index: Int) -> Set<UInt64> {
    let own = surveys[index]
    let there = own.listing.notes
    let others = Set(surveys.indices.filter { $0 != index }.flatMap { surveys[$0].notes.keys })
    let newest = index == home ? max(there.max() ?? 0, newestLost(others)) : there.max() ?? 0
    let oldest = newest > NotesStore.revisionsKept ? newest - NotesStore.revisionsKept + 1 : 1
    guard newest >= oldest else { return [] }
    return others.filter { (oldest...newest).contains($0) && !there.contains($0) }
  }

  /// Returns the newest revision that home has lost; 0 when there is none. Home writes revisions, so a revision that
  /// two other targets have was at home. A revision that a single target has may have been written by a run that took
  /// this target for home; it counts if it does not collect a snapshot that home still has.
  private func newestLost(_ others: Set<UInt64>) -> UInt64 {
    guard let home else { return 0 }
    let own = surveys[home].newestNotes?.collectedNumbers ?? []
    return others.filter { number in
      let holders = surveys.compactMap { $0.notes[number] }
      let isEqual = Set(holders.map(\.digest)).count == 1
      guard isEqual, let notes = holders.first?.notes else { return false }
      return holders.count > 1 || notes.collectedNumbers.intersection(surveys[home].committed).isSubset(of: own)
    }.max() ?? 0
  }

  /// Returns the bytes of a revision from another target that has it sound; `nil` when none has.
  private func bytes(_ number: UInt64, notAt index: Int) throws -> [UInt8]? {
    for (other, survey) in surveys.enumerated() where other != index {
      let key = Keys.notes(source, number)
      guard let revision = survey.notes[number], let bytes = try targets[other].soundBytes(key),
        (try? NotesRevision(parsing: bytes, name: key))?.digest == revision.digest
      else { continue }
      return bytes
    }
    return nil
  }
}
