internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The objects of one source that one target must have, and those that are missing or damaged there.
struct ScrubDemands: Sendable {
  var faults: [ScrubFault] = []
  /// The objects that are there with the right length. Their bytes are still to be proved.
  var items: [ContainerCopy.Item] = []
  /// The keys of the manifests of archived log, by the keys of their objects.
  var demanders: [String: String] = [:]
  /// The snapshots that the target must have.
  var snapshots: [Snapshot] = []
  var behind = ScrubLag()
  /// The keys of objects that no manifest of any target names.
  var unknown: [String] = []
  /// An object under which two targets have different sound bytes; an operator decides which of them is right.
  var fork: TargetError?
}

/// Compares the objects of one source at the targets with those that their manifests demand. A manifest that is damaged
/// or lost at one target is read at another.
struct ScrubComparison: Sendable {
  let source: SourceName
  let targets: [ScrubTarget]
  /// The surveys, one for each target.
  let surveys: [ScrubSurvey]
  /// The numbers that home gives.
  let own: OwnNumbers
  private let home: Int?
  /// All snapshots by sequence, each with the index of the first target that has its manifest sound.
  private let known: [UInt64: (snapshot: Snapshot, target: Int)]
  /// The keys of all objects that manifests name.
  private let knownKeys: Set<String>

  init(of source: SourceName, _ targets: [ScrubTarget], _ surveys: [ScrubSurvey], own: OwnNumbers) throws {
    (self.source, self.targets, self.surveys, self.own) = (source, targets, surveys, own)
    home = targets.firstIndex(where: \.isHome)
    var known: [UInt64: (snapshot: Snapshot, target: Int)] = [:]
    for (index, survey) in surveys.enumerated() {
      for (sequence, snapshot) in survey.snapshots where known[sequence] == nil { known[sequence] = (snapshot, index) }
    }
    self.known = known
    knownKeys = Set(
      try known.values.flatMap { try targets[$0.target].repository.catalog.whole($0.snapshot).containers.map(\.key) })
  }

  func demands(at index: Int) throws -> ScrubDemands {
    var demands = ScrubDemands()
    let survey = surveys[index]
    let missing = missingManifests(at: index)
    let needless = needless(at: index)
    try compareManifests(at: index, missing, needless, &demands)
    let notes = ScrubNotes(source: source, targets: targets, surveys: surveys, home: home, own: own)
    demands.faults += try notes.faults(at: index)
    demands.fork = demands.fork ?? notes.fork(at: index)
    demands.behind.hasOldNotes = notes.isBehind(index)
    try compareContainers(at: index, survey.committed.union(missing.keys).subtracting(needless), &demands)
    addNeeds(of: missing, &demands)
    demands.unknown = survey.listing.data.filter { $0.key <= (known.keys.max() ?? 0) }.flatMap(\.value)
      .filter { !knownKeys.contains($0) }.sorted()
    let coming = (index == home ? takenElsewhere : wanted(at: index)).subtracting(survey.committed).subtracting(
      missing.keys)
    demands.behind.snapshots = coming.count
    if !targets[index].isSpare { try addBegun(coming, at: index, &demands) }
    return demands
  }

  /// True if a target has a retention of its own.
  func isApart(_ index: Int) -> Bool {
    surveys[home ?? index].newestNotes?.targetsApart.contains(targets[index].name) ?? false
  }

  // MARK: Manifests

  /// Returns the snapshots that home has or has lost, without those that are collected at a target.
  private func wanted(at index: Int) -> Set<UInt64> {
    guard let home else { return [] }
    let collected = collected(at: index)
    return surveys[home].committed.union(missingManifests(at: home).keys).subtracting(collected)
  }

  /// The snapshots that bear numbers of other targets than home, without collected ones. A sync brings them home.
  private var takenElsewhere: Set<UInt64> {
    Set(known.keys.filter { !own.contains($0) && !isCollected($0) })
  }

  /// Returns the snapshots that are collected at a target, by the notes at home.
  private func collected(at index: Int) -> Set<UInt64> {
    surveys[home ?? index].newestNotes?.holding(at: targets[index].name).collectedNumbers ?? []
  }

  private func isCollected(_ sequence: UInt64) -> Bool {
    surveys.contains { $0.newestNotes?.collectedNumbers.contains(sequence) == true }
  }

  /// True if the damage of a snapshot is damage at home: home has its manifest, or has given it its number.
  func isOfHome(_ snapshot: Snapshot) -> Bool {
    own.contains(snapshot.sequence)
      || home.map { surveys[$0].committed.contains(snapshot.sequence) } ?? false
  }

