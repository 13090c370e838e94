package import HoldfastModel

/// The progress of the archived write-ahead log of a PostgreSQL source.
package struct LogStatus: Sendable, Hashable {
  /// The newest archived file of the log.
  package let newest: WALFileName
  /// The time at which it was archived.
  package let archived: Timestamp
  /// The time since then, by the clocks of both machines; `nil` if that is later than this machine's clock.
  package let lag: TimeSpan?

  package init(newest: WALFileName, archived: Timestamp, lag: TimeSpan?) {
    (self.newest, self.archived, self.lag) = (newest, archived, lag)
  }
}
