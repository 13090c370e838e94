package import HoldfastEngine
package import HoldfastModel
internal import HoldfastRepository

/// `holdfast status --prometheus`: metrics in the text format, in base units, without timestamps. Unknown values have
/// no sample. Each sample of a repository has its ID as the label `repository`, and as `name` that by which the
/// configuration knows it: copies of one repository have the same ID. `repository_answers` has the label `name` alone,
/// because of a repository that does not answer nothing else is known.
package struct PrometheusText {
  /// A metric: its explanation, and its samples, a line each.
  private struct Family {
    let name: String
    let explanation: String
    var samples: String
  }

  private var families: [Family] = []
  /// The labels of every sample.
  private let common: [String: String]

  package var text: String { families.map { $0.explanation + $0.samples }.joined() }

  /// - Parameters:
  ///   - name: the name of the repository in the configuration, or its location if it is not configured.
  ///   - availableBytes: the bytes that can still be stored; `nil` if the store does not tell.
  ///   - targets: the targets of a repository with several, each with its standings, or the reason why they are not
  ///     known.
  package init(
    _ statuses: [SourceStatus], repository: Identifier, name: String, now: Timestamp,
    availableBytes: UInt64? = nil,
    targets: [(name: String, standings: Result<[TargetStanding], any Error>)] = []
  ) {
    self.init(labels: ["name": name, "repository": repository.description])
    append(Self.answer(name, 1))
    add("sources", "Sources of the repository that status shows.", [([:], Double(statuses.count))])
    add("status_time_seconds", "When these figures were taken, in seconds since 1970.", [([:], Self.seconds(now))])
    add(
      "available_bytes", "Bytes that can still be stored in the repository.", [([:], availableBytes.map { Double($0) })]
    )
    addVerdict(statuses)
    addSnapshots(statuses)
    addProof(statuses)
    addDrills(statuses)
    addRuns(statuses)
    addWatches(statuses)
    addLogs(statuses)
    add(
      "target_answers", "Whether a target answers: 1, else 0.",
      targets.map { (["target": $0.name], (try? $0.standings.get()) == nil ? 0 : 1) })
    let standings = targets.flatMap { target in
      ((try? target.standings.get()) ?? []).map { (target: target.name, standing: $0) }
    }
    add(
      "target_behind_snapshots", "Snapshots of home that a target does not have whole.",
      standings.map { target, standing in
        (["target": target, "source": standing.source.text], standing.behind.map { Double($0) })
      })
  }

  /// Metrics without samples yet.
  /// - Parameter labels: the labels of every sample that is added.
  package init(labels: [String: String] = [:]) { common = labels }

  /// The metrics of a repository that could not be looked at.
  package init(unanswering name: String) {
    self.init()
    append(Self.answer(name, 0))
  }

  private static func answer(_ name: String, _ value: Double) -> Family {
    family("repository_answers", "Whether the repository could be opened: 1, else 0.", [(["name": name], value)])
  }

  /// Adds the metrics of another repository.
  package mutating func add(_ other: PrometheusText) {
    for family in other.families { append(family) }
  }

  /// All samples of a metric stand together, as the format demands.
  private mutating func append(_ family: Family) {
    guard !family.samples.isEmpty else { return }
    guard let index = families.firstIndex(where: { $0.name == family.name }) else { return families.append(family) }
    families[index].samples += family.samples
  }

  /// Metrics of one source that are known apart from its status.
  package init(
    repository: Identifier, source: SourceName, gauges: [(name: String, help: String, value: Double?)]
  ) {
    self.init(labels: ["repository": repository.description, "source": source.text])
    for gauge in gauges { add(gauge.name, gauge.help, [([:], gauge.value)]) }
  }

  private mutating func addVerdict(_ statuses: [SourceStatus]) {
    each("level", "The level of the source as status shows it: 0 OK, 1 WARNING, 2 CRITICAL.", statuses) {
      Double($0.level?.rawValue ?? 0)
    }
    each("known_damage", "Damage of the source that is known and not mended: 0 if there is none.", statuses) {
      Double($0.knownDamage)
    }
    let judged = statuses.flatMap { status in
      Objective.allCases.compactMap { objective in
        status.objectives.value(objective).map { value in
          (
            labels: ["source": status.name.text, "objective": objective.rawValue], value: value,
            isMissed: status.missed.contains { $0.objective == objective }
          )
        }
      }
    }
    add(
      "objective", "The objectives of the source, in seconds; for chain in snapshots.",
      judged.map { ($0.labels, $0.value) })
    add(
      "objective_missed", "Whether an objective is missed: 1, else 0.", judged.map { ($0.labels, $0.isMissed ? 1 : 0) })
  }

  private mutating func addSnapshots(_ statuses: [SourceStatus]) {
    each("snapshot_time_seconds", "When the newest snapshot was begun, in seconds since 1970.", statuses) {
      $0.newest.map { Self.seconds($0.started) }
    }
    each(
      "complete_snapshot_time_seconds", "When the newest complete snapshot was begun, in seconds since 1970.", statuses
    ) { $0.completeStarted.map { Self.seconds($0) } }
    each("snapshot_incomplete_paths", "Paths that the newest snapshot does not have whole.", statuses) {
      $0.newest.map { Double($0.incomplete) }
    }
    each("snapshots", "Snapshots whose manifests can be read.", statuses) { Double($0.snapshots) }
    each("restorable_snapshots", "Snapshots whose chain is there.", statuses) { Double($0.restorable) }
    each("chain_length", "Snapshots in the chain of the newest.", statuses) {
      $0.newest?.chainLength.map { Double($0) }
    }
    each("backup_degree", "Chains that can be restored from.", statuses) { Double($0.backupDegree) }
    each("redundancy_degree", "Places on which the newest snapshot lies.", statuses) { Double($0.redundancyDegree) }
    each("damage_findings", "What of the source cannot be read.", statuses) { Double($0.damage.count) }
    each("suspicious_snapshots", "Snapshots with anomalies that nobody has accepted.", statuses) {
      Double($0.suspicions.count)
    }
    each("stored_bytes", "Stored bytes of all snapshots.", statuses) { Double($0.storedBytes) }
    each("state_bytes", "Bytes of the files that the newest snapshot stands for.", statuses) {
      $0.newest.map { Double($0.stateBytes) }
    }
    each("growth_bytes_per_second", "Stored bytes that come to it, over the last 30 days.", statuses) {
      $0.growthPerDay.map { $0 / 86_400 }
    }
  }

  private mutating func addProof(_ statuses: [SourceStatus]) {
    each("verify_time_seconds", "When the last verify ended, in seconds since 1970.", statuses) {
      $0.lastVerify.map { Self.seconds($0.ended) }
    }
    each("verify_exit_status", "How the last verify ended.", statuses) { $0.lastVerify.map { Double($0.status) } }
    each("proved_ratio", "Share of the stored bytes that verifies proved lately.", statuses) { $0.provedShare }
    each("proved_window_seconds", "What lately means there.", statuses) { $0.provedWindow.seconds }
    add(
      "restore_bytes_per_second", "Measured speed of a restore, and what it was measured by.",
      statuses.map { status in
        (
          ["source": status.name.text, "basis": status.speed?.basis.rawValue ?? ""], status.speed?.bytesPerSecond
        )
      })
    each("restore_duration_seconds", "How long a restore of the newest snapshot would take.", statuses) {
      $0.restoreDuration?.seconds
    }
  }

  private mutating func addDrills(_ statuses: [SourceStatus]) {
    each("drill_time_seconds", "When the last drill ended, in seconds since 1970.", statuses) {
      $0.drills.last.map { Self.seconds($0.ended) }
    }
    each("drill_exit_status", "How the last drill ended.", statuses) { $0.drills.last.map { Double($0.status) } }
    each("drills", "Drills that the journal remembers.", statuses) { Double($0.drills.count) }
    each("drills_passed", "Those of them that passed.", statuses) { Double($0.drills.passed) }
    each(
      "drill_failure_ratio_bound",
      "Bound on the share of restores that fail, with 95 % confidence, by the drills passed since the last failure.",
      statuses
    ) { $0.drills.failureRateBound }
    let times = statuses.flatMap { status in
      [("median", status.drills.medianTime), ("worst", status.drills.worstTime)].map { name, time in
        (labels: ["source": status.name.text, "of": name], value: time?.seconds)
      }
    }
    add("drill_restore_seconds", "How long a restore took in the last drills, until the database answered.", times)
  }

  private mutating func addRuns(_ statuses: [SourceStatus]) {
    each("backup_exit_status", "How the last backup ended.", statuses) { $0.lastBackup.map { Double($0.status) } }
    each("failed_backups", "Backups that failed since the last that did not.", statuses) { Double($0.failedBackups) }
    each("runs", "Runs that the journal remembers.", statuses) { Double($0.runs) }
    each("run_failure_ratio", "Share of these that failed.", statuses) { $0.failureRate }
    each("availability_ratio", "Share of the time in which the newest complete snapshot was young enough.", statuses) {
      $0.availability
    }
  }

  private mutating func addWatches(_ statuses: [SourceStatus]) {
    let roles = statuses.compactMap { status in
      status.serving.map { role in
        (labels: ["source": status.name.text, "host": role.serving.text], value: Double(role.since) as Double?)
      }
    }
    add("serving_since_number", "The number of the lease since which this host serves the source.", roles)
    each("diverged_snapshots", "Snapshots that were under way when another host took over.", statuses) {
      $0.serving == nil ? nil : Double($0.diverged.count)
    }
    each("watch_beat_age_seconds", "Time since the last heartbeat of the watch, by the clocks of both hosts.", statuses)
    {
      $0.watch?.age?.seconds
    }
    each("watch_beat_interval_seconds", "Time from one heartbeat of the watch to the next.", statuses) {
      $0.watch?.interval.seconds
    }
    each("watch_missed_beats", "Heartbeats of the watch that should have come since the last one.", statuses) {
      $0.watch?.missedBeats.map { Double($0) }
    }
    each("watch_lag_seconds", "How long the oldest change without a snapshot had waited at that heartbeat.", statuses) {
      $0.watch?.lag.seconds
    }
  }

  private mutating func addLogs(_ statuses: [SourceStatus]) {
    each(
      "wal_archived_time_seconds", "When the newest part of the write-ahead log was archived, in seconds since 1970.",
      statuses
    ) { $0.log.map { Self.seconds($0.archived) } }
  }

  // MARK: The format

  private mutating func each(
    _ name: String, _ help: String, _ statuses: [SourceStatus], _ value: (SourceStatus) -> Double?
  ) {
    add(name, help, statuses.map { (["source": $0.name.text], value($0)) })
  }

  /// Adds a gauge with its samples; adds nothing without samples.
  mutating func add(_ name: String, _ help: String, _ samples: [(labels: [String: String], value: Double?)]) {
    let known = samples.map { (labels: $0.labels.merging(common) { own, _ in own }, value: $0.value) }
    append(Self.family(name, help, known))
  }

  private static func family(
    _ name: String, _ help: String, _ samples: [(labels: [String: String], value: Double?)]
  ) -> Family {
    let lines = samples.compactMap { sample in
      sample.value.map { value in
        let labels = sample.labels.sorted { $0.key < $1.key }
        let text = labels.map { "\($0.key)=\"\(escaped($0.value))\"" }.joined(separator: ",")
        return "holdfast_\(name){\(text)} \(number(value))\n"
      }
    }
    let explained = help.escaping(["\\": "\\\\", "\n": "\\n"])
    return Family(
      name: name, explanation: "# HELP holdfast_\(name) \(explained)\n# TYPE holdfast_\(name) gauge\n",
      samples: lines.joined())
  }

  static func escaped(_ label: String) -> String {
    label.escaping(["\\": "\\\\", "\"": "\\\"", "\n": "\\n"])
  }

  /// Returns a number as text; whole numbers have no decimal point.
  static func number(_ value: Double) -> String {
    value.rounded() == value && abs(value) < 9e15 ? String(Int64(value)) : String(value)
  }

  private static func seconds(_ time: Timestamp) -> Double { Double(time.milliseconds) / 1000 }
}

extension Objectives {
  /// Returns an objective in its unit; `nil` if it is not set.
  fileprivate func value(_ objective: Objective) -> Double? {
    switch objective {
    case .age: maxAge?.seconds
    case .chain: maxChain.map { Double($0) }
    case .proof: proveWithin?.seconds
    case .restore: restoreWithin?.seconds
    case .drill: drilledWithin?.seconds
    }
  }
}

extension SourceStatus {
  /// The number of findings: objects that cannot be read, snapshots without a whole chain, snapshots that the notes
  /// call damaged, and 1 for a verify that found damage which no later one has shown to be gone.
  fileprivate var knownDamage: Int {
    damage.count + (snapshots - restorable) + notedDamage.count + (standingDamage == nil ? 0 : 1)
  }
}
