package import HoldfastModel
internal import HoldfastSource
package import HoldfastSystem

/// The results of trying a source: whether a backup by this user could read it. Nothing is read but names and metadata,
/// and files are opened.
package struct SourceCheck: Sendable {
  /// The most entries that are looked at, and the longest time for that.
  private static let entriesMax: UInt64 = 50_000
  private static let timeMax = TimeSpan.seconds(20)
  /// The most paths that are kept of those that cannot be read.
  private static let namedMax = 3

  /// The directory without symbolic links.
  package let path: Path
  /// The number of entries that were looked at.
  package private(set) var entries: UInt64 = 0
  /// The number of files that were opened.
  package private(set) var files: UInt64 = 0
  /// True if everything in the source was looked at.
  package private(set) var isWhole = false
  /// The number of entries that cannot be read, and the first of them.
  package private(set) var unreadable: UInt64 = 0
  package private(set) var firstUnreadable: [Problem] = []
  /// The exclusions that match nothing; `nil` if not everything was looked at.
  package private(set) var idleExclusions: [String]?
  /// The PostgreSQL data directories on which a server runs, or may run.
  package private(set) var runningClusters: [Path] = []

  /// Looks at a source, up to a bound.
  /// - Parameters:
  ///   - options: those of its backup.
  ///   - repositoryDirectory: the directory of the repository, if it is on this machine.
  /// - Throws: the error with which a backup would refuse the source.
  package static func run(_ options: Backup.Options, repositoryDirectory: Path?, host: Host) throws -> SourceCheck {
    let source = try BackupSource(options, repositoryDirectory: repositoryDirectory, files: host.files)
    var check = SourceCheck(path: source.path)
    guard let root = source.root else { return check }
    let scanner = Scanner(files: host.files, root: root, exclusions: try source.exclusions())
    let end = host.clock.uptime() + timeMax
    var clusters: [PostgresCluster] = []
    while check.entries < entriesMax, host.clock.uptime() < end {
      try host.cancellation.check()
      guard let finding = try scanner.next() else {
        check.isWhole = true
        break
      }
      check.entries += 1
      switch finding {
      case .socket: continue
      case .problem(let problem, _): check.note(problem)
      case .item(let item):
        if let cluster = try? PostgresCluster(holding: item.path, in: root, files: host.files) {
          clusters.append(cluster)
        }
        check.open(item, host.files)
      }
    }
    if check.isWhole { check.idleExclusions = scanner.unmatchedExclusions.sorted().map { options.exclusions[$0] } }
    check.note(clusters, host.files)
    return check
  }

  private init(path: Path) { self.path = path }

  private mutating func open(_ item: ScannedItem, _ system: FileSystem) {
    guard item.status.kind == .file else { return }
    do throws(SystemError) {
      _ = try item.open(system)
      files += 1
    } catch {
      // A file may disappear between its listing and now.
      if !error.isNotFound { note(Problem(path: item.path, reason: error.reason)) }
    }
  }

  private mutating func note(_ problem: Problem) {
    unreadable += 1
    if firstUnreadable.count < Self.namedMax { firstUnreadable.append(problem) }
  }

  private mutating func note(_ clusters: [PostgresCluster], _ system: FileSystem) {
    guard !clusters.isEmpty else { return }
    let servers = RunningServers(files: system)
    runningClusters = clusters.filter { $0.seen(by: servers).server != nil }.map {
      $0.root.isEmpty ? path : path.appending($0.root.bytes)
    }
  }
}
