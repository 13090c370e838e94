/// A failover as a small machine (docs/decisions/0045-standby-and-failover.md): a shop that serves, a standby, and a
/// store with create-if-absent. `explore` tries every order of steps. Partitions and processes that sleep need no steps
/// of their own: any step may come late or never, a probe may fail although the shop lives, and what is on its way to
/// the store may arrive after everything else.
package struct FailoverModel {
  /// The rules on which safety depends. A test removes one, and sees that it was needed.
  package enum Rule: CaseIterable, Sendable {
    /// Before the standby takes the lease, a fence has succeeded: a shop that does not answer may still serve.
    case fences
    /// The number that is taken directly follows the one that was read before the fence. If another one came meanwhile,
    /// the shop may be on again, and all begins anew, with another fence.
    case fenceBelongsToANumber
    /// A shop that comes up serves only if the newest number says that it served last.
    case readsTheRole
    /// It serves only after it has created the number that follows the one in which it read that.
    case servesUnderItsNumber
    /// The standby looks for the newest snapshot after it has the lease.
    case looksUnderTheLease
    /// A number says that the standby serves before the standby does.
    case announcesFirst
    /// A snapshot that arrived late under an older number is diverged: it is kept, and is never the newest.
    case namesDiverged
  }

  enum Host: Hashable { case shop, standby }

  /// A number of the lease of the source.
  struct Number: Hashable {
    let holder: Host
    /// The host that serves, or served last.
    let serving: Host
    /// The number with which that began, and the snapshot from which the host began; both 0 for the shop.
    var since = 0
    var from = 0
  }

  struct Snapshot: Hashable {
    let maker: Host
    /// The number of the lease under which it was begun.
    let token: Int
    var isAcknowledged = false
  }

  /// What the shop knows. A crash, and a fence, end all of it.
  struct Shop: Hashable {
    var isServing = false
    /// The newest number in which it has read that it may serve, and which it means to follow.
    var read: Int?
    /// The newest number that is its own.
    var token: Int?
    /// The snapshot that is stored, and of which it is not known yet if it counts.
    var committed: Int?
  }

  package enum Phase: Hashable, Sendable {
    case following
    /// The newest number is this one, and there was none for the time of the lease. The snapshots were seen, too.
    case silent(seen: Int, snapshots: Int)
    case probed(seen: Int, snapshots: Int)
    case fenced(seen: Int, snapshots: Int)
    case holding(number: Int, snapshots: Int)
    case restored(number: Int, from: Int)
    case announced(number: Int, from: Int)
    case serving(number: Int, from: Int)
  }

  struct State: Hashable {
    var numbers = [Number(holder: .shop, serving: .shop)]
    var snapshots: [Snapshot] = []
    var shop = Shop(isServing: true, token: 1)
    var standby = Phase.following
    /// Manifests on their way to the store: the number of the snapshot, and of the lease.
    var underway: [[Int]] = []
    var boots = 0
    var crashes = 0

    var highest: Int { numbers.count }
    var role: Number { numbers[numbers.count - 1] }
    var standbyServes: Bool { if case .serving = standby { true } else { false } }
  }

  let rules: Set<Rule>
  private let numberMax: Int
  private let snapshotMax = 3
  private let bootMax = 2
  private let crashMax = 1

  package init(without rule: Rule? = nil, numberMax: Int = 5) {
    rules = Set(Rule.allCases).subtracting(rule.map { [$0] } ?? [])
    self.numberMax = numberMax
  }

  /// Returns the fault of a state; `nil` if it has none.
  func fault(of state: State) -> String? {
    if state.shop.isServing, state.standbyServes { return "two hosts serve" }
    let role = state.role
    let began: Int? =
      if case .serving(_, let from) = state.standby { from } else { role.serving == .standby ? role.from : nil }
    guard let began else { return nil }
    let left = state.snapshots.indices.filter { $0 >= began && state.snapshots[$0].maker == .shop }
    if left.contains(where: { state.snapshots[$0].isAcknowledged }) { return "an acknowledged snapshot is lost" }
    guard let newest = newest(in: state), left.contains(newest) else { return nil }
    return "a late snapshot of the old primary counts as the newest"
  }

  /// Returns the index of the snapshot that a restore takes for the newest; `nil` if there is none.
  private func newest(in state: State) -> Int? {
    let role = state.role
    return state.snapshots.indices.last { index in
      let isDiverged = index >= role.from && state.snapshots[index].token < role.since
      return !isDiverged || !rules.contains(.namesDiverged)
    }
  }

  // MARK: Steps

  func next(_ state: State) -> [State] { stepsOfShop(state) + stepsOfStandby(state) + arrivals(state) }

  private func arrivals(_ state: State) -> [State] {
    state.underway.map { manifest in
      var next = state
      let (snapshot, token) = (manifest[0], manifest[1])
      next.underway.removeAll { $0 == manifest }
      guard snapshot == state.snapshots.count + 1 else { return next }
      next.snapshots.append(Snapshot(maker: .shop, token: token))
      // A process that has ended does not learn of it.
      if state.shop.token != nil, state.shop.isServing { next.shop.committed = snapshot }
      return next
    }
  }

  private func stepsOfShop(_ state: State) -> [State] {
    var found: [State] = []
    func add(_ change: (inout State) -> Void) {
      var next = state
      change(&next)
      found.append(next)
    }
    let shop = state.shop
    let highest = state.highest
    if !shop.isServing {
      if shop.read == nil, state.boots < bootMax, state.role.serving == .shop || !rules.contains(.readsTheRole) {
        add { next in
          next.boots += 1
          next.shop.read = highest
          if !rules.contains(.servesUnderItsNumber) { next.shop.isServing = true }
        }
      }
    } else if state.crashes < crashMax {
      add {
        $0.crashes += 1
        $0.shop = Shop()
      }
    }
    if let read = shop.read {
      add { next in
        next.shop.read = nil
        guard read == highest, highest < numberMax else { return }
        next.numbers.append(Number(holder: .shop, serving: .shop))
        (next.shop.token, next.shop.isServing) = (highest + 1, true)
      }
    }
    guard shop.isServing, let token = shop.token else { return found }
    if highest > token, state.numbers[highest - 1].holder != .shop {
      // It learns that it was overtaken. It goes on to serve: only a fence ends that.
      add { ($0.shop.token, $0.shop.committed) = (nil, nil) }
    } else if highest == token, highest < numberMax {
      add { next in
        next.numbers.append(state.role)
        next.shop.token = highest + 1
      }
    }
    if shop.committed == nil, state.underway.isEmpty, state.snapshots.count < snapshotMax {
      add { $0.underway.append([state.snapshots.count + 1, token]) }
    }
    if let committed = shop.committed {
      add { next in
        next.shop.committed = nil
        let isOvertaken = state.numbers[token...].contains { $0.holder != .shop }
        guard !isOvertaken else { return next.shop.token = nil }
        next.snapshots[committed - 1].isAcknowledged = true
      }
    }
    return found
  }

  private func stepsOfStandby(_ state: State) -> [State] {
    var found: [State] = []
    func add(_ phase: Phase, _ change: (inout State) -> Void = { _ in }) {
      var next = state
      next.standby = phase
      change(&next)
      found.append(next)
    }
    let highest = state.highest
    let canCreate = highest < numberMax
    switch state.standby {
    case .following:
      if state.role.serving == .shop {
        add(.silent(seen: highest, snapshots: state.snapshots.count))
      } else if canCreate {
        // It was promoted and has crashed. It goes on under a number of its own, from the same snapshot.
        add(.announced(number: highest + 1, from: state.role.from)) { $0.numbers.append(state.role) }
      }
    case .silent(let seen, let snapshots): add(.probed(seen: seen, snapshots: snapshots))
    case .probed(let seen, let snapshots):
      guard rules.contains(.fences) else { return [with(state, .fenced(seen: seen, snapshots: snapshots))] }
      add(.fenced(seen: seen, snapshots: snapshots)) { $0.shop = Shop() }
      // The answer of the fence is lost, so it is tried again.
      add(.probed(seen: seen, snapshots: snapshots)) { $0.shop = Shop() }
    case .fenced(let seen, let snapshots):
      guard canCreate else { return [] }
      if seen == highest || !rules.contains(.fenceBelongsToANumber) {
        add(.holding(number: highest + 1, snapshots: snapshots)) {
          $0.numbers.append(Number(holder: .standby, serving: .shop))
        }
      } else {
        add(.following)
      }
    case .holding(let number, let snapshots):
      let chosen = rules.contains(.looksUnderTheLease) ? state.snapshots.count : snapshots
      add(.restored(number: number, from: chosen))
    case .restored(let number, let from):
      guard highest == number else { return [with(state, .following)] }
      if !rules.contains(.announcesFirst) { add(.serving(number: number, from: from)) }
      guard canCreate else { return found }
      add(.announced(number: number + 1, from: from)) {
        $0.numbers.append(Number(holder: .standby, serving: .standby, since: number + 1, from: from))
      }
    case .announced(let number, let from):
      add(highest == number ? .serving(number: number, from: from) : .following)
    case .serving: break
    }
    if state.standby != .following, state.crashes < crashMax { add(.following) { $0.crashes += 1 } }
    return found
  }

  private func with(_ state: State, _ phase: Phase) -> State {
    var next = state
    next.standby = phase
    return next
  }

  // MARK: All orders

  /// A change of the standby's phase in one step of any order.
  package struct Change: Hashable, Sendable {
    package let before: Phase
    package let after: Phase
  }

  /// Returns every change of the standby's phase that some order of steps has, crashes among them.
  package func changes() -> Set<Change> {
    let first = State()
    var known: Set<State> = [first]
    var open = [first]
    var found: Set<Change> = []
    while let state = open.popLast() {
      for next in next(state) {
        if next.standby != state.standby { found.insert(Change(before: state.standby, after: next.standby)) }
        if known.insert(next).inserted { open.append(next) }
      }
    }
    return found
  }

  /// - Returns: the number of states, the number of those in which the standby serves, and the fault of the first state
  ///   that has one.
  package func explore() -> (count: Int, promotedCount: Int, fault: String?) {
    let first = State()
    var known: Set<State> = [first]
    var open = [first]
    var promotedCount = 0
    while let state = open.popLast() {
      for next in next(state) where known.insert(next).inserted {
        if let fault = fault(of: next) { return (known.count, promotedCount, fault) }
        if next.standbyServes { promotedCount += 1 }
        open.append(next)
      }
    }
    return (known.count, promotedCount, nil)
  }
}
