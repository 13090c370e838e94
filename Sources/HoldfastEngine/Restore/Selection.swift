internal import HoldfastArchive
internal import HoldfastModel

/// Which entries of a state a restore brings back: all, or those at and below some paths, with the directories above them.
struct Selection {
  private let paths: [Path]
  private let state: StateFile
  /// Files that are not selected themselves but by another name: the first selected link to each takes its place.
  private var heirs: [Path: Path] = [:]
  /// Those links by their paths: the file, and where its page map lies.
  private var inherited: [Path: (file: Entry, mapOffset: UInt64)] = [:]

  /// - Throws: when a path is not in the state.
  init(paths: [Path], of state: StateFile) throws {
    self.paths = paths
    self.state = state
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
      throw EngineError("the snapshot has no \(path)", hint: "Run `holdfast show SNAPSHOT --files` to see what it has.")
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

  /// Whether the entry is a directory on the way to something selected.
  func isAncestor(_ entry: Entry) -> Bool {
    entry.content == .directory && paths.contains { entry.path.contains($0) && entry.path != $0 }
  }

  /// The entry as it is to be restored, at the same path; `nil` when it is not.
  func resolve(_ entry: Entry) -> Entry? {
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

  /// The runs of an entry that `resolve` gave for the one that came last from `reader`.
  func runs(of wanted: Entry, from reader: StateReader) -> any PageMapReader {
    guard let found = inherited[wanted.path], let file = found.file.file else { return reader.runs() }
    return state.runs(at: found.mapOffset, of: file)
  }
}
