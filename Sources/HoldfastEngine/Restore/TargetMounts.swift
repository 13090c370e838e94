internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// What is mounted below a target that is restored over. A name cannot be given across two file systems, so each has a stage of its own; and what the snapshot does not know is somebody
/// else's: it is neither entered nor removed.
struct TargetMounts {
  /// What the snapshot has where something is mounted.
  private enum Known { case emptyDirectory, directory, file, other }

  /// Directories in which the snapshot has something: it is restored there.
  private(set) var restored: [Path] = []
  /// What the snapshot does not have, or has as an empty directory: a place for a mount, which was not there when the snapshot was taken.
  private(set) var leftAlone: [Path] = []
  /// Files that are mounted one by one, and that the snapshot has. They can be neither moved nor exchanged.
  private(set) var files: Set<Path> = []
  /// Those that are left alone because nothing can be said of them: a file system of another user's process, or one whose server is gone.
  private(set) var unseen: Set<Path> = []
  private var all: [Path] = []

  init() {}

  /// - Parameter crossesAll: whether what lies in unknown ones is removed like anything else that the snapshot does not have.
  /// - Throws: `EngineError` where the snapshot has something else in the place of a mount, or above it.
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

  /// What a walk of the target passes over.
  var skipped: Set<Path> {
    Set([StagingArea.name] + leftAlone + restored.map { $0.appending(StagingArea.name.bytes) })
  }

  /// Whether something is mounted at or below a path, which can then not be removed as a whole.
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
      "something is mounted at \(mount) in the target, and the snapshot has something else at \(path)",
      hint: "Unmount it, or restore the rest with --path.")
  }

  /// Each with what it is; `nil` where that cannot be examined.
  private static func find(
    below target: OpenFile, files: FileSystem
  ) throws -> [(path: Path, isDirectory: Bool?)] {
    if let places = files.mountPoints(below: target.place) {
      return places.map { $0.relative(to: target.place) }.sorted().compactMap { path in
        do {
          guard let status = try files.statusIfPresent(of: path, beneath: target) else { return nil }
          let (parent, name) = try files.locate(path, beneath: target)
          // One that lies over others hides them: the table has those as well.
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
