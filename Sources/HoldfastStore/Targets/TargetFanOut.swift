internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// Sends what is written at home to the other targets. Each goes at its own pace, on a thread of its own, which ends
/// when there is nothing to do.
final class TargetFanOut: Sendable {
  private static let comparedBytes = 1 << 20
  private let home: any Store
  private let others: [Target]
  private let policy: TargetPolicy
  private let clock: Clock
  private let outcomes: TargetOutcomes
  private let gate: (any TargetGate)?
  private let cancellation: Cancellation
  private let lanes: Monitor<TargetLanes>
  /// By folder, the lanes that were in step when the first object of the folder was begun.
  private let takers = Mutex<[String: [Int]]>([:])
  /// The objects that were sent to the lanes, by their keys at home.
  private let sent = Mutex<[String: [Sending]]>([:])
  /// The position of the shards of each lane; `nil` if objects are not divided, or the lane's target is a spare.
  private let positions: [Int?]

  init(
    home: any Store, others: [Target], _ policy: TargetPolicy, clock: Clock, cancellation: Cancellation,
    _ outcomes: TargetOutcomes, gate: (any TargetGate)?, shards: ShardSet?
  ) {
    positions = others.map { shards?.position(of: $0.name) }
    (self.home, self.others, self.policy, self.clock) = (home, others, policy, clock)
    (self.cancellation, self.outcomes, self.gate) = (cancellation, outcomes, gate)
    lanes = Monitor(TargetLanes(count: others.count, policy))
  }

  /// The most bytes that were held at once.
  var heldBytesPeak: Int { lanes.withLock { $0.heldBytesPeak } }

  // MARK: One object

  /// Begins an object at the other targets.
  /// - Returns: one object to send for each target that is in step.
  func begin(_ key: String, in folder: String) -> [Sending] {
    guard let gate else { return [] }
    let asked = takers.withLock { takers in
      if let known = takers[folder] { return known }
      let inStep = others.indices.filter { lane in
        guard let obstacle = gate.obstacle(to: key, in: folder, at: others[lane].name) else { return true }
        fallBehind(lane, in: folder, since: key, obstacle)
        return false
      }
      takers[folder] = inStep
      return inStep
    }
    return asked.filter { lane in lanes.withLock { !$0.isBehind(lane, in: folder) } }
      .map { Sending(key, in: folder, lane: $0) }
  }

  /// Begins an object at the other targets that get a shard of it.
  /// - Parameters:
  ///   - key: the key of the object.
  ///   - have: the number of targets that get a shard without these.
  /// - Returns: by position, one shard to send for each target that is in step.
  /// - Throws: `ShardError.tooFew` if these are fewer than it takes to read the object.
  func beginShards(of key: String, in folder: String, _ scheme: ErasureScheme, have: Int) throws -> [Int: Sending] {
    var sendings: [Int: Sending] = [:]
    for sending in begin(key, in: folder) {
      guard let position = positions[sending.lane] else { continue }
      sendings[position] = Sending(
        ShardKey(key, scheme, position).description, in: folder, lane: sending.lane)
    }
    guard sendings.count + have >= scheme.data else { throw tooFew(scheme, have: sendings.count + have, in: folder) }
    return sendings
  }

  private func tooFew(_ scheme: ErasureScheme, have: Int, in folder: String) -> ShardError {
    let causes = outcomes.all.compactMap { outcome in
      outcome.behind[folder].map { "\(outcome.target) is behind: \($0.cause.message)" }
    }
    return .tooFew(scheme, have: have, causes: causes)
  }

  /// Returns true if any target that gets one of these objects is still in step.
  func takesAny(_ sendings: [Sending]) -> Bool {
    lanes.withLock { lanes in sendings.contains { !lanes.isBehind($0.lane, in: $0.folder) } }
  }

  func append(_ block: HeldBlock, to sendings: [Sending]) {
    let idle = lanes.withLock { lanes in
      let idle = sendings.filter { lanes.add(.append($0, block), to: $0.lane) }
      // If all of them have fallen behind, no lane gives the block back.
      lanes.giveBack(block)
      return idle
    }
    for sending in idle { begin(sending.lane) }
  }

  /// - Parameter key: the key at home.
  func commit(_ sendings: [Sending], of key: String) {
    for sending in sendings {
      sent.withLock { $0[key, default: []].append(sending) }
      add(.commit(sending), to: sending.lane)
    }
  }

  func abort(_ sendings: [Sending]) {
    for sending in sendings { add(.abort(sending), to: sending.lane) }
  }

