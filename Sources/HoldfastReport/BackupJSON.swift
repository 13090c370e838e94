internal import HoldfastArchive
package import HoldfastEngine
package import HoldfastModel

/// A backup as `--json` shows it.
package struct BackupJSON: Encodable {
  let snapshot: SnapshotJSON
  let committed: Bool
  let reason: String?
  let problems: [ProblemJSON]
  let seconds: TimeSpan
  let walGrowthBytes: UInt64
  let badPages: [BadPagesJSON]
  /// Absent when it is no increment of a live PostgreSQL cluster.
  let postgresLog: LogUseJSON?
  /// Absent when the repository has only one target.
  let targets: [TargetCopyJSON]?

  package init(_ report: Backup.Report, tags: Set<Tag>, targets: [TargetCopyJSON]? = nil) {
    self.targets = targets
    postgresLog = report.logUse.map { LogUseJSON($0) }
    var note = SourceNotes.Note(snapshot: report.envelope.snapshot, sequence: report.envelope.sequence)
    note.tags = tags.sorted()
    snapshot = SnapshotJSON(report.envelope, note)
    committed = !report.isDryRun
    reason = report.reason
    problems = report.problems.map { ProblemJSON(path: $0.path.description, reason: $0.reason) }
    seconds = report.duration
    walGrowthBytes = report.walGrowthBytes
    badPages = report.badPages.sorted { $0.key < $1.key }.map {
      BadPagesJSON(path: $0.key.description, pages: $0.value)
    }
  }
}

/// An account of what an increment of a live PostgreSQL cluster took from the log of its server.
package struct LogUseJSON: Encodable {
  let used: Bool
  /// The reason why it was not used; absent when it was.
  let reason: String?
  let logBytes: UInt64
  let serverSegments: UInt64
  let archivedSegments: UInt64
  let namedPages: UInt64
  let sampledPages: UInt64
  let differentPages: UInt64
  let keptPages: UInt64

  init(_ use: LogUse) {
    (used, reason, logBytes) = (use.refusal == nil, use.refusal, use.logBytes)
    (serverSegments, archivedSegments) = (use.serverSegments, use.archivedSegments)
    (namedPages, sampledPages) = (use.namedPages, use.sampledPages)
    (differentPages, keptPages) = (use.differentPages, use.keptPages)
  }
}

/// Says if a target has the snapshot.
package struct TargetCopyJSON: Encodable {
  let target: String
  let has: Bool
  /// The reason why it is behind; absent when it is not.
  let reason: String?

  package init(_ target: String, has: Bool, cause: String?) {
    (self.target, self.has, reason) = (target, has, cause)
  }
}

/// Pages that were damaged before they were captured.
package struct BadPagesJSON: Encodable {
  let path: String
  let pages: [UInt64]
}

/// The outcome of the backup of one of several sources.
package struct BackupOutcomeJSON: Encodable {
  let source: String
  let exitStatus: Int32
  let error: ErrorJSON.Failure?
  let backup: BackupJSON?

  package init(source: SourceName, status: ExitStatus, error: (any OperatorError)?, backup: BackupJSON?) {
    (self.source, exitStatus, self.backup) = (source.text, status.rawValue, backup)
    self.error = error.map { ErrorJSON.Failure($0) }
  }
}

/// The backups of several sources, as `backup --json` shows them.
package struct BackupsJSON: Encodable {
  let sources: [BackupOutcomeJSON]

  package init(_ sources: [BackupOutcomeJSON]) { self.sources = sources }
}
