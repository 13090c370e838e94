package import HoldfastEngine
internal import HoldfastModel

/// An archived WAL file, as `wal push --json` shows it.
package struct PushJSON: Encodable {
  let file: String
  let system: String
  let alreadyArchived: Bool
  let storedBytes: UInt64
  /// Number of damaged copies that it replaces.
  let replaced: Int
  /// Number of further segments that were archived with it.
  let archivedAhead: Int

  package init(_ report: WALPush.Report) {
    (file, system) = (report.file.text, report.system.description)
    (alreadyArchived, storedBytes, replaced) = (report.isRepeated, report.storedBytes, report.replaced)
    archivedAhead = report.ahead
  }
}
