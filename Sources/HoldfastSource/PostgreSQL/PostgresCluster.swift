package import HoldfastModel
package import HoldfastSystem

/// A PostgreSQL data directory in a source.
package struct PostgresCluster: Sendable {
  /// Where it lies in the source; empty where it is the source itself.
  package let root: Path
  /// The major version, such as 15.
  package let version: Int
  package let control: ControlFile
  /// What the running server has written of itself; `nil` where none runs.
  package let postmaster: PostmasterFile?
  /// Whether a server ended here without shutting down.
  package let isCrashed: Bool
  /// Parts of it that lie elsewhere.
  package let tablespaces: [Tablespace]
  /// Tablespaces within the data directory, with their paths in it.
  let innerTablespaces: [Tablespace]
  /// Whether it is captured between the start and the stop of a backup that its server knows of.
  package private(set) var isLive = false

  package struct Tablespace: Sendable, Equatable {
    /// Its object identifier, the name of the link in `pg_tblspc`.
    package let name: String
    package let location: Path
  }

  package static let versionFile = "PG_VERSION"
  package static let tablespaceLinks = "pg_tblspc"
  /// Where a snapshot has the tablespaces, each under its name: a server takes nothing but links in `pg_tblspc`, and a restore shall touch nothing
  /// outside of its target.
  package static let tablespaceDirectory = "tablespaces"
  static let versions = 12...17

  /// Looks at the directory that holds a `PG_VERSION`: the directories of single databases have one too, and no control file.
  /// - Parameter root: of the source.
  package init?(holding versionFile: Path, in source: OpenFile, files: FileSystem) throws(PostgresFailure) {
    guard versionFile.lastComponent.elementsEqual(Self.versionFile.utf8), let place = versionFile.parent else {
      return nil
    }
    root = place
    do throws(SystemError) {
      let controlFile = place.appending(ControlFile.path.bytes)
      guard try files.statusIfPresent(of: controlFile, in: source)?.kind == .file else { return nil }
      let text = try files.openForCapture(versionFile, in: source).contents(max: 16)
      version = Int(String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) ?? 0
      let buffer = Buffer(capacity: ControlFile.byteCount)
      guard let found = try ControlFile.read(files.openForCapture(controlFile, in: source), into: buffer.bytes) else {
        throw SystemError.unsound(controlFile)
      }
      control = found
      let file = try PostmasterFile(below: place, in: source, files: files)
      postmaster = file.flatMap { ProcessTable.isRunning($0.process) ? $0 : nil }
      isCrashed = !found.isShutDown && postmaster == nil
      (tablespaces, innerTablespaces) = try Self.tablespaces(of: place, in: source, files: files)
    } catch {
      throw PostgresFailure(
        "\(place.isEmpty ? "the source" : place.description) looks like a PostgreSQL cluster, and \(error.message)",
        hint: "Repair it, or leave it out with --exclude.")
    }
  }

  /// The tablespaces that lie outside of the data directory, and those within.
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
      let location = try files.resolve(source.path.appending(link.bytes))
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

  /// The same cluster, captured while its server runs.
  package func live() -> PostgresCluster {
    var copy = self
    copy.isLive = true
    return copy
  }

  /// Where it lies, for messages.
  package var place: String { root.isEmpty ? "the source" : root.description }

  /// A path within the cluster, as PostgreSQL knows it; `nil` where it lies elsewhere.
  func relative(_ path: Path) -> Path? {
    guard root.contains(path) else { return nil }
    return Path(bytes: Array(path.bytes.dropFirst(root.isEmpty ? 0 : root.bytes.count + 1)))
  }

  /// The components of a path within the cluster; `nil` where it lies elsewhere.
  func parts(of path: Path) -> [String]? { relative(path).map(Self.parts) }

  static func parts(of path: Path) -> [String] {
    path.bytes.split(separator: Path.separator).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Whether a tablespace that lies outside of the data directory has this name.
  func hasTablespace(_ name: some Sequence<UInt8>) -> Bool {
    tablespaces.contains { name.elementsEqual($0.name.utf8) }
  }
}

/// `postmaster.pid`: the server's process, where it listens, since when it runs (PostgreSQL's source, utils/pidfile.h). A killed server leaves it, and a copy has it.
package struct PostmasterFile: Sendable, Equatable {
  package static let name = "postmaster.pid"
  package let process: Int32
  let started: Int64
  let port: Int

  /// - Parameter cluster: the data directory, in `source`.
  /// - Returns: `nil` where there is none that could be understood.
  package init?(below cluster: Path, in source: OpenFile, files: FileSystem) throws(SystemError) {
    let path = cluster.appending(Self.name)
    guard try files.statusIfPresent(of: path, in: source)?.kind == .file else { return nil }
    let text = String(decoding: try files.openForCapture(path, in: source).contents(max: 4096), as: UTF8.self)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
      $0.trimmingPrefix { $0 == " " }
    }
    // A single-user server writes its number negative.
    guard let number = lines.first.flatMap({ Int32($0) }), let process = Int32(exactly: number.magnitude) else {
      return nil
    }
    self.process = process
    started = lines.count > 2 ? Int64(lines[2]) ?? 0 : 0
    port = lines.count > 3 ? Int(lines[3]) ?? 0 : 0
  }
}

/// What keeps a cluster from being captured.
package struct PostgresFailure: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package var exitStatus: ExitStatus { .failed }

  package init(_ message: String, hint: String?) {
    self.message = message
    self.hint = hint
  }
}
