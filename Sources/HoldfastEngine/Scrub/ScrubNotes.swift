internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository

/// Compares the revisions of the notes on one source that the targets keep.
struct ScrubNotes {
  let source: SourceName
  let targets: [ScrubTarget]
  let surveys: [ScrubSurvey]
  /// The number of home among the targets.
  let home: Int?

  /// The revisions that are damaged, or missing between others. What a target lacks after its newest is copied by a
  /// sync.
  func faults(at index: Int) throws -> [ScrubFault] {
    let survey = surveys[index]
    let newest = surveys.compactMap { $0.notes.keys.max() }.max() ?? 0
    var faults: [ScrubFault] = []
    for (number, damage) in survey.damagedNotes.sorted(by: { $0.key < $1.key }) {
      let bytes = try bytes(number, notAt: index)
      // An old one that nobody has says nothing that a newer one does not say.
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

  /// - Returns: what an operator has to decide.
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

  /// Whether home has a newer revision than another target.
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

  /// The newest revision that home has lost. Home writes them, so one that two other targets have was at home. One that
  /// a single target has may have been written there by somebody who took it for home; it counts if it hides nothing
  /// that home shows.
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

  /// The bytes of a revision, from a target that has it sound.
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
