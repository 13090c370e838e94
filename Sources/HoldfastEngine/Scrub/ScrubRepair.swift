internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Replaces missing and damaged objects of one target. The sound bytes come from the object's own parity, if it has any
/// and the target is near, or from other targets; what none of them has is made again from the pages of the source. All
/// bytes are proved while they are copied. Where the store can, a sound
/// object replaces the damaged one in one step. Elsewhere the damaged one is removed when all bytes of the sound one
/// are at the target, or in memory if it is small, and only have to get their key. If the run ends in between, the
/// object is missing there, and the next scrub copies it: so there it must come from another target.
struct ScrubRepair {
  /// The outcome for one object, and its origin.
  struct Found {
    var outcome: ScrubFinding.Outcome
    var origin: ScrubFinding.Origin?
    /// The reason why the source cannot give back what is lost.
    var obstacle: String?
  }

  let target: ScrubTarget
  let joined: JoinedTargets
  /// The target's lease on a source.
  let lease: Lease
  /// Makes frames again from the pages of the source; `nil` for what belongs to no source.
  private let mending: FrameMending?
  /// The reason why nothing may be removed at the target; `nil` if no removal was refused yet.
  private var refusal: String?
  /// The keys of the objects that could not be repaired.
  private var standing: Set<String> = []

  init(_ target: ScrubTarget, from joined: JoinedTargets, under lease: Lease, mending: FrameMending? = nil) {
    (self.target, self.joined, self.lease, self.mending) = (target, joined, lease, mending)
  }

  /// Repairs objects. The missing manifests of snapshots come last.
  /// - Parameter onFound: gets each fault with what became of it, as soon as that is known.
  mutating func run(_ faults: [ScrubFault], onFound: (ScrubFault, Found) -> Void) throws {
    for fault in faults.filter(\.needs.isEmpty) + faults.filter({ !$0.needs.isEmpty }) {
      try target.repository.host.cancellation.check()
      let found = try repair(fault)
      if found.outcome != .repaired { standing.insert(fault.key) }
      onFound(fault, found)
    }
  }

  private mutating func repair(_ fault: ScrubFault) throws -> Found {
    if let refusal, !fault.isMissing { return Found(outcome: .unrepaired(reason: refusal)) }
    if let needed = fault.needs.first(where: standing.contains) {
      return Found(outcome: .unrepaired(reason: "\(needed) is not there, which must come before it"))
    }
    do {
      switch fault.demand {
      case .container(let item): return try replaceOrMend(item)
      case .small(nil, _): return Found(outcome: lost)
      case .small(let bytes?, let isSound):
        return Found(outcome: try replace(fault, by: bytes, isSound), origin: .targets)
      }
    } catch is DamageError {
      return Found(outcome: lost)
    } catch let error as StoreError {
      switch error {
      case .otherLength: return Found(outcome: Self.writtenMeanwhile)
      case .removalRefused:
        refusal = error.message
        return Found(outcome: .unrepaired(reason: error.message))
      default: throw error
      }
    }
  }

  /// The outcome for an object that no target which answered has sound.
  private var lost: ScrubFinding.Outcome { joined.hasUnanswered ? .doubtful : .lost }

  /// Replaces an object by what its parity or other targets give, or else by what the source still has.
  private func replaceOrMend(_ item: ContainerCopy.Item) throws -> Found {
    do {
      return try replace(item, from: joined.repository)
    } catch let damage as DamageError {
      guard let mending else { throw damage }
      switch try mending.mend(item, in: joined.repository) {
      case .impossible(let obstacle): return Found(outcome: lost, obstacle: obstacle)
      case .made(let mended, let origin):
        return try replace(item, from: mended, origin)
      }
    }
  }

  /// The outcome for an object that has changed while it was repaired.
  private static let writtenMeanwhile = ScrubFinding.Outcome.unrepaired(
    reason: "another run has written it meanwhile")

