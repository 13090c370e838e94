internal import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
package import HoldfastSystem
internal import Synchronization

/// Archives one WAL file, as PostgreSQL's `archive_command` asks for it: on return, the file is durable in the
/// repository. The segments that the server will ask for next can be archived side by side with it; receipts then
/// answer for them.
package struct WALPush {
  package struct Options: Sendable {
    /// An absolute path; its last component is the name under which the file is archived.
    package var path: Path
    package var source: SourceName
    /// The directory of the cluster, for a file without log, which does not name its cluster, when the path does not
    /// tell.
    package var clusterDirectory: Path
    package var system: SystemIdentifier?
    package var compression = Compression.standard
    /// Whether a whole segment is archived even if it begins differently from what was archived while it was
    /// unfinished.
    package var replacesUnfinished = false
    /// How many further segments are archived with it, if the server has them ready.
    package var ahead = 0
    /// How many files are archived at once; `nil` for as many as the store takes requests, four at most.
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
    /// SHA-256 of the file.
    let digest: Digest
    /// Whether it was already archived with the same bytes, and is sound: then nothing was stored.
    package let isRepeated: Bool
    package let storedBytes: UInt64
    /// Number of damaged copies that this one replaces.
    package let replaced: Int
    /// Number of further segments that were archived with it.
    package internal(set) var ahead = 0
  }

  /// A worker holds a segment of 16 MiB, compressed, while it is sent.
  private static let workersMax = 4
  /// After this time no further segment is begun, so that the server soon hears of the one it asks for.
  private static let patience = TimeSpan.seconds(20)
  private let archive: WALArchive
  private let options: Options
  private let receipts: WALReceipts?
  private var host: Host { archive.repository.host }

  /// - Parameter receipts: `nil` to keep none: then no segment is archived before the server asks for it.
  package init(repository: Repository, options: Options, receipts: WALReceipts? = nil) {
    archive = WALArchive(repository, of: options.source)
    (self.options, self.receipts) = (options, receipts)
  }

  package func run() throws -> Report {
    let writer = try archive.repository.keyring.writer()
    let source = try WALSourceFile(options.path, files: host.files)
    let system = try source.system(options, in: archive, files: host.files)
    // A writer without the right to remove leftovers can push nevertheless.
    try? WALLeftovers(archive).collect(of: system, in: source.name.directory)
    // Without this lock, another machine may take this push for a killed one. Then the object is looked for at the end,
    // and made again.
    let hold = try? archive.repository.store.hold(
      Keys.walLock(options.source, system), exclusively: false, cancellation: host.cancellation)
    defer { withExtendedLifetime(hold) {} }
    let session = WALPushSession(archive, system, writer, options)
    // What is archived already is examined when the server asks for it, and not with each segment before it.
    let following = try Array(
      following(source).prefix { try session.firstNames(in: $0.directory)[$0] == nil })
    guard !following.isEmpty, let receipts else {
      return try WALFilePush(source, in: session, WALPushTurn()).run()
    }
    return try run(source, and: following, session, receipts)
  }

  /// The segments to archive with it: none where their receipts could not be kept.
  private func following(_ source: WALSourceFile) -> [WALFileName] {
    let found = WALReadySegments.after(source.name, at: options.path, max: options.ahead, files: host.files)
    guard !found.isEmpty, let receipts, (try? receipts.tidy()) != nil else { return [] }
    return found
  }

  /// Archives a file, and others side by side with it. Their manifests appear in the order of the log, so that it has
  /// no gap whenever this run is killed. Only the failure of the first is one: for the others the server will ask.
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

  /// Answers for a segment that an earlier push has archived already, without a look into the repository.
  /// - Returns: `nil` when it must be pushed.
  package static func acknowledged(_ options: Options, by receipts: WALReceipts, on host: Host) throws -> Report? {
    guard !options.replacesUnfinished,
      let name = WALFileName(String(decoding: options.path.lastComponent, as: UTF8.self)),
      let receipt = receipts.take(name)
    else { return nil }
    let source = try WALSourceFile(options.path, files: host.files)
    guard source.segment?.system == receipt.system, options.system ?? receipt.system == receipt.system else {
      return nil
    }
    // The bytes decide where the metadata does not.
    guard try source.isStill(receipt.identity) || source.digest(host.cancellation) == receipt.digest else { return nil }
    return Report(
      file: name, system: receipt.system, digest: receipt.digest, isRepeated: true, storedBytes: 0, replaced: 0)
  }
}
