internal import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// The targets of a repository as one store. Listings, leases, locks and removals go to *home*. What is written is sent
/// to the other targets side by side, and what is read comes from any target that has it (decision 30).
///
/// An object exists when it is committed at home. The others get it after that, each at its own pace and in the order
/// of the commits, so that no target has a manifest before its data. `finish` waits for them. A target that fails or is
/// too slow is *behind* in a folder of keys from then on, and gets nothing more of that folder in this run. `outcomes`
/// says since when and why.
package final class TargetStore: StoreLayer {
  private let home: Target
  /// The record of what has happened at each target.
  package let outcomes: TargetOutcomes
  private let folder: @Sendable (_ key: String) -> String?
  private let fanOut: TargetFanOut
  private let reading: TargetReading
  /// True if the targets are only read: nothing is sent to the others.
  private let isOnlyRead: Bool
  /// The set in which containers are divided; `nil` if every target has them whole. Then `home` gives whole objects.
  private let shards: ShardSet?
  /// The folders in which this run has written shards.
  private let spread = Mutex<Set<String>>([])

  /// - Parameters:
  ///   - others: each must be a target of the same repository.
  ///   - shards: the set in which containers are divided, if they are; `home` is its logical store then.
  ///   - folder: the folder of keys that depend on each other to which a key belongs, such as those of one source;
  ///     `nil` for an object that stays at home.
  ///   - gate: decides which targets get an object; `nil` when the targets are only read: objects that are written stay
  ///     at home.
  package init(
    home: Target, others: [Target], _ policy: TargetPolicy = TargetPolicy(), clock: Clock = .system,
    cancellation: Cancellation = Cancellation(), gate: (any TargetGate)?, shards: ShardSet? = nil,
    folder: @escaping @Sendable (_ key: String) -> String?,
    onBadAnswer: @escaping @Sendable (_ target: String, TargetOutcome.BadAnswer) -> Void = { _, _ in }
  ) {
    (self.home, self.folder, self.shards, isOnlyRead) = (home, folder, shards, gate == nil)
    outcomes = TargetOutcomes([home] + others, onBadAnswer: onBadAnswer)
    fanOut = TargetFanOut(
      home: home.store, others: others, policy, clock: clock, cancellation: cancellation, outcomes, gate: gate,
      shards: shards)
    reading = TargetReading([home] + others, policy, clock: clock, outcomes)
  }

  package var base: any Store { home.store }

  /// The most bytes that were held at once for targets that are slower than home.
  package var heldBytesPeak: Int { fanOut.heldBytesPeak }

  /// Waits for the other targets as long as `TargetPolicy` says. Those that do not have everything then are behind. It
  /// must be called at the end of a run.
  /// - Parameter onWait: called once when it has waited for seconds, with the names of the targets that it waits for.
  /// - Throws: `Interrupted` after a signal.
  package func finish(onWait: ([String]) -> Void = { _ in }) throws { try fanOut.finish(onWait: onWait) }

  /// Sends nothing more, because the run has failed. Targets that do not have everything are behind.
  package func abandon() { fanOut.abandon() }

  // MARK: Listing

  package func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    try answer(prefix) { try $0.list(prefix, depth, after: name, max: max) }
  }

  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] {
    try answer(keys.first ?? "") { try $0.find(keys) }
  }

  package func frozen(_ keys: [String]) throws -> [FrozenObject] {
    try answer(keys.first ?? "") { try $0.frozen(keys) }
  }

  /// Returns home's answer about the objects that are there. If the targets are only read and home does not answer, the
  /// next target that does is asked.
  private func answer<Answer>(_ key: String, _ ask: (any Store) throws -> Answer) throws -> Answer {
    do {
      return try ask(base)
    } catch  where isOnlyRead && error.isTransient && !(error is Interrupted) {
      for target in reading.order() where target > 0 {
        guard let answer = try? ask(reading.targets[target].store) else { continue }
        reading.noteFailure(0, key, error)
        return answer
      }
      throw error
    }
  }

  // MARK: Writing

  package func upload(_ key: String) throws -> any ObjectUpload {
    guard let folder = folder(key) else { return try base.upload(key) }
    if let shards, !isOnlyRead, shards.isContainer(key) { return try spread(key, in: folder, shards) }
    let upload = try base.upload(key)
    let sendings = fanOut.begin(key, in: folder)
    guard !sendings.isEmpty || shards != nil else { return upload }
    return TargetUpload(key, home: ObjectWriter(upload, connections: connections), sendings, fanOut) { [self] in
      guard let shards, spread.withLock({ $0.contains(folder) }) else { return }
      try fanOut.awaitShards(in: folder, shards.scheme, have: 1)
    }
  }

  private func spread(_ key: String, in folder: String, _ shards: ShardSet) throws -> any ObjectUpload {
    guard let position = shards.home.position else { throw ShardError.spare(name: home.name, shards.scheme) }
    spread.withLock { _ = $0.insert(folder) }
    let sendings = try fanOut.beginShards(of: key, in: folder, shards.scheme, have: 1)
    // The key of a shard is not divided again.
    let own = try base.upload(ShardKey(key, shards.scheme, position).description)
    return try SpreadUpload(
      key, homePosition: position, home: ObjectWriter(own, connections: connections), sendings,
      shards.makeEncoder(of: key), fanOut)
  }

  // MARK: Reading

  /// Opens an object. If its length is not known, home decides if it exists. If it is known, a manifest records the
  /// object, and any target that has it may be read.
  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    try awaitShards(of: key)
    guard folder(key) != nil, reading.targets.count > 1, !(shards?.isContainer(key) ?? false) else {
      return try base.open(key, length: length)
    }
    let isRecorded = length != nil
    do {
      let object = try base.open(key, length: length)
      return TargetObject(
        key, length: object.length, isRecorded: isRecorded, opened: [0: .success(object)], reading)
    } catch  where Self.mayBeElsewhere(error, isRecorded: isRecorded) {
      guard let other = openElsewhere(key, length) else { throw error }
      reading.noteFailure(0, key, error)
      return TargetObject(
        key, length: other.object.length, isRecorded: isRecorded,
        opened: [0: .failure(error), other.target: .success(other.object)], reading)
    }
  }

  private func openElsewhere(_ key: String, _ length: UInt64?) -> (target: Int, object: any ReadableBytes)? {
    for target in reading.order() where target > 0 {
      if let object = try? reading.targets[target].store.open(key, length: length) { return (target, object) }
    }
    return nil
  }

  private static func mayBeElsewhere(_ error: any Error, isRecorded: Bool) -> Bool {
    switch error {
    case is Interrupted, StoreError.invalidKey: false
    case StoreError.notFound: isRecorded
    default: true
    }
  }

  package func openAnew(_ key: String) throws -> any ReadableBytes {
    try awaitShards(of: key)
    return try base.openAnew(key)
  }

  /// Waits until an object that this run has written in shards can be read again.
  private func awaitShards(of key: String) throws {
    guard let shards, let folder = folder(key), fanOut.hasSent(key), shards.isContainer(key) else { return }
    try fanOut.awaitShards(in: folder, shards.scheme, have: 1)
  }

  // MARK: Removal

  /// Removes an object at home, and at the others if this run has sent it there. Otherwise the next object under its
  /// key would find another one there.
  package func remove(_ key: String) throws {
    try base.remove(key)
    fanOut.remove { $0 == key }
  }

  package func removeAll(below prefix: String) throws {
    try base.removeAll(below: prefix)
    fanOut.remove { $0.hasPrefix(prefix) }
  }

  package func removeBriefly(_ keys: [String]) throws {
    try base.removeBriefly(keys)
    fanOut.remove { keys.contains($0) }
  }
}
