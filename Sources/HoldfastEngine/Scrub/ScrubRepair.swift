internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Replaces missing and damaged objects of one target by those of other targets, which are proved while they are
/// copied. A damaged object is removed when all bytes of the sound one are at the target, or in memory if it is small,
/// and only have to get their key. If the run ends in between, the object is missing there, and the next scrub copies
/// it.
struct ScrubRepair {
  let target: ScrubTarget
  let joined: JoinedTargets
  /// The target's lease on a source.
  let lease: Lease
  /// The reason why nothing may be removed at the target; `nil` if no removal was refused yet.
  private var refusal: String?
  /// The keys of the objects that could not be repaired.
  private var standing: Set<String> = []

  init(_ target: ScrubTarget, from joined: JoinedTargets, under lease: Lease) {
    (self.target, self.joined, self.lease) = (target, joined, lease)
  }

  /// Repairs objects. The missing manifests of snapshots come last.
  /// - Parameter onOutcome: gets each fault with its outcome, as soon as that is known.
  mutating func run(_ faults: [ScrubFault], onOutcome: (ScrubFault, ScrubFinding.Outcome) -> Void) throws {
    for fault in faults.filter(\.needs.isEmpty) + faults.filter({ !$0.needs.isEmpty }) {
      try target.repository.host.cancellation.check()
      let outcome = try repair(fault)
      if outcome != .repaired { standing.insert(fault.key) }
      onOutcome(fault, outcome)
    }
  }

  private mutating func repair(_ fault: ScrubFault) throws -> ScrubFinding.Outcome {
    if let refusal, !fault.isMissing { return .unrepaired(reason: refusal) }
    if let needed = fault.needs.first(where: standing.contains) {
      return .unrepaired(reason: "\(needed) is not there, which must come before it")
    }
    do {
      switch fault.demand {
      case .container(let item): try replace(item)
      case .small(nil): return .lost
      case .small(let bytes?): try replace(fault.key, by: bytes)
      }
      return .repaired
    } catch is DamageError {
      return joined.hasUnanswered ? .doubtful : .lost
    } catch let error as StoreError {
      guard case .removalRefused = error else { throw error }
      refusal = error.message
      return .unrepaired(reason: error.message)
    }
  }

  private func replace(_ item: ContainerCopy.Item) throws {
    let presence = try target.presence(of: item)
    // Another run may have repaired it, or the bytes may have been wrong only on their way.
    let proof = ScrubProof(target: target, sample: .all) { _ in }
    if presence == .asRecorded, try proof.isSound(item) { return }
    try ContainerCopy(from: joined.repository, to: target.repository).copy(item) {
      if presence == .missing { return try lease.checkHeld() }
      try makeRoom(item.key)
    }
  }

  private func replace(_ key: String, by bytes: [UInt8]) throws {
    let found = try? target.bytes(key)
    if found == bytes { return }
    let writer = try target.repository.store.create(key)
    do {
      try bytes.withUnsafeBytes { try writer.append($0) }
      try makeRoom(key)
      try writer.commit()
    } catch StoreError.alreadyExists {
      writer.abort()
    } catch {
      writer.abort()
      throw error
    }
  }

  private func makeRoom(_ key: String) throws {
    try lease.checkHeld()
    if let end = try StoreError.lockEnd({ try target.repository.store.remove(key) }) {
      throw StoreError.removalRefused(key: key, location: target.location, lockedUntil: end)
    }
  }
}
