package import HoldfastArchive
internal import HoldfastCodec
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
package import HoldfastSystem
package import HoldfastTestSupport

/// A source, a repository and a cache in a temporary directory, with the calls that tests make on them.
package struct TestShop {
  package let directory: TemporaryDirectory
  package let host: Host
  /// `nil` if the repository is not sealed.
  package let keys: TestKeys?
  /// The repository; if it is sealed, opened with all keys.
  package let repository: Repository
  private let store: any Store

  package var source: Path { directory.appending("source") }
  package var repositoryPath: Path { directory.appending("repository") }
  package var cachePath: Path { directory.appending("cache") }
  package var memoryPath: Path { directory.appending("memory") }
  /// The memory of this machine of sealed repositories.
  package var memory: ClientMemory { ClientMemory(directory: memoryPath) }

  /// - Parameters:
  ///   - store: the store of the repository; `nil` for a directory.
  ///   - clock: the clock of the runs.
  ///   - random: the source of IDs.
  ///   - isSealed: true if the repository is sealed to an owner, and has one writer.
  ///   - directory: the directory of everything.
  package init(
    workers: Int = 2, store: (any Store)? = nil, clock: Clock = .system, random: Randomness = .system,
    isSealed: Bool = false, directory: TemporaryDirectory = TemporaryDirectory()
  ) throws {
    self.directory = directory
    TestFiles.makeDirectory(directory.appending("source"))
    host = TestHost.make(workers: workers, clock: clock, random: random)
    self.store = store ?? LocalStore(directory: directory.appending("repository"), host: host)
    keys = isSealed ? try TestKeys() : nil
    let memory = ClientMemory(directory: directory.appending("memory"))
    let made = try Repository.create(in: self.store, host: host, sealing: keys?.sealing, memory: memory)
    repository =
      try keys.map { try Repository.open(made.store, host: made.host, credentials: $0.credentials(), memory: memory) }
      ?? made
  }

  /// Returns the same repository, seen through a probe.
  package func repository(
    probe: any OperationProbe, workers: Int = 1, as holder: TestKeys.Holder = .everybody
  ) throws -> Repository {
    let watched = TestHost.make(workers: workers, probe: probe)
    return try Repository.open(
      LocalStore(directory: repositoryPath, host: watched), host: watched, credentials: credentials(of: holder),
      memory: memory)
  }

  /// The same repository, opened anew.
  /// - Parameters:
  ///   - memory: of the machine that opens it; `nil` for this one's.
  ///   - target: the name of the target that it is, where there is a list of targets.
  package func open(
    as holder: TestKeys.Holder = .everybody, memory other: ClientMemory? = nil, expectedKeyring: String? = nil,
    target: String? = nil
  ) throws -> Repository {
    try Repository.open(
      store, host: host, credentials: credentials(of: holder), memory: other ?? memory,
      expectedKeyring: expectedKeyring, target: target)
  }

  private func credentials(of holder: TestKeys.Holder) -> Credentials {
    keys?.credentials(of: holder) ?? .none
  }

  @discardableResult
  package func backup(
    _ kind: SnapshotKind? = nil, in other: Repository? = nil, progress: QuietProgress = QuietProgress(),
    configure: (inout Backup.Options) -> Void = { _ in }
  ) throws -> Backup.Report {
    var options = Backup.Options(source: source)
    options.kind = kind
    configure(&options)
    let repository = other ?? repository
    // The command does this at its end too. A thread that reads ahead may keep the repository longer than this run.
    defer { repository.errands.wait() }
    return try Backup(
      repository: repository, options: options, cache: StateCache(directory: cachePath), progress: progress
    ).run()
  }

  package func snapshot(_ text: String = "latest", in other: Repository? = nil) throws -> Snapshot {
    try SnapshotSelector(SnapshotSelector.Name(text)).choose(in: (other ?? repository).catalog) { _ in }
  }

  /// Calls a removed snapshot back.
  /// - Returns: the snapshots that were called back, the oldest first.
  @discardableResult
  package func undelete(_ snapshot: Snapshot) throws -> [Snapshot] {
    let repository = try open()
    return try repository.notes.undelete(repository.catalog.chain(to: snapshot))
  }

  /// Restores into a directory below the temporary one. Changes to existing content are confirmed.
  @discardableResult
  package func restore(
    _ text: String = "latest", to name: String, in other: Repository? = nil,
    progress: QuietProgress = QuietProgress(), configure: (inout Restore.Options) -> Void = { _ in }
  ) throws -> Restore.Report {
    try restore(text, into: name, in: other, progress: progress, review: { _ in }, configure: configure)
  }

  /// Restores over a directory below the temporary one.
  /// - Parameter review: is told what would become of existing content.
  @discardableResult
  package func restore(
    _ text: String = "latest", over name: String, review: @escaping (Restore.Impact) throws -> Void,
    configure: (inout Restore.Options) -> Void = { _ in }
  ) throws -> Restore.Report {
    try restore(text, into: name, in: nil, review: review) {
      $0.isDelta = true
      configure(&$0)
    }
  }

  private func restore(
    _ text: String, into name: String, in other: Repository?, progress: QuietProgress = QuietProgress(),
    review: @escaping (Restore.Impact) throws -> Void, configure: (inout Restore.Options) -> Void
  ) throws -> Restore.Report {
    var options = Restore.Options(target: directory.appending(name))
    options.setsOwner = true
    configure(&options)
    return try Restore(
      repository: other ?? repository, snapshot: snapshot(text, in: other), options: options, progress: progress,
      review: review
    ).run()
  }

  package func verify(
    data: Bool = true, in other: Repository? = nil, configure: (inout Verify.Options) -> Void = { _ in }
  ) throws -> Verify.Report {
    var options = Verify.Options()
    options.readsData = data
    configure(&options)
    return try Verify(repository: other ?? repository, options: options, progress: QuietProgress()).run(nil)
  }

  /// Returns the entries of a snapshot's state, by their displayed paths.
  package func entries(_ text: String = "latest") throws -> [String: Entry] {
    var entries: [String: Entry] = [:]
    try snapshot(text).forEachEntry(in: repository) { entries[$0.path.description] = $0 }
    return entries
  }

  /// Returns the differences between a restore of the snapshot into an empty directory and the current source; empty
  /// when there are none.
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

/// Keeps the messages that it gets.
package final class QuietProgress: ProgressObserver {
  package private(set) var notes: [String] = []
  package private(set) var warnings: [String] = []
  package init() {}
  package func begin(phase: String, totalBytes: UInt64?) {}
  package func advance(bytes: UInt64, files: UInt64) {}
  package func skip(bytes: UInt64) {}
  package func note(_ message: String) { notes.append(message) }
  package func warn(_ message: String) { warnings.append(message) }
}
