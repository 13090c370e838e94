package import HoldfastArchive
package import HoldfastModel

/// One run of a command from its beginning to its end, as the journal keeps it and as whoever is told of it gets it.
package struct RunRecord: Sendable {
  /// What it did to one source.
  package struct Part: Sendable {
    package var source: SourceName
    /// How it would have ended with this source alone; `nil`: as the run did.
    package var status: ExitStatus?
    /// How long it worked on this source; `nil`: as long as the run took.
    package var seconds: Double?
    package var snapshot: Identifier?
    package var sequence: UInt64?
    package var kind: SnapshotKind?
    package var readBytes: UInt64?
    package var storedBytes: UInt64?
    package var provedBytes: UInt64?
    package var restoredBytes: UInt64?
    /// Of a verify: which share of the stored bytes was read, 0 to 1.
    package var share: Double?
    /// Where in the fixed order of all that is stored that share begins; `nil`: it was drawn.
    package var begin: Double?
    /// Whether a restore was one over what was there.
    package var isDelta = false
    /// Paths that were not captured or restored whole.
    package var incomplete: UInt64 = 0
    /// What was found wrong with this source.
    package var findings: [String] = []

    package init(_ source: SourceName) { self.source = source }
  }

  package let command: RunCommand
  /// The machine that it ran on.
  package let host: String
  package let began: Timestamp
  package var ended: Timestamp
  package var seconds: Double
  package var status: ExitStatus
  /// Why it failed.
  package var failure: String?
  package var warningCount: UInt64
  /// The first of them.
  package var warnings: [String]
  /// Empty where it failed before it knew what to work on.
  package var parts: [Part]

  package init(
    command: RunCommand, host: String, began: Timestamp, ended: Timestamp, seconds: Double, status: ExitStatus,
    failure: String? = nil, warningCount: UInt64 = 0, warnings: [String] = [], parts: [Part] = []
  ) {
    (self.command, self.host) = (command, host)
    (self.began, self.ended, self.seconds) = (began, ended, seconds)
    (self.status, self.failure) = (status, failure)
    (self.warningCount, self.warnings) = (warningCount, warnings)
    self.parts = parts
  }

  /// What the journal of one source keeps of it.
  /// - Parameter isSealed: whether nothing is kept that may name files: no texts, only how many.
  package func entry(of part: Part, isSealed: Bool) -> JournalEntry {
    var entry = JournalEntry(
      command: command, host: host, began: began.milliseconds, ended: ended.milliseconds,
      took: Self.milliseconds(part.seconds ?? seconds), status: (part.status ?? status).rawValue)
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
    entry.incomplete = part.incomplete
    entry.warnings = warningCount + UInt64(part.findings.count) + (failure == nil ? 0 : 1)
    if !isSealed { entry.keep(texts: (failure.map { [$0] } ?? []) + part.findings + warnings) }
    return entry
  }

  private static func milliseconds(_ seconds: Double) -> Int64 {
    seconds.isFinite && (0...1e11).contains(seconds) ? Int64((seconds * 1000).rounded()) : 0
  }
}

extension Timestamp {
  /// Since 1970-01-01 UTC, cut to whole ones.
  package var milliseconds: Int64 { microseconds / 1000 }

  package init(milliseconds: Int64) {
    let (product, isOver) = milliseconds.multipliedReportingOverflow(by: 1000)
    self.init(microseconds: isOver ? (milliseconds < 0 ? .min : .max) : product)
  }
}
