package import HoldfastArchive
package import HoldfastModel

/// One run of a command from beginning to end, as the journal keeps it and as notifications report it.
package struct RunRecord: Sendable {
  /// The results of the run for one source.
  package struct Part: Sendable {
    package var source: SourceName
    /// The exit status that this source alone would have given; `nil` when it is that of the run.
    package var status: ExitStatus?
    /// The time that the run spent on this source; `nil` for the duration of the run.
    package var duration: TimeSpan?
    package var snapshot: Identifier?
    package var sequence: UInt64?
    package var kind: SnapshotKind?
    package var readBytes: UInt64?
    package var storedBytes: UInt64?
    package var provedBytes: UInt64?
    package var restoredBytes: UInt64?
    /// For a verify: the share of the stored bytes that was to be read, 0 to 1.
    package var share: Double?
    /// The position of that share in the fixed order of all stored objects; `nil` when it was drawn at random.
    package var begin: Double?
    /// True if a restore was made over existing files.
    package var isDelta = false
    /// For a drill that came to a result.
    package var drill: DrillEvidence?
    /// Number of paths that were not captured or restored whole.
    package var incomplete: UInt64 = 0
    /// The faults that were found in this source.
    package var findings: [String] = []

    package init(_ source: SourceName) { self.source = source }
  }

  package let command: RunCommand
  /// The machine on which the run took place.
  package let host: String
  package let began: Timestamp
  package var ended: Timestamp
  package var duration: TimeSpan
  package var status: ExitStatus
  /// The reason why the run failed; `nil` when it did not.
  package var failure: String?
  package var warningCount: UInt64
  /// The first warnings.
  package var warnings: [String]
  /// Empty when the run failed before it knew its sources.
  package var parts: [Part]

  package init(
    command: RunCommand, host: String, began: Timestamp, ended: Timestamp, duration: TimeSpan, status: ExitStatus,
    failure: String? = nil, warningCount: UInt64 = 0, warnings: [String] = [], parts: [Part] = []
  ) {
    (self.command, self.host) = (command, host)
    (self.began, self.ended, self.duration) = (began, ended, duration)
    (self.status, self.failure) = (status, failure)
    (self.warningCount, self.warnings) = (warningCount, warnings)
    self.parts = parts
  }

  /// Returns the entry for the journal of one source.
  /// - Parameter isSealed: true if texts are left out, because they may name files; then only their number is kept.
  package func entry(of part: Part, isSealed: Bool) -> JournalEntry {
    var entry = JournalEntry(
      command: command, host: host, began: began, ended: ended, took: part.duration ?? duration,
      status: (part.status ?? status).rawValue)
    entry.snapshot = part.snapshot
    entry.sequence = part.sequence
    entry.kind = part.kind
    entry.readBytes = part.readBytes
    entry.storedBytes = part.storedBytes
    entry.provedBytes = part.provedBytes
    entry.restoredBytes = part.restoredBytes
    entry.share = part.share
    entry.begin = part.begin
    entry.isDelta = part.isDelta ? true : nil
    entry.drill = part.drill
    entry.incomplete = part.incomplete
    entry.warnings = warningCount + UInt64(part.findings.count) + (failure == nil ? 0 : 1)
    if !isSealed { entry.keep(texts: (failure.map { [$0] } ?? []) + part.findings + warnings) }
    return entry
  }
}
