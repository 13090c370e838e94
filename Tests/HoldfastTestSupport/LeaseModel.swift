/// The protocol of leases as a small machine: a few processes, a store with create-if-absent, messages that arrive
/// late, answers that are lost, clocks that run at different rates, and processes that may sleep between any two steps.
/// `explore` tries every order of steps. It is in this module because this module is optimized, and tests are not.
package struct LeaseModel {
  /// The rules on which the protocol depends. A test removes one, and sees that it was needed.
  package enum Rule: CaseIterable, Sendable {
    /// A holder trusts its lease for three quarters of the duration, a waiter waits for all of it. So the rates of
    /// their clocks may differ.
    case holdersStopEarly
    /// A holder counts from the time before it asked for the number, not from the time of the answer.
    case countsFromTheRequest
    /// A process that has created a number checks that there is no higher one, because its number may have been used
    /// and removed.
    case looksAfterCreating
    /// A number that exists already is a process's own only if its holder says so.
    case readsWhatIsThere
    /// The number of a snapshot is used once.
    case commitsOnce
    /// A commit may be on its way while the lease is lost. So a snapshot counts only if its maker finds after the
    /// commit that no other process has held the lease.
    case looksAfterCommitting
    /// A removal may be on its way while the lease is lost. So it names the objects that were seen under the lease.
    case removesOnlyWhatItSaw
  }

  /// In ticks of a clock that runs at rate 1.
  private static let duration = 12
  private static let rates = [3, 4]

  let rules: Set<Rule>
  /// The ticks that each clock advances in one step of time: 3 or 4.
  let rates: [Int]
  let timeMax: Int
  let numberMax: Int

  package init(without rule: Rule? = nil, rates: [Int], timeMax: Int = 8, numberMax: Int = 5) {
    rules = Set(Rule.allCases).subtracting(rule.map { [$0] } ?? [])
    (self.rates, self.timeMax, self.numberMax) = (rates, timeMax, numberMax)
  }

  enum Phase: Hashable {
    case watching
    /// A number was requested at this time of the process's own clock, and the request has not reached the store.
    case asking(number: Int, since: Int)
    /// The store has answered; `isMine` is true if the number was free.
    case answered(number: Int, since: Int, isMine: Bool)
    /// The answer was lost, so the same number is requested again.
    case unsure(number: Int, since: Int)
    /// The number is the process's own; it is not known yet if it is the highest.
    case confirming(number: Int, until: Int)
    case holding
    /// The manifest is stored; it is not known yet if the lease was held until then.
    case committed
    /// The snapshot was acknowledged: no process may remove its objects.
    case acknowledged
    case lost
  }

  struct Process: Hashable {
    var phase = Phase.watching
    /// The highest number that was seen, and the time since it was seen.
    var seen = 0
    var seenSince = 0
    /// The number that is held. It is trusted while the process's own clock is before `until`.
    var number: Int?
    var until = 0
    /// The snapshot that the process will commit; `nil` when it was not chosen yet.
    var snapshot: Int?
    /// The processes whose objects it saw under that number and has not removed yet, one bit each; `nil` before it
    /// looked, and after it has removed them.
    var toClear: UInt8?
    /// True if its own objects are stored.
    var hasObjects = false
    /// The number of the lease under which a commit is on its way.
    var committing: Int?
  }

  struct State: Hashable {
    var time = 0
    var processes: [Process]
    /// The process that has created each number, from 1; -1 if none has, or it was removed.
    var leases: [Int8]
    var highest: Int { (leases.lastIndex { $0 >= 0 } ?? -1) + 1 }
    /// The number of the lease under which each snapshot was committed; `hasReplaced` is true if a commit replaced
    /// another.
    var commits: [Int] = []
    var hasReplaced = false
    /// True if a snapshot was acknowledged whose objects are gone.
    var hasLostObjects = false
  }

  private func clock(_ process: Int, _ state: State) -> Int { state.time * rates[process] }

  private func isTrusted(_ process: Int, _ state: State) -> Bool {
    state.processes[process].number != nil && clock(process, state) < state.processes[process].until
  }

  /// Returns the fault of a state; `nil` if it has none.
  func fault(of state: State) -> String? {
    let trusted = state.processes.indices.filter { isTrusted($0, state) }
    if trusted.count > 1 { return "processes \(trusted) hold it at the same time" }
    if state.hasReplaced { return "a snapshot was replaced" }
    if state.hasLostObjects { return "a snapshot was acknowledged, and its objects are gone" }
    if zip(state.commits, state.commits.dropFirst()).contains(where: { $0 > $1 }) {
      return "a holder that was fenced off has committed behind its successor: \(state.commits)"
    }
    return nil
  }

  // MARK: Steps

  func next(_ state: State) -> [State] {
    var found: [State] = []
    if state.time < timeMax {
      var later = state
      later.time += 1
      found.append(later)
    }
    for process in state.processes.indices { found += steps(of: process, state) }
    return found
  }

  private func steps(of index: Int, _ state: State) -> [State] {
    let process = state.processes[index]
    var found: [State] = []
    func add(_ change: (inout State, inout Process) -> Void) {
      var (next, own) = (state, process)
      change(&next, &own)
      next.processes[index] = own
      found.append(next)
    }
    let now = clock(index, state)
    let highest = state.highest
    switch process.phase {
    case .watching:
      if highest != process.seen || process.seenSince < 0 {
        add { ($1.seen, $1.seenSince) = (highest, now) }
      }
      let isFree = highest == 0 || (highest == process.seen && now - process.seenSince >= Self.duration)
      if isFree, highest < numberMax { add { $1.phase = .asking(number: highest + 1, since: now) } }
    case .asking(let number, let since):
      add { $1.phase = .answered(number: number, since: since, isMine: create(number, index, &$0)) }
    case .answered(let number, let since, let isMine):
      add { answer(number, since, isMine, index, &$1, now) }
      add { $1.phase = .unsure(number: number, since: since) }
    case .unsure(let number, let since):
      let holder = state.leases[number - 1]
      if holder >= 0 {
        let own = Int(holder) == index || !rules.contains(.readsWhatIsThere)
        add { answer(number, since, own, index, &$1, now) }
      } else {
        add { $1.phase = .answered(number: number, since: since, isMine: create(number, index, &$0)) }
      }
    case .confirming(let number, let until):
      add { _, own in
        guard highest <= number || !rules.contains(.looksAfterCreating) else { return lose(&own) }
        (own.phase, own.number, own.until) = (.holding, number, until)
      }
    case .holding:
      // Older numbers are removed at some time, or never. The last two stay.
      let old = max(0, (process.number ?? 0) - 2)
      if state.leases.prefix(old).contains(where: { $0 >= 0 }) {
        add { state, _ in for index in 0..<old { state.leases[index] = -1 } }
      }
      if let number = process.number, number < numberMax {
        add { $1.phase = .asking(number: number + 1, since: now) }
      }
      found += worksteps(of: index, state)
    case .committed:
      // A process that takes the lease after this sees the manifest. Late renewals are left out here, because they show
      // the same.
      let isHeld = isTrusted(index, state) || highest <= process.number ?? 0
      add { state, own in
        (own.phase, own.number) = (isHeld || !rules.contains(.looksAfterCommitting) ? .acknowledged : .lost, nil)
        if own.phase == .acknowledged, !own.hasObjects { state.hasLostObjects = true }
      }
    case .acknowledged, .lost: break
    }
    if let number = process.committing, let snapshot = process.snapshot {
      add { state, own in
        own.committing = nil
        own.phase = .committed
        if snapshot == state.commits.count {
          state.commits.append(number)
        } else if rules.contains(.commitsOnce) {
          lose(&own)
        } else {
          state.commits[snapshot] = number
          state.hasReplaced = true
        }
      }
    }
    return found
  }

  /// The work of a holder under the lease: it sees the objects that others have left under the number that has no
  /// manifest, removes them, stores its own objects, and sends its manifest. A removal and a manifest may arrive late.
  private func worksteps(of index: Int, _ state: State) -> [State] {
    var (next, own) = (state, state.processes[index])
    if let toClear = own.toClear {
      for other in state.processes.indices where state.processes[other].hasObjects {
        let isMeant = rules.contains(.removesOnlyWhatItSaw) ? toClear >> other & 1 == 1 : other != index
        guard isMeant, state.processes[other].snapshot == own.snapshot else { continue }
        next.processes[other].hasObjects = false
        if state.processes[other].phase == .acknowledged { next.hasLostObjects = true }
      }
      (own.toClear, own.hasObjects) = (nil, true)
    } else if !isTrusted(index, state) {
      return []
    } else if own.snapshot == nil {
      let number = state.commits.count
      own.snapshot = number
      own.toClear = state.processes.indices.reduce(0) { bits, other in
        let isThere = state.processes[other].hasObjects && state.processes[other].snapshot == number
        return bits | (isThere ? 1 << other : 0)
      }
    } else if own.committing == nil {
      own.committing = own.number
    }
    next.processes[index] = own
    return [next]
  }

  /// - Returns: true if the number was free.
  private func create(_ number: Int, _ process: Int, _ state: inout State) -> Bool {
    guard state.leases[number - 1] < 0 else { return false }
    state.leases[number - 1] = Int8(process)
    return true
  }

  private func answer(
    _ number: Int, _ since: Int, _ isMine: Bool, _ index: Int, _ own: inout Process, _ now: Int
  ) {
    guard isMine else {
      if own.number != nil { return lose(&own) }
      own.phase = .watching
      return
    }
    let begin = rules.contains(.countsFromTheRequest) ? since : now
    let trusted = rules.contains(.holdersStopEarly) ? Self.duration * 3 / 4 : Self.duration
    own.phase = .confirming(number: number, until: begin + trusted)
  }

  private func lose(_ own: inout Process) { (own.phase, own.number) = (.lost, nil) }

  // MARK: All orders

  /// True if a holder that had not renewed in time has just created the next number, and no other process has held it
  /// since.
  private func isLateRenewal(_ process: Process) -> Bool {
    guard process.number != nil, case .confirming(_, let until) = process.phase else { return false }
    return until - Self.duration * 3 / 4 >= process.until
  }

  /// - Returns: the number of states, the number of those in which a holder has renewed late, and the fault of the
  ///   first state that has one.
  package func explore() -> (count: Int, lateCount: Int, fault: String?) {
    let leases = [Int8](repeating: -1, count: numberMax)
    let first = State(processes: rates.map { _ in Process() }, leases: leases)
    var known: Set<State> = [first]
    var open = [first]
    var lateCount = 0
    while let state = open.popLast() {
      for next in next(state) where known.insert(next).inserted {
        if let fault = fault(of: next) { return (known.count, lateCount, fault) }
        if next.processes.contains(where: isLateRenewal) { lateCount += 1 }
        open.append(next)
      }
    }
    return (known.count, lateCount, nil)
  }
}
