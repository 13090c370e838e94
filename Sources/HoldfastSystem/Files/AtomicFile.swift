internal import Glibc
package import HoldfastModel

/// A file that appears whole under its name, or not at all: it is written under another name in the same directory, and
/// renamed when all of it is there. Whoever reads the name finds what was there before, or what is new.
///
/// Everything happens beneath the descriptor of a directory that was opened once, where one is given: a directory that is
/// exchanged on the way to it changes nothing. No symbolic link under the temporary name is followed. What is not
/// committed goes with the last reference.
///
///     let file = try AtomicFile("head.json", in: directory, files: files)
///     try file.append(bytes)
///     try file.commit()
package final class AtomicFile: ByteSink {
  /// Under which name the file is written.
  package enum Temporary: Sendable {
    /// This one. What has it is what a killed run left, and is removed: the caller holds a lock that keeps other runs away.
    case alone(Path)
    /// This one, with a lock on the file. What a killed run left is written over; where another run is writing it, the
    /// file is refused (`SystemError.isHeld`).
    case locked(Path)
    /// One that no other run has: several may write at once, and the last to commit counts.
    case unique(Randomness)
    /// Its own: the file must not be there yet, and has no second name at any moment. For secrets, which a killed run
    /// must not leave where nobody looks for them. Until it is committed, a reader can find a part of it.
    case own
  }

  /// What is on stable storage once the file is committed.
  package enum Durability: Sendable {
    /// Nothing yet: for what can be made again.
    case none
    /// The contents: after a power cut there is the file before, or this one.
    case contents
    /// The contents and the name.
    case name
  }

  /// Who may use the file.
  package enum Mode: Sendable {
    /// As far as the umask of this process allows.
    case atMost(UInt32)
    /// Whatever the umask of this process is.
    case exactly(UInt32)

    fileprivate var bits: UInt32 {
      switch self {
      case .atMost(let bits), .exactly(let bits): bits
      }
    }
  }

  /// For what the caller sets beside the contents: owner, page cache.
  package let file: OpenFile
  /// How much has been written, in bytes.
  package private(set) var length: UInt64 = 0
  private let name: Path
  private let temporary: Path
  private let directory: OpenFile?
  private let durability: Durability
  private let files: FileSystem
  private var isCommitted = false

  /// - Parameters:
  ///   - name: in `directory`, or an absolute path where that is `nil`.
  ///   - directory: where the file gets its name.
  ///   - temporary: the name that it is written under; `nil`: its own with `.unfinished`, which the caller's lock protects.
  /// - Throws: EEXIST where the name is taken that it is written under.
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
    // What cannot be removed now is removed by the next run, or has a name that does not count.
    if !isCommitted { try? files.removeFile(temporary, in: directory) }
  }

  /// What a killed run left, emptied; a new file where there is none.
  private static func takeOver(
    _ name: Path, in directory: OpenFile?, _ mode: Mode, _ files: FileSystem
  ) throws(SystemError) -> OpenFile {
    let file = try files.open(name, in: directory, .openOrCreate, permissions: mode.bits)
    // Whoever held the lock may have renamed or removed it between our opening it and our getting the lock.
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

  /// Gives the file its name, in the place of what has it.
  /// - Throws: also where the name may not survive a power cut. A synchronization that fails is not tried again.
  package func commit() throws(SystemError) {
    if durability != .none { try file.synchronize() }
    if temporary != name { try files.rename(temporary, in: directory, to: name, in: directory, replacing: true) }
    if durability == .name {
      do throws(SystemError) {
        try synchronizeDirectory()
      } catch {
        // Nobody has been told of a file that is new under its own name: it goes. In the place of another one, it stays.
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
  /// The path with more at the end of its last component.
  fileprivate func adding(_ text: String) -> Path { Path(bytes: bytes + Array(text.utf8)) }
}

extension SystemError {
  /// Another process holds the lock.
  package var isHeld: Bool { code == EWOULDBLOCK }
}
