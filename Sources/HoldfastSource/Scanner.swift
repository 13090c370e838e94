package import HoldfastModel
package import HoldfastSystem

/// What the scan found at one path.
package struct ScannedItem: Sendable {
  package let path: Path
  package let status: FileStatus
  /// The open directory, where the item is one.
  package let directory: OpenFile?
  /// Whether it lies in a PostgreSQL data directory, whose files have pages of 8 KiB.
  package let isInPostgreSQL: Bool

  package init(path: Path, status: FileStatus, directory: OpenFile?, isInPostgreSQL: Bool) {
    self.path = path
    self.status = status
    self.directory = directory
    self.isInPostgreSQL = isInPostgreSQL
  }
}

/// Walks a source in path order without reading contents. Symbolic links are never followed.
package final class Scanner {
  package enum Finding: Sendable {
    case item(ScannedItem)
    /// It, or of a directory what lies in it, could not be examined. `item` is what is known of a directory.
    case problem(Problem, item: ScannedItem?)
    /// A socket, which has no content that could come back.
    case socket(Path)
  }

  private struct Level {
    let path: Path
    let directory: OpenFile
    let listing: DirectoryListing
    let isInPostgreSQL: Bool
    var next = 0
  }

  /// The directory in which a restore makes files whole: never part of a source.
  package static let unfinishedRestore = Path(".holdfast-restore")
  private let files: FileSystem
  private let root: OpenFile
  private let exclusions: [Glob]
  private var levels: [Level] = []
  private var hasBegun = false

  /// - Parameter root: the open source directory.
  package init(files: FileSystem, root: OpenFile, exclusions: [Glob]) {
    self.files = files
    self.root = root
    self.exclusions = exclusions
  }

  /// The next finding in path order; `nil` at the end.
  /// - Throws: only when the source itself cannot be read.
  package func next() throws -> Finding? {
    if !hasBegun {
      hasBegun = true
      let status = try root.status()
      try descend(into: .root, directory: root, isInPostgreSQL: false)
      return .item(ScannedItem(path: .root, status: status, directory: root, isInPostgreSQL: false))
    }
    while let level = levels.last {
      guard level.next < level.listing.count else {
        levels.removeLast()
        continue
      }
      let name = level.listing[level.next]
      levels[levels.count - 1].next += 1
      let path = level.path.appending(name)
      if exclusions.contains(where: { $0.matches(path) }) { continue }
      if let finding = examine(path, name: Path(bytes: Array(name)), in: level) { return finding }
    }
    return nil
  }

  /// `nil` when it vanished since the directory was listed.
  private func examine(_ path: Path, name: Path, in level: Level) -> Finding? {
    guard path.isSoundEntryPath else {
      return .problem(Problem(path: path, reason: "the path is longer than \(Limits.pathBytesMax) bytes"), item: nil)
    }
    do throws(SystemError) {
      let status = try files.status(of: name, in: level.directory)
      switch status.kind {
      case .socket: return .socket(path)
      case .unknown: return .problem(Problem(path: path, reason: "it is of an unknown type"), item: nil)
      case .directory: return enter(path, name: name, status: status, in: level)
      default:
        return .item(
          ScannedItem(path: path, status: status, directory: nil, isInPostgreSQL: level.isInPostgreSQL))
      }
    } catch {
      return error.isNotFound ? nil : .problem(Problem(path: path, reason: error.reason), item: nil)
    }
  }

  private func enter(_ path: Path, name: Path, status: FileStatus, in level: Level) -> Finding? {
    var item = ScannedItem(path: path, status: status, directory: nil, isInPostgreSQL: level.isInPostgreSQL)
    guard name != Self.unfinishedRestore else {
      return .problem(
        Problem(path: path, reason: "it is what an unfinished restore left; run that restore again"), item: nil)
    }
    do throws(SystemError) {
      let directory = try files.open(name, in: level.directory, .directory)
      item = ScannedItem(
        path: path, status: try directory.status(), directory: directory, isInPostgreSQL: level.isInPostgreSQL)
      try descend(into: path, directory: directory, isInPostgreSQL: level.isInPostgreSQL)
      return .item(item)
    } catch {
      return error.isNotFound ? nil : .problem(Problem(path: path, reason: error.reason), item: item)
    }
  }

  private func descend(into path: Path, directory: OpenFile, isInPostgreSQL: Bool) throws(SystemError) {
    let listing = try directory.listing()
    levels.append(
      Level(
        path: path, directory: directory, listing: listing,
        isInPostgreSQL: isInPostgreSQL || listing.contains("PG_VERSION")))
  }
}