  /// True if this run has sent an object to other targets.
  func hasSent(_ key: String) -> Bool { sent.withLock { $0[key] != nil } }

  func giveBack(_ block: HeldBlock) { lanes.withLock { $0.giveBack(block) } }

  /// Removes an object that this run has removed at home from the other targets to which it has sent it.
  func remove(where isRemoved: (String) -> Bool) {
    let gone = sent.withLock { sent in
      let gone = sent.filter { isRemoved($0.key) }
      for key in gone.keys { sent[key] = nil }
      return gone
    }
    for sending in gone.values.joined() { add(.remove(sending), to: sending.lane) }
  }

  // MARK: Waiting

  /// Waits until there is a block to fill. A target for which the run has waited too long falls behind.
  /// - Returns: `nil` if no target takes these objects any more. If no target holds a block, there is nothing to wait
  ///   for: then the targets of `sendings` fall behind, and it is `nil` too.
  /// - Throws: `Interrupted` after a signal.
  func block(for sendings: [Sending]) throws -> HeldBlock? {
    guard let folder = sendings.first?.folder else { return nil }
    while takesAny(sendings) {
      if let block = lanes.withLock({ $0.takeBlock() }) { return block }
      guard let slowest = lanes.withLock({ $0.slowest(in: folder, policy) }) else {
        for sending in sendings { fallBehind(sending.lane, in: folder, since: sending.key, BehindReason.noRoom) }
        return nil
      }
      let began = clock.uptime()
      let block = try lanes.wait(slowest.patience, unless: cancellation) { $0.takeBlock() }
      let span = clock.uptime() - began
      let waited = slowest.isNeeded ? span : lanes.withLock { $0.noteWait(span, for: slowest.lane) }
      if let block { return block }
      drop(slowest.lane, waited: waited)
    }
    return nil
  }

  /// Waits until `minCopies` targets have everything that was committed, then a while for the others. Targets that do
  /// not have it then are behind.
  /// - Parameter onWait: called once when it has waited for seconds, with the names of the targets that it waits for.
  /// - Throws: `Interrupted` after a signal.
  func finish(onWait: ([String]) -> Void) throws {
    var isTold = false
    func wait<Answer>(_ limit: TimeSpan, until look: (inout TargetLanes) -> Answer?) throws -> Answer? {
      guard !isTold, limit > policy.silenceMax else { return try lanes.wait(limit, unless: cancellation, until: look) }
      if let answer = try lanes.wait(policy.silenceMax, unless: cancellation, until: look) { return answer }
      isTold = true
      onWait(lanes.withLock { $0.busy }.map { others[$0].name })
      return try lanes.wait(limit - policy.silenceMax, unless: cancellation, until: look)
    }
    while true {
      let before = lanes.withLock { $0.progress }
      let isDone = try wait(policy.stallMax) { lanes -> Bool? in
        if lanes.busy.isEmpty || lanes.hasEnough { return true }
        return lanes.progress == before ? nil : false
      }
      if isDone ?? false { break }
      if isDone == nil { lanes.withLock { $0.busy }.forEach { drop($0, waited: policy.stallMax) } }
    }
    guard try wait(policy.linger, until: { $0.busy.isEmpty ? true : nil }) == nil else { return }
    for lane in lanes.withLock({ $0.busy }) { drop(lane, waited: policy.linger) }
  }

  /// Waits until so many targets as the policy demands have their shards of everything in a folder, or no other one can
  /// get them any more.
  /// - Parameter have: the number of targets that have them without the lanes.
  /// - Throws: `ShardError.tooFew` if they are fewer than it takes to read what was sent; `Interrupted` after a signal.
  func awaitShards(in folder: String, _ scheme: ErasureScheme, have: Int) throws {
    let placed = positions.indices.filter { positions[$0] != nil }
    let minCopies = policy.minCopies
    while true {
      let before = lanes.withLock { $0.progress }
      let isDone = try lanes.wait(policy.stallMax, unless: cancellation) { lanes -> Bool? in
        let waiting = placed.filter { !lanes.isBehind($0, in: folder) && !lanes.hasAll($0, of: folder) }
        let count = have + placed.count { lanes.hasAll($0, of: folder) }
        if count >= minCopies || waiting.isEmpty { return true }
        return lanes.progress == before ? nil : false
      }
      if isDone ?? false { break }
      guard isDone == nil else { continue }
      for lane in lanes.withLock({ $0.busy }) where placed.contains(lane) { drop(lane, waited: policy.stallMax) }
    }
    let count = lanes.withLock { lanes in have + placed.count { lanes.hasAll($0, of: folder) } }
    guard count >= scheme.data else { throw tooFew(scheme, have: count, in: folder) }
  }

