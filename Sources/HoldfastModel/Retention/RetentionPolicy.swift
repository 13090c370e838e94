/// The rules that say which snapshots of a source are kept.
package struct RetentionPolicy: Hashable, Sendable {
  /// A period of the local calendar; one snapshot of it is kept.
  package enum Period: String, CaseIterable, Sendable {
    case hour, day, week, month, year
  }

  /// Keeps this many of the newest snapshots.
  package var last = 0
  /// For each kind of period: keeps the newest snapshot of each of this many newest periods that have one.
  package var periods: [Period: Int] = [:]
  /// Keeps snapshots that are at most this much older than the newest.
  package var within = TimeSpan.zero
  /// Keeps snapshots with any of these tags.
  package var tags: Set<Tag> = []
  /// True to remove the source as a whole: only pinned snapshots are kept, and what they build on.
  package private(set) var removesSource = false

  package init() {}

  /// The policy that removes the source as a whole.
  package static let removingSource: RetentionPolicy = {
    var policy = RetentionPolicy()
    policy.removesSource = true
    return policy
  }()

  /// True if the policy says nothing: then next to nothing would be kept.
  package var isEmpty: Bool {
    !removesSource && last <= 0 && periods.values.allSatisfy { $0 <= 0 } && within <= .zero && tags.isEmpty
  }
}

/// The properties of a snapshot that a policy considers.
package struct RetentionCandidate: Hashable, Sendable {
  package var id: Identifier
  package var sequence: UInt64
  package var kind: SnapshotKind
  /// The sequence number under which it counts: its own, or after a merge that of the snapshot that it stands for.
  package var standsFor: UInt64
  /// True if it may displace the snapshot that it stands for, because its writer has the right to prune.
  package var mayReplace = true
  package var parent: Identifier?
  /// The start of the backup, by the clock of the machine that took it.
  package var time: Timestamp
  package var tags: Set<Tag> = []
  /// The reason of its pin, which may be empty; `nil` when it is not pinned.
  package var pin: String?
  /// True if a part of it could not be captured whole.
  package var isIncomplete = false
  /// The share of a full's bytes that the last verify read, in percent; 0 when it read no data, `nil` without a verify.
  package var provedShare: Int?
  /// True if home has never decided about it: it was taken at another target, and did not come home yet.
  package var isUndecided = false
  /// True if it was under way when another host took over the source. It is kept, and counts for no rule.
  package var isDiverged = false

  package init(id: Identifier, sequence: UInt64, kind: SnapshotKind, parent: Identifier?, time: Timestamp) {
    (self.id, self.sequence, self.kind, self.parent, self.time) = (id, sequence, kind, parent, time)
    standsFor = sequence
  }
}

/// The reason why a snapshot is kept.
package enum RetentionReason: Hashable, Sendable, CustomStringConvertible {
  case newest
  /// It has the highest number, although it stands for an older snapshot.
  case lastMade
  case newestComplete
  case provedFull
  case pinned(String)
  case tagged(Tag)
  case ahead
  /// It was under way when another host took over the source.
  case diverged
  /// Home does not have it, and has not removed it.
  case undecided
  case last(Int)
  case within
  case newestOf(RetentionPolicy.Period, CalendarTime)
  case neededBy(Identifier)
  /// It was called back while the plan was carried out.
  case calledBack
  /// A note said that it is removed, and no note says so any longer.
  case cameBack
  /// A note says that it is collected, but a rule keeps it, so none of its objects is removed.
  case heldBack

  package var description: String {
    switch self {
    case .newest: "the newest"
    case .lastMade: "the last that was made"
    case .newestComplete: "the newest complete one"
    case .provedFull: "the newest full that was proved"
    case .pinned(let reason): reason.isEmpty ? "pinned" : "pinned: \(reason)"
    case .tagged(let tag): "tagged \(tag)"
    case .ahead: "its time lies ahead"
    case .diverged: "diverged: another host had taken over"
    case .undecided: "home does not have it yet"
    case .last(let count): "one of the last \(count)"
    case .within: "recent enough"
    case .newestOf(let period, let time): "the newest of \(period.name(of: time))"
    case .neededBy(let id): "\(id.short) builds on it"
    case .calledBack: "called back meanwhile"
    case .cameBack: "it was removed before, and comes back"
    case .heldBack: "noted as beyond recall, but not removed here"
    }
  }
}

extension RetentionPolicy.Period {
  /// The name of the rule for a kind of period: the key below `keep`, and the part of the flag after `--keep-`.
  package var rule: String {
    switch self {
    case .hour: "hourly"
    case .day: "daily"
    case .week: "weekly"
    case .month: "monthly"
    case .year: "yearly"
    }
  }

  /// A key that differs for different periods of this kind and sorts them by time.
  func key(of time: CalendarTime) -> [Int] {
    switch self {
    // An hour that comes twice is later the second time, when the offset is smaller.
    case .hour: [time.year, time.month, time.day, time.hour, -time.offset]
    case .day: [time.year, time.month, time.day]
    case .week: [time.weekYear, time.week]
    case .month: [time.year, time.month]
    case .year: [time.year]
    }
  }

  /// A period as people write it: `2026-11-22 14 h`, `2026-11-22`, `2026-W47`, `2026-11`, `2026`.
  package func name(of time: CalendarTime) -> String {
    func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let month = "\(time.year)-\(padded(time.month))"
    switch self {
    case .hour: return "\(month)-\(padded(time.day)) \(padded(time.hour)) h"
    case .day: return "\(month)-\(padded(time.day))"
    case .week: return "\(time.weekYear)-W\(padded(time.week))"
    case .month: return month
    case .year: return "\(time.year)"
    }
  }
}
