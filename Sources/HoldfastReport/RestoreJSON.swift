package import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// A restore as `--json` shows it.
package struct RestoreJSON: Encodable {
  let snapshot: SnapshotReferenceJSON
  /// With --at: the next newer snapshot.
  let newer: SnapshotReferenceJSON?
  let restoreTarget: String
  let dryRun: Bool
  let restoredEntries: UInt64
  let restoredBytes: UInt64
  let readBytes: UInt64
  let writtenFiles: UInt64
  let writtenBytes: UInt64
  let removed: [String]
  let leftAlone: [String]
  /// The removed entries, with the contents of removed directories.
  let removedEntries: UInt64
  let removedBytes: UInt64
  /// In a dry run: the reason why it would be refused without --yes.
  let refusal: String?
  let problems: [ProblemJSON]
  let seconds: TimeSpan
  let recovery: RecoveryJSON?
  /// With --standby: the part of the log that is archived.
  let standby: StandbyJSON?
  /// Lines that were added to the configuration of the server, without what may be a password.
  let clusterSettings: [String]?
  /// The databases whose files are restored as zeros.
  let zeroedDatabases: [Database]?

  struct Database: Encodable {
    let oid: UInt32
    let database: String?
  }

  package init(_ report: Restore.Report, _ settings: RecoverySettings?, newer: Snapshot?) {
    self.newer = newer.map { SnapshotReferenceJSON($0) }
    (recovery, standby) = (settings.flatMap { RecoveryJSON($0) }, settings.flatMap { StandbyJSON($0) })
    clusterSettings = settings?.shownLines
    zeroedDatabases =
      report.zeroedDatabases.isEmpty
      ? nil : report.zeroedDatabases.map { Database(oid: $0.oid, database: $0.name.isEmpty ? nil : $0.name) }
    snapshot = SnapshotReferenceJSON(report.snapshot)
    restoreTarget = report.target.description
    dryRun = report.isDryRun
    restoredEntries = report.entries
    restoredBytes = report.bytes
    readBytes = report.readBytes
    writtenFiles = report.writtenFiles
    writtenBytes = report.writtenBytes
    removed = report.removed.map(\.description)
    leftAlone = report.leftAlone.map(\.description)
    removedEntries = report.removedEntries
    removedBytes = report.removedBytes
    refusal = report.refusal
    problems = report.problems.map { ProblemJSON(path: $0.path.description, reason: $0.reason) }
    seconds = report.duration
  }
}

/// A recovery as `--json` shows it.
package struct RecoveryJSON: Encodable {
  let recoveryTarget: String
  let timeline: UInt32
  let firstSegment: String
  let lastSegment: String
  let segmentCount: UInt64
  let settings: [String]
  /// The minimum values of settings that the server needs.
  let minima: [String: Int32]
  /// The tablespaces that the recovery makes, with their directories.
  let tablespaces: [String: String]

  /// Returns `nil` for another purpose than a recovery.
  package init?(_ settings: RecoverySettings) {
    guard case .recovery(let plan) = settings.purpose else { return nil }
    recoveryTarget = plan.target.text
    timeline = plan.timeline
    firstSegment = plan.first.text
    lastSegment = plan.last.text
    segmentCount = plan.count
    self.settings = settings.shownLines
    minima = plan.minima
    tablespaces = Dictionary(
      plan.tablespaces.map { (String($0.oid), $0.directory.description) }, uniquingKeysWith: { $1 })
  }
}

/// A standby as `--json` shows it.
package struct StandbyJSON: Encodable {
  /// The first and the last archived segment that it reads; `nil` if the archived log does not lead on.
  let firstSegment: String?
  let lastSegment: String?

  /// Returns `nil` for another purpose than a standby.
  package init?(_ settings: RecoverySettings) {
    guard case .standby(let wishes) = settings.purpose else { return nil }
    (firstSegment, lastSegment) = (wishes.archived?.first.text, wishes.archived?.last.text)
  }
}
