/// A repository with several targets as a small machine: writers, targets, copies between them, prunes, and one fault.
/// A writer reaches a target or does not, at every step anew: this covers every partition, one-way loss, and a home
/// that leaves and returns. A writer may stop for ever between any two steps. `explore` goes through every order.
///
/// Data may be whole at each target, or in shards, of which each target has one (decision 32). The last target may have
/// a retention of its own (decision 33): then what is collected for the others is not collected there.
///
/// What is not in it, because it is shown elsewhere: what happens inside one target (create-if-absent, leases, a prune
/// beside a backup).
struct TargetModel {
  /// What the protocol rests on. A test takes one out, and sees that it was needed.
  enum Rule: CaseIterable {
    /// A target gives only numbers of its own, so that no two targets give the same.
    case ownNumbers
    /// A manifest is written to a target when the data is there.
    case dataBeforeManifest
    /// A manifest is written to a target when the chain that it builds on is there.
    case chainFirst
    /// A run ends with success when as many targets as `min-copies` says have its snapshot.
    case enoughCopies
    /// Only data that has the digests of the signed envelope is copied.
    case provedCopies
    /// What was collected is not copied again, unless a snapshot that is kept needs it.
    case collectedStaysCollected
    /// A target removes what was collected when no snapshot that is kept there needs it.
    case dependantsKeep
    /// A number is given when enough targets have their shards to read the data again.
    case shardsBeforeNumber
    /// A shard is made of as many sound ones as the data needs.
    case enoughShards
    /// A target removes what was collected there, and not what was collected elsewhere.
    case removalSaysWhere
    /// A target waits with the data of what another one keeps and does not have whole.
    case keeperFirst
  }

  /// Snapshots are numbered by the order in which their runs began, from 0. A set of them is the bits of a byte.
  struct Target: Hashable {
    var manifests: UInt8 = 0
    var data: UInt8 = 0
    /// Data whose digests are wrong.
    var damaged: UInt8 = 0
    /// What the notes there say was collected: at all targets that have no retention of their own, and at the last one.
    var collected: UInt8 = 0
    var collectedApart: UInt8 = 0
    var isLost = false
  }

  struct Snapshot: Hashable {
    let number: Int
    let parent: Int?
    var isAcknowledged = false
  }

  enum Phase: Hashable, Comparable {
    case idle
    /// Data is being sent; `target` will give the number.
    case sending(snapshot: Int, target: Int)
    /// The number is given: the manifest is on that target. `copies` are the targets on which the writer has seen it.
    case copying(snapshot: Int, copies: UInt8)
  }

  struct State: Hashable {
    var targets: [Target]
    var writers: [Phase]
    var snapshots: [Snapshot] = []
    var hasFault = false
    /// What was found wrong in a step.
    var wrong: String?
  }

  let rules: Set<Rule>
  let targetCount: Int
  let writerCount: Int
  let snapshotMax: Int
  /// The number of shards that data needs; `nil` where it is whole at each target.
  let shards: Int?
  /// True if the last target has a retention of its own.
  let isLastApart: Bool
  /// The number of targets that must have a snapshot before it is acknowledged.
  let minCopies: Int

  init(
    without rule: Rule? = nil, targets: Int = 3, writers: Int = 2, snapshotMax: Int, minCopies: Int = 2,
    shards: Int? = nil, isLastApart: Bool = false
  ) {
    rules = Set(Rule.allCases).subtracting(rule.map { [$0] } ?? [])
    (targetCount, writerCount, self.snapshotMax) = (targets, writers, snapshotMax)
    (self.minCopies, self.shards, self.isLastApart) = (minCopies, shards, isLastApart)
  }

  private func isApart(_ target: Int) -> Bool { isLastApart && target == targetCount - 1 }

  /// What the notes at one target say was collected at another one, or at the same.
  private func collected(at target: Int, _ notes: Target) -> UInt8 {
    isApart(target) ? notes.collectedApart : notes.collected
  }

  // MARK: What is wrong

