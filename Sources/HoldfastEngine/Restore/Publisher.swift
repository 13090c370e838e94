internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// The last steps of a restore: makes links and special files, gives staged files their names, and sets the attributes
/// of directories from the innermost outwards. Links are made only now, so no page was ever written through one.
final class Publisher {
  private let state: StateFile
  private let selection: Selection
  private let root: OpenFile
  private let staging: StagingArea
  private let isDelta: Bool
  /// True if nothing existing is changed.
  private let keepsAll: Bool
  /// For each entry in the order of the state, whether the plan keeps what is there; empty if it keeps nothing.
  private let kept: [Bool]
  /// The identities of directories. For a delta: all of the target, in the order of the state. Otherwise: the staged
  /// ones that lie directly in the target.
  private var directories: [FileSystem.FileKey?]
  /// The indexes in `directories` of those that this run made.
  private var made: Set<Int> = []
  private let files: FileSystem
  private let cancellation: Cancellation

  /// - Parameters:
  ///   - root: the tree: the target of a delta, otherwise the staging directory.
  ///   - keepsAll: true if nothing existing is changed.
  ///   - kept: for each entry in the order of the state, true if the plan keeps what is there.
  ///   - directories: for a delta, the directories that existed when their contents were compared, in the order of the
  ///     state.
  init(
    state: StateFile, selection: Selection, root: OpenFile, staging: StagingArea, isDelta: Bool, keepsAll: Bool,
    kept: [Bool], directories: [FileSystem.FileKey?], host: Host
  ) {
    self.directories = directories
    self.keepsAll = keepsAll
    self.kept = kept
    self.state = state
    self.selection = selection
    self.root = root
    self.staging = staging
    self.isDelta = isDelta
    self.files = host.files
    self.cancellation = host.cancellation
  }

  func run() throws {
    var staged: [Path] = []
    var index = 0
    try forEachEntry { entry, isKept in
      if isDelta, entry.content == .directory, !entry.path.isEmpty {
        if directories[index] == nil { try makeDirectory(entry.path, index) }
        index += 1
      } else if isDelta, entry.file != nil, staging.isComplete(entry.path) {
        staged.append(entry.path)
      } else if !isKept {
        try make(entry)
      }
    }
    // In descending order: `x-wal` before `x`, and PG_VERSION after everything that a server would look for.
    for path in staged.reversed() { try publish(path) }
    try forEachEntry { entry, isKept in
      if case .hardLink(let file) = entry.content, !isKept { try makeLink(entry, to: file) }
    }
    if isDelta { try staging.removeMounted() }
    try finishDirectories()
  }

  private func publish(_ path: Path) throws {
    if try !isTaken(path) { try staging.publish(path) }
  }

  /// True if something came to a path where the plan found nothing, and nothing existing may be changed. It stays, and
  /// what was to be restored there is reported.
  private func isTaken(_ path: Path) throws -> Bool {
    guard keepsAll, try status(path) != nil else { return false }
    staging.attributes.note(path, "something was made there meanwhile, and stays")
    return true
  }

  /// Sets the attributes of the directories directly in the target. This comes last, because a directory without write
  /// permission could not be moved there.
  /// - Parameter target: the directory that they were moved to.
  func finishTopDirectories(in target: OpenFile) throws {
    var index = 0
    try forEachEntry { entry, _ in
      guard entry.content == .directory, !entry.path.isEmpty, entry.path.parent == .root else { return }
      defer { index += 1 }
      try finish(entry, in: target, directories[index])
    }
  }

  /// Gives the entries that `RestoreWalk` gave, in the same order, and whether it decided to keep what is there.
  private func forEachEntry(_ body: (Entry, _ isKept: Bool) throws -> Void) throws {
    let reader = state.makeReader()
    var number = 0
    while let entry = try reader.nextEntry() {
      guard let wanted = selection.resolve(entry) else { continue }
      try body(wanted, number < kept.count && kept[number])
      number += 1
    }
  }

  // MARK: Entries

  private func make(_ entry: Entry) throws {
    switch entry.content {
    case .directory, .file, .hardLink: return
    case .symbolicLink(let target):
      try makeSpecial(entry) { parent, name in try files.makeSymbolicLink(name, in: parent, target: target) }
    case .fifo:
      try makeSpecial(entry) { parent, name in try files.makeFifo(name, in: parent) }
    case .characterDevice(let major, let minor):
      try makeSpecial(entry) { parent, name in
        try files.makeDevice(name, in: parent, block: false, major: major, minor: minor)
      }
    case .blockDevice(let major, let minor):
      try makeSpecial(entry) { parent, name in
        try files.makeDevice(name, in: parent, block: true, major: major, minor: minor)
      }
    }
  }

  /// Makes an object in the staging directory, where nobody can exchange it; it gets its name when it is complete. A
  /// refusal by the system, such as a device for all but root, is reported, and the object is left out.
  private func makeSpecial(_ entry: Entry, _ make: (OpenFile, Path) throws -> Void) throws {
    if try isTaken(entry.path) { return }
    if isDelta, try keep(entry) { return }
    let finish = { [files, staging] (parent: OpenFile, name: Path) throws in
      staging.attributes.apply(entry, to: try files.openReference(name, beneath: parent))
    }
    do {
      if isDelta { return try staging.make(entry.path, replacing: true, make, finish: finish) }
      try staging.discard(entry.path)
      let (parent, name) = try files.locate(entry.path, beneath: root)
      try make(parent, name)
      try finish(parent, name)
    } catch let error as SystemError where error.isRefused {
      staging.attributes.note(entry.path, error)
    }
  }

