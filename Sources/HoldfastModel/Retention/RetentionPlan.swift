/// What becomes of the snapshots of one source under a policy. A value: nothing is done by making it.
package struct RetentionPlan: Hashable, Sendable {
  package struct Line: Hashable, Sendable {
    package let candidate: RetentionCandidate
    /// Why it stays; empty where it goes.
    package internal(set) var reasons: [RetentionReason] = []
    /// Whether its time contradicts its number: such a snapshot displaces no other.
    package internal(set) var isOutOfOrder = false
    package var isKept: Bool { !reasons.isEmpty }
  }

  /// In ascending order of sequence.
  package private(set) var lines: [Line]

  /// What was noted as removed before is no part of this: what a rule keeps stays, whoever has removed it.
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
    let judged = judge(now: now)
    keepMarked(policy)
    keepRecent(judged, policy)
    for period in RetentionPolicy.Period.allCases {
      keepNewest(of: period, judged, count: policy.periods[period] ?? 0, calendar)
    }
    keepWhatKeptOnesBuildOn()
    lines.sort { $0.candidate.sequence < $1.candidate.sequence }
  }

  /// Whom the rules look at, in the order of what they stand for.
  private struct Judged {
    /// Those whose times are in order, and whose places are their own: only they displace others.
    var inOrder: [Int] = []
    /// Each of these is judged beside those in order, as if the others here were not there: nobody who writes a wrong time pushes another one out.
    var outOfOrder: [Int] = []
  }

  private mutating func judge(now: Timestamp) -> Judged {
    let present = lines.indices.filter { lines[$0].candidate.time <= now }
    var judged = Judged()
    // What somebody merged who may not have snapshots removed has the place and the time that he wrote: it takes no place of another one, and says nothing of a clock.
    judged.outOfOrder = present.filter { isForeignMerge($0) && !isReplaced($0) }
    let own = present.filter { !isForeignMerge($0) }
    let isOutOfOrder = TimeOrder.contradictions(in: own.map { lines[$0].candidate.time })
    for (index, isOut) in zip(own, isOutOfOrder) {
      lines[index].isOutOfOrder = isOut
      if isReplaced(index) { continue }
      if isOut { judged.outOfOrder.append(index) } else { judged.inOrder.append(index) }
    }
    return judged
  }

  private func isForeignMerge(_ index: Int) -> Bool {
    let candidate = lines[index].candidate
    return candidate.standsFor != candidate.sequence && !candidate.mayReplace
  }

  /// Whether a merge has made a full that stands for it: no rule counts the same state twice.
  private func isReplaced(_ index: Int) -> Bool {
    lines[(index + 1)...].prefix { $0.candidate.standsFor == lines[index].candidate.standsFor }
      .contains(where: \.candidate.mayReplace)
  }

  private mutating func keep(_ index: Int?, _ reason: RetentionReason) {
    if let index { lines[index].reasons.append(reason) }
  }

  /// Whatever a policy says.
  private mutating func keepWhatIsNeverRemoved(now: Timestamp) {
    let newest = lines.indices.last
    keep(newest, .newest)
    // What a machine remembers of a repository is its highest number.
    let last = lines.indices.max { lines[$0].candidate.sequence < lines[$1].candidate.sequence }
    if last != newest { keep(last, .lastMade) }
    let complete = lines.indices.last { !lines[$0].candidate.isIncomplete }
    if complete != newest { keep(complete, .newestComplete) }
    // A full of which every byte was read comes before one that was only looked at.
    let proved = lines.indices.filter { lines[$0].candidate.kind == .full && lines[$0].candidate.provedShare != nil }
    keep(proved.last { lines[$0].candidate.provedShare == 100 } ?? proved.last, .provedFull)
    for index in lines.indices where lines[index].candidate.time > now { keep(index, .ahead) }
  }

  private mutating func keepMarked(_ policy: RetentionPolicy) {
    for index in lines.indices {
      if let reason = lines[index].candidate.pin { keep(index, .pinned(reason)) }
      if let tag = lines[index].candidate.tags.intersection(policy.tags).min() { keep(index, .tagged(tag)) }
    }
  }

  private mutating func keepRecent(_ judged: Judged, _ policy: RetentionPolicy) {
    let last = judged.inOrder.suffix(max(0, policy.last))
    for index in last { keep(index, .last(policy.last)) }
    for index in judged.outOfOrder where policy.last > 0 && (last.count < policy.last || index > last[last.startIndex])
    {
      keep(index, .last(policy.last))
    }
    let all = judged.inOrder + judged.outOfOrder
    // Counted from the newest: a source that is not backed up any more loses nothing by it.
    guard policy.within > 0, let newest = all.map({ lines[$0].candidate.time }).max() else { return }
    for index in all where lines[index].candidate.time.secondsUntil(newest) <= Double(policy.within) {
      keep(index, .within)
    }
  }

  /// Of each period the newest complete one; where there is none, the newest.
  private mutating func keepNewest(
    of period: RetentionPolicy.Period, _ judged: Judged, count: Int, _ calendar: (Timestamp) -> CalendarTime
  ) {
    guard count > 0 else { return }
    var chosen: [[Int]: (index: Int, time: CalendarTime)] = [:]
    for index in judged.inOrder {
      let time = calendar(lines[index].candidate.time)
      let key = period.key(of: time)
      if let known = chosen[key], isBetter(known.index, than: index) { continue }
      chosen[key] = (index, time)
    }
    let kept = chosen.sorted { $1.key.lexicographicallyPrecedes($0.key) }.prefix(count)
    for (_, choice) in kept { keep(choice.index, .newestOf(period, choice.time)) }
    for index in judged.outOfOrder {
      let time = calendar(lines[index].candidate.time)
      let key = period.key(of: time)
      if let rival = chosen[key], isBetter(rival.index, than: index) { continue }
      // Where all periods are taken, it has to be of a later one than the last of them, or of that.
      if kept.count == count, let last = kept.last, key.lexicographicallyPrecedes(last.key) { continue }
      keep(index, .newestOf(period, time))
    }
  }

  /// Of two of the same period: a complete one goes before an incomplete one, then the later number.
  private func isBetter(_ one: Int, than other: Int) -> Bool {
    let (isOneIncomplete, isOtherIncomplete) = (
      lines[one].candidate.isIncomplete, lines[other].candidate.isIncomplete
    )
    return isOneIncomplete == isOtherIncomplete ? one > other : isOtherIncomplete
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
