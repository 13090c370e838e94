internal import HoldfastModel
internal import HoldfastSystem

/// Bytes that are held until every target that gets them has them. Guarded by the lock of `TargetLanes`.
final class HeldBlock: @unchecked Sendable {
  static let bytes = 256 << 10
  let buffer = Buffer(capacity: HeldBlock.bytes)
  /// The number of lanes that have not sent the block.
  fileprivate var takers = 0
}

/// An object on its way to one target. Only the thread of its lane uses the writer.
final class Sending: @unchecked Sendable {
  /// The key at the target: that of a shard, if the target gets no more of the object.
  let key: String
  let folder: String
  /// The number of the lane.
  let lane: Int
  var writer: ObjectWriter?
  /// The last bytes of a shard, by which the target's is compared; `nil` for a whole object.
  var end: [UInt8]?
  /// True if the target has another object under the key, which is left alone.
  var isForeign = false

  init(_ key: String, in folder: String, lane: Int) { (self.key, self.folder, self.lane) = (key, folder, lane) }
}

/// One step of the work at a target. A lane does its steps one after the other, so that no object gets there before one
/// that was committed earlier.
enum Step: Sendable {
  case append(Sending, HeldBlock)
  case commit(Sending)
  case abort(Sending)
  /// Removes an object that was sent, and was then removed at home.
  case remove(Sending)

  var key: String {
    switch self {
    case .append(let sending, _), .commit(let sending), .abort(let sending), .remove(let sending): sending.key
    }
  }

  var folder: String {
    switch self {
    case .append(let sending, _), .commit(let sending), .abort(let sending), .remove(let sending): sending.folder
    }
  }

  fileprivate var sending: Sending? {
    switch self {
    case .append(let sending, _), .commit(let sending), .abort(let sending): sending
    case .remove: nil
    }
  }

  fileprivate var block: HeldBlock? { if case .append(_, let block) = self { block } else { nil } }

  fileprivate var isRemoval: Bool { if case .remove = self { true } else { false } }

  fileprivate var isAbort: Bool { if case .abort = self { true } else { false } }

  /// True if the step is done even though the target has fallen behind.
  fileprivate var isDoneBehind: Bool {
    switch self {
    case .append, .commit: false
    case .abort, .remove: true
    }
  }
}

/// The steps that wait to be done at each target beside home, and the blocks that wait with them.
struct TargetLanes {
  private struct Lane {
    var steps: [Step] = []
    var current: Step?
    /// True if a thread works on the lane.
    var isRunning = false
    /// The folders in which it is behind.
    var behind: Set<String> = []
    var blocks = 0
    /// The number of steps that were done.
    var done: UInt64 = 0
    /// The total time for which the run has waited for it.
    var waited = TimeSpan.zero
  }

  private let blocksMax: Int
  private let minCopies: Int
  private var lanes: [Lane]
  private var free: [HeldBlock] = []
  private var made = 0
  /// A number that rises with each step that is done.
  var progress: UInt64 { lanes.reduce(0) { $0 + $1.done } }
  /// The most bytes that were held at once.
  var heldBytesPeak: Int { made * HeldBlock.bytes }

  init(count: Int, _ policy: TargetPolicy) {
    blocksMax = max(1, policy.heldBytesMax / HeldBlock.bytes)
    minCopies = policy.minCopies
    lanes = Array(repeating: Lane(), count: count)
  }

  // MARK: Steps

  func isBehind(_ lane: Int, in folder: String) -> Bool { lanes[lane].behind.contains(folder) }

  /// Adds a step to a lane.
  /// - Returns: true if a thread must begin to work on the lane.
  mutating func add(_ step: Step, to lane: Int) -> Bool {
    guard step.isDoneBehind || !isBehind(lane, in: step.folder) else {
      if case .commit(let sending) = step { return add(.abort(sending), to: lane) }
      return false
    }
    if let block = step.block {
      block.takers += 1
      lanes[lane].blocks += 1
    }
    lanes[lane].steps.append(step)
    defer { lanes[lane].isRunning = true }
    return !lanes[lane].isRunning
  }

  /// Takes the next step of a lane; `nil` if there is none, and its thread ends.
  mutating func next(_ lane: Int) -> Step? {
    guard !lanes[lane].steps.isEmpty else {
      lanes[lane].isRunning = false
      return nil
    }
    lanes[lane].current = lanes[lane].steps.removeFirst()
    return lanes[lane].current
  }

