package import HoldfastModel
package import HoldfastSystem

/// The SQLite databases of a source that are captured as their programs see them, all at one instant. It is a class,
/// because it is asked about every file of a source, and a value would be copied each time.
package final class SQLiteDatabases {
  /// A database that must be captured as a plain file, and the reason.
  package struct Refusal: Sendable {
    package let path: Path
    package let reason: String
    /// True if a program may be writing to it. Then a plain copy may be torn.
    package let isLive: Bool
  }

  /// The longest time that writers of one database wait until the others are held as well.
  private static let groupWait = TimeSpan.seconds(1)
  /// The divisor of the limit of open files. A database in WAL mode has three files open, and the rest of the program
  /// needs some too.
  private static let shareOfDescriptors = 6
  private var captures: [FileSystem.FileKey: SQLiteCapture] = [:]
  private var companions: [Path: FileSystem.FileKey] = [:]
  private var names: [FileSystem.FileKey: [Path]] = [:]
  /// The databases whose last name the scan has not passed yet, by that name, in descending order.
  private var waiting: [(path: Path, key: FileSystem.FileKey)] = []
  /// The databases that the scan has met.
  private var met: Set<FileSystem.FileKey> = []
  package private(set) var refusals: [Refusal] = []
  /// A database whose transaction did not end in time, so that not all databases are of one instant; otherwise `nil`.
  package private(set) var busyDatabase: Path?
  /// True if there are more databases than can be held open at once, so that not all are of one instant.
  package private(set) var areTooMany = false

  /// The most databases that can be open at once.
  package static var openMax: Int { OpenFileLimit.current / shareOfDescriptors }

  /// True if the databases that are held are of one instant.
  package private(set) var areOfOneInstant = false

  /// Returns the capture of a file, by the status of any of its names.
  package func capture(of status: FileStatus) -> SQLiteCapture? { captures[FileSystem.FileKey(status)] }

  /// Returns true if SQLite keeps this file beside a captured database. The capture of the database covers it.
  package func isCompanion(_ path: Path) -> Bool { companions[path].map { captures[$0] != nil } ?? false }

  /// The number of databases that keep writers waiting until they are captured.
  package var heldCount: Int { captures.values.count { $0.keepsWritersWaiting } }

  package var walGrowth: UInt64 { captures.values.reduce(0) { $0 + $1.walGrowth } }

  /// Begins the capture of the live databases among `candidates`.
  /// - Parameters:
  ///   - root: the root of the source.
  ///   - isGroup: true if all must be of one instant. Then writers wait until all databases are held: some
  ///     milliseconds, or at most a second if one of them is in the middle of a transaction.
  package init(
    _ candidates: [SQLiteCandidate], root: OpenFile, files: FileSystem, isGroup: Bool, allowance: SQLiteAllowance
  ) {
    names = Dictionary(grouping: candidates, by: \.key).mapValues { $0.map(\.path) }
    let all = Self.oneOfEach(candidates).filter(\.isLive)
      .map { SQLiteCapture($0, root: root, files: files, allowance: allowance) }
    captures = Dictionary(all.map { ($0.key, $0) }) { first, _ in first }
    for candidate in candidates where captures[candidate.key] != nil {
      for companion in candidate.companions { companions[companion] = candidate.key }
    }
    areTooMany = all.count > Self.openMax
    // The other databases begin when their turn comes.
    let first = Array(all.prefix(Self.openMax))
    if isGroup, first.count > 1, !areTooMany { beginTogether(first) } else { begin(prepare(first)) }
    areOfOneInstant = isGroup && !all.isEmpty && !areTooMany && busyDatabase == nil
    areTooMany = areTooMany && isGroup
    waiting = names.compactMap { key, paths in paths.max().map { (path: $0, key: key) } }
      .filter { captures[$0.key] != nil }.sorted { $0.path > $1.path }
  }

  /// Begins the capture of a database that was found after the others were held.
  package func add(
    _ candidate: SQLiteCandidate, root: OpenFile, files: FileSystem, allowance: SQLiteAllowance
  ) {
    captures[candidate.key] = SQLiteCapture(candidate, root: root, files: files, allowance: allowance)
    names[candidate.key, default: []].append(candidate.path)
    for companion in candidate.companions { companions[companion] = candidate.key }
  }

  /// Records that the scan has met a database.
  package func meet(_ database: SQLiteCapture) { met.insert(database.key) }

  /// True if there are databases that the scan has not met yet.
  package var isWaiting: Bool { !waiting.isEmpty }

  /// Releases the databases that the scan has not found at their paths: no program should wait for a database that is
  /// not part of the snapshot.
  /// - Parameter path: the path that the scan has reached.
  package func letGo(before path: Path) {
    while let last = waiting.last, last.path < path {
      if !met.contains(last.key) { captures[last.key]?.end() }
      waiting.removeLast()
    }
  }

  /// Returns one candidate for each file: one with companions, if there is one.
  private static func oneOfEach(_ candidates: [SQLiteCandidate]) -> [SQLiteCandidate] {
    var chosen: [FileSystem.FileKey: Path] = [:]
    for candidate in candidates where chosen[candidate.key] == nil || candidate.hasCompanion {
      chosen[candidate.key] = candidate.path
    }
    return candidates.filter { chosen[$0.key] == $0.path }
  }

  /// Gives up a database that cannot be captured as its programs see it, under all of its names.
  /// - Returns: the refusals to report.
  @discardableResult
  package func refuse(_ capture: SQLiteCapture, _ failure: SQLiteFailure) -> [Refusal] {
    capture.end()
    captures[capture.key] = nil
    let isLive = failure.kind != .unsound || capture.hasCompanion
    let found = (names[capture.key] ?? []).map { Refusal(path: $0, reason: failure.reason, isLive: isLive) }
    refusals += found
    return found
  }

  /// Calls `body` with all databases, and waits for them side by side: an owner who locks many of them causes no longer
  /// delay than with one.
  /// - Returns: the databases that were not refused.
  private func forAll(
    _ wanted: [SQLiteCapture], within wait: TimeSpan, _ body: (SQLiteCapture) throws(SQLiteFailure) -> Void
  ) -> [SQLiteCapture] {
    let end = Clock.system.uptime() + wait
    var waiting = wanted
    while !waiting.isEmpty {
      let isLast = Clock.system.uptime() >= end
      waiting = waiting.filter { capture in
        do throws(SQLiteFailure) {
          try body(capture)
          return false
        } catch {
          if error.kind == .busy, !isLast { return true }
          refuse(capture, error)
          return false
        }
      }
      if !waiting.isEmpty { Pause.forALock() }
    }
    return wanted.filter { captures[$0.key] != nil }
  }

  /// Waits for all databases. Those in WAL mode are held from here on. So the slow steps are done before any program
  /// has to wait.
  private func prepare(_ wanted: [SQLiteCapture]) -> [SQLiteCapture] {
    forAll(wanted, within: SQLiteAllowance.databaseWait) { capture throws(SQLiteFailure) in
      try capture.lock()
      capture.unlockInRollbackMode()
    }
  }

  /// Begins one capture after the other.
  private func begin(_ wanted: [SQLiteCapture]) {
    _ = forAll(wanted, within: SQLiteAllowance.databaseWait) { capture throws(SQLiteFailure) in
      try capture.lock()
      try capture.look()
    }
  }

  /// Begins all captures while no program can commit to any of the databases. If a writer does not pause, begins one
  /// after the other.
  private func beginTogether(_ wanted: [SQLiteCapture]) {
    let ready = prepare(wanted)
    let isHeld = lockOutWriters(of: ready)
    for capture in ready where isHeld && captures[capture.key] != nil {
      do throws(SQLiteFailure) { try capture.seeCommit() } catch { refuse(capture, error) }
    }
    for capture in ready { capture.letWriters(staysLocked: isHeld) }
    begin(ready.filter { captures[$0.key] != nil })
  }

  /// - Returns: true if no program can commit to any of them now.
  private func lockOutWriters(of wanted: [SQLiteCapture]) -> Bool {
    let end = Clock.system.uptime() + Self.groupWait
    // The databases are locked in path order, so that two backups do not wait for each other.
    for capture in wanted.sorted(by: { $0.path < $1.path }) {
      while captures[capture.key] != nil {
        do throws(SQLiteFailure) {
          try capture.lockOutWriters()
          break
        } catch {
          guard error.kind == .busy else {
            refuse(capture, error)
            break
          }
          guard Clock.system.uptime() < end else {
            busyDatabase = capture.path
            return false
          }
        }
        Pause.forALock()
      }
    }
    return true
  }
}
