internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastSource
package import HoldfastSystem

/// The files that an interrupted restore left in a target, examined before anything is done: its staging directory may
/// contain files of the target, which are never removed unseen.
struct UnfinishedRestore {
  private let record: RestoreRecord?
  /// The staging directories, with the mount points of their file systems in the target.
  private let stages: [(place: Path, directory: OpenFile)]
  private let files: FileSystem

  /// Fails with `nil` if this user has no staging directory there: making one fails later, if another user has one.
  /// Also if no record was completed: then no file of the target was staged.
  /// - Parameter mounts: mount points in the target in which something is restored.
  private init?(in target: OpenFile, mounts: [Path], files: FileSystem) throws {
    guard let base = try Self.stage(in: target, files), let bytes = try StagingArea.recordBytes(in: base, files),
      !bytes.isEmpty
    else { return nil }
    // `nil` if the record cannot be parsed: then nothing is known of that restore.
    record = RestoreRecord(bytes: bytes)
    self.files = files
    var stages = [(place: Path.root, directory: base)]
    for place in mounts {
      let root = try files.openBeneath(place, in: target, .directory)
      if let stage = try Self.stage(in: root, files) { stages.append((place, stage)) }
    }
    self.stages = stages
  }

  private static func stage(in root: OpenFile, _ files: FileSystem) throws -> OpenFile? {
    guard try files.statusIfPresent(of: Stage.name, in: root) != nil else { return nil }
    return try? Stage.openOwn(in: root, at: root.fullPath, files: files)
  }

  /// Finds files of the target that an interrupted restore has staged, and that this one would neither bring back nor
  /// replace.
  /// - Parameter mounts: mount points in the target in which something is restored.
  /// - Returns: the files that are removed because the snapshot does not have them, with their status, so that they are
  ///   counted as removed.
  /// - Throws: `EngineError` if other files would be lost.
  static func leftovers(
    in target: OpenFile, _ mounts: [Path], _ options: Restore.Options, _ selection: Selection, of state: StateFile,
    files: FileSystem
  ) throws -> [Path: FileStatus] {
    try UnfinishedRestore(in: target, mounts: mounts, files: files)?
      .leftovers(options, selection, of: state, in: target.fullPath) ?? [:]
  }

  private func leftovers(
    _ options: Restore.Options, _ selection: Selection, of state: StateFile, in target: Path
  ) throws -> [Path: FileStatus] {
    guard record?.takesFilesOfTarget ?? true else { return [:] }
    var waiting = try waitingFiles()
    guard !waiting.isEmpty else { return [:] }
    guard options.isDelta, options.keeps != .everything else { throw refusal(waiting, in: target) }
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      guard let wanted = selection.resolve(entry), wanted.content.isSameKind(as: .file),
        wanted.file?.consistency != .unreadable
      else { continue }
      waiting[wanted.path] = nil
    }
    let isCounted = options.keeps == .nothing && waiting.keys.allSatisfy(selection.isSelected)
    guard isCounted || waiting.isEmpty else { throw refusal(waiting, in: target) }
    return waiting
  }

  private func waitingFiles() throws -> [Path: FileStatus] {
    var waiting: [Path: FileStatus] = [:]
    for (place, directory) in stages {
      let scanner = Scanner(files: files, root: directory, exclusions: [], leavingOut: [Stage.name])
      while let finding = try scanner.next() {
        switch finding {
        case .item(let item) where item.status.kind == .file:
          waiting[place.appending(item.path.bytes)] = item.status
        case .problem(let problem, _):
          throw EngineError(
            .machine,
            "cannot examine what an earlier restore left in \(directory.fullPath.appending(problem.path.bytes)): \(problem.reason)",
            hint: "Correct its permissions, then run the same command again.")
        default: continue
        }
      }
    }
    return waiting
  }

  private func refusal(_ waiting: [Path: FileStatus], in target: Path) -> EngineError {
    EngineError(
      .usage,
      "an earlier restore into \(target) did not end: \(target.appending(Stage.name.bytes)) holds \(Amount.count(UInt64(waiting.count), "file")) of it (such as \(waiting.keys.min() ?? .root)) that this one would not bring back",
      hint: record.map { "End that restore first: `\($0.command)`." }
        ?? "Look at what is in it, move what you need back by hand, and remove it.")
  }
}

extension Restore {
  /// True if a PostgreSQL cluster lies in a directory, or what a restore over one has not ended. Only that is written
  /// over by who cannot ask. A cluster has both `PG_VERSION` and `pg_control`: one of them alone may lie anywhere.
  /// - Parameter target: need not exist.
  package static func isOverCluster(_ target: Path, files: FileSystem) throws -> Bool {
    if unfinished(in: target, files: files) != nil { return true }
    return try [Path(PostgresCluster.versionFile), ClusterControl.path].allSatisfy { file in
      do throws(SystemError) {
        return try files.statusIfPresent(of: target.appending(file.bytes)) != nil
      } catch {
        if error.isNotFound { return false }
        throw error
      }
    }
  }

  /// Returns the record of an interrupted restore that has staged files of the target.
  /// - Parameter target: need not exist.
  /// - Returns: the record; `nil` if there is none, or it is not this user's.
  package static func unfinished(in target: Path, files: FileSystem) -> RestoreRecord? {
    guard let root = try? files.open(target, .directoryFollowingLinks),
      let stage = try? Stage.openOwn(in: root, at: target, files: files),
      let bytes = try? StagingArea.recordBytes(in: stage, files), let record = RestoreRecord(bytes: bytes),
      record.takesFilesOfTarget
    else { return nil }
    return record
  }
}
