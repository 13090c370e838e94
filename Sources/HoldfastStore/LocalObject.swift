internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// An object that is read in place.
struct LocalObject: ReadableBytes {
  let file: OpenFile
  let name: String
  let length: UInt64

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    let count: Int
    do throws(SystemError) {
      count = try file.read(into: buffer, at: offset)
    } catch {
      throw error.ofObject(name)
    }
    guard count == buffer.count else { throw StoreError.endOfObject(name) }
  }
}

extension SystemError {
  /// Returns the error to report when an object cannot be read. A device that fails is damage.
  func ofObject(_ key: String) -> any Error {
    isDeviceFailure ? StoreError.unreadable(key: key, reason: reason, isOfDevice: true) : self
  }
}

/// An object that is being written under a temporary name, in the directory of its final name.
final class LocalUpload: ObjectUpload {
  private static let keptBytesMax: UInt64 = 4 << 20

  private enum State {
    case open(OpenFile, length: UInt64)
    case committed
    /// Nothing can be committed any more. A failed fsync is not tried again.
    case ended(any Error)
  }

  private let state: Mutex<State>
  private let temporary: Path
  private let folder: OpenFile
  private let key: String
  private let location: String
  private let files: FileSystem
  /// True if the object must survive a crash of the machine.
  private let isDurable: Bool
  /// True if it takes the place of what has the key.
  private let replaces: Bool

  init(
    file: OpenFile, temporary: Path, in folder: OpenFile, key: String, location: String, files: FileSystem,
    isDurable: Bool, replaces: Bool
  ) {
    state = Mutex(.open(file, length: 0))
    self.temporary = temporary
    self.folder = folder
    self.key = key
    self.location = location
    self.files = files
    self.isDurable = isDurable
    self.replaces = replaces
  }

  deinit { abort() }

  /// Bytes are written to the file at once.
  var partBytes: Int? { nil }

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    let file: OpenFile? = state.withLock { state in
      guard case .open(let file, let length) = state else { return nil }
      state = .open(file, length: max(length, offset + UInt64(bytes.count)))
      return file
    }
    try file?.write(bytes, at: offset)
  }

  func commit() throws {
    try state.withLock { state in
      switch state {
      case .committed: return
      case .ended(let reason): throw reason
      case .open(let file, let length):
        do {
          try commit(file, length: length)
          state = .committed
        } catch {
          state = .ended(error)
          // After a rename the temporary name does not exist.
          try? files.removeFile(temporary, in: folder)
          throw error
        }
      }
    }
  }

  private func commit(_ file: OpenFile, length: UInt64) throws {
    let name = Path(bytes: Array(Path(key).lastComponent))
    if isDurable { try file.synchronize() }
    // A large object is not read again soon, and would displace what servers need from the page cache.
    if length > Self.keptBytesMax { file.dropFromPageCache() }
    do throws(SystemError) {
      try replaces ? replace(name) : publish(file, name)
    } catch {
      if error.isExisting { throw StoreError.alreadyExists(key: key, location: location) }
      if replaces, error.isForbidden { throw StoreError.removalRefused(key: key, location: location) }
      throw error
    }
    guard isDurable else { return }
    do {
      try folder.synchronizeDirectory()
    } catch {
      // The name may not survive a power cut, so nobody may rely on it. The fsync is not tried again. Where it has
      // replaced another object, the name is all that is left, and after a power cut it leads to one of the two.
      if !replaces { try? files.removeFile(name, in: folder) }
      throw error
    }
  }

  private func replace(_ name: Path) throws(SystemError) {
    try files.rename(temporary, in: folder, to: name, in: folder, replacing: true)
  }

  private func publish(_ file: OpenFile, _ name: Path) throws(SystemError) {
    do throws(SystemError) {
      try files.rename(temporary, in: folder, to: name, in: folder, replacing: false, isShared: true)
    } catch {
      if error.isExisting, isPublished(file, name) { return }
      guard error.isForbidden else { throw error }
      // If names can only be added, the temporary name stays. It is ignored.
      do throws(SystemError) {
        try files.makeHardLink(name, in: folder, to: temporary, in: folder)
      } catch let second {
        guard second.isExisting else { throw error }
        guard isPublished(file, name) else { throw second }
      }
    }
  }

  /// Returns true if the name belongs to this file. If an answer is lost, a server repeats the rename or link, and then
  /// reports that the name exists.
  private func isPublished(_ file: OpenFile, _ name: Path) -> Bool {
    guard let mine = try? file.status(), let found = try? files.status(of: name, in: folder) else { return false }
    return found.isSameFile(as: mine)
  }

  func abort() {
    let isOpen = state.withLock { state in
      guard case .open = state else { return false }
      state = .ended(StoreError.notFound(key: key, location: location))
      return true
    }
    // If this fails, the next run removes the file: a temporary name is ignored.
    if isOpen { try? files.removeFile(temporary, in: folder) }
  }
}