  /// - Returns: what is wrong with a state; `nil` where nothing is.
  func fault(of state: State) -> String? {
    if let wrong = state.wrong { return wrong }
    let collected = state.targets.reduce(0) { $0 | $1.collected }
    let collectedApart = isLastApart ? state.targets.reduce(0) { $0 | $1.collectedApart } : collected
    for (id, snapshot) in state.snapshots.enumerated() where snapshot.isAcknowledged {
      let isKept = !collected.has(id) && !collectedApart.has(id)
      // What only the target with a retention of its own keeps may be there alone, and be lost with it.
      let isKeptThere = isLastApart && !collectedApart.has(id)
      let needed = isKept ? minCopies - (state.hasFault ? 1 : 0) : isKeptThere && !state.hasFault ? shards ?? 1 : 0
      let whole = state.targets.indices.count { isWhole(id, state.targets[$0], state) }
      if whole < needed {
        return "snapshot \(snapshot.number), which was acknowledged, can be restored from \(whole) targets"
      }
    }
    return nil
  }

  /// Whether a target alone can restore a snapshot.
  private func isWhole(_ id: Int, _ target: Target, _ state: State) -> Bool {
    guard target.manifests.has(id), target.data.has(id), !target.damaged.has(id) else { return false }
    guard let parent = state.snapshots[id].parent else { return true }
    return isWhole(parent, target, state)
  }

  /// Whether a target lists a snapshot and all that it builds on.
  private func hasChain(_ id: Int, _ target: Target, _ state: State) -> Bool {
    guard target.manifests.has(id) else { return false }
    return state.snapshots[id].parent.map { hasChain($0, target, state) } ?? true
  }

  private func chain(_ id: Int, _ state: State) -> UInt8 {
    (state.snapshots[id].parent.map { chain($0, state) } ?? 0).with(id)
  }

  /// What the snapshots need that are on a target and were not collected as far as is known there.
  private func needed(_ target: Target, _ collected: UInt8, _ state: State) -> UInt8 {
    var needed: UInt8 = 0
    for id in state.snapshots.indices where target.manifests.has(id) && !collected.has(id) {
      needed |= chain(id, state)
    }
    return needed
  }

  /// True if as many targets as data needs have their shards of a snapshot and of all that it builds on.
  private func isReadable(_ id: Int, _ state: State) -> Bool {
    guard let shards else { return true }
    return (0...id).filter { chain(id, state).has($0) }.allSatisfy { one in
      state.targets.count { $0.data.has(one) && !$0.damaged.has(one) } >= shards
    }
  }

  // MARK: Steps

  func next(_ state: State) -> [State] {
    var found: [State] = []
    func add(_ change: (inout State) -> Void) {
      var next = state
      change(&next)
      found.append(next)
    }
    for writer in state.writers.indices { steps(of: writer, state, add) }
    let alive = state.targets.indices.filter { !state.targets[$0].isLost }
    for target in alive {
      collect(at: target, state, add)
      for source in alive where source != target { copy(from: source, to: target, state, add) }
      if !state.hasFault { fail(target, state, add) }
    }
    return found
  }

  private typealias Add = ((inout State) -> Void) -> Void

  private func steps(of writer: Int, _ state: State, _ add: Add) {
    let alive = state.targets.indices.filter { !state.targets[$0].isLost }
    switch state.writers[writer] {
    case .idle:
      guard state.snapshots.count < snapshotMax else { return }
      for target in alive {
        for parent in [nil] + parents(at: target, state) {
          add { state in
            state.snapshots.append(Snapshot(number: nextNumber(at: target, state), parent: parent))
            state.writers[writer] = .sending(snapshot: state.snapshots.count - 1, target: target)
          }
        }
      }
    case .sending(let id, let target):
      for other in alive where !state.targets[other].data.has(id) { add { $0.targets[other].data.insert(id) } }
      let isEnough = !rules.contains(.shardsBeforeNumber) || isReadable(id, state)
      if !state.targets[target].isLost, mayTake(id, state.targets[target], state), isEnough {
        add { state in
          create(id, at: target, &state)
          let isMine = state.targets[target].manifests.has(id)
          if isMine, !isReadable(id, state) { state.wrong = "a number was given to data that cannot be read" }
          state.writers[writer] = isMine ? .copying(snapshot: id, copies: UInt8(0).with(target)) : .idle
        }
      }
      add { $0.writers[writer] = .idle }
    case .copying(let id, let copies):
      for other in alive where !copies.has(other) && mayTake(id, state.targets[other], state) {
        add { state in
          create(id, at: other, &state)
          if state.targets[other].manifests.has(id) {
            state.writers[writer] = .copying(snapshot: id, copies: copies.with(other))
          } else {
            state.wrong = "number \(state.snapshots[id].number) was given twice"
          }
        }
      }
      if copies.nonzeroBitCount >= (rules.contains(.enoughCopies) ? minCopies : 1) {
        add { state in
          state.snapshots[id].isAcknowledged = true
          state.writers[writer] = .idle
        }
      }
      add { $0.writers[writer] = .idle }
    }
  }

