internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Finds out who uses the directories that a restore will write to. A server would go on writing to its open files,
/// over what was restored.
struct TargetUse {
  private static let hint = "Name a directory that no server uses, or stop the server first."
  private let servers: RunningServers
  private let files: FileSystem

  init(files: FileSystem) {
    self.files = files
    servers = RunningServers(files: files)
  }

  /// A warning for the operator about processes that could not be examined; `nil` if all could be.
  var warning: String? {
    guard FileSystem.seesProcesses else {
      return
        "/proc is not mounted, and what runs on this machine cannot be seen: make sure that nothing uses the target"
    }
    guard let first = servers.unseen.first else { return nil }
    return
      "\(Amount.count(UInt64(servers.unseen.count), "process", "processes")) of PostgreSQL (such as \(first)) cannot be looked at by this user: make sure that none uses the target"
  }

  /// Refuses a directory that a server uses, or that lies in one that a server uses. It need not exist.
  func check(_ place: RestoreTarget) throws {
    var (directory, path) = (place.anchor, place.anchor.fullPath)
    while true {
      try check(directory, at: path)
      // Goes up by descriptor, because a name may lead to another directory by now.
      guard let parent = path.parent, path != Path("/"),
        let above = try? files.open(Path(".."), in: directory, .reference)
      else { return }
      (directory, path) = (above, parent.isEmpty ? Path("/") : parent)
    }
  }

  /// Refuses to restore over files that a server uses, and over a database that a process has open. If files are
  /// removed, this holds for everything in the target; otherwise for what would be replaced, or added to the data of a
  /// server.
  /// - Parameter skipped: paths that are neither restored over nor removed.
  func check(
    in target: OpenFile, _ selection: Selection, of state: StateFile, _ keeps: Restore.Keep,
    leavingOut skipped: Set<Path>
  ) throws {
    let open = keeps == .everything ? [:] : files.filesOpenForWriting()
    let others = OtherDatabases(root: target, files: files)
    let scanner = Scanner(files: files, root: target, exclusions: [], leavingOut: skipped)
    var restored = keeps == .nothing ? nil : RestoredPaths(selection, of: state)
    var used: [(place: Path, refusal: EngineError)] = []
    func checkUnused(_ path: Path) throws {
      if let use = used.first(where: { $0.place.contains(path) }) { throw use.refusal }
    }
    while let finding = try scanner.next() {
      guard case .item(let item) = finding, selection.touches(item.path) else { continue }
      let isRestored = try restored?.advance(to: item.path, onMissing: checkUnused) ?? true
      guard isRestored else { continue }
      if let directory = item.directory {
        do {
          try check(directory, at: directory.fullPath)
        } catch let refusal as EngineError where keeps != .nothing {
          used.append((item.path, refusal))
        }
      } else if keeps != .everything {
        try checkUnused(item.path)
        others.notice(item)
        try check(item, in: target, open)
      }
    }
    try restored?.finish(onMissing: checkUnused)
    if let database = others.inUse().first {
      throw refusal(database.kind.name, target.fullPath.appending(database.path.bytes), database.holder)
    }
  }

  /// - Parameter path: the path of the directory, for messages.
  private func check(_ directory: OpenFile, at path: Path) throws {
    let status = try directory.status()
    if let use = servers.use(of: status), !use.isDataDirectory {
      throw EngineError(
        .usage, "a PostgreSQL server, process \(use.process), runs on \(use.dataDirectory), and uses \(path)",
        hint: Self.hint)
    }
    // Without a cluster beside it, a postmaster file belongs to no server: somebody left it.
    let isCluster = try files.statusIfPresent(of: Path(PostgresCluster.versionFile), in: directory) != nil
    let file = isCluster ? try PostmasterFile(below: .root, in: directory, files: files) : nil
    guard case .runs(let process) = servers.sighting(on: status, file) else { return }
    throw EngineError(
      .usage, "a PostgreSQL server, process \(process), runs on \(path)",
      hint: "Stop it before you restore over its data, or name another --target.")
  }

  private func check(_ item: ScannedItem, in target: OpenFile, _ open: [FileSystem.FileKey: FileHolder]) throws {
    guard let holder = open[FileSystem.FileKey(item.status)],
      SQLiteCandidate.look(at: item.path, status: item.status, in: target, files: files) != nil
    else { return }
    throw refusal("an SQLite database", target.fullPath.appending(item.path.bytes), holder)
  }

  private func refusal(_ kind: String, _ place: Path, _ holder: FileHolder?) -> EngineError {
    EngineError(
      .usage, "\(place) belongs to \(kind) that \(holder.map { "\($0)" } ?? "a process") has open", hint: Self.hint)
  }
}

/// The paths that a restore brings back, walked beside the target.
private struct RestoredPaths {
  private let selection: Selection
  private let reader: StateReader
  private var next: Path?
  private var hasBegun = false

  init(_ selection: Selection, of state: StateFile) {
    self.selection = selection
    reader = state.makeReader()
  }

  /// - Parameter onMissing: gets the paths before this one that the target does not have.
  /// - Returns: true if the restore brings this path back.
  mutating func advance(to path: Path, onMissing: (Path) throws -> Void) throws -> Bool {
    if !hasBegun { try step() }
    while let missing = next, missing < path {
      try onMissing(missing)
      try step()
    }
    guard next == path else { return false }
    try step()
    return true
  }

  mutating func finish(onMissing: (Path) throws -> Void) throws {
    if !hasBegun { try step() }
    while let missing = next {
      try onMissing(missing)
      try step()
    }
  }

  private mutating func step() throws {
    hasBegun = true
    while let entry = try reader.nextEntry() {
      guard let wanted = selection.resolve(entry) else { continue }
      next = wanted.path
      return
    }
    next = nil
  }
}
