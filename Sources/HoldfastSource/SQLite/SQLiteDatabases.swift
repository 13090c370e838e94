package import HoldfastModel
package import HoldfastSystem

/// The SQLite databases of a source that are captured through SQLite, all as they were at one instant.
package struct SQLiteDatabases: Sendable {
  package struct FileKey: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64
  }

  /// A database that has to be captured as a plain file, and why.
  package struct Refusal: Sendable {
    package let path: Path
    package let reason: String
    /// Whether somebody may be writing to it: then a plain copy proves nothing.
    package let isLive: Bool
  }

  private static let busyTimeoutMs: Int32 = 5000
  /// For how long at most writers of one database wait until the others are held as well.
  private static let groupTimeoutMs: Int32 = 1000
  private var captures: [FileKey: any SQLiteCapture] = [:]
  /// What SQLite keeps beside the captured databases: no part of the snapshot.
  package private(set) var companions: Set<Path> = []
  package private(set) var refusals: [Refusal] = []
  /// The database whose writer did not pause, so that not all of them are of one instant.
  package private(set) var restless: Path?

  package static let none = SQLiteDatabases()
  private init() {}

  package func capture(of status: FileStatus) -> (any SQLiteCapture)? {
    captures[FileKey(device: status.device, inode: status.inode)]
  }

  /// How many of them keep writers waiting until they are captured.
  package var heldCount: Int { captures.values.count { $0.keepsWritersWaiting } }

  package var walGrowth: UInt64 { captures.values.reduce(0) { $0 + $1.walGrowth } }

  /// Opens what is live among `candidates`, which nobody may open or close in another way from here on.
  /// - Parameters:
  ///   - root: of the source.
  ///   - isGroup: whether all shall be of one instant: then writers wait until every one is held: some milliseconds, and where one of them is in the
  ///     middle of a transaction a second at most.
  package init(_ candidates: [SQLiteCandidate], root: Path, files: FileSystem, isGroup: Bool) {
    var opened: [Opened] = []
    for candidate in Self.oneOfEach(candidates) where candidate.isLive {
      do throws(SQLiteFailure) {
        opened.append(try Opened(candidate, root: root))
      } catch {
        refuse(candidate, error)
      }
    }
    opened = isGroup && opened.count > 1 ? holdTogether(opened) : hold(opened)
    for database in opened {
      do throws(SQLiteFailure) {
        captures[database.candidate.key] = try database.capture(files: files)
        companions.formUnion(candidates.filter { $0.key == database.candidate.key }.flatMap(\.companions))
      } catch {
        refuse(database.candidate, error)
      }
    }
    nameAll(candidates)
  }

  /// What is refused under one name is so under its others.
  private mutating func nameAll(_ candidates: [SQLiteCandidate]) {
    for refusal in refusals {
      guard let refused = candidates.first(where: { $0.path == refusal.path }) else { continue }
      for other in candidates where other.key == refused.key && other.path != refused.path {
        refusals.append(Refusal(path: other.path, reason: refusal.reason, isLive: refusal.isLive))
      }
    }
  }

  /// One name of each file: that beside which SQLite keeps something, where there is such a one. Two connections to one file would only wait for each other.
  private static func oneOfEach(_ candidates: [SQLiteCandidate]) -> [SQLiteCandidate] {
    var chosen: [FileKey: Path] = [:]
    for candidate in candidates where chosen[candidate.key] == nil || candidate.hasCompanion {
      chosen[candidate.key] = candidate.path
    }
    return candidates.filter { chosen[$0.key] == $0.path }
  }

  private mutating func refuse(_ candidate: SQLiteCandidate, _ failure: SQLiteFailure) {
    refusals.append(
      Refusal(path: candidate.path, reason: failure.reason, isLive: !failure.isNoDatabase || candidate.hasCompanion))
  }

  /// Begins the read transactions, one after the other.
  private mutating func hold(_ opened: [Opened]) -> [Opened] {
    opened.filter { database in
      do throws(SQLiteFailure) {
        try database.begin()
        return true
      } catch {
        refuse(database.candidate, error)
        return false
      }
    }
  }

  /// Begins the read transactions while nobody can commit to any of the databases; where a writer does not pause, one after the other.
  private mutating func holdTogether(_ opened: [Opened]) -> [Opened] {
    // In the order of their paths, so that two backups do not wait for each other.
    var writers: [SQLiteConnection] = []
    var locked: [Opened] = []
    let deadline = ContinuousClock.now + .milliseconds(Int(Self.groupTimeoutMs))
    for database in opened.sorted(by: { $0.candidate.path < $1.candidate.path }) {
      let left = (deadline - ContinuousClock.now) / .milliseconds(1)
      do throws(SQLiteFailure) {
        if let writer = try database.lockOutWriters(busyTimeoutMs: Int32(max(0, left))) { writers.append(writer) }
        locked.append(database)
      } catch {
        guard error.isBusy else {
          refuse(database.candidate, error)
          continue
        }
        restless = database.candidate.path
        for writer in writers { writer.end() }
        return hold(opened.filter { one in !refusals.contains { $0.path == one.candidate.path } })
      }
    }
    for database in locked { database.staysHeld = true }
    let held = hold(locked)
    for writer in writers { writer.end() }
    return held
  }

  /// A database with its connection.
  private final class Opened {
    let candidate: SQLiteCandidate
    private let place: Path
    private let connection: SQLiteConnection
    private let isReadOnly: Bool
    private static let attemptsMax = 10
    private var walk: WriteAheadLogWalk?
    /// Whether it is held from one instant to the end, in rollback mode too: one of several databases cannot be read again by itself.
    var staysHeld = false

    init(_ candidate: SQLiteCandidate, root: Path) throws(SQLiteFailure) {
      self.candidate = candidate
      place = root.appending(candidate.path.bytes)
      var readOnly = false
      do {
        connection = try SQLiteConnection(place, readOnly: false, busyTimeoutMs: busyTimeoutMs)
      } catch {
        connection = try SQLiteConnection(place, readOnly: true, busyTimeoutMs: busyTimeoutMs)
        readOnly = true
      }
      isReadOnly = readOnly
      // This opens the WAL, rolls back a hot journal, and finds what is no sound database.
      try connection.beginReading()
      defer { connection.end() }
      // The long part of the walk is done before anybody has to wait; what fails here fails again when it counts.
      try? advance()
    }

    /// - Returns: what keeps writers out as long as it lives; `nil` where nobody can write.
    func lockOutWriters(busyTimeoutMs: Int32) throws(SQLiteFailure) -> SQLiteConnection? {
      if isReadOnly { return nil }
      let writer = try SQLiteConnection(place, readOnly: false, busyTimeoutMs: busyTimeoutMs)
      try writer.run("BEGIN IMMEDIATE")
      return writer
    }

    /// Begins the transaction that lasts until the database is captured; of one in rollback mode only where it stays held.
    func begin() throws(SQLiteFailure) {
      guard candidate.header.isWAL || staysHeld else { return }
      for _ in 1...Self.attemptsMax {
        try connection.beginReading()
        do throws(SQLiteFailure) {
          if try isSound() { return }
        } catch {
          connection.end()
          throw error
        }
        connection.end()
      }
      throw SQLiteFailure.restlessLog()
    }

    /// Whether what was read of the WAL goes as far as what SQLite sees. It may go further where somebody commits just now, but then another look shows the same.
    private func isSound() throws(SQLiteFailure) -> Bool {
      guard try connection.isInWALMode() == candidate.header.isWAL else { throw SQLiteFailure.changedMode() }
      guard candidate.header.isWAL else { return true }
      do throws(SystemError) {
        try advance()
      } catch {
        throw SQLiteFailure.unreadableLog(error)
      }
      guard let pageCount = walk?.pageCountAfterCommit else { return true }
      return try connection.integer("PRAGMA page_count") == Int64(pageCount)
    }

    /// Walks the WAL as far as it goes now; from the beginning where it is another one by now.
    private func advance() throws(SystemError) {
      guard candidate.header.isWAL else { return }
      let size = connection.size(of: .wal)
      let read: WriteAheadLogWalk.Read = { [connection] (buffer, offset) throws(SystemError) in
        _ = try connection.read(.wal, into: buffer, at: offset).get()
      }
      let now = try WriteAheadLogWalk(size: size, pageSize: candidate.header.pageSize, read: read)
      if walk?.header != now?.header { walk = now }
      try walk?.advance(to: size, read: read)
    }

    func capture(files: FileSystem) throws(SQLiteFailure) -> any SQLiteCapture {
      let pageSize = candidate.header.pageSize
      guard candidate.header.isWAL else {
        return try SQLiteQuiesced(connection, at: place, pageSize: pageSize, isHeld: staysHeld, files: files)
      }
      return try SQLiteSnapshot(connection, at: place, pageSize: pageSize, log: walk?.log, files: files)
    }
  }
}

extension SQLiteCandidate {
  var key: SQLiteDatabases.FileKey { SQLiteDatabases.FileKey(device: status.device, inode: status.inode) }

  /// Whether it has to be captured through SQLite: in WAL mode where there is a WAL, in rollback mode always, because nothing tells whether somebody writes.
  var isLive: Bool { header.isWAL ? hasCompanion : true }
}
