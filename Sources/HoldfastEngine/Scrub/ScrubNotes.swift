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
  /// The numbers that home gives.
  let own: OwnNumbers

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
      faults.append(
        ScrubFault(damage: damage, demand: .small(bytes, isSound: isSound(number, at: index))))
    }
    for number in missing(at: index).sorted() {
      let damage = DamageError(Keys.notes(source, number), "it is missing, and newer ones are there")
      faults.append(
        ScrubFault(
          damage: damage,
          demand: .small(try bytes(number, notAt: index), isSound: isSound(number, at: index)),
          isMissing: true))
    }
    return faults
  }

  /// Returns the error for revisions of which an operator has to decide which ones count: another target has a
  /// different one under the same number, or this target a newer one than home with a number that home gives; `nil`
  /// when there are none.
  func fork(at index: Int) -> TargetError? {
    for (number, revision) in surveys[index].notes.sorted(by: { $0.key < $1.key }) {
      guard let first = surveys.firstIndex(where: { $0.notes[number] != nil }),
        surveys[first].notes[number]?.digest != revision.digest
      else { continue }
      return .forked(
        key: Keys.notes(source, number), target: targets[index].location, home: targets[first].location)
    }
    guard let home, index != home, let newest = surveys[index].notes.keys.filter(own.contains).max()
    else { return nil }
    let isKnown =
      surveys[home].listedNotes.contains { $0 >= newest } || missing(at: home).contains(newest)
    return isKnown
      ? nil
      : .newerNotes(
        key: Keys.notes(source, newest), target: targets[index].location, home: targets[home].location)
  }

  /// Returns true if home has a newer revision than another target, or if another target has one that home does not
  /// have, and that was written there.
  func isBehind(_ index: Int) -> Bool {
    guard let home else { return false }
    let (there, atHome) = (surveys[index].listedNotes, surveys[home].listedNotes.union(missing(at: home)))
    if index == home {
      let newest = atHome.max() ?? 0
      return surveys.contains { $0.notes.keys.contains { $0 > newest && !own.contains($0) } }
    }
    let isOlder: ((UInt64) -> Bool) -> Bool = {
      there.filter($0).max() ?? 0 < atHome.filter($0).max() ?? 0
    }
    return isOlder { _ in true } || isOlder(own.contains)
  }

  /// Returns the revisions that were at a target and are not there any more. Each target has all those of home that are
  /// older than the newest one that it has of home; home has written those that bear its numbers.
  private func missing(at index: Int) -> Set<UInt64> {
    let there = surveys[index].listedNotes
    let atHome = home.map { Set(surveys[$0].notes.keys) } ?? []
    let others = Set(surveys.indices.filter { $0 != index }.flatMap { surveys[$0].notes.keys }).filter {
      own.contains($0) || index != home && atHome.contains($0)
    }
    let kept = there.filter(own.contains).max() ?? 0
    let newest = index == home ? max(kept, newestLost(others)) : kept
    let oldest = newest > NotesStore.revisionsKept ? newest - NotesStore.revisionsKept + 1 : 1
    guard newest >= oldest else { return [] }
    return others.filter { (oldest...newest).contains($0) && !there.contains($0) }
  }

  /// Returns the newest revision that home has lost; 0 when there is none. Home writes revisions, so a revision that
  /// two other targets have was at home. A revision that a single target has may have been written by a run that took
  /// this target for home; it counts if it does not collect a snapshot that home still has.
  private func newestLost(_ others: Set<UInt64>) -> UInt64 {
    guard let home else { return 0 }
    let collected = surveys[home].newestNotes?.collectedNumbers ?? []
    return others.filter { number in
      let holders = surveys.filter { $0.notes[number] != nil }
      let isEqual = Set(holders.map { $0.notes[number]?.digest }).count == 1
      guard isEqual, let first = holders.first, let revision = first.notes[number] else {
        return false
      }
      return holders.count > 1
        || first.counted(revision).collectedNumbers.intersection(surveys[home].committed).isSubset(
          of: collected)
    }.max() ?? 0
  }

  /// Returns a function that tells if bytes are a sound revision of this number.
  private func isSound(_ number: UInt64, at index: Int) -> @Sendable ([UInt8]) -> Bool {
    { [source, notes = targets[index].repository.notes] in
      (try? notes.revision($0, number, of: source)) != nil
    }
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
