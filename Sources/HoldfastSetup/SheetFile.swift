internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

/// The file that gets the sheet. It is new: nothing is replaced by a sheet, least of all a key.
struct SheetFile {
  let path: Path
  let site: SetupSite
  private var files: FileSystem { site.machine.host.files }

  /// Refuses a file that cannot be made, or that would be lost with what it describes, before anything is made.
  /// - Parameter others: the files that the setup uses or makes.
  func check(besides others: [(name: String, path: Path)]) throws {
    if let place = site.place(of: path) {
      throw EngineError(
        .usage, "the sheet \(path) lies in the \(place.name) \(place.path)",
        hint: "Name a file elsewhere with --sheet: whoever loses the \(place.name) would lose the sheet with it.",
        exitStatus: .usage)
    }
    let resolved = site.resolved(path)
    if let other = others.first(where: { site.resolved($0.path) == resolved }) {
      throw EngineError(
        .usage, "\(path) is named for the sheet, and is the \(other.name)", hint: "Name another file with --sheet.",
        exitStatus: .usage)
    }
    guard try files.statusIfPresent(of: path) == nil else { throw existing }
    guard let parent = path.parent else { return }
    _ = try files.open(parent.isEmpty ? Path("/") : parent, .directoryFollowingLinks)
  }

  private var existing: EngineError {
    EngineError(
      .usage, "the file \(path) exists already", hint: "Name a new file with --sheet: none is replaced.",
      exitStatus: .usage)
  }

  /// Writes the sheet. Its owner alone can read it.
  func write(_ sheet: String) throws {
    let file: AtomicFile
    do throws(SystemError) {
      file = try AtomicFile(path, in: nil, as: .own, mode: .exactly(0o600), durability: .contents, files: files)
    } catch {
      guard error.isExisting else { throw error }
      throw existing
    }
    try file.append(Array(sheet.utf8))
    try file.commit()
  }
}
