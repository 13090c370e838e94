internal import CLinux
internal import Glibc
package import HoldfastModel

/// An open file or directory. It is closed with the last reference.
///
/// Reads and writes take an offset, so several threads may share one file.
package final class OpenFile: Sendable {
  package let descriptor: Int32
  /// The path with which it was opened.
  package let path: Path
  private let directory: Path
  private let cacheUse: PageCacheUse
  let probe: (any OperationProbe)?

  /// - Parameter directory: the directory that `path` is relative to.
  init(
    descriptor: Int32, path: Path, in directory: OpenFile? = nil, cacheUse: PageCacheUse = .ordinary,
    probe: (any OperationProbe)?
  ) {
    self.cacheUse = cacheUse
    self.descriptor = descriptor
    self.path = path
    self.directory = directory?.fullPath ?? .root
    self.probe = probe
  }

  /// The path in messages: the path, appended to that of the directory in which the file was opened.
  package var fullPath: Path { path.isEmpty ? directory : directory.appending(path.bytes) }

  func fullPath(of entry: Path) -> Path { entry.isEmpty ? fullPath : fullPath.appending(entry.bytes) }

  deinit {
    _ = Glibc.close(descriptor)
  }

  func perform(
    _ operation: Operation, _ action: String, _ call: (Int32) -> Int
  ) throws(SystemError) -> Int {
    try probe?.willPerform(operation, path, in: directory)
    while true {
      let result = call(descriptor)
      if result >= 0 {
        probe?.didPerform(operation, path, newPath: nil, in: directory)
        return result
      }
      let code = errno
      guard code == EINTR else { throw SystemError(action, fullPath, code: code) }
    }
  }

  // MARK: Contents

  /// Fills `buffer` from `offset` on. Reads fewer bytes only at the end of the file.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
    var filled = 0
    while filled < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
      let position = off_t(clamping: offset + UInt64(filled))
      let count = try perform(.read, "read") { cacheUse.read($0, rest, at: position) }
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  /// Writes all of `buffer` at `offset`.
  package func write(_ buffer: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) {
    var written = 0
    while written < buffer.count {
      let rest = UnsafeRawBufferPointer(rebasing: buffer[written...])
      let position = off_t(clamping: offset + UInt64(written))
      written += try perform(.write, "write") { pwrite($0, rest.baseAddress, rest.count, position) }
    }
  }

  /// Writes all of `buffer` at the current position, for pipes and terminals.
  package func append(_ buffer: UnsafeRawBufferPointer) throws(SystemError) {
    var written = 0
    while written < buffer.count {
      let rest = UnsafeRawBufferPointer(rebasing: buffer[written...])
      written += try perform(.write, "write") { Glibc.write($0, rest.baseAddress, rest.count) }
    }
  }

  package func truncate(to size: UInt64) throws(SystemError) {
    _ = try perform(.truncate, "resize") { Int(ftruncate($0, off_t(clamping: size))) }
  }

  /// Makes a range read as zeros, without using storage if the file system can do that.
  package func makeZero(at offset: UInt64, count: UInt64) throws(SystemError) {
    do throws(SystemError) {
      _ = try perform(.write, "write") {
        Int(holdfast_punch_hole($0, off_t(clamping: offset), off_t(clamping: count)))
      }
    } catch {
      guard error.isRefused else { throw error }
      let zeros = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
      defer { zeros.deallocate() }
      zeros.initializeMemory(as: UInt8.self, repeating: 0)
      var done: UInt64 = 0
      while done < count {
        let length = Int(min(UInt64(zeros.count), count - done))
        try write(UnsafeRawBufferPointer(rebasing: zeros[..<length]), at: offset + done)
        done += UInt64(length)
      }
    }
  }

  /// Returns the first range with data at or after `offset`, as far as the file system knows; `nil` if only holes
  /// follow.
  package func nextData(from offset: UInt64, size: UInt64) throws(SystemError) -> Range<UInt64>? {
    guard offset < size else { return nil }
    let start = lseek(descriptor, off_t(clamping: offset), holdfast_seek_data)
    if start < 0 {
      if errno == ENXIO { return nil }
      return offset..<size
    }
    let end = lseek(descriptor, start, holdfast_seek_hole)
    let sound = end > start ? min(UInt64(end), size) : size
    return UInt64(start) < size ? UInt64(start)..<sound : nil
  }

  /// Returns when the contents are on stable storage. A failure is final: the caller discards the file and writes a new
  /// one.
  package func synchronize() throws(SystemError) {
    _ = try perform(.synchronize, "synchronize") { Int(fsync($0)) }
  }

  /// Returns when the names in this directory are on stable storage. If the file system cannot synchronize a single
  /// directory, the whole file system is synchronized.
  package func synchronizeDirectory() throws(SystemError) {
    do throws(SystemError) {
      _ = try perform(.synchronizeDirectory, "synchronize") { Int(fsync($0)) }
    } catch {
      guard error.isUnsupported else { throw error }
      try synchronizeFileSystem()
    }
  }

  /// Returns when everything written to this file's file system is on stable storage.
  package func synchronizeFileSystem() throws(SystemError) {
    _ = try perform(.synchronize, "synchronize") { Int(holdfast_syncfs($0)) }
  }

  /// Takes the lock on the whole file (flock(2)), which the kernel releases with the last descriptor.
  /// - Returns: false if another process has it and `wait` is false.
  package func lock(exclusively: Bool, wait: Bool) throws(SystemError) -> Bool {
    let mode = (exclusively ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB)
    do throws(SystemError) {
      _ = try perform(.lock, "lock") { Int(flock($0, mode)) }
      return true
    } catch {
      if error.code == EWOULDBLOCK { return false }
      throw error
    }
  }

  /// Takes the exclusive lock, or gives up soon. One try is not enough: a child process that is being started holds a
  /// copy of each descriptor until it executes its program.
  /// - Returns: false if another process has it.
  package func lockUnlessTaken() throws(SystemError) -> Bool {
    for _ in 1..<Self.lockTries {
      if try lock(exclusively: true, wait: false) { return true }
      Pause.briefly()
    }
    return try lock(exclusively: true, wait: false)
  }

  private static let lockTries = 5

  // MARK: Attributes

  package func status() throws(SystemError) -> FileStatus {
    var raw = stat()
    _ = try perform(.status, "examine") { Int(fstat($0, &raw)) }
    return FileStatus(raw)
  }

  /// The time at which the file was made; `nil` if its file system does not keep it.
  package var birth: Timestamp? {
    var (seconds, nanoseconds): (Int64, UInt32) = (0, 0)
    guard holdfast_birth(descriptor, &seconds, &nanoseconds) == 0 else { return nil }
    return Timestamp(seconds: seconds, nanoseconds: nanoseconds)
  }

  package func setOwner(userID: UInt32, groupID: UInt32) throws(SystemError) {
    _ = try perform(.attributes, "set the owner of") { Int(fchown($0, userID, groupID)) }
  }

  package func setMode(_ mode: UInt32) throws(SystemError) {
    _ = try perform(.attributes, "set the mode of") { Int(fchmod($0, mode)) }
  }

  package func setModified(_ time: Timestamp) throws(SystemError) {
    var times = FileSystem.times(modified: time)
    _ = try perform(.attributes, "set the times of") { Int(futimens($0, &times)) }
  }

  /// Returns the bytes that an unprivileged user can still store on this file's file system; `nil` if it does not tell.
  package func availableBytes() throws(SystemError) -> UInt64? {
    var raw = statvfs()
    do throws(SystemError) {
      _ = try perform(.status, "examine") { Int(fstatvfs($0, &raw)) }
    } catch {
      guard error.isRefused else { throw error }
      return nil
    }
    // Many FUSE file systems report no blocks at all.
    return raw.f_blocks == 0 ? nil : UInt64(raw.f_bavail).saturatingMultiplied(by: UInt64(raw.f_frsize))
  }
}

extension OpenFile {
  /// Returns all bytes of the file.
  /// - Throws: also if there are more than `max` bytes.
  package func contents(max: Int) throws(SystemError) -> [UInt8] {
    var bytes: [UInt8] = []
    let block = Buffer(capacity: 64 << 10)
    while true {
      let count = try read(into: block.bytes, at: UInt64(bytes.count))
      guard count > 0 else { return bytes }
      block.count = count
      bytes.append(contentsOf: block.used)
      if bytes.count > max { throw SystemError("read", fullPath, code: EFBIG) }
    }
  }
}
