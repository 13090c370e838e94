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
  /// Absent when the repository has only one target.
  let targets: [TargetCopyJSON]?

  package init(_ report: Backup.Report, tags: Set<Tag>, targets: [TargetCopyJSON]? = nil) {
    self.targets = targets
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