  /// The newest snapshot whose chain a target has, if there is one.
  private func parents(at target: Int, _ state: State) -> [Int?] {
    let there = state.targets[target]
    let whole = state.snapshots.indices.filter {
      hasChain($0, there, state) && !collected(at: target, there).has($0) && chain($0, state) & ~there.data == 0
    }
    return whole.max { state.snapshots[$0].number < state.snapshots[$1].number }.map { [$0] } ?? []
  }

  /// The next number as a target shows it.
  private func nextNumber(at target: Int, _ state: State) -> Int {
    let there = state.targets[target]
    let highest =
      state.snapshots.indices.filter { there.manifests.has($0) || (there.collected | there.collectedApart).has($0) }
      .map { state.snapshots[$0].number }.max() ?? 0
    guard rules.contains(.ownNumbers) else { return highest + 1 }
    return (highest / targetCount + 1) * targetCount + target
  }

  /// Whether a manifest may be written to a target.
  private func mayTake(_ id: Int, _ target: Target, _ state: State) -> Bool {
    if rules.contains(.dataBeforeManifest), !target.data.has(id) { return false }
    guard let parent = state.snapshots[id].parent, rules.contains(.chainFirst) else { return true }
    return hasChain(parent, target, state)
  }

  /// Create-if-absent: nothing happens where another snapshot has the number.
  private func create(_ id: Int, at target: Int, _ state: inout State) {
    let number = state.snapshots[id].number
    let isTaken = state.snapshots.indices.contains {
      $0 != id && state.targets[target].manifests.has($0) && state.snapshots[$0].number == number
    }
    if !isTaken { state.targets[target].manifests.insert(id) }
  }

  /// A run of `sync` copies one object, or the notes.
  private func copy(from source: Int, to target: Int, _ state: State, _ add: Add) {
    let (from, to) = (state.targets[source], state.targets[target])
    if (from.collected & ~to.collected) | (from.collectedApart & ~to.collectedApart) != 0 {
      add {
        $0.targets[target].collected |= from.collected
        $0.targets[target].collectedApart |= from.collectedApart
      }
    }
    let gone = collected(at: target, from) | collected(at: target, to)
    let needed =
      self.needed(from, collected(at: target, from), state) | self.needed(to, collected(at: target, to), state)
    for id in state.snapshots.indices where from.manifests.has(id) && !to.manifests.has(id) {
      if gone.has(id), !needed.has(id), rules.contains(.collectedStaysCollected) { continue }
      if !to.data.has(id) { copyData(id, from: source, to: target, state, add) }
      if mayTake(id, to, state) {
        add { state in
          create(id, at: target, &state)
          if !state.targets[target].manifests.has(id) {
            state.wrong = "number \(state.snapshots[id].number) was given twice"
          } else if gone.has(id), !needed.has(id) {
            state.wrong = "snapshot \(state.snapshots[id].number), which was collected, came back"
          }
        }
      }
    }
  }

