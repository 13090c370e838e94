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
  private var captures: [FileKey: any SQLiteCapture] = [:]
  /// What SQLite keeps beside the captured databases: no part of the snapshot.
  package private(set) var companions: Set<Path> = []
  package private(set) var refusals: [Refusal] = []

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
  ///   - isGroup: whether all shall be of one instant: then writers wait until every one is held, some milliseconds.
  package init(_ candidates: [SQLiteCandidate], root: Path, files: FileSystem, isGroup: Bool) {
    var opened: [Opened] = []
    for candidate in candidates where candidate.isLive {
      do throws(SQLiteFailure) {
        opened.append(try Opened(candidate, root: root))
      } catch {
        refuse(candidate, error)
      }
    }
    opened = isGroup && opened.count > 1 ? holdTogether(opened) : hold(opened)
    for database in opened {
      do throws(SQLiteFailure) {
        let status = database.candidate.status
        captures[FileKey(device: status.device, inode: status.inode)] = try database.capture(files: files)
        companions.formUnion(database.candidate.companions)
      } catch {
        refuse(database.candidate, error)
      }
    }
  }

  private mutating func refuse(_ candidate: SQLiteCandidate, _ failure: SQLiteFailure) {
    refusals.append(
      Refusal(path: candidate.path, reason: failure.reason, isLive: failure.isBusy || candidate.hasCompanion))
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

  /// Begins the read transactions while nobody can commit to any of the databases.
  private mutating func holdTogether(_ opened: [Opened]) -> [Opened] {
    // In the order of their paths, so that two backups do not wait for each other.
    var writers: [SQLiteConnection] = []
    var locked: [Opened] = []
    for database in opened.sorted(by: { $0.candidate.path < $1.candidate.path }) {
      do throws(SQLiteFailure) {
        if let writer = try database.lockOutWriters(busyTimeoutMs: Self.busyTimeoutMs) { writers.append(writer) }
        locked.append(database)
      } catch {
        refuse(database.candidate, error)
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
      // The long part of the walk is done before anybody has to wait.
      try? advance()
    }

    /// - Returns: what keeps writers out as long as it lives; `nil` where nobody can write.
    func lockOutWriters(busyTimeoutMs: Int32) throws(SQLiteFailure) -> SQLiteConnection? {
      if isReadOnly { return nil }
      let writer = try SQLiteConnection(place, readOnly: false, busyTimeoutMs: busyTimeoutMs)
      try writer.run("BEGIN IMMEDIATE")
      return writer
    }

    func begin() throws(SQLiteFailure) {
      guard candidate.header.isWAL || staysHeld else { return }
      try connection.beginReading()
      try? advance()
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
  /// Whether it has to be captured through SQLite: in WAL mode where there is a WAL, in rollback mode always, because nothing tells whether somebody writes.
  var isLive: Bool { header.isWAL ? hasCompanion : true }
}
