internal import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
package import HoldfastSystem
internal import Synchronization

/// Fetches one archived WAL file for PostgreSQL's `restore_command`: whole, or not at all. The segments that follow can
/// be fetched side by side with it into a `WALSpool`, from which the next calls take them.
package struct WALFetch {
  package struct Options: Sendable {
    /// The name that PostgreSQL asks for (%f).
    package var file: WALFileName
    /// The absolute path to write to (%p).
    package var target: Path
    package var source: SourceName
    /// The source as it is asked for. Segments are spooled under this name, so that a call that takes one need not open
    /// the repository: for a name means one source for ever.
    fileprivate let asked: SourceName
    /// The directory of the cluster; its control file identifies the cluster.
    package var clusterDirectory: Path
    package var system: SystemIdentifier?
    /// The number of further segments that are fetched with it, if they are archived.
    package var ahead = 0
    /// The number of files that are fetched at once.
    package var workers = 4
    /// The location of the repository, under which segments are spooled.
    package var location = ""

    package init(file: WALFileName, target: Path, source: SourceName, clusterDirectory: Path) {
      self.file = file
      self.target = target
      (self.source, asked) = (source, source)
      self.clusterDirectory = clusterDirectory
    }
  }

  private let repository: Repository
  private let archive: WALArchive
  private let options: Options
  private var host: Host { repository.host }

  package init(repository: Repository, options: Options) {
    self.repository = repository
    self.options = options
    archive = WALArchive(repository, of: options.source)
  }

  /// Fetches the file.
  /// - Throws: `NoSuchWAL` if the file was never archived: the only error that tells PostgreSQL that the log ends here.
  package func run() throws {
    let system =
      try options.system ?? ClusterIdentity.system(of: options.clusterDirectory, files: repository.host.files)
      ?? ClusterIdentity.only(in: archive)
    if try write(options.file, system) { return }
    let gap = try gap(system)
    // The file may have been pushed after the first attempt, and others after it.
    if try write(options.file, system) { return }
    if let gap { throw gap }
    if let unfinished = options.file.unfinished, try write(unfinished, system) { return }
    // At the end of the log, a recovery asks for no file that follows: spooled segments are of no use any more.
    if let spool = (try? WALSpool(beside: options.target, on: host)) ?? nil, (try? spool.lock()) == true {
      try? spool.empty()
    }
    throw NoSuchWAL(file: options.file, source: options.source)
  }

  /// Refuses to take a mistyped name, a disk that is not mounted or a gap in the log for the end of the log.
  /// - Returns: an error if the file is missing in the middle of the log; `nil` if the log ends.
  private func gap(_ system: SystemIdentifier) throws -> (any Error)? {
    let directories = try repository.store.children(of: Keys.wal(options.source, system))
    guard !directories.isEmpty else {
      throw EngineError(
        .usage, "no write-ahead log of cluster \(system) is archived for \(options.source)",
        hint: "Check --name and --repository; `holdfast wal status` shows what there is.")
    }
    guard options.file.kind == .segment, let later = try laterSegment(system, directories) else { return nil }
    return EngineError(
      .repository,
      "\(options.file) is missing in the archive of \(options.source), though \(later) is there: recovery would end before its time",
      hint:
        "Archive it if it still lies in a pg_wal; `holdfast wal status` shows all gaps, and how far recovery can reach.",
      exitStatus: .dataLoss)
  }

  /// Returns a later segment of the timeline if an earlier one is archived too; otherwise `nil`, because the archive of
  /// a timeline need not begin with its first segment.
  private func laterSegment(_ system: SystemIdentifier, _ directories: [String]) throws -> WALFileName? {
    let file = options.file
    let timeline = file.text.prefix(8)
    let own = directories.map { String($0.dropLast()) }.filter { $0.hasPrefix(timeline) && $0 != "history" }
    func segments(_ directory: String) throws -> [WALFileName] {
      try archive.files(of: system, in: directory).filter { $0.kind == .segment }
    }
    let here = try own.contains(file.directory) ? archive.files(of: system, in: file.directory) : []
    let beside = here.filter { $0.kind == .segment }
    // The beginning of this segment, archived while it was unfinished, counts as an earlier segment.
    let hasEarlier =
      try here.contains { $0 == file.unfinished } || beside.contains { $0.text < file.text }
      || own.contains { try $0 < file.directory && !segments($0).isEmpty }
    guard hasEarlier else { return nil }
    if let later = beside.first(where: { $0.text > file.text }) { return later }
    for directory in own where directory > file.directory {
      if let later = try segments(directory).first { return later }
    }
    return nil
  }

  // MARK: Writing

  /// - Returns: `false` if the file is not archived.
  private func write(_ name: WALFileName, _ system: SystemIdentifier) throws -> Bool {
    try archive.firstSound(of: name, system) { archived in
      guard name.kind == .segment, options.ahead > 0, try writeWithFollowing(archived) else {
        return try write(archived)
      }
    } != nil
  }

  private func write(_ archived: ArchivedWAL) throws {
    let file = try WALTarget(options.target, files: host.files).begin()
    try archive.read(archived) { try file.append($0) }
    try file.commit()
  }

  // MARK: Fetching ahead

  /// The most bytes that are spooled, however many segments were asked for.
  private static let spooledBytesMax: UInt64 = 256 << 20
  /// The time after which no further segment is begun, so that the server soon gets the one that it asks for.
  private static let patience = TimeSpan.seconds(20)

  /// Returns true if a server in recovery asks for a file under this path: then it will ask for the files that follow.
  package static func isRecovery(_ target: Path) -> Bool { WALTarget.isRecovery(target) }

  /// Takes a segment that an earlier call has fetched, without opening the repository.
  /// - Returns: `false` if it must be fetched.
  package static func takeSpooled(_ options: Options, on host: Host) -> Bool {
    guard options.file.kind == .segment, options.ahead > 0,
      let spool = (try? WALSpool(beside: options.target, on: host)) ?? nil,
      let system = (try? options.system ?? ClusterIdentity.system(of: options.clusterDirectory, files: host.files))
        ?? nil,
      spool.isFresh(from: WALSpool.Origin(location: options.location, source: options.asked, system: system))
    else { return false }
    // Errors are ignored: the segment can be fetched from the repository.
    return (try? spool.take(options.file, to: WALTarget(options.target, files: host.files).begin)) ?? false
  }

  /// Writes a segment, and fetches the segments that follow it.
  /// - Returns: `false` if there is no spool for them: then nothing was done.
  private func writeWithFollowing(_ archived: ArchivedWAL) throws -> Bool {
    let target = WALTarget(options.target, files: host.files)
    guard let spool = (try? WALSpool(beside: options.target, isMade: true, on: host)) ?? nil,
      (try? spool.lock()) == true,
      (try? spool.begin(
        from: WALSpool.Origin(
          location: options.location, source: options.asked, system: archived.manifest.system), repository.id))
        != nil
    else { return false }
    if (try? spool.take(archived.file, archived.digest, to: target.begin)) == true { return true }
    let following = (try? missing(after: archived, spool)) ?? []
    do {
      try write(archived, and: following, spool)
    } catch is SystemError {
      // The segments that were fetched ahead may have filled the disk: the one that is asked for is fetched alone.
      try? spool.empty()
      return false
    }
    return true
  }

  private func write(_ archived: ArchivedWAL, and following: [WALFileName], _ spool: WALSpool) throws {
    let began = host.clock.uptime()
    let isEnough = Atomic(false)
    try SideBySide.run(1 + following.count, threads: options.workers) { [self] index in
      guard index > 0 else { return try write(archived) }
      guard !isEnough.load(ordering: .relaxed), host.clock.uptime() - began < Self.patience else { return }
      let add = { (archived: ArchivedWAL) in try spool.add(archived, of: archive) }
      // A failure here is not reported: it comes again when the server asks for the segment.
      if (try? archive.firstSound(of: following[index - 1], archived.manifest.system, add)) == nil {
        isEnough.store(true, ordering: .relaxed)
      }
    }
  }

  /// Returns the segments that follow on the timeline without a gap and are not spooled yet. Removes all others from
  /// the spool.
  private func missing(after archived: ArchivedWAL, _ spool: WALSpool) throws -> [WALFileName] {
    guard let size = archived.manifest.segment, let number = archived.file.number(size) else { return [] }
    var names: [String: Set<WALFileName>] = [:]
    var found: [WALFileName] = []
    for offset in stride(from: 1, through: min(UInt64(options.ahead), Self.spooledBytesMax / size.bytes), by: 1) {
      guard let name = WALFileName(timeline: archived.file.timeline, number: number + offset, size: size) else { break }
      let there = try names[name.directory] ?? Set(archive.files(of: archived.manifest.system, in: name.directory))
      names[name.directory] = there
      guard there.contains(name) else { break }
      found.append(name)
    }
    try spool.keepOnly(found)
    let spooled = try spool.segments()
    return found.filter { !spooled.contains($0) }
  }
}

/// The error that a file is not archived. It is part of every recovery: PostgreSQL asks for the next file until there
/// is none.
package struct NoSuchWAL: OperatorError, Equatable {
  package let file: WALFileName
  package let source: SourceName

  package init(file: WALFileName, source: SourceName) {
    self.file = file
    self.source = source
  }

  package var message: String { "\(file) is not archived for \(source)" }
  package var hint: String? { nil }
  package var exitStatus: ExitStatus { .failed }
  package var scope: ErrorScope { .usage }
}
