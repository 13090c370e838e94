internal import HoldfastModel
internal import HoldfastSystem

/// The missing directories that a restore makes for its target.
struct MadeDirectories {
  private let files: FileSystem
  private var made: [(parent: OpenFile, name: Path)] = []

  init(files: FileSystem) { self.files = files }

  /// True if the target itself was made.
  var isAny: Bool { !made.isEmpty }

  /// Makes the target and its missing parents, each beneath the open directory above it. The parents get normal modes;
  /// nobody else may enter the target until it is complete.
  mutating func makeTarget(_ place: RestoreTarget) throws -> OpenFile {
    var directory = place.anchor
    for (index, name) in place.missing.enumerated() {
      let permissions: UInt32 = index == place.missing.count - 1 ? 0o700 : 0o777
      try files.makeDirectory(name, in: directory, permissions: permissions)
      made.append((directory, name))
      directory = try files.open(name, in: directory, .directory)
    }
    guard isAny else { return directory }
    let status = try directory.status()
    let privacy = try Privacy(of: status, in: directory, files: files)
    guard !privacy.isOfOther, !privacy.isOpen else { throw EngineError.exchanged(place.path) }
    return directory
  }

  /// Removes the directories that are still empty.
  func takeBack() {
    for (parent, name) in made.reversed() { try? files.removeDirectory(name, in: parent) }
  }
}
