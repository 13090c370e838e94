internal import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Restores one file of an archived WAL, as PostgreSQL's `restore_command` asks for it: whole, or not at all.
package struct WALFetch {
  package struct Options: Sendable {
    /// The name that PostgreSQL asks for (%f).
    package var file: WALFileName
    /// The absolute path to write to (%p).
    package var target: Path
    package var source: SourceName
    /// The directory of the cluster; its control file identifies the cluster.
    package var clusterDirectory: Path
    package var system: SystemIdentifier?

    package init(file: WALFileName, target: Path, source: SourceName, clusterDirectory: Path) {
      self.file = file
      self.target = target
      self.source = source
      self.clusterDirectory = clusterDirectory
    }
  }

  private let repository: Repository
  private let archive: WALArchive
  private let options: Options

  package init(repository: Repository, options: Options) {
    self.repository = repository
    self.options = options
    archive = WALArchive(repository, of: options.source)
  }

  /// - Throws: `NoSuchWAL` when the file was never archived: the only error that tells PostgreSQL that the log ends
  ///   here.
  package func run() throws {
    let system =
      try options.system ?? ClusterIdentity.system(of: options.clusterDirectory, files: repository.host.files)
      ?? ClusterIdentity.only(in: archive)
    if try write(options.file, system) { return }
    let gap = try gap(system)
    // It may have been pushed between the two looks, and others after it.
    if try write(options.file, system) { return }
    if let gap { throw gap }
    if let unfinished = options.file.unfinished, try write(unfinished, system) { return }
    throw NoSuchWAL(file: options.file, source: options.source)
  }

  /// A mistyped name, a disk that is not mounted and a gap in the log must not look like the end of it.
  /// - Returns: an error when the file is missing in the middle of the log; `nil` when the log ends.
  private func gap(_ system: SystemIdentifier) throws -> (any Error)? {
    let directories = try repository.store.children(of: Keys.wal(options.source, system))
    guard !directories.isEmpty else {
      throw EngineError(
        "no write-ahead log of cluster \(system) is archived for \(options.source)",
        hint: "Check --name and --repository; `holdfast wal status` shows what there is.")
    }
    guard options.file.kind == .segment, let later = try laterSegment(system, directories) else { return nil }
    return EngineError(
      "\(options.file) is missing in the archive of \(options.source), though \(later) is there: recovery would end before its time",
      hint:
        "Archive it if it still lies in a pg_wal; `holdfast wal status` shows all gaps, and how far recovery can reach.",
      exitStatus: .dataLoss)
  }

  /// A later segment of the timeline, if an earlier one is archived too: a timeline does not begin with its first
  /// segment.
  private func laterSegment(_ system: SystemIdentifier, _ directories: [String]) throws -> WALFileName? {
    let file = options.file
    let timeline = file.text.prefix(8)
    let own = directories.map { String($0.dropLast()) }.filter { $0.hasPrefix(timeline) && $0 != "history" }
    func segments(_ directory: String) throws -> [WALFileName] {
      try archive.files(of: system, in: directory).filter { $0.kind == .segment }
    }
    let here = try own.contains(file.directory) ? archive.files(of: system, in: file.directory) : []
    let beside = here.filter { $0.kind == .segment }
    // Its own beginning, archived while it was unfinished, counts as an earlier one.
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

  /// - Returns: `false` when the file is not archived.
  private func write(_ name: WALFileName, _ system: SystemIdentifier) throws -> Bool {
    try archive.firstSound(of: name, system) { try write($0) } != nil
  }

  private func write(_ archived: ArchivedWAL) throws {
    let files = repository.host.files
    let target = options.target
    guard let folderPath = target.parent else { throw SystemError.notAFile(target) }
    let folder = try files.open(folderPath, .directoryFollowingLinks)
    let name = Path(bytes: Array(target.lastComponent))
    let file: AtomicFile
    do throws(SystemError) {
      // What a killed fetch left is overwritten; what a running one writes is not touched.
      file = try AtomicFile(
        name, in: folder, as: .locked(Path(bytes: name.bytes + Array(".holdfast-unfinished".utf8))), files: files)
    } catch {
      guard error.isHeld else { throw error }
      throw EngineError("another fetch to \(target) is running", hint: "Wait for it.", exitStatus: .locked)
    }
    try archive.read(archived) { try file.append($0) }
    try file.commit()
  }
}

/// The file is not archived, and that is no error: PostgreSQL asks for the next file until there is none.
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
