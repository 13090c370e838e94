internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Who uses the directories that a restore is to write to: what a server has open there it would go on writing to, over what was restored.
struct TargetUse {
  private static let hint = "Name a directory that no server uses, or stop the server first."
  private let servers: RunningServers
  private let files: FileSystem

  init(files: FileSystem) {
    self.files = files
    servers = RunningServers(files: files)
  }

  /// What could not be seen, for the operator; `nil` where everything could.
  var warning: String? {
    guard FileSystem.seesProcesses else {
      return
        "/proc is not mounted, and what runs on this machine cannot be seen: make sure that nothing uses the target"
    }
    guard let first = servers.unseen.first else { return nil }
    return
      "\(Amount.count(UInt64(servers.unseen.count), "process", "processes")) of PostgreSQL (such as \(first)) cannot be looked at by this user: make sure that none uses the target"
  }

  /// Refuses a directory that a server uses, or that lies in one. It need not exist.
  func check(_ place: Path) throws {
    var above: Path? = place
    while let directory = above {
      let path = directory.isEmpty ? Path("/") : directory
      if let opened = try? files.open(path, .directoryFollowingLinks) { try check(opened) }
      above = directory.parent
    }
  }

  /// Refuses to restore over anything that a server uses, or a database that somebody has open, whatever the snapshot has there: what it does not have
  /// would be removed.
  /// - Parameter skipped: what is neither restored over nor removed.
  func check(in target: OpenFile, _ selection: Selection, leavingOut skipped: Set<Path>) throws {
    let open = files.filesOpenForWriting()
    let others = OtherDatabases(root: target, files: files)
    let scanner = Scanner(files: files, root: target, exclusions: [], leavingOut: skipped)
    while let finding = try scanner.next() {
      guard case .item(let item) = finding, selection.touches(item.path) else { continue }
      if let directory = item.directory {
        try check(directory)
      } else {
        others.notice(item)
        try check(item, in: target, open)
      }
    }
    if let database = others.inUse().first {
      throw refusal(database.kind.name, target.path.appending(database.place.bytes), database.holder)
    }
  }

  private func check(_ directory: OpenFile) throws {
    let status = try directory.status()
    if let use = servers.use(of: status), !use.isDataDirectory {
      throw EngineError(
        "a PostgreSQL server, process \(use.process), runs on \(use.dataDirectory), and uses \(directory.place)",
        hint: Self.hint)
    }
    // Beside anything else it is no server's file, but one that somebody left.
    let isCluster = try files.statusIfPresent(of: Path(PostgresCluster.versionFile), in: directory) != nil
    let file = isCluster ? try PostmasterFile(below: .root, in: directory, files: files) : nil
    guard case .runs(let process) = servers.sighting(on: status, file) else { return }
    throw EngineError(
      "a PostgreSQL server, process \(process), runs on \(directory.place)",
      hint: "Stop it before you restore over its data, or name another --target.")
  }

  private func check(_ item: ScannedItem, in target: OpenFile, _ open: [FileSystem.FileKey: FileHolder]) throws {
    guard let holder = open[FileSystem.FileKey(item.status)],
      SQLiteCandidate.look(at: item.path, status: item.status, in: target, files: files) != nil
    else { return }
    throw refusal("an SQLite database", target.path.appending(item.path.bytes), holder)
  }

  private func refusal(_ kind: String, _ place: Path, _ holder: FileHolder?) -> EngineError {
    EngineError(
      "\(place) belongs to \(kind) that \(holder.map { "\($0)" } ?? "a process") has open", hint: Self.hint)
  }
}
