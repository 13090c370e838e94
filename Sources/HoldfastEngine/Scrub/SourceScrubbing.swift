internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// The scrub of one source. It compares the targets, proves them side by side, and repairs one after the other, home
/// first. An object that cannot be repaired is named with the snapshots that lose data by it.
struct SourceScrubbing: Sendable {
  private let source: SourceName
  private let targets: [ScrubTarget]
  /// The numbers that home gives.
  private let own: OwnNumbers
  /// True if all targets of the repository could be opened.
  private let isComplete: Bool
  private let scrub: Scrub

  /// - Parameter targets: home first.
  init(
    _ source: SourceName, _ targets: [ScrubTarget], own: OwnNumbers, isComplete: Bool,
    _ scrub: Scrub
  ) {
    (self.source, self.targets, self.own) = (source, targets, own)
    (self.isComplete, self.scrub) = (isComplete, scrub)
  }

  /// Scrubs the source.
  /// - Returns: the result of each target, also of those that failed.
  /// - Throws: `Interrupted` after a signal.
  func run() throws -> [SourceScrub] {
    var results = targets.map { _ in SourceScrub(source) }
    let surveys = try each(targets.indices, &results) { try ScrubSurvey(of: source, at: targets[$0]) }
    // Only targets that answered are compared.
    let asked = surveys.keys.sorted()
    let comparison = try ScrubComparison(
      of: source, asked.map { targets[$0] }, asked.compactMap { surveys[$0] }, own: own)
    let logs = ScrubLogs(
      of: source, asked.map { targets[$0] }, asked.compactMap { surveys[$0]?.logs })
    let demands = try each(
      asked.indices.filter { targets[asked[$0]].isChosen }, &results, at: { asked[$0] }
    ) {
      var demands = try comparison.demands(at: $0)
      try logs.add(to: &demands, at: $0, isApart: comparison.isApart($0))
      return demands
    }
    let proofs = try each(demands.keys.sorted(), &results, at: { asked[$0] }) { index in
      let sample = Sample(
        share: scrub.options.share, begin: scrub.options.begin, random: scrub.reference.host.random)
      return try ScrubProof(target: targets[asked[index]], sample: sample, onProved: scrub.onProved).run(
        demands[index]?.items ?? [])
    }
    var standing: [Int: [ScrubFault]] = [:]
    for (index, proof) in proofs.sorted(by: { $0.key < $1.key }) {
      guard let demanded = demands[index] else { continue }
      let at = asked[index]
      (results[at].provenBytes, results[at].provenObjects) = (proof.bytes, proof.objects)
      (results[at].behind, results[at].unknown) = (demanded.behind, demanded.unknown)
      results[at].failure = results[at].failure ?? demanded.fork
      do {
        let proved = proof.faults.map { fault in
          var fault = fault
          fault.demander = demanded.demanders[fault.key]
          return fault
        }
        standing[index] = try faultsThatStand(demanded.faults + proved, demanded, at: targets[at])
      } catch let signal as Interrupted {
        throw signal
      } catch {
        results[at].failure = describe(error)
      }
    }
    let isComplete = isComplete && asked.count == targets.count
    for (index, faults) in standing.sorted(by: { $0.key < $1.key }) where !faults.isEmpty {
      let demanded = demands[index] ?? ScrubDemands()
      try settle(faults, demanded, at: asked[index], comparison, isComplete: isComplete, &results)
    }
    return results
  }

  // MARK: Side by side

  /// Does the same work for several numbers at once. A failure is noted in the result of the target.
  /// - Parameters:
  ///   - numbers: the numbers that the work gets.
  ///   - place: returns the index of the target for such a number.
  private func each<Value: Sendable>(
    _ numbers: some Collection<Int>, _ results: inout [SourceScrub], at place: (Int) -> Int = { $0 },
    _ body: @escaping @Sendable (Int) throws -> Value
  ) throws -> [Int: Value] {
    let numbers = Array(numbers)
    let found = Mutex<[Int: Result<Value, any Error>]>([:])
    try SideBySide.run(numbers.count, threads: numbers.count) { index in
      let result = Result { try body(numbers[index]) }
      if case .failure(let signal as Interrupted) = result { throw signal }
      found.withLock { $0[numbers[index]] = result }
    }
    var values: [Int: Value] = [:]
    for (number, result) in found.withLock({ $0 }) {
      switch result {
      case .success(let value): values[number] = value
      case .failure(let failure): results[place(number)].failure = describe(failure)
      }
    }
    return values
  }

  // MARK: What stands

