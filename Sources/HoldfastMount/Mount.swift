package import HoldfastArchive
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// `holdfast mount`: shows snapshots as directories, read-only, until a signal ends it or somebody unmounts it.
///
/// Nothing is kept for what the kernel knows of the mount: the number of a node says where it is found (`Node`). So the
/// memory does not depend on how much of the tree is looked at.
package struct Mount {
  package struct Options {
    /// The directory on which it is mounted, an absolute path.
    package var path: Path
    /// The sources that are shown; all if there is none.
    package var sources: [SourceName] = []
    /// The snapshot that is shown alone, directly in the directory; `nil` for all of the sources.
    package var snapshot: Snapshot?
    /// True if other users may use the mount.
    package var letsOthers = false
    /// True if they may also enter a snapshot as far as the source's own directory lets them. Otherwise only root can:
    /// the directories above the source, which may have kept them out, are not in a snapshot.
    package var ignoresParents = false
    /// The directories of sources that are configured, whatever the repository knows.
    package var configuredSources: [Path] = []
    /// The directories of all repositories that are configured.
    package var configuredRepositories: [Path] = []

    package init(path: Path) { self.path = path }
  }

  private static let lookInterval = TimeSpan.milliseconds(100)
  private let repository: Repository
  private let options: Options

  package init(_ options: Options, in repository: Repository) {
    (self.options, self.repository) = (options, repository)
  }

  /// Describes the mount when it is ready.
  package struct Report: Sendable {
    /// The directory without symbolic links.
    package let path: Path
    package let sources: [SourceName]
    package let snapshots: Int
  }

  /// Mounts, serves, and unmounts at the end.
  /// - Parameters:
  ///   - onReady: called when the mount can be used.
  ///   - warn: gets what goes wrong meanwhile, from any thread.
  /// - Throws: `MountError`; what reading the repository throws. Nothing is mounted then.
  package func run(
    onReady: (Report) -> Void, warn: @escaping @Sendable (String) -> Void
  ) throws {
    let reporter = MountReporter(warn)
    let tree = try MountedTree(
      options.sources, single: options.snapshot, of: repository,
      closesSnapshots: options.letsOthers && !options.ignoresParents
    ) { reporter.warn($0) }
    let shown = tree.outlines
    try checkKeys(shown.compactMap(\.latest), reporter)
    let point = try MountPoint(
      options.path, repositories: options.configuredRepositories + [repository.store.directory].compactMap { $0 },
      sources: options.configuredSources + sourceDirectories(), files: repository.host.files)
    let mounted = try point.mount(letsOthers: options.letsOthers)
    let server = MountServer(mounted.connection, tree, reporter, letsOthers: options.letsOthers)
    let threads: [WorkerThread]
    do {
      threads = try server.start()
    } catch {
      _ = try? point.unmount(mounted)
      throw error
    }
    defer { threads.forEach { $0.join() } }
    onReady(
      Report(
        path: point.path, sources: shown.map(\.name),
        snapshots: options.snapshot == nil ? shown.reduce(0) { $0 + $1.count } : 1))
    while server.isServing, !repository.host.cancellation.isRaised { Pause.time(Self.lookInterval) }
    // Otherwise somebody else has unmounted it.
    guard server.isServing || server.hasFailed else { return }
    defer { server.end() }
    if try point.unmount(mounted) {
      warn("\(point.path) was in use: it is unmounted, and whoever uses it gets errors from now on")
    }
  }

  /// Makes sure that what is sealed can be opened, before anything is mounted of which nothing can be read.
  private func checkKeys(_ newest: [SnapshotOutline], _ reporter: MountReporter) throws {
    guard repository.keyring.isSealed else { return }
    for outline in newest {
      do {
        _ = try repository.containers.open(.body, outline.bodyKey, outline.body)
      } catch let damage as DamageError {
        reporter.warn(damage.message)
      }
    }
  }

  /// The directories of which the newest snapshots of all sources were taken, also of those that are not shown. What is
  /// damaged does not tell.
  private func sourceDirectories() throws -> [Path] {
    try repository.catalog.knownSources(nil).flatMap { name -> [Path] in
      do {
        for number in try repository.catalog.sequences(of: name).reversed() {
          guard let newest = try repository.catalog.snapshotIfCommitted(name, number) else { continue }
          return try repository.sourcePaths(of: newest)
        }
      } catch is DamageError {}
      return []
    }
  }
}
