internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// The place where the directory of a standby may not be: a source, a repository, the data of a server.
struct StandbyPlace {
  /// Absolute, and without symbolic links.
  let path: Path
  let files: FileSystem

  init(path: Path, files: FileSystem) { (self.path, self.files) = (path, files) }

  /// - Parameter path: absolute; it need not exist.
  init(resolving path: Path, files: FileSystem) throws {
    self.init(path: try Self.resolve(path, files), files: files)
  }

  private static func resolve(_ path: Path, _ files: FileSystem) throws -> Path {
    do throws(SystemError) {
      return try files.resolve(path)
    } catch {
      guard error.isNotFound, let parent = path.parent, !path.lastComponent.isEmpty else { throw error }
      return try resolve(parent.isEmpty ? Path("/") : parent, files).appending(path.lastComponent)
    }
  }

  /// - Parameter others: directories with their names in messages.
  func check(_ others: [(path: Path, name: String)]) throws {
    for other in others {
      guard let known = try? files.resolve(other.path), known.contains(path) || path.contains(known) else { continue }
      throw refusal("\(path) and \(other.name), \(known), lie in one another")
    }
  }

  /// Refuses a place in the sources that are configured on this host, in a repository, or in the data of a server.
  func check(_ context: RepositoryContext) throws {
    guard path != Path("/") else { throw refusal("a standby cannot be in the root of the file system") }
    let sources = try context.machine.loader().load()?.sources ?? []
    try check(
      sources.compactMap { source in
        guard case .directory(let path) = source.subject else { return nil }
        return (path, "the source \(source.name)")
      })
    let targets = [context] + RepositoryTargets(context).others.compactMap { try? context.on($0) }
    try check(targets.compactMap { target in target.location.directory.map { ($0, "the repository") } })
    var above: Path? = path
    while let directory = above, !directory.isEmpty {
      if try files.statusIfPresent(of: directory.appending(Keys.descriptor)) != nil {
        throw refusal("\(path) lies in a repository, \(directory)")
      }
      if try files.statusIfPresent(of: directory.appending(PostgresCluster.versionFile)) != nil {
        throw refusal("\(path) lies in the data directory of a PostgreSQL server, \(directory)")
      }
      above = directory == Path("/") ? nil : directory.parent
    }
  }

  private func refusal(_ message: String) -> EngineError {
    EngineError(.usage, message, hint: "Name a directory elsewhere with --in.", exitStatus: .usage)
  }
}
