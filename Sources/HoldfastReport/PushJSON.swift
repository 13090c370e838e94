package import HoldfastEngine
internal import HoldfastModel

/// A file of the log that was archived, as `wal push --json` shows it.
package struct PushJSON: Encodable {
  let file: String
  let system: String
  let alreadyArchived: Bool
  let storedBytes: UInt64
  /// Damaged copies in whose place it stands.
  let replaced: Int

  package init(_ report: WALPush.Report) {
    (file, system) = (report.file.text, report.system.description)
    (alreadyArchived, storedBytes, replaced) = (report.isRepeated, report.storedBytes, report.replaced)
  }
}
