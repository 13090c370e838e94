package import HoldfastArchive
internal import HoldfastCodec
package import HoldfastEngine
package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem

/// A source, a repository and a cache in a temporary directory, with the calls that tests make of them.
package struct TestShop {
  package let directory = TemporaryDirectory()
  package let host: Host
  package let repository: Repository

  package var source: Path { directory.appending("source") }
  package var repositoryPath: Path { directory.appending("repository") }
  package var cachePath: Path { directory.appending("cache") }

  /// - Parameters:
  ///   - store: where the repository is; `nil` for a directory.
  ///   - clock: what the runs take for the time.
  ///   - random: where IDs come from.
  package init(
    workers: Int = 2, store: (any Store)? = nil, clock: Clock = .system, random: Randomness = .system
  ) throws {
    TestFiles.makeDirectory(directory.appending("source"))
    host = Self.host(workers: workers, clock: clock, random: random)
    let local = LocalStore(directory: directory.appending("repository"), host: host)
    repository = try Repository.create(in: store ?? local, host: host)
  }

  package static func host(
    workers: Int = 2, probe: (any OperationProbe)? = nil, clock: Clock = .system, random: Randomness = .system
  ) -> Host {
    Host(
      files: FileSystem(probe: probe), clock: clock, random: random, workers: workers,
      scratchDirectories: [Path("/tmp")])
  }

  /// A clock that is ahead by so many seconds: to it, everything that a test has just written is old and settled.
  package static func clock(ahead seconds: Int64) -> Clock {
    Clock(
      now: {
        var now = Clock.system.now()
        now.seconds += seconds
        return now
      }, uptime: Clock.system.uptime)
  }

  /// The same repository seen through a probe.
  package func repository(probe: any OperationProbe, workers: Int = 1) throws -> Repository {
    let watched = Self.host(workers: workers, probe: probe)
    return try Repository.open(LocalStore(directory: repositoryPath, host: watched), host: watched)
  }

  @discardableResult
  package func backup(
    _ kind: SnapshotKind? = nil, in other: Repository? = nil, progress: QuietProgress = QuietProgress(),
    configure: (inout Backup.Options) -> Void = { _ in }
  ) throws -> Backup.Report {
    var options = Backup.Options(source: source)
    options.kind = kind
    configure(&options)
    return try Backup(
      repository: other ?? repository, options: options, cache: StateCache(directory: cachePath), progress: progress
    ).run()
  }

  package func snapshot(_ text: String = "latest") throws -> Snapshot {
    try SnapshotSelector(text).choose(in: repository) { _ in }
  }

  /// Restores into a directory below the temporary one.
  @discardableResult
  package func restore(
    _ text: String = "latest", to name: String, in other: Repository? = nil,
    configure: (inout Restore.Options) -> Void = { _ in }
  ) throws -> Restore.Report {
    var options = Restore.Options(target: directory.appending(name))
    options.setsOwner = true
    configure(&options)
    return try Restore(
      repository: other ?? repository, snapshot: snapshot(text), options: options, progress: QuietProgress()
    ).run()
  }

  package func verify(data: Bool = true) throws -> Verify.Report {
    var options = Verify.Options()
    options.provesData = data
    return try Verify(repository: repository, options: options, progress: QuietProgress()).run(nil)
  }

  /// The entries of a snapshot's state by path as it is shown.
  package func entries(_ text: String = "latest") throws -> [String: Entry] {
    var entries: [String: Entry] = [:]
    try repository.forEachEntry(of: snapshot(text)) { entries[$0.path.description] = $0 }
    return entries
  }

  /// What a restore of the snapshot into an empty directory gives, compared with the source as it is now; empty when
  /// it is the same.
  package func differencesAfterRestore(_ text: String = "latest") throws -> [String] {
    let target = TemporaryDirectory()
    var options = Restore.Options(target: target.appending("restored"))
    options.setsOwner = true
    try _ = Restore(
      repository: repository, snapshot: snapshot(text), options: options, progress: QuietProgress()
    ).run()
    return TreeDescription(of: target.appending("restored")).differences(from: TreeDescription(of: source))
  }
}

/// Keeps what it is told.
package final class QuietProgress: ProgressObserver {
  package private(set) var notes: [String] = []
  package private(set) var warnings: [String] = []
  package init() {}
  package func begin(phase: String, totalBytes: UInt64?) {}
  package func advance(bytes: UInt64, files: UInt64) {}
  package func note(_ message: String) { notes.append(message) }
  package func warn(_ message: String) { warnings.append(message) }
}
