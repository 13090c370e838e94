internal import HoldfastArchive
internal import HoldfastModel

/// Judges a status: missed objectives and concerns.
extension StatusComputation {
  /// The share that is enough. A verify that reads random shares never reaches all.
  private static let provedShareMin = 0.95

  /// Returns the missed objectives. An objective that cannot be shown to be met is missed.
  func missed(_ status: SourceStatus) -> [SourceStatus.Missed] {
    var missed: [SourceStatus.Missed] = []
    if let maxAge = objectives.maxAge, let text = ageMiss(status, maxAge) {
      missed.append(SourceStatus.Missed(objective: .age, text: text))
    }
    if let maxChain = objectives.maxChain, let newest = status.newest {
      if let length = newest.chainLength {
        if length > maxChain {
          missed.append(
            SourceStatus.Missed(
              objective: .chain,
              text: "the chain of the newest snapshot has \(length) snapshots, and \(maxChain) are allowed"))
        }
      } else {
        missed.append(
          SourceStatus.Missed(objective: .chain, text: "the length of the chain of the newest snapshot is unknown"))
      }
    }
    if let within = objectives.proveWithin, let text = verifyMiss(within) {
      missed.append(SourceStatus.Missed(objective: .proof, text: text))
    }
    if let within = objectives.restoreWithin, let text = restoreMiss(status.drills, within) {
      missed.append(SourceStatus.Missed(objective: .restore, text: text))
    }
    if let within = objectives.drilledWithin, let text = drillMiss(status.drills, within) {
      missed.append(SourceStatus.Missed(objective: .drill, text: text))
    }
    return missed
  }

  /// Returns a text if a restore may take longer than `within`, or nobody knows: only drills tell.
  private func restoreMiss(_ drills: DrillStatus, _ within: TimeSpan) -> String? {
    let allowed = "\(Amount.duration(within)) are allowed"
    guard let worst = drills.worstTime else {
      return "how long a restore takes is unknown: no drill has passed, and \(allowed)"
    }
    return worst > within ? "a drill took \(Amount.duration(worst)) to restore, and \(allowed)" : nil
  }

  private func drillMiss(_ drills: DrillStatus, _ within: TimeSpan) -> String? {
    let allowed = "\(Amount.age(within)) are allowed"
    guard let age = drills.passedAge else { return "no drill has passed, and \(allowed)" }
    return age > within ? "the last drill that passed was \(Amount.age(age)) ago, and \(allowed)" : nil
  }

  private func ageMiss(_ status: SourceStatus, _ maxAge: TimeSpan) -> String? {
    let allowed = "\(Amount.age(maxAge)) are allowed"
    guard let age = status.completeAge else {
      if status.newest == nil { return "there is no snapshot, and \(allowed)" }
      return "the age of the newest complete snapshot is unknown, and \(allowed)"
    }
    return age > maxAge ? "the newest complete snapshot is \(Amount.age(age)) old, and \(allowed)" : nil
  }

  /// Returns a text if too little was verified. Only snapshots that are older than `within` are due.
  private func verifyMiss(_ within: TimeSpan) -> String? {
    let due = facts.snapshots.filter { age(of: $0.madeAt).map { $0 > within } ?? false }
    guard !due.isEmpty else { return nil }
    let span = "within \(Amount.age(within))"
    guard let share = provedShare(of: due, since: within, oldest: due.map(\.madeAt).min()), share > 0 else {
      return "no verify has proved its data \(span)"
    }
    return share < Self.provedShareMin ? "only \(Amount.share(share)) of its data was proved \(span)" : nil
  }

  // MARK: Concerns

