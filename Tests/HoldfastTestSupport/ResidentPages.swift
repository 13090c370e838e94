internal import Glibc
package import HoldfastModel

/// The pages of files that are in the page cache, from mincore(2).
package enum ResidentPages {
  private static let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))

  /// Returns the number of cached pages in a stretch of the file. Opens and closes the file.
  package static func count(_ path: Path, at offset: Int = 0, bytes: Int) -> Int {
    let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else { fatalError("cannot open \(path): errno \(errno)") }
    defer { close(descriptor) }
    guard let map = mmap(nil, bytes, PROT_NONE, MAP_SHARED, descriptor, offset), map != MAP_FAILED else {
      fatalError("cannot map \(path): errno \(errno)")
    }
    defer { munmap(map, bytes) }
    var present = [UInt8](repeating: 0, count: (bytes + pageBytes - 1) / pageBytes)
    guard mincore(map, bytes, &present) == 0 else { fatalError("mincore: errno \(errno)") }
    return present.count { $0 & 1 == 1 }
  }

  /// Makes the file durable, and takes it out of the page cache.
  package static func drop(_ path: Path) {
    let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC) }
    defer { close(descriptor) }
    fsync(descriptor)
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }

  /// Reads a stretch as any program does, without reading ahead.
  package static func cache(_ path: Path, at offset: Int, bytes: Int) {
    let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC) }
    defer { close(descriptor) }
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM)
    var block = [UInt8](repeating: 0, count: bytes)
    pread(descriptor, &block, bytes, offset)
  }

  /// Tries something up to five times. The kernel may take a page from the cache for a process that needs memory, and
  /// leave one there that two processes used at the same moment. A fault of the tested read happens each time.
  /// - Parameter attempt: returns the fault; `nil` if there is none.
  /// - Returns: the fault of the last attempt; `nil` if one attempt had none.
  package static func complaint(_ attempt: () throws -> String?) rethrows -> String? {
    for _ in 1..<5 where try attempt() == nil { return nil }
    return try attempt()
  }

  /// True if files below `directory` can be taken out of the page cache, which a file system in memory does not allow.
  static func canBeDropped(in directory: Path) -> Bool {
    let path = directory.appending("page cache")
    TestFiles.write([UInt8](repeating: 1, count: 1 << 20), to: path)
    drop(path)
    let can = count(path, bytes: 1 << 20) == 0
    TestFiles.remove(path)
    return can
  }
}