  /// Returns the manifests that a target has lost, by sequence, with the text of the finding. A target has lost a
  /// manifest if another snapshot there builds on the snapshot; home has also lost one if its notes do not say that it
  /// was collected. A sync copies what a target never had.
  private func missingManifests(at index: Int) -> [UInt64: String] {
    let survey = surveys[index]
    var missing: [UInt64: String] = [:]
    if index == home {
      for (sequence, found) in known where !survey.committed.contains(sequence) && isLost(found.snapshot, survey) {
        missing[sequence] = "it is missing"
      }
    }
    var next = survey.committed.union(missing.keys)
    while !next.isEmpty {
      var parents: Set<UInt64> = []
      for child in next.compactMap({ survey.snapshots[$0] ?? known[$0]?.snapshot }) {
        guard let parent = child.envelope.parent?.sequence, !survey.committed.contains(parent), missing[parent] == nil
        else { continue }
        missing[parent] = "it is missing, and \(child.id.short) builds on it"
        parents.insert(parent)
      }
      next = parents
    }
    return missing
  }

  /// Returns the collected snapshots that no other snapshot of the target builds on. The next prune or sync removes
  /// them.
  private func needless(at index: Int) -> Set<UInt64> {
    let survey = surveys[index]
    let collected = collected(at: index)
    var needed: Set<UInt64> = []
    // A parent has a lower number than its children.
    for sequence in survey.committed.sorted(by: >) where !collected.contains(sequence) || needed.contains(sequence) {
      let parent = (survey.snapshots[sequence] ?? known[sequence]?.snapshot)?.envelope.parent?.sequence
      if let parent { needed.insert(parent) }
    }
    return collected.subtracting(needed)
  }

  /// True if home has lost a snapshot that another target has: no notes say that it was collected, and home's notes or
  /// its body show that it was there, or home's notes end before it. If the notes are lost too, it counts as lost. A
  /// snapshot with a number that home does not give was taken elsewhere, and comes home with a sync.
  private func isLost(_ snapshot: Snapshot, _ survey: ScrubSurvey) -> Bool {
    let sequence = snapshot.sequence
    guard own.contains(sequence), !isCollected(sequence) else { return false }
    guard let notes = survey.newestNotes else { return true }
    let body = Keys.body(source, sequence, snapshot.envelope.body.id)
    return notes.highest < sequence || notes[snapshot].speaksOfACommit || survey.listing.lengths[body] != nil
  }

  private func compareManifests(
    at index: Int, _ missing: [UInt64: String], _ needless: Set<UInt64>, _ demands: inout ScrubDemands
  ) throws {
    let survey = surveys[index]
    for (sequence, damage) in survey.damaged.sorted(by: { $0.key < $1.key }) where !needless.contains(sequence) {
      let damage = DamageError(Keys.manifest(source, sequence), damage.finding)
      demands.faults.append(ScrubFault(damage: damage, demand: try demand(sequence, at: index)))
    }
    for (sequence, finding) in missing.sorted(by: { $0.key < $1.key }) {
      let damage = DamageError(Keys.manifest(source, sequence), finding)
      demands.faults.append(
        ScrubFault(damage: damage, demand: try demand(sequence, at: index), isMissing: true))
    }
    for (sequence, snapshot) in survey.snapshots.sorted(by: { $0.key < $1.key }) {
      guard let first = known[sequence], first.snapshot.digest != snapshot.digest, demands.fork == nil else { continue }
      demands.fork = .forked(
        key: Keys.manifest(source, sequence), target: targets[index].location, home: targets[first.target].location)
    }
  }

  /// Returns the demand for a manifest that a target does not have sound.
  private func demand(_ sequence: UInt64, at index: Int) throws -> ScrubFault.Demand {
    let (source, catalog) = (source, targets[index].repository.catalog)
    return .small(try manifest(sequence, notAt: index)) {
      (try? catalog.snapshot($0, of: source, sequence)) != nil
    }
  }

  /// Returns the bytes of a manifest from another target that has it sound; `nil` when none has.
  private func manifest(_ sequence: UInt64, notAt index: Int) throws -> [UInt8]? {
    for (other, survey) in surveys.enumerated() where other != index {
      guard let snapshot = survey.snapshots[sequence],
        let bytes = try targets[other].soundBytes(Keys.manifest(source, sequence)),
        (try? targets[other].repository.catalog.snapshot(bytes, of: source, sequence))?.digest == snapshot.digest
      else { continue }
      return bytes
    }
    return nil
  }

  // MARK: Bodies and archives

  private func compareContainers(at index: Int, _ sequences: Set<UInt64>, _ demands: inout ScrubDemands) throws {
    let (survey, target) = (surveys[index], targets[index])
    var seen: Set<String> = []
    for sequence in sequences.sorted() {
      // A manifest that is sound here counts here, even if another target has a different one.
      let own = survey.snapshots[sequence].map { (snapshot: $0, target: index) }
      guard let found = own ?? known[sequence] else { continue }
      let snapshot = try targets[found.target].repository.catalog.whole(found.snapshot)
      demands.snapshots.append(found.snapshot)
      if target.isSpare { continue }
      for item in snapshot.containers where seen.insert(item.key).inserted {
        switch try presence(of: item, survey, target) {
        case .asRecorded: demands.items.append(item)
        case .missing: demands.faults.append(.missing(item))
        case .damaged(let damage): demands.faults.append(.damaged(damage, item))
        }
      }
    }
  }

