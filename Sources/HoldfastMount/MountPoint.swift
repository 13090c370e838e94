internal import CFuse
internal import HoldfastModel
internal import HoldfastSystem

/// The directory on which snapshots are mounted.
struct MountPoint {
  let path: Path

  /// - Parameters:
  ///   - path: an absolute path.
  ///   - repository: the directory of the repository; `nil` if it is not on this machine.
  ///   - sources: the directories that are backed up.
  /// - Throws: `MountError` unless it is an empty directory that may be mounted on.
  init(_ path: Path, repository: Path?, sources: [Path], files: FileSystem) throws {
    do throws(SystemError) {
      self.path = try files.resolve(path)
      guard try files.status(of: self.path).kind == .directory else { throw .notAFile(path) }
    } catch {
      if error.code == Self.abandonedCode { throw MountError.abandoned(path) }
      throw error.isNotFound ? MountError.missing(path) : .notADirectory(path)
    }
    if let repository, let place = try? files.resolve(repository),
      place.contains(self.path) || self.path.contains(place)
    {
      throw MountError.inRepository(self.path, repository: place)
    }
    for source in sources {
      let place = (try? files.resolve(source)) ?? source
      if place.contains(self.path) { throw MountError.inSource(self.path, source: place) }
    }
    guard try files.open(self.path, .directory).listing().count == 0 else { throw MountError.notEmpty(self.path) }
  }

  /// ENOTCONN: the process that served the mount has ended.
  private static let abandonedCode = Int32(holdfast_fuse_not_connected)

  /// Mounts, by fusermount3 if this user must not.
  /// - Parameter letsOthers: true if other users may use it.
  func mount(letsOthers: Bool) throws -> FuseConnection {
    let opened = path.withCString { holdfast_fuse_mount($0, letsOthers) }
    if opened >= 0 { return FuseConnection(descriptor: opened) }
    let code = -Int(opened)
    guard code == holdfast_fuse_not_permitted || code == holdfast_fuse_no_access else {
      throw code == holdfast_fuse_no_entry || code == holdfast_fuse_no_device
        ? MountError.noDevice : .refused(path, SystemError("mount on", path, code: -opened).reason)
    }
    var said = [CChar](repeating: 0, count: 512)
    let given = path.withCString { holdfast_fuse_mount_by_helper($0, letsOthers, &said, said.count) }
    if given >= 0 { return FuseConnection(descriptor: given) }
    if -Int(given) == holdfast_fuse_no_entry { throw MountError.noHelper }
    let text = said.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }.split(separator: UInt8(ascii: "\n")).last ?? []
    throw MountError.refused(path, text.isEmpty ? "" : Path(bytes: Array(text)).description)
  }

  enum Unmounting {
    case done
    /// It was in use, and is out of the tree now.
    case detached
    case failed
  }

  /// Unmounts; what is in use goes out of the tree at once, and is gone when nobody uses it any more.
  func unmount() -> Unmounting {
    path.withCString { path in
      for isLazy in [false, true] {
        if holdfast_fuse_unmount(path, isLazy) == 0 || holdfast_fuse_unmount_by_helper(path, isLazy) == 0 {
          return isLazy ? .detached : .done
        }
      }
      return .failed
    }
  }
}
