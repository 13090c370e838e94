/// Which snapshots of a source are to be kept.
package struct RetentionPolicy: Hashable, Sendable {
  /// A stretch of the calendar, in local time, of which one snapshot is kept.
  package enum Period: String, CaseIterable, Sendable {
    case hour, day, week, month, year
  }

  /// So many of the newest.
  package var last = 0
  /// Of so many of the newest periods that have a snapshot, the newest one each.
  package var periods: [Period: Int] = [:]
  /// Those that are at most so many seconds older than the newest.
  package var within: Int64 = 0
  /// Those that bear one of these.
  package var tags: Set<Tag> = []

  package init() {}

  /// Whether it asks for nothing to be kept.
  package var isEmpty: Bool { last <= 0 && periods.values.allSatisfy { $0 <= 0 } && within <= 0 && tags.isEmpty }
}

/// What a policy looks at in a snapshot.
package struct RetentionCandidate: Hashable, Sendable {
  package var id: Identifier
  package var sequence: UInt64
  package var kind: SnapshotKind
  /// In whose place it counts: its own sequence, or that of the snapshot for which it stands since a merge.
  package var standsFor: UInt64
  /// Whether that one goes for it: who made it may have snapshots removed.
  package var mayReplace = true
  package var parent: Identifier?
  /// When it was begun, by the clock of the machine that took it.
  package var time: Timestamp
  package var tags: Set<Tag> = []
  /// The reason why it is pinned, which may be empty; `nil` where it is not.
  package var pin: String?
  /// Whether something of it could not be captured whole.
  package var isIncomplete = false
  /// Which share of a full's bytes the last verify proved, in percent; 0 where it read no data, `nil` where there was none.
  package var provedShare: Int?

  package init(id: Identifier, sequence: UInt64, kind: SnapshotKind, parent: Identifier?, time: Timestamp) {
    (self.id, self.sequence, self.kind, self.parent, self.time) = (id, sequence, kind, parent, time)
    standsFor = sequence
  }
}

/// Why a snapshot stays.
package enum RetentionReason: Hashable, Sendable, CustomStringConvertible {
  case newest
  /// Its number is the highest, though it stands for an older one.
  case lastMade
  case newestComplete
  case provedFull
  case pinned(String)
  case tagged(Tag)
  case ahead
  case last(Int)
  case within
  case newestOf(RetentionPolicy.Period, CalendarTime)
  case neededBy(Identifier)
  /// While the plan was carried out.
  case calledBack
  /// It was noted as removed, and is no more.
  case cameBack
  /// A note says that it is beyond recall, and a rule keeps it: nothing of it is removed.
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
  /// What tells the periods of one kind apart, and puts them in order.
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
