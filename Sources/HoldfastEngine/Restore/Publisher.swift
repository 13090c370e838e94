internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// The last steps of a restore: makes links and special files, gives staged files their names, and sets the attributes of
/// directories from the inside out. Links come only now, so no page was ever written through one.
final class Publisher {
  private let state: StateFile
  private let selection: Selection
  private let root: OpenFile
  private let staging: StagingArea
  private let isDelta: Bool
  private let files: FileSystem
  private let cancellation: Cancellation

  /// - Parameter root: where the tree is: the target of a delta, else the staging directory.
  init(
    state: StateFile, selection: Selection, root: OpenFile, staging: StagingArea, isDelta: Bool, host: Host
  ) {
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
    try forEachEntry { entry in
      if isDelta, entry.file != nil, try staging.status(of: entry.path) != nil {
        staged.append(entry.path)
      } else {
        try make(entry)
      }
    }
    // In descending order: `x-wal` before `x`, PG_VERSION after what a server would look for behind it.
    for path in staged.reversed() { try staging.publish(path) }
    try forEachEntry { entry in
      if case .hardLink(let file) = entry.content { try makeLink(entry, to: file) }
    }
    try finishDirectories()
  }

  /// The attributes of the directories directly in the target. Apart, because a directory that must not be written cannot be
  /// moved there.
  /// - Parameter target: where they are by now.
  func finishTopDirectories(in target: OpenFile) throws {
    try forEachEntry { entry in
      guard entry.content == .directory, !entry.path.isEmpty, entry.path.parent == .root else { return }
      try finish(entry, in: target)
    }
  }

  private func forEachEntry(_ body: (Entry) throws -> Void) throws {
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      if let wanted = selection.resolve(entry) { try body(wanted) }
    }
  }

  // MARK: Entries

  private func make(_ entry: Entry) throws {
    switch entry.content {
    case .directory:
      guard isDelta, !entry.path.isEmpty, try status(entry.path) == nil else { return }
      let (parent, name) = try files.locate(entry.path, beneath: root)
      try files.makeDirectory(name, in: parent)
    case .file(let file): if isDelta, file.consistency != .unreadable { try adjustFile(entry) }
    case .hardLink: return
    case .symbolicLink(let target):
      if isDelta, try status(entry.path) != nil {
        let (parent, name) = try files.locate(entry.path, beneath: root)
        if try files.readSymbolicLink(name, in: parent) == target { return try adjust(entry) }
      }
      try replace(entry) { parent, name in try files.makeSymbolicLink(name, in: parent, target: target) }
    case .fifo:
      if isDelta, try status(entry.path)?.kind == .fifo { return try adjust(entry) }
      try replace(entry) { parent, name in try files.makeFifo(name, in: parent) }
    case .characterDevice(let major, let minor):
      if try isDevice(.characterDevice, major, minor, at: entry.path) { return try adjust(entry) }
      try replace(entry) { parent, name in
        try files.makeDevice(name, in: parent, block: false, major: major, minor: minor)
      }
    case .blockDevice(let major, let minor):
      if try isDevice(.blockDevice, major, minor, at: entry.path) { return try adjust(entry) }
      try replace(entry) { parent, name in
        try files.makeDevice(name, in: parent, block: true, major: major, minor: minor)
      }
    }
  }

  /// Whether the target has this very device: not everybody could make it again.
  private func isDevice(_ kind: FileStatus.Kind, _ major: UInt32, _ minor: UInt32, at path: Path) throws -> Bool {
    guard isDelta, let present = try status(path) else { return false }
    return present.kind == kind && present.deviceMajor == major && present.deviceMinor == minor
  }

  /// A file whose content was right already.
  private func adjustFile(_ entry: Entry) throws {
    let handle = try files.openBeneath(entry.path, in: root, .read)
    guard
      try !staging.attributes.matches(entry, handle.status())
        || handle.extendedAttributes() != entry.attributes.extended
    else { return }
    staging.attributes.apply(entry, to: handle)
  }

  private func makeLink(_ entry: Entry, to file: Path) throws {
    // A file that could not be read when the snapshot was taken is not there, and is reported already.
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
      if original.isSameFile(as: present) { return }
      try files.removeFile(name, in: parent)
    }
    let (fileParent, fileName) = try files.locate(file, beneath: root)
    do throws(SystemError) {
      try files.makeHardLink(name, in: parent, to: fileName, in: fileParent)
    } catch {
      guard error.isLinkRefused else { throw error }
      try makeCopy(entry, of: file)
      staging.attributes.note(entry.path, "made as a copy, not as another name of \(file): \(error.reason)")
    }
  }

  /// What cannot be another name of a file comes back as a file of its own. Whole before it has its name, as any other file.
  private func makeCopy(_ entry: Entry, of file: Path) throws {
    let copy = try staging.create(entry.path)
    try copy.takeContents(of: try files.openBeneath(file, in: root, .read), cancellation)
    staging.attributes.apply(entry, to: copy)
    guard isDelta else { return }
    try copy.synchronize()
    try staging.publish(entry.path)
  }

  /// What the system refuses, such as a device to all but root, is noted and left out.
  private func replace(_ entry: Entry, make: (OpenFile, Path) throws -> Void) throws {
    let (parent, name) = try files.locate(entry.path, beneath: root)
    if try files.statusIfPresent(of: name, in: parent) != nil { try files.removeFile(name, in: parent) }
    do {
      try make(parent, name)
    } catch let error as SystemError where error.isRefused {
      return staging.attributes.note(entry.path, error)
    }
    staging.attributes.apply(entry, in: root)
  }

  private func adjust(_ entry: Entry) throws {
    if let present = try status(entry.path), !staging.attributes.matches(entry, present) {
      staging.attributes.apply(entry, in: root)
    }
  }

  private func status(_ path: Path) throws -> FileStatus? { try files.statusIfPresent(of: path, beneath: root) }

  // MARK: Directories

  /// Sets attributes when everything below a directory is done, but for the directories that are still to be moved.
  private func finishDirectories() throws {
    var open: [Entry] = []
    func close(above path: Path?) throws {
      while let last = open.last, path.map({ !last.path.contains($0) }) ?? true {
        open.removeLast()
        if isDelta || last.path.parent != .root { try finish(last, in: root) }
      }
    }
    try forEachEntry { entry in
      try close(above: entry.path)
      if entry.content == .directory { open.append(entry) }
    }
    try close(above: nil)
  }

  private func finish(_ entry: Entry, in root: OpenFile) throws {
    guard !entry.path.isEmpty, selection.isSelected(entry.path) else { return }
    staging.attributes.apply(entry, to: try files.openBeneath(entry.path, in: root, .directory))
  }
}
