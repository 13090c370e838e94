package import HoldfastModel
package import HoldfastSystem

/// The SQLite databases of a source that are captured as their programs see them, all as they were at one instant.
package struct SQLiteDatabases: Sendable {
  /// A database that has to be captured as a plain file, and why.
  package struct Refusal: Sendable {
    package let path: Path
    package let reason: String
    /// Whether somebody may be writing to it: then a plain copy proves nothing.
    package let isLive: Bool
  }

  /// For how long at most writers of one database wait until the others are held as well.
  private static let groupWait = Duration.seconds(1)
  /// A database in WAL mode has three files open, and others need some too.
  private static let shareOfDescriptors = 6
  private var captures: [FileSystem.FileKey: SQLiteCapture] = [:]
  private var companions: [Path: FileSystem.FileKey] = [:]
  private var names: [FileSystem.FileKey: [Path]] = [:]
  /// Those whose last name the walk over the source has not passed yet, by that name, in descending order.
  private var waiting: [(path: Path, key: FileSystem.FileKey)] = []
  /// Those that it has met.
  private var met: Set<FileSystem.FileKey> = []
  package private(set) var refusals: [Refusal] = []
  /// The database whose writer did not pause, so that not all of them are of one instant.
  package private(set) var busyDatabase: Path?
  /// Whether there are more than can be held open at once: then they are not of one instant either.
  package private(set) var areTooMany = false

  /// How many databases may be open at once.
  package static var openMax: Int { OpenFileLimit.current / shareOfDescriptors }

  package static let none = SQLiteDatabases()
  private init() {}

  /// Whether those that are held are of one instant.
  package private(set) var areOfOneInstant = false

  /// What captures the file, or one of its names.
  package func capture(of status: FileStatus) -> SQLiteCapture? { captures[FileSystem.FileKey(status)] }

  /// Whether SQLite keeps the file beside a database that is captured without it.
  package func isCompanion(_ path: Path) -> Bool { companions[path].map { captures[$0] != nil } ?? false }

  /// How many of them keep writers waiting until they are captured.
  package var heldCount: Int { captures.values.count { $0.keepsWritersWaiting } }

  package var walGrowth: UInt64 { captures.values.reduce(0) { $0 + $1.walGrowth } }

  /// Begins to capture what is live among `candidates`.
  /// - Parameters:
  ///   - root: of the source.
  ///   - isGroup: whether all shall be of one instant: then writers wait until every one is held: some milliseconds, and where one of them is in the
  ///     middle of a transaction a second at most.
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
    // The rest begins when its turn has come.
    let first = Array(all.prefix(Self.openMax))
    if isGroup, first.count > 1, !areTooMany { beginTogether(first) } else { begin(prepare(first)) }
    areOfOneInstant = isGroup && !all.isEmpty && !areTooMany && busyDatabase == nil
    areTooMany = areTooMany && isGroup
    waiting = names.compactMap { key, paths in paths.max().map { (path: $0, key: key) } }
      .filter { captures[$0.key] != nil }.sorted { $0.path > $1.path }
  }

  /// Begins to capture a database that was found when the others were held already.
  package mutating func add(
    _ candidate: SQLiteCandidate, root: OpenFile, files: FileSystem, allowance: SQLiteAllowance
  ) {
    captures[candidate.key] = SQLiteCapture(candidate, root: root, files: files, allowance: allowance)
    names[candidate.key, default: []].append(candidate.path)
    for companion in candidate.companions { companions[companion] = candidate.key }
  }

  /// Notes that the walk over the source has met a database.
  package mutating func meet(_ database: SQLiteCapture) { met.insert(database.key) }

  /// Whether there are databases whose place the walk over the source has not passed.
  package var isWaiting: Bool { !waiting.isEmpty }

  /// Lets go of the databases that the walk has not met where they were: nobody shall wait for what is no part of the snapshot.
  /// - Parameter path: how far the walk has come.
  package mutating func letGo(before path: Path) {
    while let last = waiting.last, last.path < path {
      if !met.contains(last.key) { captures[last.key]?.end() }
      waiting.removeLast()
    }
  }

  /// One name of each file: that beside which SQLite keeps something, where there is such a one.
  private static func oneOfEach(_ candidates: [SQLiteCandidate]) -> [SQLiteCandidate] {
    var chosen: [FileSystem.FileKey: Path] = [:]
    for candidate in candidates where chosen[candidate.key] == nil || candidate.hasCompanion {
      chosen[candidate.key] = candidate.path
    }
    return candidates.filter { chosen[$0.key] == $0.path }
  }

  /// A database that cannot be captured as its programs see it, under all of its names.
  /// - Returns: what is to be said of them.
  @discardableResult
  package mutating func refuse(_ capture: SQLiteCapture, _ failure: SQLiteFailure) -> [Refusal] {
    capture.end()
    captures[capture.key] = nil
    let isLive = failure.kind != .unsound || capture.hasCompanion
    let found = (names[capture.key] ?? []).map { Refusal(path: $0, reason: failure.reason, isLive: isLive) }
    refusals += found
    return found
  }

  /// Does the same to all of them. They are waited for side by side: whoever locks many of them delays no longer than with one.
  /// - Returns: those that were not refused.
  private mutating func forAll(
    _ wanted: [SQLiteCapture], within wait: Duration, _ body: (SQLiteCapture) throws(SQLiteFailure) -> Void
  ) -> [SQLiteCapture] {
    let end = ContinuousClock.now + wait
    var waiting = wanted
    while !waiting.isEmpty {
      let isLast = ContinuousClock.now >= end
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

  /// Waits for all of them. In WAL mode they are held from here on: what takes long comes before anybody has to wait.
  private mutating func prepare(_ wanted: [SQLiteCapture]) -> [SQLiteCapture] {
    forAll(wanted, within: SQLiteAllowance.databaseWait) { capture throws(SQLiteFailure) in
      try capture.lock()
      capture.unlockInRollbackMode()
    }
  }

  /// Begins one after the other.
  private mutating func begin(_ wanted: [SQLiteCapture]) {
    _ = forAll(wanted, within: SQLiteAllowance.databaseWait) { capture throws(SQLiteFailure) in
      try capture.lock()
      try capture.look()
    }
  }

  /// Begins while nobody can commit to any of the databases; where a writer does not pause, one after the other.
  private mutating func beginTogether(_ wanted: [SQLiteCapture]) {
    let ready = prepare(wanted)
    let isHeld = lockOutWriters(of: ready)
    for capture in ready where isHeld && captures[capture.key] != nil {
      do throws(SQLiteFailure) { try capture.seeCommit() } catch { refuse(capture, error) }
    }
    for capture in ready { capture.letWriters(staysLocked: isHeld) }
    begin(ready.filter { captures[$0.key] != nil })
  }

  /// - Returns: whether nobody can commit to any of them now.
  private mutating func lockOutWriters(of wanted: [SQLiteCapture]) -> Bool {
    let end = ContinuousClock.now + Self.groupWait
    // In the order of their paths, so that two backups do not wait for each other.
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
          guard ContinuousClock.now < end else {
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