  mutating func end(_ lane: Int) {
    if let step = lanes[lane].current { release(step, of: lane) }
    lanes[lane].current = nil
    lanes[lane].done += 1
  }

  /// Drops the steps of a folder that wait, except those that are done even though a target is behind. A request that
  /// is under way ends by itself. Objects that were begun are aborted.
  mutating func fallBehind(_ lane: Int, in folder: String) {
    lanes[lane].behind.insert(folder)
    let (kept, dropped) = lanes[lane].steps.partitioned { $0.folder != folder || $0.isDoneBehind }
    for step in dropped { release(step, of: lane) }
    var begun = dropped.compactMap(\.sending)
    if let current = lanes[lane].current, current.folder == folder, let sending = current.sending {
      begun.append(sending)
    }
    let each = Dictionary(begun.map { (ObjectIdentifier($0), $0) }, uniquingKeysWith: { first, _ in first })
    lanes[lane].steps = kept + each.values.map { .abort($0) }
  }

  private mutating func release(_ step: Step, of lane: Int) {
    guard let block = step.block else { return }
    lanes[lane].blocks -= 1
    block.takers -= 1
    if block.takers == 0 { giveBack(block) }
  }

  // MARK: Blocks

  /// Takes a block to fill; `nil` if none is left.
  mutating func takeBlock() -> HeldBlock? {
    if let block = free.popLast() { return block }
    guard made < blocksMax else { return nil }
    made += 1
    return HeldBlock()
  }

  /// Takes back a block, unless a lane still sends it.
  mutating func giveBack(_ block: HeldBlock) {
    guard block.takers == 0 else { return }
    block.buffer.count = 0
    free.append(block)
  }

  // MARK: Waiting for lanes

  /// Returns the lane that holds the most blocks (among equals, the one that has done least), and how long the run may
  /// still wait for it. `nil` if no lane holds any.
  /// - Returns: `isNeeded` is false if enough targets stay in step without this lane.
  func slowest(in folder: String, _ policy: TargetPolicy) -> (lane: Int, patience: TimeSpan, isNeeded: Bool)? {
    func isFaster(_ left: Int, _ right: Int) -> Bool {
      (lanes[left].blocks, lanes[right].done) < (lanes[right].blocks, lanes[left].done)
    }
    let inStep = lanes.indices.filter { !isBehind($0, in: folder) }.sorted(by: isFaster)
    if inStep.count > minCopies - 1, let last = inStep.last, lanes[last].blocks > 0 {
      return (last, max(.zero, policy.waitMax - lanes[last].waited), false)
    }
    guard let most = lanes.indices.max(by: isFaster), lanes[most].blocks > 0 else {
      return nil
    }
    return (most, policy.stallMax, true)
  }

  mutating func noteWait(_ span: TimeSpan, for lane: Int) -> TimeSpan {
    lanes[lane].waited += span
    return lanes[lane].waited
  }

  /// Returns the folders in which a lane is in step and has something to do, each with the first key.
  func waiting(_ lane: Int) -> [(folder: String, key: String)] {
    var seen: Set<String> = []
    return (([lanes[lane].current].compactMap { $0 }) + lanes[lane].steps).compactMap { step in
      guard !step.isAbort, !isBehind(lane, in: step.folder), seen.insert(step.folder).inserted else { return nil }
      return (step.folder, step.key)
    }
  }

  /// True if a lane is in step in a folder, and has done everything there.
  func hasAll(_ lane: Int, of folder: String) -> Bool {
    !isBehind(lane, in: folder) && !waiting(lane).contains { $0.folder == folder }
  }

  /// The lanes that have something to do for a target that is in step.
  var busy: [Int] { lanes.indices.filter { !waiting($0).isEmpty } }

  /// True if an object waits to be removed anywhere.
  var isRemoving: Bool {
    lanes.contains { $0.current?.isRemoval == true || $0.steps.contains(where: \.isRemoval) }
  }

  /// True if so many targets have everything that the run need not wait for all others.
  var hasEnough: Bool {
    let done = lanes.indices.filter { lanes[$0].behind.isEmpty && waiting($0).isEmpty }.count
    return done + 1 >= minCopies
  }
}

extension Array {
  fileprivate func partitioned(_ belongs: (Element) -> Bool) -> ([Element], [Element]) {
    (filter(belongs), filter { !belongs($0) })
  }
}
