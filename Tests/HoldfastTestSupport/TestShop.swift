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

  /// - Parameter probe: watches the files of the repository and the cache from here on.
  package init(workers: Int = 2, probe: (any OperationProbe)? = nil, store: (any Store)? = nil) throws {
    TestFiles.makeDirectory(directory.appending("source"))
    host = Self.host(workers: workers)
    let local = LocalStore(directory: directory.appending("repository"), host: host)
    repository = try Repository.create(in: store ?? local, host: host)
  }

  package static func host(workers: Int = 2, probe: (any OperationProbe)? = nil) -> Host {
    Host(files: FileSystem(probe: probe), workers: workers, scratchDirectories: [Path("/tmp")])
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

  /// What a restore of the snapshot into an empty directory gives, compared with the source as it is now; empty when it is the same.
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
