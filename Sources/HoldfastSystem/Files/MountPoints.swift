internal import CLinux
internal import Glibc
package import HoldfastModel

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

  /// Returns the absolute paths below an absolute path at which this process sees a mount (proc(5), mountinfo). Mounts
  /// that are hidden by another one are left out.
  /// - Parameter path: without symbolic links.
  /// - Returns: `nil` if /proc does not tell.
  package func mountPoints(below path: Path) -> [Path]? {
    guard let file = try? open(Self.table, .read), let bytes = try? file.contents(max: Self.tableBytesMax) else {
      return nil
    }
    let points = bytes.split(separator: UInt8(ascii: "\n")).compactMap(Self.mountPoint)
    return Array(Set(points.filter { path.contains($0) && $0 != path })).sorted()
  }

  fileprivate static func isMountRoot(_ descriptor: Int32, _ name: Path?) -> Bool? {
    let answer =
      name.map { name in name.withCString { holdfast_is_mount_root(descriptor, $0) } }
      ?? holdfast_is_mount_root(descriptor, "")
    return answer < 0 ? nil : answer == 1
  }

  /// Parses the fifth field of a line. Space, tab, newline and backslash are written as three octal digits.
  private static func mountPoint(_ line: ArraySlice<UInt8>) -> Path? {
    let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
    guard fields.count > 4 else { return nil }
    var bytes: [UInt8] = []
    var rest = fields[4]
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
