package import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// A run of the journal, as `report --json` shows it. What is not known is absent.
package struct JournalRunJSON: Encodable {
  private struct DrillRun: Encodable {
    let passed: Bool
    let restoreSeconds: TimeSpan
    let databaseCount: UInt64
    let assertionsHeld: UInt64
  }

  private let command: String
  private let host: String
  private let began: String
  private let ended: String
  private let seconds: TimeSpan
  private let exitStatus: Int32
  private let snapshotID: String?
  private let sequence: UInt64?
  private let kind: String?
  private let readBytes: UInt64?
  private let storedBytes: UInt64?
  private let provedBytes: UInt64?
  private let restoredBytes: UInt64?
  private let share: Double?
  private let drill: DrillRun?
  private let incompleteFiles: UInt64
  private let warningCount: UInt64
  private let warnings: [String]?

  package init(_ entry: JournalEntry) {
    (command, host, exitStatus) = (entry.command.text, entry.host, entry.status)
    (began, ended, seconds) = (TimeText.utc(entry.began), TimeText.utc(entry.ended), entry.took)
    (snapshotID, sequence, kind) = (entry.snapshot?.description, entry.sequence, entry.kind?.rawValue)
    (readBytes, storedBytes) = (entry.readBytes, entry.storedBytes)
    (provedBytes, restoredBytes, share) = (entry.provedBytes, entry.restoredBytes, entry.share)
    drill = entry.drill.map {
      DrillRun(
        passed: $0.passed, restoreSeconds: $0.restoreTime, databaseCount: $0.databases, assertionsHeld: $0.assertions)
    }
    (incompleteFiles, warningCount, warnings) = (entry.incomplete, entry.warnings, entry.texts)
  }
}