  /// Returns true if the target already has this very object. Then it only gets its attributes, because not every user
  /// could make a device again.
  private func keep(_ entry: Entry) throws -> Bool {
    let present: FileReference
    do throws(SystemError) {
      present = try files.openReference(entry.path, beneath: root)
    } catch {
      if error.isNotFound { return false }
      throw error
    }
    let status = try present.status()
    guard try isSame(entry.content, present, status) else { return false }
    if staging.attributes.matches(entry, status, of: present) { return true }
    guard entry.mayKeep(status, setsOwner: staging.attributes.setsOwner),
      !staging.attributes.mayLetInOthers(entry, present)
    else { return false }
    staging.attributes.apply(entry, to: present)
    return true
  }

  private func isSame(_ content: Content, _ present: FileReference, _ status: FileStatus) throws -> Bool {
    guard content.isSameKind(as: status.kind) else { return false }
    switch content {
    case .symbolicLink(let target): return try present.symbolicLinkTarget(files) == target
    case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
      return status.deviceMajor == major && status.deviceMinor == minor
    default: return true
    }
  }

  private func makeLink(_ entry: Entry, to file: Path) throws {
    // The file is missing if it could not be read when the snapshot was taken, which was reported.
    guard let original = try status(file) else {
      if selection.isRelocated(file) {
        staging.attributes.note(entry.path, "it is another name of \(file), which is restored to another file system")
      }
      return
    }
    guard original.kind == .file else {
      throw DamageError("the state", "\(entry.path) links to \(file), which is no file")
    }
    let (parent, name) = try files.locate(entry.path, beneath: root)
    if let present = try files.statusIfPresent(of: name, in: parent) {
      if try isTaken(entry.path) { return }
      if original.isSameFile(as: present) { return }
      try files.removeFile(name, in: parent)
    }
    let (fileParent, fileName) = try files.locate(file, beneath: root)
    do throws(SystemError) {
      try files.makeHardLink(name, in: parent, to: fileName, in: fileParent)
    } catch {
      guard error.isLinkRefused else { throw error }
      try makeCopy(entry, of: file, knownAs: original)
      return staging.attributes.note(
        entry.path, "made as a copy, not as another name of \(file): \(error.reason)")
    }
    guard try files.status(of: name, in: parent).isSameFile(as: original) else { throw EngineError.exchanged(file) }
  }

  /// Makes a hard link that the file system refuses as a copy of the file. In a delta it gets its name when it is
  /// complete.
  private func makeCopy(_ entry: Entry, of file: Path, knownAs known: FileStatus) throws {
    let copy = try staging.create(entry.path)
    let original = try files.openBeneath(file, in: root, .read)
    guard try original.status().isSameFile(as: known) else { throw EngineError.exchanged(file) }
    try copy.takeContents(of: original, cancellation)
    staging.attributes.apply(entry, to: copy)
    guard isDelta else { return }
    try copy.synchronize()
    try staging.publish(entry.path)
  }

  private func status(_ path: Path) throws -> FileStatus? { try files.statusIfPresent(of: path, beneath: root) }

  // MARK: Directories

  /// Makes a directory that the target does not have yet.
  private func makeDirectory(_ path: Path, _ index: Int) throws {
    try staging.make(path, replacing: false) { parent, name in
      try files.makeDirectory(name, in: parent)
    } finish: { parent, name in
      directories[index] = FileSystem.FileKey(try files.status(of: name, in: parent))
    }
    made.insert(index)
  }

  /// Sets attributes when everything below a directory is done, except for staged directories that are still to be
  /// moved.
  private func finishDirectories() throws {
    var open: [(entry: Entry, index: Int)] = []
    var count = 0
    func close(above path: Path?) throws {
      while let (entry, index) = open.last, path.map({ !entry.path.contains($0) }) ?? true {
        open.removeLast()
        if isDelta {
          try finishExisting(entry, index)
        } else if !entry.path.isEmpty, entry.path.parent == .root {
          directories.append(try status(entry.path).map { FileSystem.FileKey($0) })
        } else {
          try finish(entry, in: root, nil)
        }
      }
    }
    try forEachEntry { entry, _ in
      try close(above: entry.path)
      guard entry.content == .directory, !entry.path.isEmpty else { return }
      open.append((entry, count))
      count += 1
    }
    try close(above: nil)
  }

  /// Sets the attributes of a directory of a delta, if this run made it or it was selected.
  private func finishExisting(_ entry: Entry, _ index: Int) throws {
    let isMade = made.contains(index)
    guard isMade || (selection.isSelected(entry.path) && !keepsAll) else { return }
    try finish(entry, in: root, directories[index])
  }

  /// - Parameter known: the object that was made or examined; `nil` if nobody can exchange it.
  private func finish(_ entry: Entry, in root: OpenFile, _ known: FileSystem.FileKey?) throws {
    let directory = try files.openBeneath(entry.path, in: root, .directory)
    if let known, try FileSystem.FileKey(directory.status()) != known { throw EngineError.exchanged(entry.path) }
    staging.attributes.apply(entry, to: directory)
  }
}
