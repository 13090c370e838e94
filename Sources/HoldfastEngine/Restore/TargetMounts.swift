internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The mounts below an existing target. A file cannot be renamed across file systems, so each gets its own stage. A
/// mount that the snapshot does not have is, by default, neither entered nor removed, because it belongs to somebody
/// else.
struct TargetMounts {
  /// The object that the snapshot has at a mount point.
  private enum Known { case emptyDirectory, directory, file, other }

  /// The mounted directories in which the snapshot has entries, which are restored there.
  private(set) var restored: [Path] = []
  /// The mounts that the snapshot does not have, or has as an empty directory: a mount point whose file system was not
  /// mounted when the snapshot was taken.
  private(set) var leftAlone: [Path] = []
  /// The mounted single files that the snapshot has. They can be neither moved nor replaced.
  private(set) var files: Set<Path> = []
  /// The mounts that are left alone because they cannot be examined: a file system of another user's process, or one
  /// whose server is gone.
  private(set) var unseen: Set<Path> = []
  private var all: [Path] = []

  init() {}

  /// - Parameter crossesAll: true if the contents of unknown mounts are removed like anything else that the snapshot
  ///   does not have.
  /// - Throws: `EngineError` if the snapshot has another kind of object at a mount, or no directory above it.
  init(
    below target: OpenFile, of selection: Selection, in state: StateFile, crossesAll: Bool, files system: FileSystem
  ) throws {
    let found = try Self.find(below: target, files: system)
    guard !found.isEmpty else { return }
    all = found.map(\.path)
    let known = try Self.look(at: all, of: selection, in: state)
    for mount in found where !leftAlone.contains(where: { $0.contains(mount.path) }) {
      switch known[mount.path] {
      case nil where mount.isDirectory == nil, .emptyDirectory? where mount.isDirectory == nil:
        leftAlone.append(mount.path)
        unseen.insert(mount.path)
      case .directory? where mount.isDirectory == true: restored.append(mount.path)
      case .file? where mount.isDirectory == false: files.insert(mount.path)
      case nil,
        .emptyDirectory? where mount.isDirectory == true:
        if !crossesAll || mount.isDirectory == false || !selection.isSelected(mount.path) {
          leftAlone.append(mount.path)
        }
      default: throw Self.conflict(mount.path, mount.path)
      }
    }
  }

  /// The paths that a walk of the target skips.
  var skipped: Set<Path> {
    Set([StagingArea.name] + leftAlone + restored.map { $0.appending(StagingArea.name.bytes) })
  }

  /// Returns true if something is mounted at or below a path, so that it cannot be removed as a whole.
  func lie(in path: Path) -> Bool { all.contains { path.contains($0) } }

  private static func look(
    at mounts: [Path], of selection: Selection, in state: StateFile
  ) throws -> [Path: Known] {
    var known: [Path: Known] = [:]
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      guard let wanted = selection.resolve(entry) else { continue }
      for mount in mounts {
        if wanted.path == mount {
          known[mount] = wanted.content == .directory ? .emptyDirectory : (wanted.file == nil ? .other : .file)
        } else if mount.contains(wanted.path) {
          known[mount] = .directory
        } else if wanted.path.contains(mount), wanted.content != .directory {
          throw conflict(mount, wanted.path)
        }
      }
    }
    return known
  }

  private static func conflict(_ mount: Path, _ path: Path) -> EngineError {
    EngineError(
      .usage, "something is mounted at \(mount) in the target, and the snapshot has something else at \(path)",
      hint: "Unmount it, or restore the rest with --path.")
  }

  /// Returns all mounts, and for each whether it is a directory; `nil` if it cannot be examined.
  private static func find(
    below target: OpenFile, files: FileSystem
  ) throws -> [(path: Path, isDirectory: Bool?)] {
    if let places = files.mountPoints(below: target.fullPath) {
      return places.map { $0.relative(to: target.fullPath) }.sorted().compactMap { path in
        do {
          guard let status = try files.statusIfPresent(of: path, beneath: target) else { return nil }
          let (parent, name) = try files.locate(path, beneath: target)
          // A mount over others hides them; the table contains those as well.
          return try files.knowsMountRoot(name, in: parent) ?? true ? (path, status.kind == .directory) : nil
        } catch {
          return (path, nil)
        }
      }
    }
    var found: [(path: Path, isDirectory: Bool?)] = []
    let scanner = Scanner(files: files, root: target, exclusions: [])
    while let finding = try scanner.next() {
      guard case .item(let item) = finding, !item.path.isEmpty else { continue }
      let (parent, name) = try files.locate(item.path, beneath: target)
      guard try files.isMountRoot(name, in: parent) else { continue }
      found.append((item.path, item.status.kind == .directory))
    }
    return found
  }
}
