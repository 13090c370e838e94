package import HoldfastModel
package import HoldfastSystem

/// Walks a source in path order without reading contents. Symbolic links are not followed, except links to parts of a
/// PostgreSQL cluster.
package final class Scanner {
  package enum Finding: Sendable {
    case item(ScannedItem)
    /// The item, or the contents of a directory, could not be examined.
    /// - Parameter item: the directory, if its metadata is known; otherwise `nil`.
    case problem(Problem, item: ScannedItem?)
    /// A socket, which has no content to restore.
    case socket(Path)
  }

  /// A directory on the way to where the walk is. A class: the walk asks it for every name.
  private final class Level {
    let path: Path
    let directory: OpenFile
    let listing: DirectoryListing
    let isInPostgreSQL: Bool
    let origin: ScannedItem.Origin
    let rules: ClusterRules?
    /// The directory of the links to tablespaces, if the names of this level are those links.
    let links: OpenFile?
    /// The device on which the directory is.
    let device: UInt64
    var next = 0

    init(
      path: Path, directory: OpenFile, device: UInt64, listing: DirectoryListing, isInPostgreSQL: Bool,
      origin: ScannedItem.Origin, rules: ClusterRules?, links: OpenFile? = nil
    ) {
      self.device = device
      (self.path, self.directory, self.listing, self.isInPostgreSQL) = (path, directory, listing, isInPostgreSQL)
      (self.origin, self.rules, self.links) = (origin, rules, links)
    }

    /// Returns the directory that contains a name of the listing.
    func parent(of name: Path) -> OpenFile {
      if let links, rules?.isTablespace(name.bytes[...]) ?? false { links } else { directory }
    }

    func item(_ path: Path, _ status: FileStatus) -> ScannedItem {
      // A file waits in a job, and would keep its directory open until then.
      let container = status.kind == .file ? nil : parent(of: Path(bytes: Array(path.lastComponent)))
      return ScannedItem(path, status, nil, isInPostgreSQL, origin, in: container)
    }
  }

  /// The staging directory of a restore, which is never part of a source.
  package static let unfinishedRestore = Path(".holdfast-restore")
  private static let lostAndFound = Path("lost+found")
  private let files: FileSystem
  private let root: OpenFile
  private let exclusions: [Glob]
  private let leftOut: Set<Path>
  /// The indexes of the exclusions that have matched nothing so far.
  package private(set) var unmatchedExclusions: Set<Int>
  private let clusters: [PostgresCluster]
  private let withheld: [Path: WithheldReason]
  private var levels: [Level] = []
  private var hasBegun = false

  /// - Parameters:
  ///   - root: the open source directory.
  ///   - leavingOut: directories that are neither reported nor entered.
  ///   - clusters: PostgreSQL data directories in the source. Only their parts that belong in a snapshot are found.
  ///   - withheld: directories that are not entered, each with the reason. They are reported as problems.
  ///   - withheld: directories that are not entered, with the reason: each is a problem.
  package init(
    files: FileSystem, root: OpenFile, exclusions: [Glob], leavingOut leftOut: Set<Path> = [],
    clusters: [PostgresCluster] = [], withheld: [Path: WithheldReason] = [:]
  ) {
    self.files = files
    self.root = root
    self.exclusions = exclusions
    self.leftOut = leftOut
    unmatchedExclusions = Set(exclusions.indices)
    self.clusters = clusters
    self.withheld = withheld
  }

  /// Returns the next finding in path order; `nil` at the end.
  /// - Throws: only if the source itself cannot be read.
  package func next() throws -> Finding? {
    if !hasBegun {
      hasBegun = true
      let origin = ScannedItem.Origin(directory: root, path: .root)
      let item = ScannedItem(.root, try root.status(), root, false, origin)
      try descend(
        into: .root, directory: root, device: item.status.device, origin: origin, isInPostgreSQL: false, rules: nil)
      return .item(item)
    }
    while let level = levels.last {
      guard level.next < level.listing.count else {
        levels.removeLast()
        continue
      }
      let name = level.listing[level.next]
      level.next += 1
      let path = level.path.appending(name)
      if isExcluded(path) || (!leftOut.isEmpty && leftOut.contains(path)) { continue }
      if let finding = examine(path, name: Path(bytes: Array(name)), in: level) { return finding }
    }
    return nil
  }

  private func isExcluded(_ path: Path) -> Bool {
    var isExcluded = false
    for (index, pattern) in exclusions.enumerated()
    where (!isExcluded || unmatchedExclusions.contains(index)) && pattern.matches(path) {
      isExcluded = true
      unmatchedExclusions.remove(index)
    }
    return isExcluded
  }

  /// Examines a name; `nil` if it is left out, or has disappeared since the directory was listed.
  private func examine(_ path: Path, name: Path, in level: Level) -> Finding? {
    guard path.isSoundEntryPath else {
      return .problem(
        Problem(
          path: path,
          reason: "the name is longer than \(Limits.nameBytesMax) bytes, or the path than \(Limits.pathBytesMax)"),
        item: nil)
    }
    do throws(SystemError) {
      if let rules = level.rules, rules.isTablespaces(path) { return try enterTablespaces(path, rules, in: level) }
      let status = try files.status(of: name, in: level.parent(of: name))
      guard name != Self.unfinishedRestore else {
        let reason =
          status.kind == .directory
          ? "it is what an unfinished restore left; run that restore again"
          : "a restore needs this name for itself; give it another one, or exclude it"
        return .problem(Problem(path: path, reason: reason), item: nil)
      }
      if let rules = level.rules, !level.origin.path.isEmpty, let objection = rules.objection(toEntry: status) {
        // This is the `lost+found` of a file system that is mounted there. It belongs to root.
        if status.kind == .directory, name == Self.lostAndFound { return nil }
        return .problem(Problem(path: path, reason: objection), item: nil)
      }
      switch level.rules?.verdict(on: path, kind: status.kind, listing: level.listing) ?? .capture {
      case .skip, .late: return nil
      case .follow: return enter(path, name: name, status: status, in: level, isLink: true)
      case .link(let target): return .item(level.item(path, status).leading(to: target))
      case .capture: break
      }
      switch status.kind {
      case .socket: return .socket(path)
      case .unknown: return .problem(Problem(path: path, reason: "it is of an unknown type"), item: nil)
      case .directory: return enter(path, name: name, status: status, in: level, isLink: false)
      default: return .item(level.item(path, status))
      }
    } catch {
      return error.isNotFound ? nil : .problem(Problem(path: path, reason: error.reason), item: nil)
    }
  }

  /// - Parameter isLink: true if the name is a link that leads to the directory.
  private func enter(_ path: Path, name: Path, status: FileStatus, in level: Level, isLink: Bool) -> Finding? {
    do throws(SystemError) {
      let directory = try files.open(name, in: level.parent(of: name), isLink ? .directoryFollowingLinks : .directory)
      let origin = isLink ? ScannedItem.Origin(directory: directory, path: path) : level.origin
      let item = ScannedItem(path, try directory.status(), directory, level.isInPostgreSQL, origin)
      if isLink, let objection = level.rules?.cluster.objection(to: item.status, status) {
        return .problem(Problem(path: path, reason: objection), item: nil)
      }
      // What is there is in the repository already, and would be read from it with every snapshot again.
      if item.status.device != level.device, files.isMountOfSnapshots(directory) {
        return .problem(Problem(path: path, reason: "snapshots are mounted there (holdfast mount)"), item: item)
      }
      if let reason = withheld[path] { return .problem(Problem(path: path, reason: reason.text), item: item) }
      do throws(SystemError) {
        try descend(
          into: path, directory: directory, device: item.status.device, origin: origin,
          isInPostgreSQL: level.isInPostgreSQL, rules: level.rules)
      } catch {
        return error.isNotFound ? nil : .problem(Problem(path: path, reason: error.reason), item: item)
      }
      return .item(item)
    } catch {
      if isLink { return .problem(Problem(path: path, reason: error.reason), item: nil) }
      return error.isNotFound
        ? nil : .problem(Problem(path: path, reason: error.reason), item: level.item(path, status))
    }
  }

  /// Enters the directory in which a snapshot has the tablespaces of a cluster. Tablespaces outside of the cluster are
  /// reached through their links. A source that was restored may have this directory itself.
  private func enterTablespaces(
    _ path: Path, _ rules: ClusterRules, in level: Level
  ) throws(SystemError) -> Finding {
    let links = try files.open(Path(PostgresCluster.tablespaceLinks), in: level.directory, .directory)
    let name = Path(PostgresCluster.tablespaceDirectory)
    let own = try files.statusIfPresent(of: name, in: level.directory)?.kind == .directory
    let directory = own ? try files.open(name, in: level.directory, .directory) : links
    var listing = try links.listing().filtered(rules.isTablespace)
    if own {
      let known = try directory.listing()
      for index in 0..<known.count where !listing.contains(Array(known[index])) {
        listing = listing.inserting(Array(known[index]))
      }
    }
    let status = try directory.status()
    levels.append(
      Level(
        path: path, directory: directory, device: status.device, listing: listing, isInPostgreSQL: true,
        origin: level.origin, rules: rules, links: links))
    return .item(ScannedItem(path, status, directory, true, level.origin))
  }

  private func descend(
    into path: Path, directory: OpenFile, device: UInt64, origin: ScannedItem.Origin, isInPostgreSQL: Bool,
    rules: ClusterRules?
  ) throws(SystemError) {
    var listing = try directory.listing()
    if try LostAndFound.lies(in: directory, listing, files: files) {
      listing = listing.filtered { !$0.elementsEqual(LostAndFound.name.bytes) }
    }
    let cluster = clusters.first { $0.root == path }
    let tablespaces = Array(PostgresCluster.tablespaceDirectory.utf8)
    if let cluster, !cluster.tablespaces.isEmpty, !listing.contains(tablespaces) {
      listing = listing.inserting(tablespaces)
    }
    levels.append(
      Level(
        path: path, directory: directory, device: device, listing: listing,
        isInPostgreSQL: isInPostgreSQL || listing.contains("PG_VERSION"), origin: origin,
        rules: cluster.map { ClusterRules(cluster: $0) } ?? rules))
  }
}
