/// A statement that a drill asks a restored database, and the answer that the site expects: the first column of the
/// first row.
package struct DrillAssertion: Hashable, Sendable {
  package enum Expectation: Hashable, Sendable {
    /// It is neither 0 nor NULL.
    case holds
    /// It is this text, or this number however it is written.
    case equals(String)
    /// It is this number or more.
    case atLeast(String)
    /// It is a time, no more than this before or after the beginning of the snapshot.
    case within(TimeSpan)
  }

  package let sql: String
  package let expectation: Expectation
  /// The most time that the answer may take; `nil` for no limit but that of the drill.
  package let timeout: TimeSpan?

  package init(_ sql: String, _ expectation: Expectation = .holds, timeout: TimeSpan? = nil) {
    (self.sql, self.expectation, self.timeout) = (sql, expectation, timeout)
  }
}
