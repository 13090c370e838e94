internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastSystem

/// The object of a backup: an open directory, or a command whose output is captured.
struct BackupSource {
  /// The open directory; `nil` for a command.
  let root: OpenFile?
  /// The absolute path of the directory, without symbolic links; for a command the name of the file that gets its
  /// output.
  let path: Path
  /// The name as the operator said it, until the repository has said which source that is.
  var name: SourceName
  private let options: Backup.Options

  /// - Parameter repositoryDirectory: the directory of the repository, if it is on this machine.
  /// - Throws: `EngineError` when there is nothing to capture.
  init(_ options: Backup.Options, repositoryDirectory: Path?, files: FileSystem) throws {
    self.options = options
    (root, path) = options.command == nil ? try Self.open(options, repositoryDirectory, files) : (nil, options.source)
    name = options.name ?? SourceName(from: path)
  }

  private static func open(
    _ options: Backup.Options, _ repositoryDirectory: Path?, _ files: FileSystem
  ) throws -> (root: OpenFile, path: Path) {
    let path: Path
    let root: OpenFile
    do throws(SystemError) {
      path = try files.resolve(options.source)
      root = try files.open(path, .directory)
    } catch {
      if error.isNotFound {
        let status = try? files.status(of: options.source, followLink: true)
        throw EngineError(
          .usage,
          status == nil
            ? "the source \(options.source) does not exist" : "the source \(options.source) is not a directory",
          hint: "Name the directory that holds the order database.")
      }
      throw error
    }
    if let repositoryDirectory, let resolved = try? files.resolve(repositoryDirectory) {
      guard !path.contains(resolved), !resolved.contains(path) else {
        throw EngineError(
          .usage, "the repository \(resolved) and the source \(path) lie in one another",
          hint: "Keep the repository on another disk than the source.")
      }
    }
    guard try root.listing().count > 0 else {
      throw EngineError(
        .usage, "the source \(path) is empty",
        hint: "Is its disk mounted? Nothing was recorded; earlier snapshots are as they were.")
    }
    return (root, path)
  }

  /// Refuses to continue the snapshots of another directory under a default name, because nobody chose to join their
  /// histories.
  func checkHistory(_ newest: Snapshot?, in repository: Repository) throws {
    let sealedPath = repository.memory?.head(of: name)?.path
    let known = newest.flatMap { $0.envelope.isSealed ? sealedPath : $0.envelope.source.path }
      .map { SourceOrigin(recorded: $0) }
    if options.command != nil { return try StreamCapture.check(name, known: known) }
    guard options.name == nil, let known, known.text != path.description else { return }
    throw EngineError(
      .usage, "the source \(name) of this repository is \(known.text), not \(path)",
      hint: "Say `--name \(name)` if it has moved here, or another --name if it is another one.")
  }

  /// Returns the patterns of excluded paths.
  /// - Throws: `EngineError` when a pattern cannot match anything.
  func exclusions() throws -> [Glob] {
    try options.exclusions.map { pattern in
      let glob = Glob(pattern, below: [path, options.source])
      guard glob.canMatch else {
        throw EngineError(
          .usage, "the exclusion \(pattern.isEmpty ? "\"\"" : Path(pattern).description) can match nothing in \(path)",
          hint: "Write a name, or a path from the source on, without \"..\".", exitStatus: .usage)
      }
      return glob
    }
  }

  /// Refuses to commit an empty snapshot, which would look like a backup of the source.
  func checkIsAnything(_ record: ChangeRecord) throws {
    guard root != nil, record.state.entries <= 1, record.problems.isEmpty else { return }
    throw EngineError(
      .usage, "nothing of the source \(path) is left to capture: what is in it is left out",
      hint: "See what --exclude says. Nothing was recorded; earlier snapshots are as they were.")
  }
}
