internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// An object that is being written, in the directory of its later name. It goes on after the connection was lost: its
/// parts stay in an unfinished file on the server.
final class SFTPUpload: ObjectUpload {
  /// A part of 4 MiB keeps enough on the way for a long line, and is sent again quickly.
  private static let bytesOfPart = 4 << 20

  /// The file that is being written.
  private struct Unfinished {
    let key: String
    let handle: SFTPHandle
    /// Whether it was opened again: then nobody knows whether the server still has what it confirmed.
    var isReopened = false
    /// Whether all bytes are durable.
    var isSynchronized = false
  }

  private enum State {
    case open(Unfinished)
    case committed
    /// Nothing can be committed any more.
    case ended(any Error)
  }

  private let root: SFTPRoot
  private let publication: SFTPPublication
  private let key: String
  private let state: Mutex<State>
  private let parts = Mutex(SFTPParts())
  private let makeName: @Sendable () -> String

  /// Makes the unfinished file, and the folders on the way to it.
  /// - Parameter makeName: makes keys of unfinished files.
  init(
    _ key: String, in root: SFTPRoot, _ publication: SFTPPublication, _ makeName: @escaping @Sendable () -> String
  ) throws {
    (self.key, self.root, self.publication, self.makeName) = (key, root, publication, makeName)
    let temporary = makeName()
    do {
      state = Mutex(.open(Unfinished(key: temporary, handle: try Self.open(temporary, .creating, root))))
    } catch StoreError.notFound {
      try root.makeFolder(SFTPRoot.folder(of: key))
      state = Mutex(.open(Unfinished(key: temporary, handle: try Self.open(temporary, .creating, root))))
    }
  }

  deinit { abort() }

  var partBytes: Int? { Self.bytesOfPart }

  private static func open(
    _ temporary: String, _ opening: SFTPRequest.Opening, _ root: SFTPRoot
  ) throws -> SFTPHandle {
    do {
      return try root.ask("write", temporary) { link in
        SFTPHandle(try link.send(.open(root.path(of: temporary), opening)).wait().handle(), link)
      }
    } catch let error as SFTPError {
      guard case .failed = error, root.isFull(for: 0) else { throw error }
      throw SFTPError.full(location: root.location)
    }
  }

  // MARK: Bytes

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    guard let handle = try usable()?.handle else { return }
    try write(bytes, at: offset, handle)
    try state.withLock { state in
      // A copy that was made meanwhile may lack these bytes: then they are sent again.
      guard case .open(let file) = state, file.handle === handle else {
        throw StoreError.unavailable(location: root.location, reason: "the connection is lost")
      }
      parts.withLock { $0.note(bytes, at: offset) }
    }
  }

  /// The open file; opened again when its connection was lost. `nil` when nothing can be sent any more.
  private func usable() throws -> Unfinished? {
    try state.withLock { state in
      guard case .open(let file) = state else { return nil }
      do {
        let again = try usable(file)
        state = .open(again)
        return again
      } catch  where !Self.mayPass(error) {
        state = .ended(error)
        throw error
      }
    }
  }

  private func usable(_ file: Unfinished) throws -> Unfinished {
    if file.handle.isUsable { return file }
    do {
      let handle = try Self.open(file.key, .writing, root)
      return Unfinished(
        key: file.key, handle: handle, isReopened: true, isSynchronized: file.isSynchronized)
    } catch StoreError.notFound {
      throw SFTPError.lost(key: key, location: root.location)
    } catch SFTPError.forbidden {
      // To a user other than root the file is read-only.
      return try copied(file)
    }
  }

  /// A new unfinished file with the bytes that the server has confirmed.
  private func copied(_ file: Unfinished) throws -> Unfinished {
    let name = makeName()
    let copy = Unfinished(key: name, handle: try Self.open(name, .creating, root))
    do {
      try publication.forEachPart(of: file.key, parts.withLock { $0 }) { bytes, offset in
        try write(bytes, at: offset, copy.handle)
      }
    } catch {
      remove(copy.key)
      throw error
    }
    remove(file.key)
    return copy
  }

  private func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, _ handle: SFTPHandle) throws {
    do {
      try root.ask("write", key, over: handle.link) { link in
        let step = link.features.writeBytes
        try SFTPPipeline.run((bytes.count + step - 1) / step) { index in
          let part = UnsafeRawBufferPointer(rebasing: bytes[index * step..<min((index + 1) * step, bytes.count)])
          return try link.send(.write(handle.bytes, at: offset + UInt64(index * step), count: part.count), part)
        } take: { _, reply in
          try reply.wait().done()
        }
      }
    } catch let error as SFTPError {
      guard case .failed = error, root.isFull(for: bytes.count) else { throw error }
      throw SFTPError.full(location: root.location)
    }
  }

  // MARK: Committing

  func commit() throws {
    try state.withLock { state in
      switch state {
      case .committed: return
      case .ended(let reason): throw reason
      case .open(let file):
        do {
          let synchronized = file.isSynchronized ? file : try synchronized(usable(file))
          state = .open(synchronized)
          try publication.publish(synchronized.key, as: key, parts.withLock { $0 })
          state = .committed
        } catch  where Self.mayPass(error) {
          throw error
        } catch {
          if case .open(let file) = state { remove(file.key) }
          state = .ended(error)
          throw error
        }
      }
    }
  }

  /// Whether the same may be tried again.
  private static func mayPass(_ error: any Error) -> Bool {
    if case StoreError.unavailable = error { return true }
    return false
  }

  private func synchronized(_ file: Unfinished) throws -> Unfinished {
    // A server that was restarted may have lost what it confirmed, and a later fsync does not tell.
    if file.isReopened {
      try publication.forEachPart(of: file.key, parts.withLock { $0 }) { _, _ in }
    }
    try root.ask("synchronize", file.key, over: file.handle.link) { link in
      guard link.features.has(.synchronize) else { return }
      try link.send(.synchronize(file.handle.bytes)).wait().done()
    }
    var file = file
    file.isSynchronized = true
    return file
  }

  func abort() {
    let file: Unfinished? = state.withLock { state in
      guard case .open(let file) = state else { return nil }
      state = .ended(StoreError.notFound(key: key, location: root.location))
      return file
    }
    if let file { remove(file.key) }
  }

  /// If this fails, the file stays; its name does not count.
  private func remove(_ temporary: String) {
    try? root.ask("remove", temporary) { try $0.send(.remove(root.path(of: temporary))).wait().done() }
  }
}

/// What was sent of an object, by which it is recognised.
struct SFTPParts: Sendable {
  struct Part: Sendable, Equatable {
    let count: Int
    /// Differs in every process, so that nobody can make other bytes with the same one.
    let sum: Int

    init(_ bytes: UnsafeRawBufferPointer) {
      count = bytes.count
      var hasher = Hasher()
      hasher.combine(bytes: bytes)
      sum = hasher.finalize()
    }
  }

  private(set) var byOffset: [UInt64: Part] = [:]

  var length: UInt64 { byOffset.map { $0 + UInt64($1.count) }.max() ?? 0 }

  mutating func note(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) { byOffset[offset] = Part(bytes) }
}
