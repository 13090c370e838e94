internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Walks the files that an interrupted restore into an empty target has staged, beside the state, and removes at once
/// those that this restore does not need.
struct StagedLeftovers {
  private let stage: OpenFile
  private let files: FileSystem
  private let scanner: Scanner
  private var item: ScannedItem?
  private var hasBegun = false

  init(in stage: OpenFile, files: FileSystem) {
    self.stage = stage
    self.files = files
    scanner = Scanner(files: files, root: stage, exclusions: [], leavingOut: [StagingArea.name])
  }

  /// - Returns: the status of the staged object at the entry's path, if it has the same type.
  mutating func advance(to entry: Entry) throws -> FileStatus? {
    if !hasBegun { try step() }
    try removeItems { $0 < entry.path }
    guard let found = item, found.path == entry.path else { return nil }
    let isOfUse = entry.content.isSameKind(as: found.status.kind)
    if !isOfUse { try TreeRemoval.remove(found.path, in: stage, files: files) }
    try step()
    return isOfUse ? found.status : nil
  }

  mutating func finish() throws {
    if !hasBegun { try step() }
    try removeItems { _ in true }
  }

  private mutating func removeItems(where isGone: (Path) -> Bool) throws {
    while let found = item, isGone(found.path) {
      // Objects below a removed directory are not found any more.
      if !found.path.isEmpty { try TreeRemoval.remove(found.path, in: stage, files: files) }
      try step()
    }
  }

  private mutating func step() throws {
    hasBegun = true
    while let finding = try scanner.next() {
      switch finding {
      case .item(let found):
        item = found
        return
      case .socket(let path): try TreeRemoval.remove(path, in: stage, files: files)
      case .problem(let problem, _): try TreeRemoval.remove(problem.path, in: stage, files: files)
      }
    }
    item = nil
  }
}
