package import HoldfastArchive
internal import HoldfastCodec
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
package import HoldfastSystem
package import HoldfastTestSupport

/// A source, a repository and a cache in a temporary directory, with the calls that tests make of them.
package struct TestShop {
  package let directory: TemporaryDirectory
  package let host: Host
  /// Where it is sealed.
  package let keys: TestKeys?
  /// Where it is sealed, as who holds all keys.
  package let repository: Repository
  private let store: any Store

  package var source: Path { directory.appending("source") }
  package var repositoryPath: Path { directory.appending("repository") }
  package var cachePath: Path { directory.appending("cache") }
  package var memoryPath: Path { directory.appending("memory") }
  /// What this machine remembers of sealed repositories.
  package var memory: ClientMemory { ClientMemory(directory: memoryPath) }

  /// - Parameters:
  ///   - store: where the repository is; `nil` for a directory.
  ///   - clock: what the runs take for the time.
  ///   - random: where IDs come from.
  ///   - isSealed: whether the repository is sealed to an owner, and written to by one writer.
  ///   - directory: where everything lies.
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

  /// The same repository seen through a probe.
  package func repository(
    probe: any OperationProbe, workers: Int = 1, as holder: TestKeys.Holder = .everybody
  ) throws -> Repository {
    let watched = TestHost.make(workers: workers, probe: probe)
    return try Repository.open(
      LocalStore(directory: repositoryPath, host: watched), host: watched, credentials: credentials(of: holder),
      memory: memory)
  }

  /// The same repository, opened anew.
  /// - Parameter memory: of the machine that opens it; `nil` for this one's.
  package func open(
    as holder: TestKeys.Holder = .everybody, memory other: ClientMemory? = nil, expectedKeyring: String? = nil
  ) throws -> Repository {
    try Repository.open(
      store, host: host, credentials: credentials(of: holder), memory: other ?? memory,
      expectedKeyring: expectedKeyring)
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
    // As the command does at its end. A thread that looks ahead may keep the repository longer than this run.
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

  /// Restores into a directory below the temporary one. What becomes of what is there already is confirmed.
  @discardableResult
  package func restore(
    _ text: String = "latest", to name: String, in other: Repository? = nil,
    progress: QuietProgress = QuietProgress(), configure: (inout Restore.Options) -> Void = { _ in }
  ) throws -> Restore.Report {
    try restore(text, into: name, in: other, progress: progress, review: { _ in }, configure: configure)
  }

  /// Restores over a directory below the temporary one.
  /// - Parameter review: is told what would become of what is there.
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

  /// The entries of a snapshot's state by path as it is shown.
  package func entries(_ text: String = "latest") throws -> [String: Entry] {
    var entries: [String: Entry] = [:]
    try snapshot(text).forEachEntry(in: repository) { entries[$0.path.description] = $0 }
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
  package func skip(bytes: UInt64) {}
  package func note(_ message: String) { notes.append(message) }
  package func warn(_ message: String) { warnings.append(message) }
}
