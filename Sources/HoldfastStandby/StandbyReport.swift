package import HoldfastModel
package import HoldfastReport
internal import HoldfastSystem

/// The distance between a copy and the repository.
package struct StandbyLag: Hashable, Sendable, Encodable {
  private enum CodingKeys: String, CodingKey {
    case snapshots = "snapshotCount"
    case bytes = "storedBytes"
    case seconds
  }

  /// The number of complete snapshots that are newer than the copy.
  package let snapshots: UInt64
  /// The stored bytes of these.
  package let bytes: UInt64
  /// The time since the oldest of them was begun, by the clocks of both hosts; 0 if there is none.
  package let seconds: TimeSpan
}

/// The state of a standby after a pass, or as a look finds it.
package struct StandbyReport: Sendable {
  /// The step that a pass took, or would take.
  package enum Step: Hashable, Sendable {
    /// The newest snapshot serves.
    case nothing
    /// A copy that is whole already gets the link: a crash had kept it from that.
    case serve(CopyName)
    /// A copy becomes the newest snapshot, and gets the link.
    case make(CopyName)
  }

  package let source: SourceName
  package let repository: Identifier
  /// The directory of the standby.
  package let directory: Path
  package let isDryRun: Bool
  package internal(set) var step: Step
  /// The copy that serves; `nil` if none does yet.
  package internal(set) var serving: (copy: CopyName, record: CopyRecord)?
  /// The newest complete snapshot that may be followed.
  package internal(set) var newest: (id: Identifier, sequence: UInt64)
  package internal(set) var lag: StandbyLag
  package internal(set) var pulse = SourcePulse.State.unheard
  package internal(set) var concerns: [StandbyConcern] = []
  /// The bytes that were written to the copy, and the time that the pass took.
  package internal(set) var writtenBytes: UInt64 = 0
  package internal(set) var duration = TimeSpan.zero

  /// The state in one line, for the manager of services.
  package var line: String {
    "\(source): " + ([served] + concerns.map { "WARNING: \($0.text)" } + [behind, pulse.text]).joined(separator: "; ")
  }

  package var exitStatus: ExitStatus { concerns.isEmpty ? .done : .incomplete }

  private var served: String {
    serving.map { "number \($0.record.sequence) serves" } ?? "no copy serves yet"
  }

  private var behind: String {
    lag.snapshots == 0
      ? "nothing is newer"
      : "\(Amount.age(lag.seconds)) behind (\(Amount.count(lag.snapshots, "snapshot")), \(Amount.bytes(lag.bytes)))"
  }

  /// The report for people.
  package var lines: [String] {
    let current = directory.appending("current")
    var lines: [String] = []
    switch step {
    case .nothing: break
    case .serve(let copy): lines.append("\(isDryRun ? "would let" : "let") \(current) lead to \(copy), which is whole")
    case .make(let copy):
      lines.append(
        isDryRun
          ? "would make \(directory.appending(copy.path.bytes)) snapshot \(newest.id.short), number \(newest.sequence), of \(source), and let \(current) lead to it"
          : "wrote \(Amount.bytes(writtenBytes)) to \(directory.appending(copy.path.bytes)) in \(Amount.duration(duration)), and proved all of it"
      )
    }
    if let serving {
      lines.append(
        "\(current) is snapshot \(serving.record.snapshot.short), number \(serving.record.sequence), of \(source), taken \(TimeText.local(serving.record.started.moment)), in \(serving.copy)"
      )
    }
    return lines + ["  \(behind); \(pulse.text)"]
  }

  /// The report as metrics for Prometheus.
  package func metrics(at now: Timestamp) -> PrometheusText {
    PrometheusText(
      repository: repository, source: source,
      gauges: [
        ("standby_time_seconds", "When these figures were taken, in seconds since 1970.", Self.seconds(now)),
        (
          "standby_snapshot_time_seconds", "When the snapshot was begun that serves, in seconds since 1970.",
          serving.map { Self.seconds($0.record.started.moment) }
        ),
        ("standby_lag_seconds", "How long a snapshot that is newer has waited.", lag.seconds.seconds),
        ("standby_lag_bytes", "Stored bytes of the snapshots that are newer.", Double(lag.bytes)),
        ("standby_lag_snapshots", "Complete snapshots that are newer.", Double(lag.snapshots)),
        (
          "standby_concerns", "Things that somebody has to look at: a copy was changed, for example.",
          Double(concerns.count)
        ),
        ("standby_source_silent", "Whether the heartbeat of the source is silent: 1, else 0.", isSilent ? 1 : 0),
      ])
  }

  private var isSilent: Bool { if case .silent = pulse { true } else { false } }

  private static func seconds(_ time: Timestamp) -> Double { Double(time.milliseconds) / 1000 }
}

extension StandbyReport: Encodable {
  private enum CodingKeys: String, CodingKey {
    case source, repository, directory, dryRun, step, serving, newest, lag, heartbeat, concerns, writtenBytes, seconds
  }

  private struct Served: Encodable {
    let copy: CopyName
    let id: String
    let sequence: UInt64
    let time: String
    let bytes: UInt64
  }

  private struct Newest: Encodable {
    let id: String
    let sequence: UInt64
  }

  private struct Beat: Encodable {
    let state: String
    let silentSeconds: Known<TimeSpan>
    let lagSeconds: Known<TimeSpan>

    init(_ pulse: SourcePulse.State) {
      state = pulse.word
      if case .silent(let span) = pulse { silentSeconds = Known(span) } else { silentSeconds = Known(nil) }
      if case .stale(let lag) = pulse { lagSeconds = Known(lag) } else { lagSeconds = Known(nil) }
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(source.text, forKey: .source)
    try container.encode(repository.description, forKey: .repository)
    try container.encode(directory.description, forKey: .directory)
    try container.encode(isDryRun, forKey: .dryRun)
    try container.encode(step.word, forKey: .step)
    let served = serving.map { copy, record in
      Served(
        copy: copy, id: record.snapshot.description, sequence: record.sequence,
        time: record.started.description, bytes: record.bytes)
    }
    try container.encode(served, forKey: .serving)
    try container.encode(Newest(id: newest.id.description, sequence: newest.sequence), forKey: .newest)
    try container.encode(lag, forKey: .lag)
    try container.encode(Beat(pulse), forKey: .heartbeat)
    try container.encode(concerns, forKey: .concerns)
    try container.encode(writtenBytes, forKey: .writtenBytes)
    try container.encode(duration, forKey: .seconds)
  }
}

extension StandbyReport.Step {
  fileprivate var word: String {
    switch self {
    case .nothing: "nothing"
    case .serve: "serve"
    case .make: "make"
    }
  }
}
