internal import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// `holdfast status` for people: the state of each source in its first line, then its concerns, then everything else.
package enum StatusText {
  private static let unknown = "unknown"

  /// - Parameter inColor: true if a terminal shows the levels in their colours.
  package static func lines(_ statuses: [SourceStatus], location: String, inColor: Bool = false) -> [String] {
    guard !statuses.isEmpty else { return ["\(word(.critical)): no snapshots in \(location)"] }
    return statuses.flatMap { status in
      let level = inColor ? color(status.level).shown(word(status.level)) : word(status.level)
      return ["\(status.name): \(level)"] + status.concerns.map { "  ! \($0.text)" }
        + facts(status).map { "  \($0)" }
    }
  }

  /// Returns only the concerns, each on one line.
  package static func concerns(
    _ statuses: [SourceStatus], location: String
  ) -> [(level: SourceStatus.Concern.Level, text: String)] {
    if statuses.isEmpty { return [(.critical, "\(word(.critical)): no snapshots in \(location)")] }
    return statuses.flatMap { status in
      status.concerns.map { ($0.level, "\(word($0.level)): \(status.name): \($0.text)") }
    }
  }

  /// The colour in which a terminal shows a level.
  package static func color(_ level: SourceStatus.Concern.Level?) -> TextColor {
    switch level {
    case .critical: .red
    case .warning: .yellow
    case nil: .green
    }
  }

  package static func word(_ level: SourceStatus.Concern.Level?) -> String {
    switch level {
    case .critical: "CRITICAL"
    case .warning: "WARNING"
    case nil: "OK"
    }
  }

  private static func facts(_ status: SourceStatus) -> [String] {
    var table = Table()
    table.add(["newest", newest(status)])
    if let newest = status.newest, !newest.isComplete || newest.age == nil {
      table.add(["complete", time(status.completeStarted, status.completeAge)])
    }
    table.add(["chain", chain(status)])
    table.add(["stored", stored(status)])
    table.add(["verified", verified(status)])
    table.add(["drilled", drilled(status.drills)])
    if status.drills.count > 0 { table.add(["RTO", recoveryTime(status.drills)]) }
    table.add(["restore", restore(status)])
    table.add(["runs", runs(status)])
    if let log = status.log {
      let age = log.lag.map { "\(Amount.age($0)) ago" } ?? "in the future"
      table.add(["WAL", "\(log.newest) archived \(age)"])
    }
    if let role = status.serving { table.add(["serving", "\(role.serving), since number \(role.since) of the lease"]) }
    if let first = status.diverged.first {
      let count = Amount.count(UInt64(status.diverged.count), "snapshot")
      table.add(["diverged", "\(count), \(first.short) first: another host had taken over"])
    }
    if let watch = status.watch { table.add(["watched", watched(watch)]) }
    if status.objectives.maxAge != nil {
      let share = status.availability.map { Amount.share($0) } ?? unknown
      table.add(["available", share + (status.remembered.map { " of the last \(Amount.age($0))" } ?? "")])
    }
    return table.lines
  }

  private static func newest(_ status: SourceStatus) -> String {
    guard let newest = status.newest else { return "no snapshot" }
    let state = newest.isComplete ? newest.consistency.name : "INCOMPLETE: \(Amount.count(newest.incomplete, "path"))"
    return "\(time(newest.started, newest.age)), \(newest.kind.rawValue) \(newest.id.short), \(state)"
  }

  private static func time(_ time: Timestamp?, _ age: TimeSpan?) -> String {
    guard let time else { return unknown }
    return (age.map { "\(Amount.age($0)) ago" } ?? "in the future") + " (\(TimeText.local(time)))"
  }

  private static func watched(_ watch: WatchStatus) -> String {
    let age = watch.age.map { "last heartbeat \(Amount.age($0)) ago" } ?? "last heartbeat in the future"
    let missed = watch.missedBeats.map { $0 > 0 ? ", \(Amount.count(UInt64($0), "heartbeat")) missed" : "" } ?? ""
    let newest = watch.sequence.map { "number \($0)" } ?? "nothing yet"
    return "on \(watch.host), process \(watch.process): \(age), every \(watch.interval)\(missed); "
      + "took \(newest), \(Amount.duration(watch.lag)) behind"
  }

  private static func chain(_ status: SourceStatus) -> String {
    let length = status.newest.map { newest in
      newest.chainLength.map { "\(Amount.count(UInt64($0), "snapshot")) long" } ?? "length unknown"
    }
    let places = Amount.count(UInt64(status.redundancyDegree), "place")
    let chains = Amount.count(UInt64(status.backupDegree), "chain")
    return (length.map { "\($0); " } ?? "")
      + "\(status.restorable) of \(Amount.count(UInt64(status.snapshots), "snapshot")) can be restored, in \(chains), on \(places)"
  }

  private static func stored(_ status: SourceStatus) -> String {
    let growth = status.growthPerDay.map { "\(Amount.bytes(UInt64(saturating: $0))) a day" } ?? unknown
    let parity = status.parityBytes > 0 ? " (parity: \(Amount.bytes(status.parityBytes)))" : ""
    return "\(Amount.bytes(status.storedBytes))\(parity), growth \(growth)"
  }

  private static func verified(_ status: SourceStatus) -> String {
    let share = status.provedShare.map { Amount.share($0) } ?? unknown
    let proved = "proved within \(Amount.age(status.provedWindow)): \(share)"
    guard let verify = status.lastVerify else { return "no verify is remembered; \(proved)" }
    let outcome =
      switch ExitStatus(rawValue: verify.status) {
      case .done: "sound"
      case .repairableDamage: "damage that costs no data"
      case .dataLoss: "DAMAGE that costs data"
      default: "failed"
      }
    let data = (verify.share ?? 0) == 0 ? "manifests only" : "\(Amount.share(verify.share ?? 0)) of the data"
    let scope = verify.snapshot == nil ? "" : " of one chain"
    return "\(time(verify.ended, verify.age)), \(outcome), \(data)\(scope); \(proved)"
  }

  private static func drilled(_ drills: DrillStatus) -> String {
    guard let last = drills.last else { return "never: RTO \(unknown)" }
    let result = (drills.passedInRow > 0 ? "passed" : "FAILED") + (drills.isLastOlder ? " (an older snapshot)" : "")
    let bound =
      drills.failureRateBound.map {
        "with 95 % confidence fewer than \(Amount.share($0)) of restores fail"
      } ?? "the failure rate is \(unknown): \(DrillStatus.boundMin) must pass in a row"
    return "\(time(last.ended, last.age)), \(result); \(drills.passed) of \(drills.count) passed; \(bound)"
  }

  private static func recoveryTime(_ drills: DrillStatus) -> String {
    guard let median = drills.medianTime, let worst = drills.worstTime else {
      return "\(unknown): no drill has passed"
    }
    let count = Amount.count(UInt64(drills.restoreTimes.count), "drill")
    return "\(Amount.duration(median)) (median of \(count)), \(Amount.duration(worst)) at worst"
  }

  private static func restore(_ status: SourceStatus) -> String {
    guard let speed = status.speed else { return "unknown: no restore and no verify --data is remembered" }
    let basis =
      switch speed.basis {
      case .restores: "as in the last \(speed.runs == 1 ? "restore" : "\(speed.runs) restores")"
      case .verifies: "as verify --data reads; no restore is remembered"
      }
    let rate = "\(Amount.bytes(UInt64(saturating: speed.bytesPerSecond)))/s, \(basis)"
    guard let duration = status.restoreDuration else { return "unknown, at \(rate)" }
    return "about \(Amount.duration(duration)) at \(rate)"
  }

  private static func runs(_ status: SourceStatus) -> String {
    guard let rate = status.failureRate else { return "none is remembered" }
    let since = status.remembered.map { " in \(Amount.age($0))" } ?? ""
    return "\(status.runs) remembered\(since), \(status.failedRuns) failed (\(Amount.share(rate)))"
  }
}
