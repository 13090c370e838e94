internal import CLinux
internal import Glibc
package import HoldfastModel

/// A place on a file system, whatever that is mounted as.
package struct MountedPlace: Sendable, Hashable {
  /// The number of its device, as the kernel tells it.
  package let device: String
  /// The path from the root of the file system.
  package let path: Path

  /// True if one of the two lies in the other, or is it.
  package func overlaps(_ other: MountedPlace) -> Bool {
    device == other.device && (path.contains(other.path) || other.path.contains(path))
  }
}

/// A mount that this process sees, as the kernel lists it (proc(5), mountinfo).
package struct MountedFileSystem: Sendable, Equatable {
  /// The number of its device, which no other file system has as long as this one is used.
  package let device: String
  package let type: String
  package let point: Path

  /// The type of a mount of snapshots (`holdfast mount`).
  package static let snapshotsType = "fuse.holdfast"
}

/// Mount points. Device numbers do not identify them: a file system may be mounted twice, or a part of it on another
/// part.
extension FileSystem {
  private static let table = Path("/proc/self/mountinfo")
  private static let tableBytesMax = 16 << 20

  /// Returns true if something is mounted at this name of a file or directory. If the kernel does not tell, it returns
  /// true if the name is on another device.
  package func isMountRoot(_ name: Path, in directory: OpenFile) throws(SystemError) -> Bool {
    if let answer = try knowsMountRoot(name, in: directory) { return answer }
    return try status(of: name, in: directory).device != directory.status().device
  }

  /// Returns true if something is mounted at this name; `nil` if the kernel does not tell. Device numbers do not help:
  /// a bind mount has the same.
  package func knowsMountRoot(_ name: Path, in directory: OpenFile) throws(SystemError) -> Bool? {
    if let answer = Self.isMountRoot(directory.descriptor, name) { return answer }
    return try areOfDifferentMounts(openBeneath(name, in: directory, .reference), directory)
  }

  /// Compares the mount IDs (proc(5), mnt_id of fdinfo, since Linux 3.15); `nil` if /proc does not tell.
  fileprivate func areOfDifferentMounts(_ file: OpenFile, _ other: OpenFile) -> Bool? {
    guard let mount = mountNumber(of: file), let otherMount = mountNumber(of: other) else { return nil }
    return mount != otherMount
  }

