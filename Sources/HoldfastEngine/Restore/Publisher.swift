internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// The last pass of a restore: gives staged files their names, makes links and special files, and sets the attributes of directories from
/// the inside out. Links come only now, so no page was ever written through one.
final class Publisher {
  private let state: StateFile
  private let selection: Selection
  private let root: OpenFile
  private let staging: StagingArea
  private let isDelta: Bool
  private let host: Host
  private var open: [Entry] = []
  /// Directories at the top that may not be written to: only root could still move them to the target, so they get their attributes there.
  private(set) var late: [Entry] = []

  /// - Parameter root: where the tree is: the target of a delta, else the staging directory.
  init(
    state: StateFile, selection: Selection, root: OpenFile, staging: StagingArea, isDelta: Bool, host: Host
  ) {
    self.state = state
    self.selection = selection
    self.root = root
    self.staging = staging
    self.isDelta = isDelta
    self.host = host
  }

  func run() throws {
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      guard let wanted = selection.resolve(entry) else { continue }
      try close(above: wanted.path)
      try publish(wanted)
    }
    try close(above: nil)
  }

  private func publish(_ entry: Entry) throws {
    switch entry.content {
    case .directory:
      if isDelta, !entry.path.isEmpty, try status(entry.path) == nil {
        try host.files.makeDirectory(entry.path, in: root)
      }
      open.append(entry)
    case .file(let file): if isDelta, file.consistency != .unreadable { try publishFile(entry) }
    case .hardLink(let file): try publishLink(entry, to: file)
    case .symbolicLink(let target):
      if isDelta, try status(entry.path) != nil {
        if try host.files.readSymbolicLink(entry.path, in: root) == target { return try applyIfDifferent(entry) }
        try host.files.removeFile(entry.path, in: root)
      }
      try host.files.makeSymbolicLink(entry.path, in: root, target: target)
      try staging.attributes.apply(entry, in: root)
    case .fifo: try replace(entry) { try host.files.makeFifo(entry.path, in: root) }
    case .characterDevice(let major, let minor):
      try replace(entry) {
        try host.files.makeDevice(entry.path, in: root, block: false, major: major, minor: minor)
      }
    case .blockDevice(let major, let minor):
      try replace(entry) { try host.files.makeDevice(entry.path, in: root, block: true, major: major, minor: minor) }
    }
  }

  private func publishFile(_ entry: Entry) throws {
    if try staging.publish(entry.path) { return }
    let handle = try host.files.openBeneath(entry.path, in: root, .read)
    guard
      try !staging.attributes.matches(entry, handle.status())
        || handle.extendedAttributes() != entry.attributes.extended
    else { return }
    try staging.attributes.apply(entry, to: handle)
  }

  private func publishLink(_ entry: Entry, to file: Path) throws {
    // A file that could not be read when the snapshot was taken is not there, and is reported already.
    guard let original = try status(file) else { return }
    guard original.kind == .file else {
      throw DamageError("the state", "\(entry.path) links to \(file), which is no file")
    }
    if let present = try status(entry.path) {
      if original.inode == present.inode, original.device == present.device { return }
      try host.files.removeFile(entry.path, in: root)
    }
    try host.files.makeHardLink(entry.path, to: file, in: root)
  }

  private func replace(_ entry: Entry, make: () throws -> Void) throws {
    if try status(entry.path) != nil { try host.files.removeFile(entry.path, in: root) }
    try make()
    try staging.attributes.apply(entry, in: root)
  }

  private func applyIfDifferent(_ entry: Entry) throws {
    if let present = try status(entry.path), !staging.attributes.matches(entry, present) {
      try staging.attributes.apply(entry, in: root)
    }
  }

  private func status(_ path: Path) throws -> FileStatus? { try host.files.statusIfPresent(of: path, in: root) }

  /// Sets the attributes of the directories that `path` does not lie in.
  private func close(above path: Path?) throws {
    while let last = open.last, path.map({ !last.path.contains($0) }) ?? true {
      open.removeLast()
      guard !last.path.isEmpty, selection.isSelected(last.path) else { continue }
      if !isDelta, last.path.parent == .root, last.attributes.mode & 0o200 == 0 {
        late.append(last)
        continue
      }
      try staging.attributes.apply(last, to: host.files.openBeneath(last.path, in: root, .directory))
    }
  }
}
