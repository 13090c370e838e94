internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastSource
package import HoldfastSystem

/// What an interrupted restore left in a target, looked at before anything is done: files of the target may wait there, and are never removed unseen.
struct UnfinishedRestore {
  private let record: RestoreRecord?
  /// Staging directories, and at which place of the target the file system of each is mounted.
  private let stages: [(place: Path, directory: OpenFile)]
  private let files: FileSystem

  /// Nothing where there is no staging directory, or none that is ours: whoever is to use it refuses that. Nothing either where no record was ever completed: then nothing of the target
  /// was taken away.
  /// - Parameter mounts: places in the target at which other file systems are mounted that are restored as well.
  private init?(in target: OpenFile, mounts: [Path], files: FileSystem) throws {
    guard let base = try Self.stage(in: target, files), let bytes = try StagingArea.recordBytes(in: base, files),
      !bytes.isEmpty
    else { return nil }
    // Of one that cannot be understood nobody knows.
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
    return try? Stage.openOwn(in: root, at: root.place, files: files)
  }

  /// Files of the target that wait since a restore that did not end, and that this one would neither give their names again nor replace.
  /// - Parameter mounts: places in the target at which other file systems are mounted that are restored as well.
  /// - Returns: those that go because the snapshot does not have them, with what they are: to be counted as removed.
  /// - Throws: `EngineError` where others would be lost.
  static func leftovers(
    in target: OpenFile, _ mounts: [Path], _ options: Restore.Options, _ selection: Selection, of state: StateFile,
    files: FileSystem
  ) throws -> [Path: FileStatus] {
    try UnfinishedRestore(in: target, mounts: mounts, files: files)?
      .leftovers(options, selection, of: state, in: target.place) ?? [:]
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
            "cannot examine what an earlier restore left in \(directory.place.appending(problem.path.bytes)): \(problem.reason)",
            hint: "Correct its permissions, then run the same command again.")
        default: continue
        }
      }
    }
    return waiting
  }

  private func refusal(_ waiting: [Path: FileStatus], in target: Path) -> EngineError {
    EngineError(
      "an earlier restore into \(target) did not end: \(target.appending(Stage.name.bytes)) holds \(Amount.count(UInt64(waiting.count), "file")) of it (such as \(waiting.keys.min() ?? .root)) that this one would not bring back",
      hint: record.map { "End that restore first: `\($0.command)`." }
        ?? "Look at what is in it, move what you need back by hand, and remove it.")
  }
}

extension Restore {
  /// What a restore that did not end, and took files of the target away, was to do there.
  /// - Parameter target: need not exist.
  /// - Returns: `nil` where there is none, or none of this user's.
  package static func unfinished(in target: Path, files: FileSystem) -> RestoreRecord? {
    guard let root = try? files.open(target, .directoryFollowingLinks),
      let stage = try? Stage.openOwn(in: root, at: target, files: files),
      let bytes = try? StagingArea.recordBytes(in: stage, files), let record = RestoreRecord(bytes: bytes),
      record.takesFilesOfTarget
    else { return nil }
    return record
  }
}