  /// Adds what a target has already of snapshots whose manifests will come. A sync looks only at its length.
  private func addBegun(_ sequences: Set<UInt64>, at index: Int, _ demands: inout ScrubDemands) throws {
    var seen = Set(demands.items.map(\.key) + demands.faults.map(\.key))
    for found in sequences.sorted().compactMap({ known[$0] }) {
      let snapshot = try targets[found.target].repository.catalog.whole(found.snapshot)
      for item in snapshot.containers where surveys[index].listing.lengths[item.key] != nil {
        guard seen.insert(item.key).inserted else { continue }
        switch try presence(of: item, surveys[index], targets[index]) {
        case .asRecorded: demands.items.append(item)
        case .missing: continue
        case .damaged(let damage): demands.faults.append(.damaged(damage, item))
        }
      }
    }
  }

  /// Returns the presence of an object. An object that is not in the listing as recorded is opened, because listings
  /// may lag.
  private func presence(
    of item: ContainerCopy.Item, _ survey: ScrubSurvey, _ target: ScrubTarget
  ) throws -> SourceListing.Presence {
    let listed = try survey.listing.presence(of: item.recorded, in: target.repository.store)
    return listed == .asRecorded ? .asRecorded : try target.presence(of: item)
  }

  /// Makes the repair of each missing manifest wait for the objects that it names.
  private func addNeeds(of missing: [UInt64: String], _ demands: inout ScrubDemands) {
    let sequences = Dictionary(uniqueKeysWithValues: missing.keys.map { (Keys.manifest(source, $0), $0) })
    for index in demands.faults.indices where demands.faults[index].isMissing {
      guard let sequence = sequences[demands.faults[index].key], let snapshot = known[sequence]?.snapshot else {
        continue
      }
      demands.faults[index].needs = snapshot.objects.map(\.key)
    }
  }

  // MARK: What is lost

  /// Returns for each of the objects the snapshots that need it, in ascending sequence. A snapshot needs its own
  /// objects and those of the snapshots that it builds on. A snapshot whose manifest no target
  /// has sound is not among them.
  func losses(by objects: Set<String>) throws -> [String: [Snapshot]] {
    guard !objects.isEmpty else { return [:] }
    var needed: [UInt64: Set<String>] = [:]
    var losses: [String: [Snapshot]] = [:]
    for (sequence, found) in known.sorted(by: { $0.key < $1.key }) {
      let whole = try targets[found.target].repository.catalog.whole(found.snapshot)
      let own = Set(whole.objects.map(\.key) + [Keys.manifest(source, sequence)]).intersection(objects)
      let all = own.union(whole.envelope.parent.flatMap { needed[$0.sequence] } ?? [])
      if !all.isEmpty { needed[sequence] = all }
      for object in all { losses[object, default: []].append(found.snapshot) }
    }
    return losses
  }

  /// Returns the snapshots that need any of the objects, in ascending sequence.
  func snapshots(that need: Set<String>) throws -> [Snapshot] {
    let all = try losses(by: need).values.flatMap(\.self)
    return Dictionary(all.map { ($0.sequence, $0) }) { first, _ in first }.sorted { $0.key < $1.key }.map(\.value)
  }

  /// Returns the newest snapshot that is not lost, in the order of `Snapshot.isOlder`; `nil` when all are.
  func newest(butThose lost: [Snapshot]) -> Snapshot? {
    let lost = Set(lost.map(\.sequence))
    return known.values.map(\.snapshot).filter { !lost.contains($0.sequence) }.max(by: Snapshot.isOlder)
  }
}

extension ScrubTarget {
  /// Returns the presence of an object, which is opened for that; no listing is used.
  func presence(of item: ContainerCopy.Item) throws -> SourceListing.Presence {
    do {
      return SourceListing.Presence(item.recorded, length: try repository.store.objectAnew(item.key).length)
    } catch StoreError.notFound {
      return .missing
    } catch let damage as DamageError {
      // Something that is no object lies under the key, or no shard.
      return .damaged(DamageError(item.key, damage.finding))
    }
  }
}

extension ScrubFault {
  static func missing(_ item: ContainerCopy.Item, for demander: String? = nil) -> ScrubFault {
    ScrubFault(
      damage: DamageError(item.key, "it is missing"), demand: .container(item), isMissing: true, demander: demander)
  }

  static func damaged(
    _ damage: DamageError, _ item: ContainerCopy.Item, for demander: String? = nil
  ) -> ScrubFault {
    ScrubFault(damage: damage, demand: .container(item), demander: demander)
  }
}