  private func mountNumber(of file: OpenFile) -> ArraySlice<UInt8>? {
    let key = Array("mnt_id:".utf8)
    let description = try? open(Path("/proc/self/fdinfo/\(file.descriptor)"), .read).contents(max: Self.tableBytesMax)
    let line = description?.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: key) }
    return line?.dropFirst(key.count)
  }

  /// Returns the mount in which an open file or directory lies; `nil` if /proc does not tell, or it is unmounted.
  /// Nothing is asked of the file system.
  package func mountedFileSystem(of file: OpenFile) -> MountedFileSystem? {
    guard let number = mountNumber(of: file)?.drop(while: { $0 == UInt8(ascii: "\t") }) else { return nil }
    return mountedFileSystems { $0.prefix { $0 != UInt8(ascii: " ") }.elementsEqual(number) }.first
  }

  /// Returns true if an open directory lies in a mount of snapshots.
  package func isMountOfSnapshots(_ directory: OpenFile) -> Bool {
    mountedFileSystem(of: directory)?.type == MountedFileSystem.snapshotsType
  }

  /// Returns the mounts whose lines in the table of the kernel pass a test, in the order of that.
  package func mountedFileSystems(
    where isWanted: (ArraySlice<UInt8>) -> Bool = { _ in true }
  ) -> [MountedFileSystem] {
    guard let file = try? open(Self.table, .read), let bytes = try? file.contents(max: Self.tableBytesMax) else {
      return []
    }
    return bytes.split(separator: UInt8(ascii: "\n")).filter(isWanted).compactMap { line in
      let fields = line.split(separator: UInt8(ascii: " "))
      // The type follows a hyphen, before which there may be several fields.
      guard let point = Self.path(in: line, 4), let hyphen = fields.dropFirst(6).firstIndex(of: [UInt8(ascii: "-")]),
        hyphen + 1 < fields.count
      else { return nil }
      return MountedFileSystem(
        device: String(decoding: fields[2], as: UTF8.self), type: String(decoding: fields[hyphen + 1], as: UTF8.self),
        point: point)
    }
  }

  /// Returns where a path lies on its file system, as which it may be mounted several times (proc(5), mountinfo).
  /// - Parameter path: absolute and without symbolic links; it need not exist.
  /// - Returns: `nil` if /proc does not tell.
  package func mountedPlace(of path: Path) -> MountedPlace? {
    guard let file = try? open(Self.table, .read), let bytes = try? file.contents(max: Self.tableBytesMax) else {
      return nil
    }
    var (found, length): (MountedPlace?, Int) = (nil, 0)
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      guard let point = Self.path(in: line, 4), let root = Self.path(in: line, 3), point.contains(path),
        // Of several at one point, the last one counts.
        point.bytes.count >= length
      else { continue }
      let rest = path.bytes.dropFirst(point == Path("/") ? 1 : point.bytes.count + 1)
      let device = line.split(separator: UInt8(ascii: " "), maxSplits: 3)[2]
      found = MountedPlace(
        device: String(decoding: device, as: UTF8.self), path: rest.isEmpty ? root : root.appending(Array(rest)))
      length = point.bytes.count
    }
    return found
  }

  /// Returns the absolute paths below an absolute path at which this process sees a mount (proc(5), mountinfo). Mounts
  /// that are hidden by another one are left out.
  /// - Parameter path: without symbolic links.
  /// - Returns: `nil` if /proc does not tell.
  package func mountPoints(below path: Path) -> [Path]? {
    guard let file = try? open(Self.table, .read), let bytes = try? file.contents(max: Self.tableBytesMax) else {
      return nil
    }
    let points = bytes.split(separator: UInt8(ascii: "\n")).compactMap { Self.path(in: $0, 4) }
    return Array(Set(points.filter { path.contains($0) && $0 != path })).sorted()
  }

  fileprivate static func isMountRoot(_ descriptor: Int32, _ name: Path?) -> Bool? {
    let answer =
      name.map { name in name.withCString { holdfast_is_mount_root(descriptor, $0) } }
      ?? holdfast_is_mount_root(descriptor, "")
    return answer < 0 ? nil : answer == 1
  }

  /// Parses a field of a line: 3 is the root of the mount within its file system, 4 the mount point. Space, tab,
  /// newline and backslash are written as three octal digits.
  private static func path(in line: ArraySlice<UInt8>, _ field: Int) -> Path? {
    let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
    guard fields.count > 4 else { return nil }
    var bytes: [UInt8] = []
    var rest = fields[field]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3)
      guard byte == UInt8(ascii: "\\"), digits.count == 3,
        let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
      else {
        bytes.append(byte)
        continue
      }
      bytes.append(code)
      rest = rest.dropFirst(3)
    }
    return Path(bytes: bytes)
  }
}

extension OpenFile {
  /// Returns true if something is mounted at this directory. If the kernel does not tell, it returns true if its parent
  /// is on another device.
  package func isMountRoot() throws(SystemError) -> Bool {
    if let answer = FileSystem.isMountRoot(descriptor, nil) { return answer }
    let files = FileSystem(probe: probe)
    let directory = try files.open(Path(".."), in: self, .reference)
    let (above, own) = (try directory.status(), try status())
    // The root directory has no parent.
    if above.isSameFile(as: own) { return true }
    return files.areOfDifferentMounts(self, directory) ?? (above.device != own.device)
  }

  /// Returns true if the file is on an overlay, where a file may become another one when it is first changed
  /// (overlayfs).
  package func isOnOverlay() -> Bool { holdfast_is_on_overlay(descriptor) == 1 }
}
