internal import HoldfastModel
internal import HoldfastSystem

/// The directories that a restore makes for its target, as far as they are missing.
struct MadeDirectories {
  private let files: FileSystem
  private var made: [(parent: OpenFile, name: Path)] = []

  init(files: FileSystem) { self.files = files }

  /// Whether the target itself was made.
  var isAny: Bool { !made.isEmpty }

  /// Makes the target, which nobody else may enter before it is whole, and those above it as mkdir(1) does.
  /// - Parameter path: absolute.
  mutating func makeTarget(_ path: Path) throws -> OpenFile {
    try make(path, permissions: 0o700)
    let target = try files.open(path, .directory)
    let status = try target.status()
    guard status.userID == FileSystem.userID, status.mode & 0o077 == 0 else { throw EngineError.exchanged(path) }
    return target
  }

  private mutating func make(_ path: Path, permissions: UInt32) throws {
    var above = path.parent ?? .root
    if above.isEmpty { above = Path("/") }
    if try files.statusIfPresent(of: above) == nil { try make(above, permissions: 0o777) }
    let parent = try files.open(above, .directoryFollowingLinks)
    let name = Path(bytes: Array(path.lastComponent))
    try files.makeDirectory(name, in: parent, permissions: permissions)
    made.append((parent, name))
  }

  /// Removes those that are still empty.
  func takeBack() {
    for (parent, name) in made.reversed() { try? files.removeDirectory(name, in: parent) }
  }
}