  /// Whole data comes from one target, a shard is made of those at others.
  private func copyData(_ id: Int, from source: Int, to target: Int, _ state: State, _ add: Add) {
    let from = state.targets[source]
    if let shards {
      let there = state.targets.filter { $0.data.has(id) }
      let sound = there.filter { !$0.damaged.has(id) }
      let isProved = rules.contains(.provedCopies)
      guard (isProved ? sound : there).count >= (rules.contains(.enoughShards) ? shards : 1) else { return }
      add { state in
        state.targets[target].data.insert(id)
        if sound.count < shards { state.wrong = "a shard was made of \(sound.count) that are sound" }
      }
    } else if from.data.has(id), !from.damaged.has(id) || !rules.contains(.provedCopies) {
      add { state in
        state.targets[target].data.insert(id)
        if from.damaged.has(id) { state.wrong = "damaged data was copied" }
      }
    }
  }

  /// A prune writes down what it collects, and removes it. It runs on any target, and knows only what is there: with a
  /// home that was lost and came back there may be two that think that they are home.
  private func collect(at target: Int, _ state: State, _ add: Add) {
    let there = state.targets[target]
    for scope in isLastApart ? [0, targetCount - 1] : [0] {
      let gone = collected(at: scope, there)
      let kept = state.snapshots.indices.filter { there.manifests.has($0) && !gone.has($0) }
      for id in kept where kept.contains(where: { state.snapshots[$0].number > state.snapshots[id].number }) {
        add {
          if isApart(scope) {
            $0.targets[target].collectedApart.insert(id)
          } else {
            $0.targets[target].collected.insert(id)
          }
        }
      }
    }
    remove(at: target, state, add)
  }

  private func remove(at target: Int, _ state: State, _ add: Add) {
    let there = state.targets[target]
    let own = collected(at: target, there)
    let gone = rules.contains(.removalSaysWhere) ? own : there.collected | there.collectedApart
    let needed = rules.contains(.dependantsKeep) ? self.needed(there, gone, state) : 0
    for id in state.snapshots.indices where gone.has(id) && !needed.has(id) && !waits(with: id, at: target, state) {
      if there.manifests.has(id) {
        add { $0.targets[target].manifests.remove(id) }
      } else if there.data.has(id) {
        add {
          $0.targets[target].data.remove(id)
          $0.targets[target].damaged.remove(id)
        }
      }
    }
  }

  /// True if the target with a retention of its own keeps a snapshot as far as is known, and does not have it whole.
  private func waits(with id: Int, at target: Int, _ state: State) -> Bool {
    guard isLastApart, !isApart(target), rules.contains(.keeperFirst) else { return false }
    guard let keeper = state.targets.last, !keeper.isLost else { return false }
    let isKept = !state.targets[target].collectedApart.has(id)
    return isKept && !isWhole(id, keeper, state)
  }

  /// The one fault: a target is lost with all that it had, or one object is damaged.
  private func fail(_ target: Int, _ state: State, _ add: Add) {
    add { state in
      state.targets[target] = Target(isLost: true)
      state.hasFault = true
    }
    for id in state.snapshots.indices where state.targets[target].data.has(id) {
      add { state in
        state.targets[target].damaged.insert(id)
        state.hasFault = true
      }
    }
  }

  // MARK: All orders

  /// - Returns: how many states there are, and the first fault.
  func explore() -> (count: Int, fault: String?) {
    let first = State(
      targets: Array(repeating: Target(), count: targetCount), writers: Array(repeating: .idle, count: writerCount))
    var known: Set<State> = [first]
    var open = [first]
    while let state = open.popLast() {
      for var next in next(state) {
        // Which of the writers is which does not matter.
        next.writers.sort()
        guard known.insert(next).inserted else { continue }
        if let fault = fault(of: next) { return (known.count, fault) }
        open.append(next)
      }
    }
    return (known.count, nil)
  }
}

extension UInt8 {
  fileprivate func has(_ bit: Int) -> Bool { self & (1 << bit) != 0 }
  fileprivate func with(_ bit: Int) -> UInt8 { self | 1 << bit }
  fileprivate mutating func insert(_ bit: Int) { self |= 1 << bit }
  fileprivate mutating func remove(_ bit: Int) { self &= ~(1 << bit) }
}
