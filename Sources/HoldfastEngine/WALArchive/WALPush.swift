internal import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
package import HoldfastSystem
internal import Synchronization

/// Archives one WAL file for PostgreSQL's `archive_command`: on return, the file is durable in the repository. The
/// segments that the server will ask for next can be archived side by side with it; receipts then answer for them.
package struct WALPush {
  package struct Options: Sendable {
    /// An absolute path; its last component is the name under which the file is archived.
    package var path: Path
    package var source: SourceName
    /// The directory of the cluster. It identifies the cluster of a file without log, if `system` and the path of the
    /// file do not.
    package var clusterDirectory: Path
    package var system: SystemIdentifier?
    package var compression = Compression.standard
    /// True if a whole segment is archived even if it begins differently from what was archived while it was
    /// unfinished.
    package var replacesUnfinished = false
    /// The number of further segments that are archived with it, if the server has them ready.
    package var ahead = 0
    /// The name of this host, if hosts take turns in serving the source: then the push is refused where another one
    /// serves. `nil` if this host has no name: then nobody is asked, which would cost each push a round trip.
    package var host: HostName?
    /// The number of files that are archived at once; `nil` for as many as the store takes requests, four at most.
    package var workers: Int?

    package init(path: Path, source: SourceName, clusterDirectory: Path) {
      self.path = path
      self.source = source
      self.clusterDirectory = clusterDirectory
    }
  }

  package struct Report: Sendable {
    /// The name under which it is archived.
    package let file: WALFileName
    package let system: SystemIdentifier
    /// The SHA-256 of the file.
    let digest: Digest
    /// True if it was already archived with the same bytes, and is sound: then nothing was stored.
    package let isRepeated: Bool
    package let storedBytes: UInt64
    /// The number of damaged copies that this one replaces.
    package let replaced: Int
    /// The number of further segments that were archived with it.
    package internal(set) var ahead = 0
  }

  /// The most workers: each holds a segment of 16 MiB, compressed, while it is sent.
  private static let workersMax = 4
  /// The time after which no further segment is begun, so that the server soon gets the answer for the one it asks for.
  private static let patience = TimeSpan.seconds(20)
  private let archive: WALArchive
  private let options: Options
  private let receipts: WALReceipts?
  private var host: Host { archive.repository.host }

  /// - Parameter receipts: the receipts; `nil` to keep none: then no segment is archived before the server asks for it.
  package init(repository: Repository, options: Options, receipts: WALReceipts? = nil) {
    archive = WALArchive(repository, of: options.source)
    (self.options, self.receipts) = (options, receipts)
  }

  package func run() throws -> Report {
    let writer = try archive.repository.keyring.writer()
    try checkServes()
    let source = try WALSourceFile(options.path, files: host.files)
    let system = try source.system(options, in: archive, files: host.files)
    // A writer without the right to remove leftovers can push nevertheless.
    try? WALLeftovers(archive).collect(of: system, in: source.name.directory)
    // Without this lock, another machine may take this push for a killed one, and remove its object. The push checks at
    // the end that the object exists, and makes it again if not.
    let hold = try? archive.repository.store.hold(
      Keys.walLock(options.source, system), exclusively: false, cancellation: host.cancellation)
    defer { withExtendedLifetime(hold) {} }
    let session = WALPushSession(archive, system, writer, options)
    // A following segment that is archived already is examined when the server asks for it, not with each segment
    // before.
    let following = try Array(
      following(source).prefix { try session.firstNames(in: $0.directory)[$0] == nil })
    guard !following.isEmpty, let receipts else {
      return try WALFilePush(source, in: session, WALPushTurn()).run()
    }
    return try run(source, and: following, session, receipts)
  }

  /// - Throws: `EngineError` if another host serves the source.
  private func checkServes() throws {
    guard let own = options.host else { return }
    let standing = try ServingStanding(of: options.source, in: archive.repository)
    if standing.reading == .unclear {
      throw LeaseError.roleUnclear(name: options.source.text, location: archive.repository.location)
    }
    if let role = standing.role { try ServingRefusal.check(role, is: own, of: options.source) }
  }

  /// Returns the segments to archive with it: none if their receipts could not be kept.
  private func following(_ source: WALSourceFile) -> [WALFileName] {
    let found = WALReadySegments.after(source.name, at: options.path, max: options.ahead, files: host.files)
    guard !found.isEmpty, let receipts, (try? receipts.tidy()) != nil else { return [] }
    return found
  }

  /// Archives a file, and others side by side with it. Their manifests appear in the order of the log, so that the
  /// archive has no gap even if this run is killed. Only the failure of the first file is an error: the server will ask
  /// for the others.
  private func run(
    _ source: WALSourceFile, and following: [WALFileName], _ session: WALPushSession, _ receipts: WALReceipts
  ) throws -> Report {
    let order = WALPushOrder(1 + following.count)
    let outcome = Mutex<Result<Report, any Error>?>(nil)
    let ahead = Atomic(0)
    let began = host.clock.uptime()
    let workers = options.workers ?? min(Self.workersMax, archive.repository.store.connections)
    try SideBySide.run(order.count, threads: workers) { [self] index in
      let turn = WALPushTurn(index, in: order)
      defer { turn.pass() }
      guard index > 0 else {
        let result = Result { try WALFilePush(source, in: session, turn).run() }
        if case .failure = result { order.stop(at: 0) }
        return outcome.withLock { $0 = result }
      }
      guard host.clock.uptime() - began < Self.patience, order.reaches(index),
        (try? archiveAhead(following[index - 1], session, turn, receipts)) != nil
      else { return order.stop(at: index) }
      ahead.wrappingAdd(1, ordering: .relaxed)
    }
    guard var report = try outcome.withLock({ $0 })?.get() else { throw Interrupted() }
    report.ahead = ahead.load(ordering: .relaxed)
    return report
  }

  private func archiveAhead(
    _ name: WALFileName, _ session: WALPushSession, _ turn: WALPushTurn, _ receipts: WALReceipts
  ) throws {
    guard let path = options.path.parent?.appending(name.text) else { throw SystemError.notAFile(options.path) }
    let source = try WALSourceFile(path, files: host.files)
    guard source.segment?.system == session.system else { throw SystemError.notAFile(path) }
    let report = try WALFilePush(source, in: session, turn).run()
    try receipts.keep(name, of: session.system, report.digest, source.settledIdentity(host))
  }

  // MARK: Receipts

  /// Answers for a segment that an earlier push has archived already, without opening the repository.
  /// - Returns: `nil` if it must be pushed.
  package static func acknowledged(_ options: Options, by receipts: WALReceipts, on host: Host) throws -> Report? {
    guard !options.replacesUnfinished,
      let name = WALFileName(String(decoding: options.path.lastComponent, as: UTF8.self)),
      let receipt = receipts.take(name)
    else { return nil }
    let source = try WALSourceFile(options.path, files: host.files)
    guard source.segment?.system == receipt.system, options.system ?? receipt.system == receipt.system else {
      return nil
    }
    // If the metadata has changed, the bytes decide.
    guard try source.isStill(receipt.identity) || source.digest(host.cancellation) == receipt.digest else { return nil }
    return Report(
      file: name, system: receipt.system, digest: receipt.digest, isRepeated: true, storedBytes: 0, replaced: 0)
  }
}
