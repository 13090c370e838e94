internal import CFuse
internal import HoldfastModel
internal import HoldfastSystem

/// The directory on which snapshots are mounted. It stays open, and its parent too: whoever may exchange a directory on
/// the way for a link must not change what is mounted on or unmounted.
struct MountPoint {
  let path: Path
  private let files: FileSystem
  private let parent: OpenFile
  private let name: Path
  private let directory: OpenFile

  /// - Parameters:
  ///   - path: an absolute path.
  ///   - repositories: the directories of the repository and of others, as far as they are on this machine.
  ///   - sources: the directories that are backed up.
  /// - Throws: `MountError` unless it is an empty directory that may be mounted on.
  init(_ path: Path, repositories: [Path], sources: [Path], files: FileSystem) throws {
    self.files = files
    do throws(SystemError) {
      self.path = try files.resolve(path)
      let root = try files.open(Path("/"), .reference)
      let below = Path(bytes: Array(self.path.bytes.drop { $0 == Path.separator }))
      let above = below.parent ?? .root
      parent = above.isEmpty ? root : try files.openBeneath(above, in: root, .reference)
      name = Path(bytes: Array(below.lastComponent))
      directory =
        name.isEmpty ? try files.open(Path("/"), .directory) : try files.openBeneath(name, in: parent, .directory)
    } catch {
      switch Int(error.code) {
      case Int(holdfast_fuse_not_connected): throw MountError.abandoned(path)
      case Int(holdfast_fuse_not_a_directory), Int(holdfast_fuse_too_many_links): throw MountError.notADirectory(path)
      default: throw error.isNotFound ? MountError.missing(path) : error
      }
    }
    for repository in repositories {
      guard let place = try? files.resolve(repository), lies(in: place) || self.path.contains(place) else { continue }
      throw MountError.inRepository(self.path, repository: place)
    }
    for source in sources {
      let place = (try? files.resolve(source)) ?? source
      if lies(in: place) { throw MountError.inSource(self.path, source: place) }
    }
    guard try directory.listing().count == 0 else { throw MountError.notEmpty(self.path) }
  }

  /// True if the directory lies in another one, also where a bind mount shows that at another path.
  /// - Parameter place: an absolute path without symbolic links; it need not exist.
  private func lies(in place: Path) -> Bool {
    if place.contains(path) || hasAbove(place) { return true }
    guard let own = files.mountedPlace(of: path), let other = files.mountedPlace(of: place) else { return false }
    return own.device == other.device && other.path.contains(own.path)
  }

  /// True if a directory is this one or lies above it, by device and inode.
  private func hasAbove(_ place: Path) -> Bool {
    guard let wanted = try? files.status(of: place) else { return false }
    var next = directory
    while let status = try? next.status() {
      if status.isSameFile(as: wanted) { return true }
      guard let above = try? files.open(Path(".."), in: next, .reference),
        let aboveStatus = try? above.status(), !aboveStatus.isSameFile(as: status)
      else { return false }
      next = above
    }
    return false
  }

  // MARK: Mounting

  /// The mount, as long as it is there.
  struct Mounted {
    let connection: FuseConnection
    /// The number of its device: what else is mounted there has another one.
    fileprivate let device: String
  }

  /// Mounts, by fusermount3 if this user must not.
  /// - Parameter letsOthers: true if other users may use it.
  func mount(letsOthers: Bool) throws -> Mounted {
    let connection = try connect(letsOthers: letsOthers)
    guard let root = try? files.open(name, in: parent, .reference), let found = files.mountedFileSystem(of: root),
      found.type == MountedFileSystem.snapshotsType
    else {
      _ = holdfast_fuse_unmount(directory.descriptor)
      throw MountError.refused(path, "another directory was put there meanwhile")
    }
    return Mounted(connection: connection, device: found.device)
  }

  private func connect(letsOthers: Bool) throws -> FuseConnection {
    let opened = holdfast_fuse_mount(directory.descriptor, letsOthers)
    if opened >= 0 { return FuseConnection(descriptor: opened) }
    let code = -Int(opened)
    guard code == holdfast_fuse_not_permitted || code == holdfast_fuse_no_access else {
      switch code {
      case Int(holdfast_fuse_no_device): throw MountError.noDevice
      case Int(holdfast_fuse_no_entry): throw MountError.refused(path, "it was removed meanwhile, or there is no /proc")
      default: throw MountError.refused(path, SystemError("mount on", path, code: -opened).reason)
      }
    }
    var said = [CChar](repeating: 0, count: 512)
    let given = holdfast_fuse_mount_by_helper(directory.descriptor, letsOthers, &said, said.count)
    if given >= 0 { return FuseConnection(descriptor: given) }
    if -Int(given) == holdfast_fuse_no_entry { throw MountError.noHelper }
    let text = said.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }.split(separator: UInt8(ascii: "\n")).last ?? []
    throw MountError.refused(path, text.isEmpty ? "" : Path(bytes: Array(text)).description)
  }

  // MARK: Unmounting

  /// Unmounts; what is in use goes out of the tree at once, and is gone when nobody uses it any more. Whatever else is
  /// mounted there by now stays.
  /// - Returns: true if it was in use.
  /// - Throws: `MountError` if it stays mounted.
  func unmount(_ mounted: Mounted) throws -> Bool {
    switch detach(mounted) {
    case .absent:
      let left = files.mountedFileSystems().first { $0.isServed(as: mounted) }
      if let left { throw left.point == path ? MountError.covered(path) : .stillMounted(left.point) }
    case .done: break
    case .refused:
      let isDone = [false, true].contains { isLazy in
        name.withCString { holdfast_fuse_unmount_by_helper(parent.descriptor, $0, isLazy) } == 0
      }
      guard isDone else { throw MountError.stillMounted(path) }
    }
    return mounted.connection.isConnected
  }

  private enum Detaching {
    case done, refused
    /// Something else is there, or nothing.
    case absent
  }

  /// Unmounts as root can. A function of its own, because whoever has the root of the mount open uses it.
  private func detach(_ mounted: Mounted) -> Detaching {
    guard let root = try? files.open(name, in: parent, .reference), let found = files.mountedFileSystem(of: root),
      found.isServed(as: mounted)
    else { return .absent }
    return withExtendedLifetime(root) { holdfast_fuse_unmount(root.descriptor) } == 0 ? .done : .refused
  }
}

extension MountedFileSystem {
  fileprivate func isServed(as mounted: MountPoint.Mounted) -> Bool {
    device == mounted.device && type == Self.snapshotsType
  }
}
