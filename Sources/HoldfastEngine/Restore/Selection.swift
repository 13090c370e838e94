internal import HoldfastArchive
internal import HoldfastModel

/// Which entries of a state a restore brings back: all, or those at and below some paths, with the directories above them.
struct Selection {
  private let paths: [Path]
  /// Files that are not selected themselves but by another name: the first selected link to each takes its place.
  private(set) var promoted: [Path: Path] = [:]

  /// - Throws: when a path is not in the state.
  init(paths: [Path], of state: StateFile) throws {
    self.paths = paths
    var missing = Set(paths)
    guard !paths.isEmpty else { return }
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      guard isSelected(entry.path) else { continue }
      for path in missing where path.contains(entry.path) { missing.remove(path) }
      if case .hardLink(let file) = entry.content, !isSelected(file), promoted[file] == nil {
        promoted[file] = entry.path
      }
    }
    if let path = missing.min() {
      throw EngineError("the snapshot has no \(path)", hint: "Run `holdfast show SNAPSHOT --files` to see what it has.")
    }
  }

  var isEverything: Bool { paths.isEmpty }

  func isSelected(_ path: Path) -> Bool {
    paths.isEmpty || paths.contains { $0.contains(path) }
  }

  /// Whether the entry is a directory on the way to something selected.
  func isAncestor(_ entry: Entry) -> Bool {
    entry.content == .directory && paths.contains { entry.path.contains($0) && entry.path != $0 }
  }

  /// The entry as it is to be restored; `nil` when it is not.
  func resolve(_ entry: Entry) -> Entry? {
    if isSelected(entry.path) {
      guard case .hardLink(let file) = entry.content, let name = promoted[file] else { return entry }
      // The first link was restored in the file's place, when that came along.
      if name == entry.path { return nil }
      var link = entry
      link.content = .hardLink(to: name)
      return link
    }
    if let name = promoted[entry.path] {
      var file = entry
      file.path = name
      return file
    }
    return isAncestor(entry) ? entry : nil
  }
}
