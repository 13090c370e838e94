package import HoldfastModel

/// The steps that are due for a source now, with their reasons. It depends only on the history of the source, the
/// policy and the time; making it changes nothing.
package struct RunPlan: Hashable, Sendable {
  package enum Step: Hashable, Sendable {
    case take(SnapshotKind)
    case merge
    /// The newest increments, of which there are so many, become one.
    case gather(Int)
    /// A merge is due, but this machine has no key for it.
    case mergeElsewhere
    case prune
    /// A prune is due, but this machine's writer key has no right to it.
    case pruneElsewhere
    /// A part of the verify round is due.
    case verify(first: Int, count: Int)
    case drill
    /// A drill is due, but this machine has no key for it.
    case drillElsewhere
  }

  package struct Line: Hashable, Sendable {
    package let step: Step
    package let reason: String
  }

  package private(set) var lines: [Line] = []
  /// The reason for which no snapshot is taken; `nil` if one is.
  package private(set) var idleReason: String?

  /// The most by which the clocks of two machines may differ: a time that is less ahead counts as now.
  private static let skew = TimeSpan.minutes(1)
  /// The most by which a step may be early. A run every 15 minutes is sometimes a little early, and must not wait for
  /// the next time: a step is due if less than a tenth of its interval, and less than this, is missing.
  private static let earlyMax = TimeSpan.minutes(2)
  /// The number of verifies in a round, if the policy gives only the time for the round.
  private static let verifiesPerRound = 30.0

  /// - Parameters:
  ///   - opens: true if this machine has a key that opens the newest chain.
  ///   - mayPrune: true if this machine's writer key may remove.
  package init(_ history: RunHistory, _ policy: RunPolicy, now: Timestamp, opens: Bool, mayPrune: Bool) {
    let kind = planCapture(history, policy, now)
    let isMerged = planMerge(history, policy, taking: kind, opens: opens)
    if policy.prunes, kind != nil || isMerged {
      lines.append(Line(step: mayPrune ? .prune : .pruneElsewhere, reason: "what no rule keeps goes"))
    }
    planVerify(history, policy, now, takes: kind != nil)
    planDrill(history, policy, now, takes: kind != nil, opens: opens)
  }

  /// The plan of a watch for one more change.
  package static let incremental: RunPlan = {
    var plan = RunPlan()
    plan.lines = [Line(step: .take(.incremental), reason: "something changed")]
    return plan
  }()

  /// The use that a watch makes of the increments that it has taken.
  package enum Gathering: Hashable, Sendable {
    /// A differential stands in their place: what comes next builds on it.
    case differential
    /// One more increment is taken, and the newest, of which there are then so many, become one.
    case increments(Int)
    /// The chain becomes a new full, which is due once a day or so.
    /// - Parameter takes: the kind of the snapshot that is taken before that.
    case full(takes: SnapshotKind)

    package var isFull: Bool { if case .full = self { true } else { false } }
  }

  /// The plan of a watch that has taken increments: they are gathered, or a full is taken if the policy demands one;
  /// then prunes and verifies are made up for. What is to be verified with every run is verified when the chain becomes
  /// a full.
  package init(
    _ gathering: Gathering, _ history: RunHistory, _ policy: RunPolicy, now: Timestamp, opens: Bool, mayPrune: Bool
  ) {
    var rule = policy
    rule.intervals = policy.intervals.filter { $0.key == .full }
    let isFull = history.items.isEmpty || !rule.intervals.isEmpty && Self.due(history, rule, now).kind == .full
    lines = [Line(step: .take(isFull ? .full : gathering.taken), reason: "increments are gathered")]
    if !isFull, let step = gathering.step(opens: opens) {
      lines.append(Line(step: step, reason: "the chain is to become short"))
    }
    if policy.prunes {
      lines.append(Line(step: mayPrune ? .prune : .pruneElsewhere, reason: "what no rule keeps goes"))
    }
    // A share of every run would be one of every few minutes.
    planVerify(history, policy, now, takes: gathering.isFull || isFull)
  }

  private init() {}

  // MARK: Taking

  private mutating func planCapture(_ history: RunHistory, _ policy: RunPolicy, _ now: Timestamp) -> SnapshotKind? {
    let (kind, reason) = Self.due(history, policy, now)
    if let kind { lines.append(Line(step: .take(kind), reason: reason)) } else { idleReason = reason }
    return kind
  }

  private static func due(
    _ history: RunHistory, _ policy: RunPolicy, _ now: Timestamp
  ) -> (kind: SnapshotKind?, reason: String) {
    guard !history.items.isEmpty else { return (.full, "there is no snapshot yet") }
    guard !policy.intervals.isEmpty else { return (.incremental, "no schedule says otherwise") }
    // A time in the future comes from a wrong clock, and tells no age.
    let past = history.items.compactMap { item -> (kind: SnapshotKind, age: TimeSpan)? in
      let age = now - item.started
      return age < -skew ? nil : (item.kind, max(.zero, age))
    }
    var wait: (kind: SnapshotKind, span: TimeSpan)?
    for kind in SnapshotKind.allCases {
      guard let interval = policy.intervals[kind] else { continue }
      guard let age = past.filter({ $0.kind.size >= kind.size }).map(\.age).min() else {
        return (kind, "no \(kind.rawValue) or bigger one lies in the past")
      }
      if age >= interval - early(interval) {
        return (
          kind,
          "the last \(kind == .full ? "full" : kind == .differential ? "full or differential" : "snapshot") is \(Amount.duration(age.rounded())) old"
        )
      }
      if wait.map({ interval - age < $0.span }) ?? true { wait = (kind, interval - age) }
    }
    return (nil, wait.map { "the next \($0.kind.rawValue) is due in \(Amount.duration($0.span.rounded()))" } ?? "")
  }

  private static func early(_ interval: TimeSpan) -> TimeSpan { min(interval / 10, earlyMax) }

  // MARK: Merging

  /// - Returns: true if a merge is planned.
  private mutating func planMerge(
    _ history: RunHistory, _ policy: RunPolicy, taking kind: SnapshotKind?, opens: Bool
  ) -> Bool {
    guard let limit = policy.mergeAfter else { return false }
    let increments =
      switch kind {
      case .full: 0
      case .differential: 1
      case .incremental: (history.increments ?? 0) + 1
      case nil: history.increments ?? 0
      }
    guard increments >= limit, increments > 0 else { return false }
    let reason = "its chain has \(Amount.count(UInt64(increments), "increment"))"
    lines.append(Line(step: opens ? .merge : .mergeElsewhere, reason: reason))
    return opens
  }

  // MARK: Verifying

  private mutating func planVerify(_ history: RunHistory, _ policy: RunPolicy, _ now: Timestamp, takes: Bool) {
    guard takes || !history.items.isEmpty else { return }
    let first = history.verifyRound.map { (0..<VerifyRound.parts).contains($0.next) ? $0.next : 0 } ?? 0
    var share = policy.verifyShare ?? 0
    var reason = "a share of every run"
    if let within = policy.verifyWithin, within > .zero {
      let step = within / Self.verifiesPerRound
      let known = history.verifyRound.map { now - $0.time }
      // With a wrong clock, the time since then is not known.
      let passed = known.map { $0 < -Self.skew ? step : max(.zero, $0) } ?? step
      guard passed >= step - Self.early(step) else { return }
      // A part that was verified at the beginning of a step may be verified only at the end of a step in the next
      // round.
      share = max(share, passed / (within - step))
      reason = known == nil ? "nothing was proved yet" : "the last verify was \(Amount.duration(passed.rounded())) ago"
    } else if !takes {
      return
    }
    guard share > 0 else { return }
    let count = Int(saturating: (min(1, share) * Double(VerifyRound.parts)).rounded(.up))
    lines.append(Line(step: .verify(first: first, count: count), reason: reason))
  }
}