  /// Sends nothing more: whoever does not have everything is behind. What the run has withdrawn is removed first, if
  /// that takes only seconds.
  func abandon() {
    for lane in lanes.withLock({ $0.busy }) { drop(lane, BehindReason.runEnded) }
    _ = lanes.wait(policy.silenceMax) { $0.isRemoving ? nil : true }
  }

  private func drop(_ lane: Int, waited: TimeSpan) { drop(lane, BehindReason.tooSlow(waited: waited)) }

  private func drop(_ lane: Int, _ cause: BehindReason) {
    for (folder, key) in lanes.withLock({ $0.waiting(lane) }) { fallBehind(lane, in: folder, since: key, cause) }
  }

  private func fallBehind(_ lane: Int, in folder: String, since key: String, _ cause: any Error) {
    // Home is the first of the targets.
    outcomes.noteBehind(lane + 1, in: folder, since: key, cause)
    lanes.withLock { $0.fallBehind(lane, in: folder) }
  }

  // MARK: A lane

  private func add(_ step: Step, to lane: Int) {
    if lanes.withLock({ $0.add(step, to: lane) }) { begin(lane) }
  }

  private func begin(_ lane: Int) {
    // If no thread can be started, this one does it.
    if !WorkerThread.detach({ [self] in work(on: lane) }) { work(on: lane) }
  }

  private func work(on lane: Int) {
    while let step = lanes.withLock({ $0.next(lane) }) {
      do {
        try perform(step, at: others[lane].store, lane)
      } catch {
        fallBehind(lane, in: step.folder, since: step.key, error)
      }
      lanes.withLock { $0.end(lane) }
    }
  }

  private func perform(_ step: Step, at store: any Store, _ lane: Int) throws {
    switch step {
    case .append(let sending, let block):
      try writer(of: sending, at: store).append(block.buffer.used)
      outcomes.noteSent(block.buffer.count, to: lane + 1)
    case .commit(let sending):
      let writer = try writer(of: sending, at: store)
      sending.writer = nil
      do {
        try gate?.checkOpen(sending.key, in: sending.folder, at: others[lane].name)
        try writer.commit()
      } catch StoreError.alreadyExists(let key, let location) {
        // Another run may have copied it meanwhile. Until that is known, it is not this run's to remove.
        sending.isForeign = true
        guard try isSame(key, as: sending.end, at: store) else {
          throw BehindReason.forked(key: key, location: location)
        }
        sending.isForeign = false
      } catch {
        writer.abort()
        throw error
      }
    case .abort(let sending):
      sending.writer?.abort()
      sending.writer = nil
    case .remove(let sending):
      guard !sending.isForeign else { return }
      try gate?.checkOpen(sending.key, in: sending.folder, at: others[lane].name)
      try store.remove(sending.key)
    }
  }

  private func writer(of sending: Sending, at store: any Store) throws -> ObjectWriter {
    if let writer = sending.writer { return writer }
    let upload = try store.upload(sending.key)
    let partsMax = upload.partBytes.map { policy.partBytesMax / max(1, $0) } ?? 1
    // One part less, because one more is being filled.
    let writer = ObjectWriter(upload, connections: max(1, min(store.connections, partsMax - 1)))
    sending.writer = writer
    return writer
  }

  /// - Parameter end: the last bytes of a shard, which contain a digest; `nil` for an object that home has too.
  private func isSame(_ key: String, as end: [UInt8]?, at store: any Store) throws -> Bool {
    if let end {
      let shard = try store.openAnew(key)
      guard shard.length >= UInt64(end.count) else { return false }
      var bytes = end
      try bytes.withUnsafeMutableBytes { try shard.read(into: $0, at: shard.length - UInt64(end.count)) }
      return bytes == end
    }
    let (mine, other) = (try home.openAnew(key), try store.openAnew(key))
    guard mine.length == other.length else { return false }
    let (left, right) = (Buffer(capacity: Self.comparedBytes), Buffer(capacity: Self.comparedBytes))
    var offset: UInt64 = 0
    while offset < mine.length {
      left.count = Int(min(UInt64(Self.comparedBytes), mine.length - offset))
      right.count = left.count
      for (bytes, buffer) in [(mine, left), (other, right)] {
        try bytes.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<buffer.count]), at: offset)
      }
      guard left.used.elementsEqual(right.used) else { return false }
      offset += UInt64(left.count)
    }
    return true
  }
}