  /// Leaves out faults of objects that a prune or a sync has removed since they were listed. A removed snapshot shows
  /// by its manifest, which is removed first, and by the notes, which say before that it is collected.
  private func faultsThatStand(
    _ faults: [ScrubFault], _ demands: ScrubDemands, at target: ScrubTarget
  ) throws -> [ScrubFault] {
    let faults = try faults.filter { try $0.demander.map { try target.bytes($0) != nil } ?? true }
    guard !faults.isEmpty else { return [] }
    target.repository.store.refresh()
    let now = try SourceListing(of: source, in: target.repository.store)
    let missing = Set(faults.filter(\.isMissing).map(\.key))
    let there = demands.snapshots.filter {
      now.committed.contains($0.sequence) || missing.contains(Keys.manifest(source, $0.sequence))
    }
    let kept = try needed(there, at: target)
    let gone = demands.snapshots.filter { !kept.contains($0.sequence) }
    guard !gone.isEmpty else { return faults }
    let keys = Set(
      try demands.snapshots.filter { kept.contains($0.sequence) }.flatMap { snapshot in
        try target.repository.catalog.whole(snapshot).objects.map(\.key)
      })
    let going = gone.flatMap { $0.objects.map(\.key) + [Keys.manifest(source, $0.sequence)] }
    let spared = Set(going).subtracting(keys)
    return faults.filter { !spared.contains($0.key) }
  }

  /// Returns the numbers of the snapshots that are not collected by now, and of those that they build on.
  private func needed(_ snapshots: [Snapshot], at target: ScrubTarget) throws -> Set<UInt64> {
    var collected: Set<UInt64> = []
    for place in targets where place.isHome || place.name == target.name {
      place.repository.store.refresh()
      collected.formUnion(try place.repository.notes.read(source, at: target.name).notes.collectedNumbers)
    }
    var needed: Set<UInt64> = []
    // A parent has a lower number than its children.
    for snapshot in snapshots.sorted(by: { $0.sequence > $1.sequence }) {
      guard !collected.contains(snapshot.sequence) || needed.contains(snapshot.sequence) else {
        continue
      }
      needed.insert(snapshot.sequence)
      if let parent = snapshot.envelope.parent?.sequence { needed.insert(parent) }
    }
    return needed
  }

  /// Repairs the faults if the scrub repairs, and adds the findings with the snapshots that lose data by them.
  private func settle(
    _ found: [ScrubFault], _ demands: ScrubDemands, at index: Int, _ comparison: ScrubComparison, isComplete: Bool,
    _ results: inout [SourceScrub]
  ) throws {
    let target = targets[index]
    let joined = JoinedTargets(targets, last: target, scrub.reference)
    var faults = found
    var outcomes: [String: ScrubRepair.Found] = [:]
    let mending = FrameMending(source: source, directory: scrub.options.directory)
    if scrub.options.repairs {
      do {
        let lease = try target.lease(on: source)
        // The earlier holder of the lease may have removed the snapshots that need these objects.
        faults = try faultsThatStand(found, demands, at: target)
        var repair = ScrubRepair(target, from: joined, under: lease, mending: mending)
        try repair.run(faults) { outcomes[$0.key] = $1 }
      } catch let signal as Interrupted {
        throw signal
      } catch {
        results[index].failure = describe(error)
      }
    }
    let copy = ContainerCopy(from: joined.repository, to: target.repository)
    for fault in faults {
      var found = try outcomes[fault.key] ?? outlook(fault, copy, mending, joined)
      if found.outcome == .lost, !isComplete || joined.hasUnanswered { found.outcome = .doubtful }
      results[index].findings.append(
        ScrubFinding(
          object: fault.key, message: fault.damage.message, outcome: found.outcome, origin: found.origin,
          obstacle: found.obstacle))
    }
    try nameLosses(comparison, &results[index])
    if target.isHome { try nameDamaged(comparison, &results[index]) }
  }

  private func nameDamaged(_ comparison: ScrubComparison, _ result: inout SourceScrub) throws {
    let standing = Set(result.findings.filter { $0.outcome != .repaired }.map(\.object))
    result.damaged = try comparison.snapshots(that: standing).filter(comparison.isOfHome)
  }

  /// True if all of the object can be had: from its parity, from another target, or frame by frame from several.
  private static func isElsewhere(_ fault: ScrubFault, _ copy: ContainerCopy) -> Bool {
    switch fault.demand {
    case .small(let bytes, _): bytes != nil
    case .container(let item): (try? copy.prove(item)) != nil
    }
  }

  /// Finds out what a repair could do.
  private func outlook(
    _ fault: ScrubFault, _ copy: ContainerCopy, _ mending: FrameMending, _ joined: JoinedTargets
  ) throws -> ScrubRepair.Found {
    if Self.isElsewhere(fault, copy) { return ScrubRepair.Found(outcome: .repairable) }
    guard case .container(let item) = fault.demand else { return ScrubRepair.Found(outcome: .lost) }
    switch try mending.mend(item, in: joined.repository) {
    case .impossible(let obstacle): return ScrubRepair.Found(outcome: .lost, obstacle: obstacle)
    case .made(_, let origin): return ScrubRepair.Found(outcome: .repairable, origin: origin)
    }
  }

  private func nameLosses(_ comparison: ScrubComparison, _ result: inout SourceScrub) throws {
    let isLoss: (ScrubFinding) -> Bool = { $0.outcome == .lost || $0.outcome == .doubtful }
    let lost = Set(result.findings.filter(isLoss).map(\.object))
    guard !lost.isEmpty else { return }
    let losses = try comparison.losses(by: lost)
    for number in result.findings.indices where isLoss(result.findings[number]) {
      result.findings[number].snapshots = losses[result.findings[number].object] ?? []
    }
    result.newestWhole = comparison.newest(butThose: try comparison.snapshots(that: lost))
  }
}
