internal import HoldfastModel
internal import HoldfastSystem

/// An object that is read in place.
struct LocalObject: ReadableBytes {
  let file: OpenFile
  let name: String
  let length: UInt64

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    guard try file.read(into: buffer, at: offset) == buffer.count else { throw SystemError.endOfFile(name) }
  }
}

/// An object that is being written, in the directory that it will have its name in.
final class LocalObjectWriter: ObjectWriter {
  private static let keptBytesMax: UInt64 = 4 << 20
  private var file: OpenFile?
  private var offset: UInt64 = 0
  private let temporary: Path
  private let folder: OpenFile
  private let key: String
  private let location: String
  private let files: FileSystem
  /// Whether the object must survive a crash of the machine.
  private let isDurable: Bool

  init(
    file: OpenFile, temporary: Path, in folder: OpenFile, key: String, location: String, files: FileSystem,
    isDurable: Bool
  ) {
    self.file = file
    self.temporary = temporary
    self.folder = folder
    self.key = key
    self.location = location
    self.files = files
    self.isDurable = isDurable
  }

  deinit { abort() }

  func append(_ bytes: UnsafeRawBufferPointer) throws {
    try file?.write(bytes, at: offset)
    offset += UInt64(bytes.count)
  }

  func commit() throws {
    guard let file else { preconditionFailure("an object is committed once") }
    let name = Path(bytes: Array(Path(key).lastComponent))
    if isDurable { try file.synchronize() }
    // What is large is not read again soon, and would push what servers need out of the page cache.
    if offset > Self.keptBytesMax { file.dropFromPageCache() }
    do throws(SystemError) {
      try publish(name)
    } catch {
      if error.isExisting { throw StoreError.alreadyExists(key: key, location: location) }
      throw error
    }
    self.file = nil
    guard isDurable else { return }
    do {
      try folder.synchronizeDirectory()
    } catch {
      // The name may not survive a power cut: nobody may build on it. The fsync is not tried again.
      try? files.removeFile(name, in: folder)
      throw error
    }
  }

  private func publish(_ name: Path) throws(SystemError) {
    do throws(SystemError) {
      try files.rename(temporary, in: folder, to: name, in: folder, replacing: false, isShared: true)
    } catch {
      if error.isExisting, isPublished(name) { return }
      guard error.isForbidden else { throw error }
      // A directory to which names can only be added: then the other name stays, and does not count.
      do throws(SystemError) {
        try files.makeHardLink(name, in: folder, to: temporary, in: folder)
      } catch let second {
        guard second.isExisting else { throw error }
        guard isPublished(name) else { throw second }
      }
    }
  }

  /// Whether what has the name is what was written: a server whose answer was lost is asked again, and then says that the name is taken.
  private func isPublished(_ name: Path) -> Bool {
    guard let mine = try? file?.status(), let found = try? files.status(of: name, in: folder) else { return false }
    return found.isSameFile(as: mine)
  }

  func abort() {
    guard file != nil else { return }
    file = nil
    // What cannot be removed now is removed by the next run: it has no name that counts.
    try? files.removeFile(temporary, in: folder)
  }
}
