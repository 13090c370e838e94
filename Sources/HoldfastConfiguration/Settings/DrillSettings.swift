package import HoldfastModel

/// The configuration of the drills of a source.
package struct DrillSettings: Hashable, Sendable {
  /// The time after which `holdfast run` drills the source again; `nil` if it never does.
  package var every: TimeSpan?
  /// The number of drills of `holdfast run` of which one takes an older snapshot; `nil` if all take the newest.
  package var olderEvery: Int?
  /// The directory in which a drill makes its scratch directory; `nil` for the usual one.
  package var directory: Path?
  /// The most bytes that a drill restores; `nil` for no limit but the free space.
  package var bytesMax: UInt64?
  /// The most time that a drill may take.
  package var timeout = TimeSpan.hours(24)
  /// The database that the assertions ask: the path of an SQLite file below the source, or the name of a database of a
  /// PostgreSQL cluster; `nil` for the only one.
  package var database: String?
  package var assertions: [DrillAssertion] = []

  package init() {}
}
