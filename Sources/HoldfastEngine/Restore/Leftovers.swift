internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Walks the target beside the state, and lists what the snapshot does not have, or has with another type.
struct Leftovers {
  private let root: OpenFile
  private let files: FileSystem
  private let scanner: Scanner
  private let selection: Selection
  private let keeps: Restore.Keep
  private let mounts: TargetMounts
  private var item: ScannedItem?
  private var hasBegun = false
  /// A file of the state that was passed and whose companions may still follow.
  private struct PassedFile {
    let path: Path
    /// True if the target's file of that name is an SQLite database, as examined before the restore moves the file;
    /// `nil` if it was not examined.
    var isDatabase: Bool?
  }

  private var passed: [PassedFile] = []
  private(set) var removed: [Path] = []
  /// The identities of the objects in `removed`, in the same order; `nil` for a socket.
  private(set) var keys: [FileSystem.FileKey?] = []
  /// The effect on existing content.
  private(set) var figures: Restore.TargetFigures

  init(root: OpenFile, host: Host, selection: Selection, keeps: Restore.Keep, mounts: TargetMounts) {
    self.root = root
    files = host.files
    scanner = Scanner(files: host.files, root: root, exclusions: [], leavingOut: mounts.skipped)
    self.selection = selection
    self.keeps = keeps
    self.mounts = mounts
    figures = Restore.TargetFigures(target: root.fullPath)
  }

  /// - Returns: the status of the target's object at the entry's path, if it has the same type; if everything is kept,
  ///   of any type.
  mutating func advance(to entry: Entry) throws -> FileStatus? {
    if !hasBegun { try step() }
    while let found = item, found.path < entry.path {
      remove(found)
      try step()
    }
    while let last = passed.last, !entry.path.bytes.starts(with: last.path.bytes) { passed.removeLast() }
    if entry.file != nil { passed.append(PassedFile(path: entry.path)) }
    guard let found = item, found.path == entry.path else { return nil }
    let status = found.status
    guard entry.content.isSameKind(as: status.kind) else {
      try replace(found, by: entry)
      try step()
      return keeps == .everything ? status : nil
    }
    count(entry, status)
    try step()
    if entry.file != nil, let next = item, next.path.bytes.starts(with: entry.path.bytes) {
      passed[passed.count - 1].isDatabase = isDatabase(entry.path)
    }
    return status
  }

  mutating func finish() throws {
    if !hasBegun { try step() }
    while let found = item {
      remove(found)
      try step()
    }
  }

  /// Returns true if SQLite would take the entry for a companion of a database that stays unchanged.
  func belongsToKeptDatabase(_ path: Path) -> Bool {
    guard let database = SQLiteCandidate.database(ofCompanion: path) else { return false }
    return isDatabase(database)
  }

  private mutating func step() throws {
    hasBegun = true
    while let finding = try scanner.next() {
      switch finding {
      case .item(let found):
        // An object below a removed directory is removed with it.
        if let last = removed.last, last.contains(found.path) {
          figures.remove(found.status)
          continue
        }
        item = found
        return
      case .socket(let path):
        guard selection.isSelected(path), keeps == .nothing else { continue }
        figures.removed += 1
        if removed.last?.contains(path) != true { note(path, nil) }
      case .problem(let problem, _):
        throw EngineError(
          .machine, "cannot examine \(problem.path) in the target: \(problem.reason)",
          hint: "Correct its permissions, or restore into an empty --target.")
      }
    }
    item = nil
  }

  private mutating func count(_ entry: Entry, _ status: FileStatus) {
    guard !entry.path.isEmpty, selection.isSelected(entry.path) else { return }
    figures.shared += 1
    guard let file = entry.file else { return }
    if file.size != status.size || entry.attributes.modified != status.modified { figures.changed += 1 }
  }

  private mutating func remove(_ found: ScannedItem) {
    let isCompanion = keeps != .everything && belongsToRestoredDatabase(found.path)
    guard isCompanion || (keeps == .nothing && selection.isSelected(found.path)) else { return }
    // The contents of a directory with mounts in it are removed one by one.
    guard !mounts.lie(in: found.path) else { return }
    note(found.path, found.status)
    figures.remove(found.status)
    if isCompanion { figures.companions += 1 }
  }

  /// Replaces an existing object that has another type than the entry.
  private mutating func replace(_ found: ScannedItem, by entry: Entry) throws {
    guard selection.isSelected(entry.path), keeps == .nothing || entry.content != .directory else {
      throw EngineError(
        .usage, "\(entry.path) in the target is no directory, and what is to be restored lies in it",
        hint: "Move it away, or restore without --path.")
    }
    guard keeps != .everything else { return }
    guard keeps == .nothing || found.directory == nil else {
      throw EngineError(
        .usage, "\(entry.path) in the target is a directory, and the snapshot has something else there",
        hint: "Move it away, or restore without --no-remove.")
    }
    note(found.path, found.status)
    figures.remove(found.status)
  }

  private mutating func note(_ path: Path, _ status: FileStatus?) {
    removed.append(path)
    keys.append(status.map { FileSystem.FileKey($0) })
  }

  /// Returns true if SQLite would take the file for a companion of a restored database: the next reader would write the
  /// contents of a stale WAL into that database.
  private func belongsToRestoredDatabase(_ path: Path) -> Bool {
    guard let database = SQLiteCandidate.database(ofCompanion: path),
      let file = passed.last(where: { $0.path == database })
    else { return false }
    if let isDatabase = file.isDatabase { return isDatabase }
    guard let present = try? files.statusIfPresent(of: database, beneath: root) else { return true }
    return SQLiteCandidate.look(at: database, status: present, in: root, files: files) != nil
  }

  private func isDatabase(_ path: Path) -> Bool {
    guard let present = try? files.statusIfPresent(of: path, beneath: root) else { return false }
    return SQLiteCandidate.look(at: path, status: present, in: root, files: files) != nil
  }

}

extension Content {
  func isSameKind(as kind: FileStatus.Kind) -> Bool {
    switch self {
    case .directory: kind == .directory
    case .file, .hardLink: kind == .file
    case .symbolicLink: kind == .symbolicLink
    case .fifo: kind == .fifo
    case .characterDevice: kind == .characterDevice
    case .blockDevice: kind == .blockDevice
    }
  }
}
