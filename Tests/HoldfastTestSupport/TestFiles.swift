internal import CLinux
internal import Glibc
package import HoldfastModel

/// Files for tests, made with plain system calls and not with the code that is tested.
package enum TestFiles {
  package static func write(_ bytes: [UInt8], to path: Path) {
    let descriptor = path.withCString { open($0, O_WRONLY | O_CREAT | O_TRUNC, 0o644) }
    guard descriptor >= 0 else { fatalError("cannot write \(path): errno \(errno)") }
    defer { close(descriptor) }
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: $0[written...]).baseAddress, bytes.count - written)
      }
      guard count > 0 else { fatalError("cannot write \(path): errno \(errno)") }
      written += count
    }
  }

  package static func write(_ text: String, to path: Path) { write(Array(text.utf8), to: path) }

  /// Changes bytes in the middle of a file, without truncating it.
  package static func overwrite(_ path: Path, at offset: Int, with bytes: [UInt8]) {
    let descriptor = path.withCString { open($0, O_WRONLY) }
    guard descriptor >= 0 else { fatalError("cannot open \(path): errno \(errno)") }
    defer { close(descriptor) }
    guard pwrite(descriptor, bytes, bytes.count, offset) == bytes.count else { fatalError("cannot write \(path)") }
  }

  package static func read(_ path: Path) -> [UInt8]? {
    let descriptor = path.withCString { open($0, O_RDONLY) }
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &block, block.count)
      guard count > 0 else { return count == 0 ? bytes : nil }
      bytes += block[..<count]
    }
  }

  /// True if a part lies somewhere in some bytes.
  package static func holds(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
    guard let first = part.first else { return true }
    var rest = bytes[...]
    while let start = rest.firstIndex(of: first) {
      rest = rest[start...]
      if rest.starts(with: part) { return true }
      rest.removeFirst()
    }
    return false
  }

  /// Returns a part of a file; `nil` when the file is shorter.
  package static func read(_ path: Path, at offset: Int, count: Int) -> [UInt8]? {
    let descriptor = path.withCString { open($0, O_RDONLY) }
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: count)
    return pread(descriptor, &bytes, count, offset) == count ? bytes : nil
  }

  package static func makeDirectory(_ path: Path, mode: UInt32 = 0o755) {
    _ = path.withCString { mkdir($0, mode) }
  }

  package static func truncate(_ path: Path, to size: Int) {
    _ = path.withCString { Glibc.truncate($0, size) }
  }

  package static func remove(_ path: Path) { _ = path.withCString { unlink($0) } }

  package static func rename(_ path: Path, to newPath: Path) {
    _ = path.withCString { old in newPath.withCString { new in Glibc.rename(old, new) } }
  }

  package static func link(_ path: Path, as newPath: Path) {
    _ = path.withCString { old in newPath.withCString { new in Glibc.link(old, new) } }
  }

  package static func symbolicLink(_ target: String, at path: Path) {
    _ = path.withCString { symlink(target, $0) }
  }

  package static func makeFifo(_ path: Path) { _ = path.withCString { mkfifo($0, 0o640) } }

  package static func setMode(_ path: Path, _ mode: UInt32) { _ = path.withCString { chmod($0, mode) } }

  package static func setModified(_ path: Path, seconds: Int, nanoseconds: Int) {
    var times = [timespec(tv_sec: seconds, tv_nsec: nanoseconds), timespec(tv_sec: seconds, tv_nsec: nanoseconds)]
    _ = path.withCString { utimensat(AT_FDCWD, $0, &times, AT_SYMLINK_NOFOLLOW) }
  }

  package static func exists(_ path: Path) -> Bool {
    path.withCString { access($0, F_OK) } == 0
  }

  package static func setExtendedAttribute(_ path: Path, _ name: String, _ value: [UInt8]) {
    _ = path.withCString { lsetxattr($0, name, value, value.count, 0) }
  }

  package static func setOwner(_ path: Path, userID: UInt32, groupID: UInt32) {
    _ = path.withCString { lchown($0, userID, groupID) }
  }

  package static func punchHole(_ path: Path, at offset: Int, count: Int) {
    let descriptor = path.withCString { open($0, O_WRONLY) }
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    _ = holdfast_punch_hole(descriptor, offset, count)
  }

  /// The status of a name, without following a link.
  package struct Status: Equatable {
    package enum Kind: Sendable { case directory, file, symbolicLink, other }
    package let kind: Kind
    package let size: Int
    /// The number of bytes that it occupies.
    package let allocated: Int
    package let linkCount: Int
    package let inode: UInt64
    package let modifiedSeconds: Int
  }

  /// Returns `nil` if nothing has this name.
  package static func status(_ path: Path) -> Status? {
    var raw = stat()
    guard path.withCString({ lstat($0, &raw) }) == 0 else { return nil }
    let kind: Status.Kind =
      switch raw.st_mode & 0o170000 {
      case 0o040000: .directory
      case 0o100000: .file
      case 0o120000: .symbolicLink
      default: .other
      }
    return Status(
      kind: kind, size: Int(raw.st_size), allocated: Int(raw.st_blocks) * 512, linkCount: Int(raw.st_nlink),
      inode: UInt64(raw.st_ino), modifiedSeconds: raw.st_mtim.tv_sec)
  }

  /// Returns the mode of a file, without its type.
  package static func permissions(_ path: Path) -> UInt32? {
    var raw = stat()
    return path.withCString { lstat($0, &raw) } == 0 ? raw.st_mode & 0o7777 : nil
  }

  package static func owner(_ path: Path) -> UInt32? {
    var raw = stat()
    return path.withCString { lstat($0, &raw) } == 0 ? raw.st_uid : nil
  }

  /// Copies a tree with modes, owners and times; without hard links and extended attributes.
  package static func copyTree(_ path: Path, to newPath: Path) {
    guard let status = status(path) else { return }
    switch status.kind {
    case .directory:
      makeDirectory(newPath)
      for name in rawNames(in: path) { copyTree(path.appending(name), to: newPath.appending(name)) }
    case .file: write(read(path) ?? [], to: newPath)
    case .symbolicLink:
      var target = [CChar](repeating: 0, count: 4096)
      _ = path.withCString { readlink($0, &target, target.count - 1) }
      _ = newPath.withCString { symlink(target, $0) }
    case .other: makeFifo(newPath)
    }
    var raw = stat()
    guard path.withCString({ lstat($0, &raw) }) == 0 else { return }
    setOwner(newPath, userID: raw.st_uid, groupID: raw.st_gid)
    if status.kind != .symbolicLink { setMode(newPath, raw.st_mode & 0o7777) }
    setModified(newPath, seconds: raw.st_mtim.tv_sec, nanoseconds: raw.st_mtim.tv_nsec)
  }

  /// Returns the names directly in a directory, unsorted.
  package static func names(in path: Path) -> [String] {
    guard let stream = path.withCString({ opendir($0) }) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Returns the paths of all regular files below a directory, sorted.
  package static func allFiles(in path: Path) -> [Path] {
    names(in: path).sorted().flatMap { name in
      let child = path.appending(name)
      var status = stat()
      guard child.withCString({ lstat($0, &status) }) == 0 else { return [Path]() }
      return status.st_mode & 0o170000 == 0o040000 ? allFiles(in: child) : [child]
    }
  }

  package static func removeTree(_ path: Path) {
    var status = stat()
    guard path.withCString({ lstat($0, &status) }) == 0 else { return }
    if status.st_mode & 0o170000 == 0o040000 {
      setMode(path, 0o700)
      for name in rawNames(in: path) { removeTree(path.appending(name)) }
      _ = path.withCString { rmdir($0) }
    } else {
      remove(path)
    }
  }

  private static func rawNames(in path: Path) -> [[UInt8]] {
    guard let stream = path.withCString({ opendir($0) }) else { return [] }
    defer { closedir(stream) }
    var names: [[UInt8]] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name != [46], name != [46, 46] { names.append(name) }
    }
    return names
  }
}
