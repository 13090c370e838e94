package import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// A restore as `--json` shows it.
package struct RestoreJSON: Encodable {
  struct Newer: Encodable {
    let snapshot: String
    let time: String
  }

  let snapshot: String
  let time: String
  /// With --at: the next newer snapshot.
  let newer: Newer?
  let target: String
  let dryRun: Bool
  let entries: UInt64
  let bytes: UInt64
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

  package init(_ report: Restore.Report, _ settings: RecoverySettings?, newer: Snapshot?) {
    time = report.snapshot.envelope.time.started.description
    self.newer = newer.map { Newer(snapshot: $0.id.description, time: $0.envelope.time.started.description) }
    recovery = settings.map { RecoveryJSON($0) }
    snapshot = report.snapshot.id.description
    target = report.target.description
    dryRun = report.isDryRun
    entries = report.entries
    bytes = report.bytes
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
  let target: String
  let timeline: UInt32
  let firstSegment: String
  let lastSegment: String
  let segments: UInt64
  let settings: [String]
  /// The minimum values of settings that the server needs.
  let minima: [String: Int32]
  /// The tablespaces that the recovery makes, with their directories.
  let tablespaces: [String: String]

  package init(_ settings: RecoverySettings) {
    let plan = settings.plan
    target = plan.target.text
    timeline = plan.timeline
    firstSegment = plan.first.text
    lastSegment = plan.last.text
    segments = plan.count
    self.settings = settings.lines
    minima = plan.minima
    tablespaces = Dictionary(
      plan.tablespaces.map { (String($0.oid), $0.directory.description) }, uniquingKeysWith: { $1 })
  }
}
