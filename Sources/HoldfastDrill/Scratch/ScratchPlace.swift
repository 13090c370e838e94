internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// A directory in which no drill may work.
package struct ForbiddenPlace: Sendable, Hashable {
  package let path: Path
  /// Its name in messages, such as `the source orders`.
  package let name: String

  package init(_ path: Path, _ name: String) { (self.path, self.name) = (path, name) }
}

/// The place of the drills of a source: `IN/holdfast-drill-NAME`. It keeps a lock and the log of the last drill; the
/// scratch directory in it exists only while a drill is made.
struct ScratchPlace {
  private static let prefix = "holdfast-drill-"
  /// The place itself, absolute and without symbolic links.
  let path: Path
  private let files: FileSystem

  var scratch: Path { path.appending("scratch") }
  var data: Path { scratch.appending("data") }
  var log: Path { path.appending("log") }

  /// - Parameter directory: the directory of all drills, which need not exist.
  init(in directory: Path, of source: SourceName, files: FileSystem) throws {
    self.files = files
    path = try Self.resolve(directory, files).appending(Self.prefix + source.text)
  }

  private static func resolve(_ path: Path, _ files: FileSystem) throws -> Path {
    do throws(SystemError) {
      return try files.resolve(path)
    } catch {
      guard error.isNotFound, let parent = path.parent, !path.lastComponent.isEmpty else { throw error }
      return try resolve(parent.isEmpty ? Path("/") : parent, files).appending(path.lastComponent)
    }
  }

  /// Refuses a place in a source, in a repository, or in the data of a server: a drill must not touch them.
  func check(_ forbidden: [ForbiddenPlace]) throws {
    let own = files.mountedPlace(of: path)
    for other in forbidden {
      guard let known = try? files.resolve(other.path) else { continue }
      // The same directory may be seen at several paths, by bind mounts.
      let isSame = own.flatMap { files.mountedPlace(of: known)?.overlaps($0) } ?? false
      guard try known.contains(path) || path.contains(known) || isSame || hasAbove(known) else { continue }
      throw refusal("lies in \(other.name), \(known)")
    }
    if let mount = files.mountPoints(below: path)?.first {
      throw refusal("has another file system in it, at \(mount)")
    }
    var above: Path? = path.parent
    while let directory = above, !directory.isEmpty {
      if try files.statusIfPresent(of: directory.appending(Keys.descriptor)) != nil {
        throw refusal("lies in a repository, \(directory)")
      }
      if try files.statusIfPresent(of: directory.appending(PostgresCluster.versionFile)) != nil {
        throw refusal("lies in the data directory of a PostgreSQL server, \(directory)")
      }
      above = directory == Path("/") ? nil : directory.parent
    }
  }

  /// True if a directory is this place or lies above it, by device and inode.
  private func hasAbove(_ directory: Path) throws -> Bool {
    guard let wanted = try files.statusIfPresent(of: directory) else { return false }
    var above: Path? = path
    while let next = above, !next.isEmpty {
      if try files.statusIfPresent(of: next)?.isSameFile(as: wanted) == true { return true }
      above = next == Path("/") ? nil : next.parent.map { $0.isEmpty ? Path("/") : $0 }
    }
    return false
  }

  private func refusal(_ reason: String) -> EngineError {
    EngineError(
      .usage, "the place for the drill, \(path), \(reason)", hint: "Name a directory elsewhere with --in DIR.")
  }

  /// Refuses a snapshot that is larger than allowed, or than the free space.
  /// - Parameter reserve: the bytes that must stay free meanwhile.
  func checkRoom(for bytes: UInt64, max: UInt64?, reserve: UInt64) throws {
    if let max, bytes > max {
      throw EngineError(
        .usage, "the snapshot holds \(Amount.bytes(bytes)), and a drill may restore \(Amount.bytes(max))",
        hint: "Raise max-size of drill in the configuration, or say --max-size.")
    }
    // Indexes of databases and the log of a server need some room beside the files.
    let needed = bytes.saturatingAdding(bytes / 16).saturatingAdding(32 << 20)
      .saturatingAdding(reserve)
    var directory = path
    while try files.statusIfPresent(of: directory) == nil, let parent = directory.parent, !parent.isEmpty {
      directory = parent
    }
    guard let free = try files.open(directory, .directoryFollowingLinks).availableBytes(), free < needed else { return }
    throw EngineError(
      .machine,
      "there is too little room for the drill in \(directory): it needs \(Amount.bytes(needed)), and \(Amount.bytes(free)) are free",
      hint: "Free space there, or name another directory with --in DIR.")
  }
}
