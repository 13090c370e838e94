package import HoldfastModel
package import HoldfastSystem

/// The checks of a drill on a tree that was restored already, and that its programs are about to use.
package struct TreeCheck {
  private let tree: Path
  private let settings: (database: String?, assertions: [DrillAssertion])
  private let stateTime: Timestamp
  private let host: Host

  /// - Parameters:
  ///   - stateTime: the beginning of the snapshot.
  ///   - database: the path of the SQLite file that the assertions ask; `nil` for the only one.
  package init(
    _ tree: Path, stateTime: Timestamp, database: String?, assertions: [DrillAssertion], host: Host
  ) {
    (self.tree, self.stateTime, self.host, settings) = (tree, stateTime, host, (database, assertions))
  }

  /// Opens every SQLite database as its programs would, and asks the assertions. A PostgreSQL cluster is not started:
  /// that would change it.
  /// - Returns: the checks that were made, and those that were not, in words.
  /// - Throws: with exit status 22 when a database is not what it should be.
  package func run() throws -> [String] {
    do {
      return try check()
    } catch let failure as DrillFailure {
      throw EngineError(
        .usage, failure.message,
        hint: failure.hint ?? "Find the newest snapshot in which it is sound, by drills: holdfast drill --snapshot ID.",
        exitStatus: .drillFailed)
    }
  }

  private func check() throws -> [String] {
    let found = try RestoredDatabases(
      in: tree, named: settings.database.map { Path($0) }, files: host.files, cancellation: host.cancellation)
    var done: [String] = []
    var connections: [(path: Path, connection: SQLiteConnection)] = []
    for path in found.sqlite {
      try RestoredDatabases.checkJournal(of: path, in: tree, files: host.files)
      let connection = try SQLiteConnection(tree.appending(path.bytes), name: path, host.cancellation)
      try SQLiteChecks(name: path, connection: connection).run()
      try connection.makeReadOnly()
      connections.append((path, connection))
      done.append("\(path) passes integrity_check and foreign_key_check")
    }
    done += found.unreadable.map { "\($0) looks like an encrypted database, and was not opened" }
    done += found.clusters.map { "\($0) is a PostgreSQL cluster, and was not started" }
    guard !settings.assertions.isEmpty else { return done }
    guard found.clusters.isEmpty else { return done + ["the assertions were not asked"] }
    let wanted = settings.database.map { name in connections.first { $0.path == Path(name) } } ?? connections.first
    guard let asked = wanted?.connection else {
      throw DrillFailure("the snapshot holds no database for the assertions of the drill to ask")
    }
    for (index, assertion) in settings.assertions.enumerated() {
      let check = AnswerCheck(assertion: assertion, stateTime: stateTime, hasReplayed: false)
      guard let objection = check.objection(to: try asked.rows(assertion.sql, max: 1)) else { continue }
      throw DrillFailure("assertion \(index + 1) does not hold: \(objection): \(Path(assertion.sql))")
    }
    return done + ["\(Amount.count(UInt64(settings.assertions.count), "assertion")) asked, and all hold"]
  }
}