  /// Returns the concerns, the worst first.
  func concerns(_ status: SourceStatus) -> [SourceStatus.Concern] {
    var found: [SourceStatus.Concern] = status.missed.map { concern(.critical, $0.text) }
    if let first = status.damage.first {
      let more = status.damage.count > 1 ? " (and \(status.damage.count - 1) more)" : ""
      found.append(concern(.critical, first + more))
    }
    if status.damage.isEmpty, status.restorable < status.snapshots {
      let lost = UInt64(status.snapshots - status.restorable)
      let what = lost == 1 ? "it builds" : "they build"
      found.append(
        concern(.critical, "\(Amount.count(lost, "snapshot")) cannot be restored: what \(what) on is missing"))
    }
    if status.newest == nil, objectives.maxAge == nil { found.append(concern(.critical, "there is no snapshot")) }
    found += verifyConcerns(status) + drillConcerns(status.drills) + newestConcerns(status)
    if let suspicion = status.suspicions.first {
      let id = suspicion.id.short
      let more = status.suspicions.count > 1 ? " (and \(status.suspicions.count - 1) more)" : ""
      found.append(
        concern(
          .warning,
          "snapshot \(id) does not look like a normal day: \(suspicion.text)\(more); if it was meant, `holdfast accept \(id)`"
        ))
    }
    if status.failedBackups > 0 {
      let count = UInt64(status.failedBackups)
      let runs = count == 1 ? "the last backup failed" : "the last \(count) backups failed"
      found.append(concern(.warning, runs + (status.lastBackup?.text.map { ": \($0)" } ?? "")))
    }
    if let text = status.journalDamage.first { found.append(concern(.warning, text)) }
    return found.filter { $0.level == .critical } + found.filter { $0.level == .warning }
  }

  private func verifyConcerns(_ status: SourceStatus) -> [SourceStatus.Concern] {
    var found: [SourceStatus.Concern] = []
    if let damage = status.standingDamage {
      let when = damage.age.map { " \(Amount.age($0)) ago" } ?? ""
      found.append(concern(.critical, "a verify\(when) found damage that costs data"))
    } else if let first = status.notedDamage.first {
      let more = status.notedDamage.count > 1 ? " (and \(status.notedDamage.count - 1) more)" : ""
      found.append(
        concern(.critical, "snapshot \(first.short)\(more) was found damaged, and no verify has read all of it since"))
    }
    switch status.lastVerify.flatMap({ ExitStatus(rawValue: $0.status) }) {
    case .done, .dataLoss, nil: break
    case .repairableDamage: found.append(concern(.warning, "the last verify found damage that costs no data"))
    default:
      found.append(concern(.warning, "the last verify failed" + (status.lastVerify?.text.map { ": \($0)" } ?? "")))
    }
    return found
  }

  private func drillConcerns(_ drills: DrillStatus) -> [SourceStatus.Concern] {
    var found: [SourceStatus.Concern] = []
    if drills.count > 0, drills.passedInRow == 0 {
      found.append(concern(.critical, "the last drill failed" + (drills.last?.text.map { ": \($0)" } ?? "")))
    }
    if drills.unsigned > 0 {
      let count = Amount.count(UInt64(drills.unsigned), "drill")
      found.append(concern(.warning, "\(count) in the journal without the signature of a writer, and not counted"))
    }
    return found
  }

  private func newestConcerns(_ status: SourceStatus) -> [SourceStatus.Concern] {
    var found: [SourceStatus.Concern] = []
    if let watch = status.watch, watch.isSilent, let age = watch.age {
      found.append(concern(.warning, "the watch on \(watch.host) was not heard of for \(Amount.age(age))"))
    }
    guard let newest = status.newest else { return found }
    if newest.age == nil {
      found.append(concern(.warning, "the time of the newest snapshot lies ahead of this machine's clock"))
    }
    if !newest.isComplete {
      found.append(
        concern(
          .warning,
          "the newest snapshot is incomplete: \(Amount.count(newest.incomplete, "path")), \(newest.consistency.name)"
        ))
    }
    return found
  }

  private func concern(_ level: SourceStatus.Concern.Level, _ text: String) -> SourceStatus.Concern {
    SourceStatus.Concern(level: level, text: text)
  }
}
