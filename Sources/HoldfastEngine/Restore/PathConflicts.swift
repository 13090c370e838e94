internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// Refuses combinations of paths that would harm each other, such as a restore target inside the repository.
struct PathConflicts {
  let files: FileSystem
  let repositoryDirectory: Path?

  /// Returns the absolute path of a directory that need not exist yet.
  func resolve(_ path: Path) throws -> Path {
    do throws(SystemError) {
      return try files.resolve(path)
    } catch {
      guard error.isNotFound, let parent = path.parent, !path.lastComponent.isEmpty else { throw error }
      let base = try resolve(parent.isEmpty && path.isAbsolute ? Path("/") : (parent.isEmpty ? Path(".") : parent))
      return base.appending(path.lastComponent)
    }
  }

  /// - Parameter source: the directory of which the snapshot was taken; `nil` when it is unknown, or the source was a
  ///   command.
  func check(restoreTarget target: Path, source: Path?) throws {
    guard target != Path("/") else {
      throw EngineError(
        .usage, "the target is the root of the file system", hint: "Name a directory that the snapshot may fill.")
    }
    if let repositoryDirectory, let repository = try? files.resolve(repositoryDirectory) {
      guard !repository.contains(target), !target.contains(repository) else {
        throw EngineError(
          .usage, "the target \(target) and the repository \(repository) lie in one another",
          hint: "Name a --target elsewhere.")
      }
    }
    if let source, source.contains(target), source != target,
      (try? files.status(of: source)) != nil
    {
      throw EngineError(
        .usage, "the target \(target) lies in the source \(source): the next backup would capture it",
        hint: "Name a --target elsewhere.")
    }
  }
}
