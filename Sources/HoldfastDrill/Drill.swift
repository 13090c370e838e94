package import HoldfastArchive
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository

/// A timed trial restore: restores a snapshot into a scratch directory of its own, opens the databases in it, asks them
/// what the site has written down, measures each phase, and removes the data again.
package struct Drill {
  package struct Options: Sendable {
    /// The directory in which the place of the source's drills is made.
    package var directory: Path
    /// The most bytes that are restored; `nil` for no limit but the free space.
    package var bytesMax: UInt64?
    /// The database that the assertions ask: the path of an SQLite file below the source, or the name of a database of
    /// a PostgreSQL cluster; `nil` for the only one.
    package var database: String?
    package var assertions: [DrillAssertion] = []
    /// The most time of the whole drill.
    package var timeout = TimeSpan.hours(24)
    /// The time that a restore may take, as the site demands it. A recovery that takes longer and is still not done at
    /// the end of `timeout` fails the drill.
    package var restoreWithin: TimeSpan?
    /// True if the snapshot is another one than the newest.
    package var isOlder = false
    /// Only make the plan.
    package var isDryRun = false
    /// Leave the restored data in place, for somebody to look at.
    package var keepsData = false
    /// True if this process is root: owners are restored then, and a server runs as the owner of its cluster.
    package var isRoot = false
    /// The directories in which it must not work.
    package var forbidden: [ForbiddenPlace] = []
    /// The directories in which programs of PostgreSQL are looked for, with `VERSION` for the major version: those of
    /// Debian's packages, and of PostgreSQL's own for Red Hat.
    package var programs = ["/usr/lib/postgresql/VERSION/bin", "/usr/pgsql-VERSION/bin"]
    /// The time that opening the repository took.
    package var openingTime = TimeSpan.zero
    /// Returns the command with which a server in recovery gets its archived log.
    package var restoreCommand: @Sendable (RecoveryPlan) throws -> String

    package init(directory: Path, restoreCommand: @escaping @Sendable (RecoveryPlan) throws -> String) {
      (self.directory, self.restoreCommand) = (directory, restoreCommand)
    }
  }

  private let course: DrillCourse

  package init(repository: Repository, snapshot: Snapshot, options: Options, progress: any ProgressObserver) throws {
    course = try DrillCourse(repository, snapshot, options, progress)
  }

  /// - Returns: the result, also of a drill that failed.
  /// - Throws: the reason why the drill could not be made: then it says nothing about the snapshot.
  package func run() throws -> Report { try course.run() }
}