// MARK: Drills

extension RunPlan {
  /// The longest wait after a drill that failed or could not be made: it must not be forgotten for a week, nor be
  /// repeated every 15 minutes.
  private static let repeatAfter = TimeSpan.days(1)

  private mutating func planDrill(
    _ history: RunHistory, _ policy: RunPolicy, _ now: Timestamp, takes: Bool, opens: Bool
  ) {
    guard let every = policy.drillEvery, takes || !history.items.isEmpty else { return }
    let reason: String
    if let last = history.lastDrill {
      let interval = last.passed ? every : min(every, Self.repeatAfter)
      let age = now - last.time
      guard age >= interval - Self.early(interval) || age < -Self.skew else { return }
      let when = age < .zero ? "lies ahead of the clock" : "was \(Amount.duration(age.rounded())) ago"
      reason = last.passed ? "the last drill \(when)" : "the last drill \(when), and did not pass"
    } else {
      reason = "this machine has made no drill yet"
    }
    lines.append(Line(step: opens ? .drill : .drillElsewhere, reason: reason))
  }
}

extension RunPlan.Gathering {
  /// The kind of the snapshot that is taken first.
  fileprivate var taken: SnapshotKind {
    switch self {
    case .differential: .differential
    case .increments: .incremental
    case .full(let kind): kind
    }
  }

  fileprivate func step(opens: Bool) -> RunPlan.Step? {
    switch self {
    case .differential: nil
    case .increments(let count): opens ? .gather(count) : nil
    case .full: opens ? .merge : .mergeElsewhere
    }
  }
}

extension SnapshotKind {
  /// The rank of a kind: a larger one stands for more.
  fileprivate var size: Int {
    switch self {
    case .full: 2
    case .differential: 1
    case .incremental: 0
    }
  }
}
