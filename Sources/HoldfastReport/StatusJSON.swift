internal import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// `holdfast status --json`.
package struct StatusJSON: Encodable {
  let location: String
  /// True if all given objectives are met; `null` when none was given.
  private let met: Known<Bool>
  private let sources: [Source]
  /// The properties that the store lacks and a repository needs.
  private let weaknesses: [String]
  /// Absent when the repository has only one target.
  private let targets: [TargetStandingJSON]?
  /// One for each source; absent when the repository has only one target.
  private let redundancy: [RedundancyJSON]?

  package init(
    _ statuses: [SourceStatus], _ objectives: Objectives, location: String, weaknesses: [String] = [],
    targets: [TargetStandingJSON]? = nil, redundancy: [RedundancyStatus]? = nil
  ) {
    (self.location, self.weaknesses, self.targets) = (location, weaknesses, targets)
    self.redundancy = redundancy?.map { RedundancyJSON($0) }
    let verdict = StatusVerdict(statuses, objectives)
    met = Known(verdict.isJudged ? !verdict.isMissed : nil)
    sources = statuses.map { Source($0) }
  }

  private struct Newest: Encodable {
    let id: String
    let sequence: UInt64
    let kind: String
    let time: String
    let ageSeconds: Known<TimeSpan>
    let consistency: String
    let incompleteFiles: UInt64
    let stateBytes: UInt64
    let stateFiles: UInt64
    let chainLength: Known<Int>
    let chainBytes: Known<UInt64>

    init(_ newest: SourceStatus.Newest) {
      (id, sequence, kind) = (newest.id.description, newest.sequence, newest.kind.rawValue)
      time = TimeText.utc(newest.started)
      ageSeconds = Known(newest.age)
      (consistency, incompleteFiles) = (newest.consistency.name, newest.incomplete)
      (stateBytes, stateFiles) = (newest.stateBytes, newest.stateFiles)
      (chainLength, chainBytes) = (Known(newest.chainLength), Known(newest.chainBytes))
    }
  }

  private struct Run: Encodable {
    let ended: String
    let ageSeconds: Known<TimeSpan>
    let exitStatus: Int32
    let text: Known<String>
    let share: Known<Double>

    init(_ run: SourceStatus.Run) {
      ended = TimeText.utc(run.ended)
      (ageSeconds, exitStatus) = (Known(run.age), run.status)
      (text, share) = (Known(run.text), Known(run.share))
    }
  }

  private struct Speed: Encodable {
    let bytesPerSecond: Double
    let basis: String
    let runCount: Int

    init(_ speed: SourceStatus.Speed) {
      (bytesPerSecond, basis, runCount) = (speed.bytesPerSecond, speed.basis.rawValue, speed.runs)
    }
  }

  private struct Drills: Encodable {
    let lastDrill: Known<Run>
    /// True if the last one was of another snapshot than the newest.
    let lastOlder: Bool
    /// The time since the last drill that passed.
    let passedAgeSeconds: Known<TimeSpan>
    let drillCount: Int
    let passedDrills: Int
    /// Since the last drill that failed.
    let passedInRow: Int
    /// With 95 % confidence, by the drills that passed in a row; unknown below three.
    let failureRateBound: Known<Double>
    /// The times until the restored database answered, of the last five that passed.
    let medianRestoreSeconds: Known<TimeSpan>
    let worstRestoreSeconds: Known<TimeSpan>
    /// Those that no writer of a sealed repository has signed; they do not count.
    let unsignedDrills: Int

    init(_ drills: DrillStatus) {
      (lastDrill, passedAgeSeconds) = (Known(drills.last.map { Run($0) }), Known(drills.passedAge))
      (drillCount, passedDrills, passedInRow) = (drills.count, drills.passed, drills.passedInRow)
      lastOlder = drills.isLastOlder
      failureRateBound = Known(drills.failureRateBound)
      (medianRestoreSeconds, worstRestoreSeconds) = (Known(drills.medianTime), Known(drills.worstTime))
      unsignedDrills = drills.unsigned
    }
  }

  private struct Watch: Encodable {
    let host: String
    let process: Int32
    let beatAgeSeconds: Known<TimeSpan>
    let beatIntervalSeconds: TimeSpan
    let missedBeats: Known<Int>
    let sequence: Known<UInt64>
    let lagSeconds: TimeSpan

    init(_ watch: WatchStatus) {
      (host, process, sequence) = (watch.host, watch.process, Known(watch.sequence))
      (beatAgeSeconds, beatIntervalSeconds) = (Known(watch.age), watch.interval)
      (missedBeats, lagSeconds) = (Known(watch.missedBeats), watch.lag)
    }
  }

  private struct WAL: Encodable {
    let lastSegment: String
    let lagSeconds: Known<TimeSpan>
  }

  private struct Concern: Encodable {
    let level: String
    let text: String
  }

  private struct Suspicion: Encodable {
    let snapshotID: String
    let text: String
  }

  private struct Source: Encodable {
    let source: String
    let level: String
    let missed: [String]
    let concerns: [Concern]
    let newest: Known<Newest>
    let completeAgeSeconds: Known<TimeSpan>
    let snapshotCount: Int
    let restorableSnapshots: Int
    let backupDegree: Int
    let redundancyDegree: Int
    let storedBytes: UInt64
    /// The parity among them.
    let parityBytes: UInt64
    let growthBytesPerDay: Known<Double>
    let damage: [String]
    /// The snapshots that a verify, a scrub or another read has found damaged, and no verify has read since.
    let notedDamage: [String]
    let suspicions: [Suspicion]
    let lastBackup: Known<Run>
    let failedBackups: Int
    let lastVerify: Known<Run>
    let provedShare: Known<Double>
    let provedWithinSeconds: TimeSpan
    let drills: Drills
    let restoreSpeed: Known<Speed>
    let expectedRestoreSeconds: Known<TimeSpan>
    let runCount: Int
    let failedRuns: Int
    let failureRate: Known<Double>
    let rememberedSeconds: Known<TimeSpan>
    let availability: Known<Double>
    let watch: Known<Watch>
    /// The host that serves the source; absent if none was ever announced.
    let serving: ServingRoleJSON?
    /// The IDs of diverged snapshots; absent if there are none.
    let divergedSnapshots: [String]?
    /// The archived write-ahead log; `null` if the source is no PostgreSQL cluster, or none is archived.
    let wal: Known<WAL>

    init(_ status: SourceStatus) {
      watch = Known(status.watch.map { Watch($0) })
      serving = status.serving.map { ServingRoleJSON($0) }
      divergedSnapshots = status.diverged.isEmpty ? nil : status.diverged.map(\.description)
      wal = Known(status.log.map { WAL(lastSegment: $0.newest.text, lagSeconds: Known($0.lag)) })
      source = status.name.text
      level = StatusText.word(status.level)
      missed = status.missed.map(\.objective.rawValue)
      concerns = status.concerns.map { Concern(level: StatusText.word($0.level), text: $0.text) }
      newest = Known(status.newest.map { Newest($0) })
      completeAgeSeconds = Known(status.completeAge)
      (snapshotCount, restorableSnapshots) = (status.snapshots, status.restorable)
      (backupDegree, redundancyDegree) = (status.backupDegree, status.redundancyDegree)
      (storedBytes, parityBytes) = (status.storedBytes, status.parityBytes)
      growthBytesPerDay = Known(status.growthPerDay)
      damage = status.damage
      notedDamage = status.notedDamage.map(\.description)
      suspicions = status.suspicions.map { Suspicion(snapshotID: $0.id.description, text: $0.text) }
      (lastBackup, failedBackups) = (Known(status.lastBackup.map { Run($0) }), status.failedBackups)
      lastVerify = Known(status.lastVerify.map { Run($0) })
      (provedShare, provedWithinSeconds) = (Known(status.provedShare), status.provedWindow)
      drills = Drills(status.drills)
      restoreSpeed = Known(status.speed.map { Speed($0) })
      expectedRestoreSeconds = Known(status.restoreDuration)
      (runCount, failedRuns, failureRate) = (status.runs, status.failedRuns, Known(status.failureRate))
      (rememberedSeconds, availability) = (Known(status.remembered), Known(status.availability))
    }
  }
}
