internal import Glibc
package import HoldfastModel

/// A file that appears under its name whole or not at all. It is written under another name in the same directory, and
/// then renamed. So whoever opens the name finds either the old content or the new one.
///
/// If a directory is given, everything happens beneath its descriptor, so an attacker gains nothing by replacing a
/// directory on the way. A symbolic link under the temporary name is not followed. A file that was not committed is
/// removed with its last reference.
///
///     let file = try AtomicFile("head.json", in: directory, files: files)
///     try file.append(bytes)
///     try file.commit()
package final class AtomicFile: ByteSink {
  /// The name under which the file is written.
  package enum Temporary: Sendable {
    /// This name. A file that has it was left by a killed run, and is removed. The caller must hold a lock that keeps
    /// other runs out.
    case alone(Path)
    /// This name, with a lock on the file. A leftover of a killed run is overwritten. If another run is writing the
    /// file, an error is thrown (`SystemError.isHeld`).
    case locked(Path)
    /// A name that no other run uses. Several runs may write at once; the last to commit counts.
    case unique(Randomness)
    /// The final name. The file must not exist yet, and never has a second name. For secrets, which a killed run must
    /// not leave under a name that nobody looks for. Until the commit, readers may find a part of the file.
    case own
  }

  /// The parts of a file that are on stable storage after the commit.
  package enum Durability: Sendable {
    /// Nothing, for files that can be made again.
    case none
    /// The contents. After a power cut there is the old file or this one.
    case contents
    /// The contents and the name.
    case name
  }

  /// The mode of the file.
  package enum Mode: Sendable {
    /// This mode, reduced by the umask of this process.
    case atMost(UInt32)
    /// This mode, whatever the umask of this process.
    case exactly(UInt32)

    fileprivate var bits: UInt32 {
      switch self {
      case .atMost(let bits), .exactly(let bits): bits
      }
    }
  }

  /// The open file, through which the caller sets other things than contents: owner, page cache.
  package let file: OpenFile
  /// The number of bytes written so far.
  package private(set) var length: UInt64 = 0
  private let name: Path
  private let temporary: Path
  private let directory: OpenFile?
  private let durability: Durability
  private let files: FileSystem
  private var isCommitted = false

  /// - Parameters:
  ///   - name: a name in `directory`, or an absolute path if that is `nil`.
  ///   - directory: the directory of the file.
  ///   - temporary: the name under which it is written; `nil` for the name with `.unfinished`, which the caller's lock
  ///     protects.
  /// - Throws: EEXIST if the temporary name is taken.
  package init(
    _ name: Path, in directory: OpenFile?, as temporary: Temporary? = nil, mode: Mode = .atMost(0o600),
    durability: Durability = .name, files: FileSystem
  ) throws(SystemError) {
    let temporary = temporary ?? .alone(name.adding(".unfinished"))
    self.name = name
    self.directory = directory
    self.durability = durability
    self.files = files
    switch temporary {
    case .alone(let other):
      if try files.statusIfPresent(of: other, in: directory) != nil { try files.removeFile(other, in: directory) }
      self.temporary = other
      file = try files.open(other, in: directory, .create, permissions: mode.bits)
    case .locked(let other):
      self.temporary = other
      file = try Self.takeOver(other, in: directory, mode, files)
    case .unique(let random):
      self.temporary = name.adding(".unfinished-\(random.identifier())")
      file = try files.open(self.temporary, in: directory, .create, permissions: mode.bits)
    case .own:
      self.temporary = name
      file = try files.open(name, in: directory, .create, permissions: mode.bits)
    }
    if case .exactly(let bits) = mode { try file.setMode(bits) }
  }

  deinit {
    // If this fails, the next run removes the file, or ignores its name.
    if !isCommitted { try? files.removeFile(temporary, in: directory) }
  }

  /// Opens the leftover of a killed run and empties it; makes a new file if there is none.
  private static func takeOver(
    _ name: Path, in directory: OpenFile?, _ mode: Mode, _ files: FileSystem
  ) throws(SystemError) -> OpenFile {
    let file = try files.open(name, in: directory, .openOrCreate, permissions: mode.bits)
    // The holder of the lock may have renamed or removed the file before this run got the lock.
    guard try file.lock(exclusively: true, wait: false),
      let found = try files.statusIfPresent(of: name, in: directory), try found.isSameFile(as: file.status())
    else { throw SystemError("lock", file.fullPath, code: EWOULDBLOCK) }
    do throws(SystemError) {
      try file.truncate(to: 0)
    } catch {
      try? files.removeFile(name, in: directory)
      throw error
    }
    return file
  }

  package func append(_ bytes: UnsafeRawBufferPointer) throws {
    try file.write(bytes, at: length)
    length += UInt64(bytes.count)
  }

  package func append(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try append($0) } }

  /// Gives the file its name, and replaces a file that has it.
  /// - Throws: an error also if the name may not survive a power cut. A failed fsync is not tried again.
  package func commit() throws(SystemError) {
    if durability != .none { try file.synchronize() }
    if temporary != name { try files.rename(temporary, in: directory, to: name, in: directory, replacing: true) }
    if durability == .name {
      do throws(SystemError) {
        try synchronizeDirectory()
      } catch {
        // A file under its own name is removed, because nobody knows of it yet. A file that replaced another one stays.
        if temporary != name { isCommitted = true }
        throw error
      }
    }
    isCommitted = true
  }

  private func synchronizeDirectory() throws(SystemError) {
    if let directory { return try directory.synchronizeDirectory() }
    guard let parent = name.parent else { return }
    try files.open(parent.isEmpty ? Path("/") : parent, .directoryFollowingLinks).synchronizeDirectory()
  }
}

extension Path {
  /// Returns the path with text added to its last component.
  fileprivate func adding(_ text: String) -> Path { Path(bytes: bytes + Array(text.utf8)) }
}

extension SystemError {
  /// True if another process holds the lock.
  package var isHeld: Bool { code == EWOULDBLOCK }
}
