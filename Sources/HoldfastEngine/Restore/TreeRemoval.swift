internal import HoldfastModel
package import HoldfastSystem

/// Removes trees. Each name is removed beneath its open directory: no link is followed, and no mount is entered.
package enum TreeRemoval {
  package static func removeContents(of directory: OpenFile, files: FileSystem) throws {
    let listing = try directory.listing()
    for index in 0..<listing.count { try remove(Path(bytes: Array(listing[index])), in: directory, files: files) }
  }

  /// - Parameters:
  ///   - path: relative to `directory`.
  ///   - known: the object when its removal was decided; `nil` if nobody else can have replaced it.
  /// - Throws: `EngineError` if another object is there by now.
  static func remove(
    _ path: Path, in directory: OpenFile, knownAs known: FileSystem.FileKey? = nil, files: FileSystem
  ) throws {
    guard let status = try files.statusIfPresent(of: path, beneath: directory) else { return }
    let (parent, name) = try files.locate(path, beneath: directory)
    guard status.kind == .directory else {
      guard known == nil || known == FileSystem.FileKey(status) else { throw EngineError.exchanged(path) }
      return try files.removeFile(name, in: parent)
    }
    let handle = try files.openBeneath(name, in: parent, .directory)
    if let known, try FileSystem.FileKey(handle.status()) != known { throw EngineError.exchanged(path) }
    guard try !handle.isMountRoot() else {
      throw EngineError(
        .usage, "something is mounted at \(path) in the target, and the snapshot does not have it",
        hint: "Unmount it, then run the same command again.")
    }
    try removeContents(of: handle, files: files)
    try files.removeDirectory(name, in: parent)
  }
}

extension EngineError {
  /// - Parameter path: relative to the target.
  static func exchanged(_ path: Path) -> EngineError {
    EngineError(
      .machine, "\(path) in the target was exchanged while it was restored over",
      hint: "Find out who writes to the target and stop it, then run the same command again.")
  }
}
