/// What becomes of the snapshots of one source under a policy. A value: nothing is done by making it.
package struct RetentionPlan: Hashable, Sendable {
  package struct Line: Hashable, Sendable {
    package let candidate: RetentionCandidate
    /// Why it stays; empty where it goes.
    package internal(set) var reasons: [RetentionReason] = []
    package var isKept: Bool { !reasons.isEmpty }
  }

  /// In ascending order of sequence.
  package private(set) var lines: [Line]

  /// - Parameters:
  ///   - candidates: all snapshots of the source that there are, in any order.
  ///   - now: what lies behind it is kept, and displaces no other.
  ///   - calendar: local time.
  package init(
    _ candidates: [RetentionCandidate], policy: RetentionPolicy, now: Timestamp,
    calendar: (Timestamp) -> CalendarTime
  ) {
    lines = candidates.sorted { ($0.standsFor, $0.sequence) < ($1.standsFor, $1.sequence) }.map { Line(candidate: $0) }
    keepWhatIsNeverRemoved(now: now)
    let judged = lines.indices.filter {
      !lines[$0].candidate.isRemoved && lines[$0].candidate.time <= now && !isReplaced($0)
    }
    keepMarked(policy)
    keepRecent(judged, policy)
    for period in RetentionPolicy.Period.allCases {
      keepNewest(of: period, judged, count: policy.periods[period] ?? 0, calendar)
    }
    keepWhatKeptOnesBuildOn()
    lines.sort { $0.candidate.sequence < $1.candidate.sequence }
  }

  /// Whether a merge has made a full that stands for it: no rule counts the same state twice.
  private func isReplaced(_ index: Int) -> Bool {
    lines[(index + 1)...].prefix { $0.candidate.standsFor == lines[index].candidate.standsFor }
      .contains { !$0.candidate.isRemoved }
  }

  private mutating func keep(_ index: Int?, _ reason: RetentionReason) {
    if let index { lines[index].reasons.append(reason) }
  }

  /// Whatever a policy says.
  private mutating func keepWhatIsNeverRemoved(now: Timestamp) {
    let present = lines.indices.filter { !lines[$0].candidate.isRemoved }
    keep(present.last, .newest)
    // What a machine remembers of a repository is its highest number.
    let last = present.max { lines[$0].candidate.sequence < lines[$1].candidate.sequence }
    if last != present.last { keep(last, .lastMade) }
    let complete = present.last { !lines[$0].candidate.isIncomplete }
    if complete != present.last { keep(complete, .newestComplete) }
    // A full of which every byte was read comes before one that was only looked at.
    let proved = present.filter { lines[$0].candidate.kind == .full && lines[$0].candidate.provedShare != nil }
    keep(proved.last { lines[$0].candidate.provedShare == 100 } ?? proved.last, .provedFull)
    for index in present where lines[index].candidate.time > now { keep(index, .ahead) }
  }

  private mutating func keepMarked(_ policy: RetentionPolicy) {
    for index in lines.indices where !lines[index].candidate.isRemoved {
      if let reason = lines[index].candidate.pin { keep(index, .pinned(reason)) }
      if let tag = lines[index].candidate.tags.intersection(policy.tags).min() { keep(index, .tagged(tag)) }
    }
  }

  private mutating func keepRecent(_ judged: [Int], _ policy: RetentionPolicy) {
    for index in judged.suffix(max(0, policy.last)) { keep(index, .last(policy.last)) }
    // Counted from the newest: a source that is not backed up any more loses nothing by it.
    guard policy.within > 0, let newest = judged.map({ lines[$0].candidate.time }).max() else { return }
    for index in judged where lines[index].candidate.time.secondsUntil(newest) <= Double(policy.within) {
      keep(index, .within)
    }
  }

  /// Of each period the newest complete one; where there is none, the newest.
  private mutating func keepNewest(
    of period: RetentionPolicy.Period, _ judged: [Int], count: Int, _ calendar: (Timestamp) -> CalendarTime
  ) {
    guard count > 0 else { return }
    var chosen: [[Int]: (index: Int, time: CalendarTime)] = [:]
    for index in judged {
      let time = calendar(lines[index].candidate.time)
      let key = period.key(of: time)
      if let known = chosen[key], lines[index].candidate.isIncomplete, !lines[known.index].candidate.isIncomplete {
        continue
      }
      chosen[key] = (index, time)
    }
    for (_, choice) in chosen.sorted(by: { $1.key.lexicographicallyPrecedes($0.key) }).prefix(count) {
      keep(choice.index, .newestOf(period, choice.time))
    }
  }

  /// A parent is older than its child, so one pass from the newest down finds them all.
  private mutating func keepWhatKeptOnesBuildOn() {
    let places = Dictionary(lines.indices.map { (lines[$0].candidate.id, $0) }) { $1 }
    for index in lines.indices.reversed() where lines[index].isKept {
      guard let parent = lines[index].candidate.parent.flatMap({ places[$0] }), !lines[parent].isKept else { continue }
      keep(parent, .neededBy(lines[index].candidate.id))
    }
  }
}
