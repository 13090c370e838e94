package import HoldfastModel
package import HoldfastSystem

/// A PostgreSQL data directory in a source.
package struct PostgresCluster: Sendable {
  /// The path relative to the source; empty if the cluster is the source itself.
  package let root: Path
  /// The major version, such as 15.
  package let version: Int
  package let control: ControlFile
  /// The contents of `postmaster.pid`, written by this server or an earlier one.
  package let postmaster: PostmasterFile?
  /// The status of the data directory. A server runs only on a directory of its own user, and can read what that user
  /// can.
  let directory: FileStatus
  /// The files of its WAL. A running server writes to them all the time.
  package let log: [LogFile]
  /// The tablespaces outside of the data directory.
  package let tablespaces: [Tablespace]
  /// The tablespaces within the data directory, with their paths in it.
  let innerTablespaces: [Tablespace]
  /// True if it is captured between start and stop of a backup that its server knows of.
  package private(set) var isLive = false
  /// The names in its directory of files whose contents the server tells, because they are elsewhere.
  private(set) var given: Set<String> = []
  private var servers: RunningServers?
  /// The server that runs on it, as far as that could be found out.
  package private(set) var sighting = RunningServers.Sighting.none

  /// A file of its WAL.
  package struct LogFile: Sendable, Equatable {
    let name: [UInt8]
    let size: UInt64
    let modified: Timestamp
  }

  package struct Tablespace: Sendable, Equatable {
    /// The OID, which is the name of its link in `pg_tblspc`.
    package let name: String
    package let location: Path
  }

  package static let versionFile = "PG_VERSION"
  package static let tablespaceLinks = "pg_tblspc"
  /// The directory of a snapshot that contains the tablespaces by name. A server accepts only links in `pg_tblspc`, and
  /// a restore must write nothing outside of its target.
  package static let tablespaceDirectory = "tablespaces"
  static let versions = 12...17

  /// Examines the directory that contains a `PG_VERSION`. Directories of single databases have that file too, but no
  /// control file.
  /// - Parameter root: the root of the source.
  package init?(holding versionFile: Path, in source: OpenFile, files: FileSystem) throws(PostgresFailure) {
    guard versionFile.lastComponent.elementsEqual(Self.versionFile.utf8), let root = versionFile.parent else {
      return nil
    }
    self.root = root
    let controlFile = root.appending(ControlFile.path.bytes)
    let controlOwner: UInt32
    do throws(SystemError) {
      guard let status = try files.statusIfPresent(of: controlFile, in: source), status.kind == .file else {
        return nil
      }
      controlOwner = status.userID
      directory = root.isEmpty ? try source.status() : try files.status(of: root, in: source)
    } catch {
      throw Self.unsound(root, error)
    }
    guard controlOwner == directory.userID else { throw .planted(root) }
    do throws(SystemError) {
      let text = try files.openForCapture(versionFile, in: source).contents(max: 16)
      version = Int(String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) ?? 0
      let buffer = Buffer(capacity: ControlFile.byteCount)
      guard let found = try ControlFile.read(files.openForCapture(controlFile, in: source), into: buffer.bytes) else {
        throw SystemError.unsound(controlFile)
      }
      control = found
      postmaster = try PostmasterFile(below: root, in: source, files: files)
      log = Self.log(of: root, in: source, files: files)
      (tablespaces, innerTablespaces) = try Self.tablespaces(of: root, in: source, files: files)
    } catch {
      throw Self.unsound(root, error)
    }
  }

  private static func unsound(_ root: Path, _ error: SystemError) -> PostgresFailure {
    PostgresFailure(
      "\(Self.shown(root)) looks like a PostgreSQL cluster, and \(error.message)",
      hint: "Repair it, or leave it out with --exclude.")
  }

  /// Returns the contents of `pg_wal`, wherever that is; empty if it cannot be listed.
  private static func log(of cluster: Path, in source: OpenFile, files: FileSystem) -> [LogFile] {
    guard let directory = try? files.open(cluster.appending("pg_wal"), in: source, .directoryFollowingLinks),
      let listing = try? directory.listing()
    else { return [] }
    return (0..<listing.count).compactMap { index in
      let name = Array(listing[index])
      guard let status = try? files.status(of: Path(bytes: name), in: directory), status.kind == .file else {
        return nil
      }
      return LogFile(name: name, size: status.size, modified: status.modified)
    }
  }

  /// Returns the tablespaces outside of the data directory, and those inside. A link that leads nowhere counts as
  /// outside.
  private static func tablespaces(
    of cluster: Path, in source: OpenFile, files: FileSystem
  ) throws(SystemError) -> (outer: [Tablespace], inner: [Tablespace]) {
    let links = cluster.appending(tablespaceLinks)
    let listing = try files.open(links, in: source, .directory).listing()
    let home = try files.resolve(cluster.isEmpty ? source.path : source.path.appending(cluster.bytes))
    var (outer, inner): ([Tablespace], [Tablespace]) = ([], [])
    for index in 0..<listing.count {
      let link = links.appending(listing[index])
      guard try files.status(of: link, in: source).kind == .symbolicLink else { continue }
      let text = try files.readSymbolicLink(link, in: source)
      let location = (try? files.resolve(source.path.appending(link.bytes))) ?? Path(bytes: text)
      let name = String(decoding: listing[index], as: UTF8.self)
      if home.contains(location) {
        let path = Path(bytes: Array(location.bytes.dropFirst(home.bytes.count + 1)))
        inner.append(Tablespace(name: name, location: path))
      } else {
        outer.append(Tablespace(name: name, location: location))
      }
    }
    return (outer, inner)
  }

  /// Returns the same cluster, captured while its server runs.
  /// - Parameter given: the names in its directory of files whose contents the server tells.
  package func live(giving given: Set<String> = []) -> PostgresCluster {
    var copy = self
    (copy.isLive, copy.given) = (true, given)
    return copy
  }

  /// Returns the same cluster, with what is known about servers.
  package func seen(by servers: RunningServers) -> PostgresCluster {
    var copy = self
    copy.servers = servers
    copy.sighting = servers.sighting(on: directory, postmaster)
    return copy
  }

  /// The process of the server that runs on it, or may; `nil` if none was seen.
  package var server: Int32? {
    if case .runs(let process) = sighting { process } else { nil }
  }

  /// True if a server that cannot be seen from here may run on it.
  package var mayHaveUnseenServer: Bool { postmaster != nil && sighting == .none }

  /// True if it was not shut down, and no server runs on it.
  package var isCrashed: Bool { !control.isShutDown && server == nil }

  /// Returns the reason why the target of a link is not a part of the cluster; `nil` if it is one. Anyone who may write
  /// to the cluster can make a link lead anywhere, so it counts only if the cluster's own user could follow it too. And
  /// a copy of a cluster still has the links of the original.
  func objection(to target: FileStatus, _ link: FileStatus) -> String? {
    guard link.userID == directory.userID, target.userID == directory.userID else {
      return "it leads to a directory that does not belong to the user of its cluster: it is not followed"
    }
    guard let use = servers?.use(of: target), use.process != server else { return nil }
    return
      "it leads to a directory that another PostgreSQL server uses (process \(use.process), which runs on \(use.dataDirectory)): it is not followed"
  }

  /// The path for messages.
  package var shownPath: String { Self.shown(root) }

  private static func shown(_ root: Path) -> String { root.isEmpty ? "the source" : root.description }

  /// Returns the path within the cluster, as PostgreSQL knows it; `nil` for a path elsewhere.
  func relative(_ path: Path) -> Path? {
    guard root.contains(path) else { return nil }
    return Path(bytes: Array(path.bytes.dropFirst(root.isEmpty ? 0 : root.bytes.count + 1)))
  }

  /// Returns the components of the path within the cluster; `nil` for a path elsewhere.
  func parts(of path: Path) -> [String]? { relative(path).map(Self.parts) }

  static func parts(of path: Path) -> [String] {
    path.bytes.split(separator: Path.separator).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Returns true if a tablespace outside of the data directory has this name.
  func hasTablespace(_ name: some Sequence<UInt8>) -> Bool {
    tablespaces.contains { name.elementsEqual($0.name.utf8) }
  }
}

/// The reason why a cluster cannot be captured.
package struct PostgresFailure: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package var exitStatus: ExitStatus { .failed }
  package var scope: ErrorScope { .machine }

  /// PostgreSQL's code of the error of a statement (SQLSTATE); empty for any other failure, such as a session that the
  /// server ended.
  package internal(set) var state = ""

  /// True if what looks like a cluster cannot belong to the owner of its directory.
  package private(set) var isPlanted = false

  package init(_ message: String, hint: String?) {
    self.message = message
    self.hint = hint
  }

  static func planted(_ root: Path) -> PostgresFailure {
    var failure = PostgresFailure(
      "\(root.isEmpty ? "the source" : root.description) looks like a PostgreSQL cluster, and its control file belongs to another user than the directory",
      hint: "Remove it, or leave it out with --exclude.")
    failure.isPlanted = true
    return failure
  }
}
