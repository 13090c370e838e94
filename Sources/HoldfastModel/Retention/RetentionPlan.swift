/// The decision of a policy about each snapshot of one source. It is only a value: making it removes nothing.
package struct RetentionPlan: Hashable, Sendable {
  package struct Line: Hashable, Sendable {
    package let candidate: RetentionCandidate
    /// The reasons to keep the snapshot; empty when it is to be removed.
    package internal(set) var reasons: [RetentionReason] = []
    /// True if the snapshot's time contradicts its number. Such a snapshot displaces no other one.
    package internal(set) var isOutOfOrder = false
    package var isKept: Bool { !reasons.isEmpty }
  }

  /// One line for each snapshot, in ascending order of sequence.
  package private(set) var lines: [Line]

  /// Earlier removal notes are not considered: a snapshot that a rule keeps is kept even if somebody has removed it.
  /// - Parameters:
  ///   - candidates: all snapshots of the source, in any order.
  ///   - now: snapshots with a later time are kept, and displace no other.
  ///   - calendar: converts an instant to local time.
  package init(
    _ candidates: [RetentionCandidate], policy: RetentionPolicy, now: Timestamp,
    calendar: (Timestamp) -> CalendarTime
  ) {
    lines = candidates.sorted { ($0.standsFor, $0.sequence) < ($1.standsFor, $1.sequence) }.map { Line(candidate: $0) }
    keepWhatHomeDoesNotHave()
    if !policy.removesSource { keepWhatIsNeverRemoved(now: now) }
    let judged = judge(now: now)
    keepMarked(policy)
    keepRecent(judged, policy)
    for period in RetentionPolicy.Period.allCases {
      keepNewest(of: period, judged, count: policy.periods[period] ?? 0, calendar)
    }
    keepWhatKeptOnesBuildOn()
    lines.sort { $0.candidate.sequence < $1.candidate.sequence }
  }

  /// The snapshots that the rules consider, as indices of `lines`, in the order of `standsFor`.
  private struct Judged {
    /// Snapshots whose time fits their number. Only these displace others.
    var inOrder: [Int] = []
    /// Snapshots whose time contradicts their number. Each is judged together with those in order but without the
    /// others of this list, so that a wrong time never displaces another snapshot.
    var outOfOrder: [Int] = []
  }

  private mutating func judge(now: Timestamp) -> Judged {
    let present = lines.indices.filter { lines[$0].candidate.time <= now && !lines[$0].candidate.isDiverged }
    var judged = Judged()
    // A merge by a writer without the right to prune chose its own number and time. It must not displace another
    // snapshot, and its time says nothing about clocks.
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

  /// True if a merged snapshot stands for the snapshot: no rule counts the same state twice.
  private func isReplaced(_ index: Int) -> Bool {
    lines[(index + 1)...].prefix { $0.candidate.standsFor == lines[index].candidate.standsFor }
      .contains { $0.candidate.mayReplace && !$0.candidate.isDiverged }
  }

  private mutating func keep(_ index: Int?, _ reason: RetentionReason) {
    if let index { lines[index].reasons.append(reason) }
  }

  private mutating func keepWhatHomeDoesNotHave() {
    for index in lines.indices where lines[index].candidate.isUndecided { keep(index, .undecided) }
  }

  /// Keeps the snapshots that no policy may remove unless the source is removed as a whole.
  private mutating func keepWhatIsNeverRemoved(now: Timestamp) {
    let counted = lines.indices.filter { !lines[$0].candidate.isDiverged }
    for index in lines.indices where lines[index].candidate.isDiverged { keep(index, .diverged) }
    let newest = counted.last
    keep(newest, .newest)
    // The snapshot with the highest number must stay, because machines remember that number of a repository.
    let last = lines.indices.max { lines[$0].candidate.sequence < lines[$1].candidate.sequence }
    if last != newest { keep(last, .lastMade) }
    let complete = counted.last { !lines[$0].candidate.isIncomplete }
    if complete != newest { keep(complete, .newestComplete) }
    // A full of which all bytes were read is preferred to one of which no data or only a part was read.
    let proved = counted.filter { lines[$0].candidate.kind == .full && lines[$0].candidate.provedShare != nil }
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
    // The age is counted from the newest snapshot, so that a source that is no longer backed up loses no snapshots.
    guard policy.within > .zero, let newest = all.map({ lines[$0].candidate.time }).max() else { return }
    for index in all where newest - lines[index].candidate.time <= policy.within {
      keep(index, .within)
    }
  }

  /// Keeps the newest complete snapshot of each period; without a complete one, the newest.
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
      // When all periods are used up, only the last one and later ones may still improve.
      if kept.count == count, let last = kept.last, key.lexicographicallyPrecedes(last.key) { continue }
      keep(index, .newestOf(period, time))
    }
  }

  /// True if `one` is kept rather than `other` of the same period: a complete snapshot before an incomplete one, then
  /// the higher index.
  private func isBetter(_ one: Int, than other: Int) -> Bool {
    let (isOneIncomplete, isOtherIncomplete) = (
      lines[one].candidate.isIncomplete, lines[other].candidate.isIncomplete
    )
    return isOneIncomplete == isOtherIncomplete ? one > other : isOtherIncomplete
  }

  /// Keeps the parents of all kept snapshots. A parent is older than its child, so one pass from the newest down finds
  /// them all.
  private mutating func keepWhatKeptOnesBuildOn() {
    let indices = Dictionary(lines.indices.map { (lines[$0].candidate.id, $0) }) { $1 }
    for index in lines.indices.reversed() where lines[index].isKept {
      guard let parent = lines[index].candidate.parent.flatMap({ indices[$0] }), !lines[parent].isKept else { continue }
      keep(parent, .neededBy(lines[index].candidate.id))
    }
  }
}