  /// - Parameters:
  ///   - repository: gives the sound bytes.
  ///   - made: their origin if they were made again; `nil` if they are parity's or other targets'.
  private func replace(
    _ item: ContainerCopy.Item, from repository: Repository, _ made: ScrubFinding.Origin? = nil
  ) throws -> Found {
    let presence = try target.presence(of: item)
    // Another run may have repaired it, or the bytes may have been wrong only on their way.
    let proof = ScrubProof(target: target, sample: .all) { _ in }
    if presence == .asRecorded, try proof.isSound(item) { return Found(outcome: .repaired) }
    let copying = ContainerCopy(from: repository, to: target.repository)
    let stored = joined.isAlone ? ScrubFinding.Origin.parity : .targets
    var origin = made ?? stored
    let isWritten: Bool
    if presence == .missing {
      isWritten = try copying.copy(item) { try lease.checkHeld() }
    } else if try mendsItself(item) {
      (isWritten, origin) = (true, .parity)
    } else if let replacement = try target.repository.store.replacement(of: item.key) {
      do {
        isWritten = try copying.copy(item, as: replacement) { try lease.checkHeld() }
      } catch let error as StoreError {
        // The answer to its commit may be lost.
        guard try proof.isSound(item) else { throw error }
        isWritten = true
      }
    } else {
      guard let isRemoved = try removesFirst(item, from: repository) else { return Found(outcome: Self.onlyCopy) }
      (isWritten, origin) = (isRemoved, stored)
    }
    guard try isWritten || proof.isSound(item) else { return Found(outcome: Self.writtenMeanwhile) }
    return Found(outcome: .repaired, origin: isWritten ? origin : nil)
  }

  /// The outcome for an object of which nothing sound would be left while it is replaced.
  private static let onlyCopy = ScrubFinding.Outcome.unrepaired(
    reason:
      "only what is left of it gives it back, and here an object must go before it is written anew; add another target and sync it, then repair"
  )

  /// Removes an object when the bytes of another target are there. What parity or the source gives back is no reason to
  /// remove anything: with the object goes its parity, and what the source does not have.
  /// - Returns: true if it was written; `nil` if only parity or the source gives it back.
  private func removesFirst(_ item: ContainerCopy.Item, from repository: Repository) throws -> Bool? {
    do {
      return try ContainerCopy(from: joined.repository, to: target.repository, usesParity: false).copy(item) {
        try makeRoom(item.key)
      }
    } catch is DamageError {
      try ContainerCopy(from: repository, to: target.repository).prove(item)
      return nil
    }
  }

  /// Writes an object anew from what is left of it, if parity gives back all of it. Where reading has latency, the
  /// object of another target is as near.
  /// - Returns: false if it was not written.
  private func mendsItself(_ item: ContainerCopy.Item) throws -> Bool {
    guard target.repository.store.capabilities.isNear else { return false }
    do {
      let reader = try target.repository.containers.closed.open(item.kind, item.key, item.reference)
      guard reader.parityBytes > 0, let replacement = try target.repository.store.replacement(of: item.key) else {
        return false
      }
      return try ContainerCopy(from: target.repository, to: target.repository).copy(item, as: replacement) {
        try lease.checkHeld()
      }
    } catch is DamageError {
      return false
    }
  }

  /// Replaces a small object. Only what is still damaged when its replacement is complete is removed: notes are written
  /// without the lease, and a snapshot may have got the number of one that home has lost.
  private func replace(
    _ fault: ScrubFault, by bytes: [UInt8], _ isSound: ([UInt8]) -> Bool
  ) throws -> ScrubFinding.Outcome {
    let key = fault.key
    if try target.soundBytes(key) == bytes { return .repaired }
    let writer = try target.repository.store.create(key)
    do {
      try bytes.withUnsafeBytes { try writer.append($0) }
      try lease.checkHeld()
      switch try presence(of: key, isSound) {
      case .nothing: break
      case .damaged where !fault.isMissing: try makeRoom(key)
      case .damaged, .sound:
        writer.abort()
        return Self.writtenMeanwhile
      }
      try writer.commit()
      return .repaired
    } catch StoreError.alreadyExists {
      writer.abort()
      return try target.soundBytes(key) == bytes ? .repaired : Self.writtenMeanwhile
    } catch {
      writer.abort()
      throw error
    }
  }

  private enum SmallPresence { case nothing, damaged, sound }

  private func presence(of key: String, _ isSound: ([UInt8]) -> Bool) throws -> SmallPresence {
    do {
      guard let bytes = try target.bytes(key) else { return .nothing }
      return isSound(bytes) ? .sound : .damaged
    } catch is DamageError {
      return .damaged
    }
  }

  private func makeRoom(_ key: String) throws {
    try lease.checkHeld()
    if let end = try StoreError.lockEnd({ try target.repository.store.remove(key) }) {
      throw StoreError.removalRefused(key: key, location: target.location, lockedUntil: end)
    }
  }
}
