internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Walks the target beside the state and lists what the snapshot does not have, or has as something else.
struct Leftovers {
  private let root: OpenFile
  private let files: FileSystem
  private let scanner: Scanner
  private let selection: Selection
  private let mounts: TargetMounts
  private var item: ScannedItem?
  private var hasBegun = false
  private(set) var removed: [Path] = []
  /// What each of them was.
  private(set) var keys: [FileSystem.FileKey?] = []

  init(root: OpenFile, host: Host, selection: Selection, mounts: TargetMounts) {
    self.root = root
    files = host.files
    scanner = Scanner(files: host.files, root: root, exclusions: [], leavingOut: mounts.skipped)
    self.selection = selection
    self.mounts = mounts
  }

  /// - Returns: what the target has at the entry's path, if it is of the same kind.
  mutating func advance(to entry: Entry) throws -> FileStatus? {
    if !hasBegun { try step() }
    while let found = item, found.path < entry.path {
      remove(found)
      try step()
    }
    guard let found = item, found.path == entry.path else { return nil }
    guard entry.content.isSameKind(as: found.status.kind) else {
      guard selection.isSelected(entry.path) else {
        throw EngineError(
          "\(entry.path) in the target is no directory, and what is to be restored lies in it",
          hint: "Move it away, or restore without --path.")
      }
      note(found.path, found.status)
      try step()
      return nil
    }
    try step()
    return found.status
  }

  mutating func finish() throws {
    if !hasBegun { try step() }
    while let found = item {
      remove(found)
      try step()
    }
  }

  private mutating func step() throws {
    hasBegun = true
    while let finding = try scanner.next() {
      switch finding {
      case .item(let found):
        // What lies below something that goes, goes with it.
        if let last = removed.last, last.contains(found.path) { continue }
        item = found
        return
      case .socket(let path):
        if selection.isSelected(path), removed.last?.contains(path) != true { note(path, nil) }
      case .problem(let problem, _):
        throw EngineError(
          "cannot examine \(problem.path) in the target: \(problem.reason)",
          hint: "Correct its permissions, or restore into an empty --target.")
      }
    }
    item = nil
  }

  private mutating func remove(_ found: ScannedItem) {
    guard selection.isSelected(found.path) || belongsToSelectedDatabase(found.path) else { return }
    // What lies in it goes piece by piece.
    guard !mounts.lie(in: found.path) else { return }
    note(found.path, found.status)
  }

  private mutating func note(_ path: Path, _ status: FileStatus?) {
    removed.append(path)
    keys.append(status.map { FileSystem.FileKey($0) })
  }

  /// Whether SQLite would take the file for a part of a database that is restored: the next reader would write what is in a stale WAL into it.
  private func belongsToSelectedDatabase(_ path: Path) -> Bool {
    guard let database = SQLiteCandidate.database(ofCompanion: path), selection.isSelected(database) else {
      return false
    }
    guard let present = try? files.statusIfPresent(of: database, beneath: root) else { return true }
    return SQLiteCandidate.look(at: database, status: present, in: root, files: files) != nil
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
