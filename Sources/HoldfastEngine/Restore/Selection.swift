internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource

/// The entries of a state that a restore brings back, and their paths in the target. They are all entries; or those at
/// and below some paths, with the directories above them; or the contents of one directory, which becomes the target.
struct Selection {
  private let paths: [Path]
  private let state: StateFile
  /// The directory of the state that becomes the target.
  private let base: Path
  /// The directories that are restored elsewhere.
  private let relocations: [Relocation]
  private var leftOut: [Path] = []
  /// The directories of the state whose files are restored as zeros, except for their version files.
  var zeroed: Set<Path> = []
  /// The links that take the place of files: a file that is not selected itself, and the first selected link to it.
  private var heirs: [Path: Path] = [:]
  /// The files that these links become, by the path of the link, each with the offset of its page map.
  private var inherited: [Path: (file: Entry, mapOffset: UInt64)] = [:]

  /// Selects the contents of one directory of the state.
  init(below base: Path, of state: StateFile) {
    (paths, self.state, self.base, relocations) = ([], state, base, [])
  }

  /// - Parameter paths: the paths to restore; empty for everything.
  /// - Throws: `EngineError` if a path is not in the state.
  init(paths: [Path], of state: StateFile, relocations: [Relocation] = []) throws {
    (self.paths, self.state, base, self.relocations) = (paths, state, .root, relocations)
    var missing = Set(paths)
    guard !paths.isEmpty else { return }
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      guard isSelected(entry.path) else { continue }
      for path in missing where path.contains(entry.path) { missing.remove(path) }
      if case .hardLink(let file) = entry.content, !isSelected(file), heirs[file] == nil {
        heirs[file] = entry.path
      }
    }
    if let path = missing.min() {
      throw EngineError(
        .usage, "the snapshot has no \(path)", hint: "Run `holdfast show SNAPSHOT --files` to see what it has.")
    }
    try findFiles()
  }

  private mutating func findFiles() throws {
    guard !heirs.isEmpty else { return }
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      guard let heir = heirs[entry.path], entry.file != nil else { continue }
      inherited[heir] = (entry, reader.mapOffset)
    }
  }

  var isEverything: Bool { paths.isEmpty }

  func isSelected(_ path: Path) -> Bool {
    paths.isEmpty || paths.contains { $0.contains(path) }
  }

  /// Returns true if a path of the state is restored elsewhere.
  func isRelocated(_ path: Path) -> Bool { relocations.contains { $0.directory.contains(path) } }

  /// Returns true if anything in the directory is selected, or the directory lies in something selected.
  func touches(_ directory: Path) -> Bool {
    isSelected(directory) || paths.contains { directory.contains($0) }
  }

  /// Returns true if the entry is a directory above something selected.
  func isAncestor(_ entry: Entry) -> Bool {
    entry.content == .directory && paths.contains { entry.path.contains($0) && entry.path != $0 }
  }

  /// Leaves out everything at and below these paths of the target.
  mutating func leaveOut(_ places: [Path]) { leftOut += places }

  /// Returns the entry to restore, with its path in the target; `nil` if it is not selected.
  func resolve(_ entry: Entry) -> Entry? {
    guard let wanted = located(entry) else { return nil }
    return leftOut.contains { $0.contains(wanted.path) } ? nil : wanted
  }

  private func located(_ entry: Entry) -> Entry? {
    if !base.isEmpty { return entry.relative(to: base) }
    for relocation in relocations {
      if relocation.directory.contains(entry.path) { return nil }
      guard entry.path == relocation.link else { continue }
      var link = entry
      link.content = .symbolicLink(target: relocation.place.bytes)
      return link
    }
    guard isSelected(entry.path) else { return isAncestor(entry) ? entry : nil }
    guard case .hardLink(let file) = entry.content, let heir = heirs[file] else { return entry }
    var wanted = entry
    if heir != entry.path {
      wanted.content = .hardLink(to: heir)
    } else if let found = inherited[heir] {
      wanted = found.file
      wanted.path = heir
    }
    return wanted
  }

  /// Returns the extents of an entry that `resolve` returned for the last entry of `reader`.
  func extents(of wanted: Entry, from reader: StateReader) -> any PageMapReader {
    if isZeroed(wanted), let file = wanted.file { return ZeroPages(file) }
    guard let found = inherited[wanted.path], let file = found.file.file else { return reader.extents() }
    return state.extents(at: found.mapOffset, of: file)
  }

  private func isZeroed(_ wanted: Entry) -> Bool {
    guard !zeroed.isEmpty, !wanted.path.lastComponent.elementsEqual(PostgresCluster.versionFile.utf8) else {
      return false
    }
    let path = base.isEmpty ? wanted.path : base.appending(wanted.path.bytes)
    return path.parent.map { zeroed.contains($0) } ?? false
  }

  /// Returns the entry for the target itself; `nil` if it is not selected.
  func root() throws -> Entry? {
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      if let wanted = resolve(entry), wanted.path.isEmpty { return wanted }
    }
    return nil
  }
}

/// The page map of a file of zeros.
private struct ZeroPages: PageMapReader {
  private var extent: PageExtent?

  init(_ file: FileContent) {
    let pageSize = UInt64(file.pageSize)
    let count = file.size / pageSize + (file.size % pageSize > 0 ? 1 : 0)
    if count > 0 { extent = PageExtent(first: 0, count: count, location: nil, digests: []) }
  }

  mutating func next() -> PageExtent? {
    defer { extent = nil }
    return extent
  }
}

/// A directory of a state that is restored elsewhere, and the symbolic link of the state that is to lead there.
struct Relocation: Equatable {
  let directory: Path
  let link: Path
  let place: Path
}

extension Entry {
  /// Returns the entry with its path relative to `base`; `nil` if it does not lie in `base`.
  fileprivate func relative(to base: Path) -> Entry? {
    guard base.contains(path) else { return nil }
    var copy = self
    copy.path = path.relative(to: base)
    if case .hardLink(let file) = content { copy.content = .hardLink(to: file.relative(to: base)) }
    return copy
  }
}

extension Path {
  /// Returns the path relative to `base`, which contains it.
  func relative(to base: Path) -> Path {
    base.isEmpty ? self : Path(bytes: Array(bytes.dropFirst(base.bytes.count + 1)))
  }
}
