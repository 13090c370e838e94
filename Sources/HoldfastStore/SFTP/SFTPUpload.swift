internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// An object that is being written, in the directory of its later name. It goes on after the connection was lost: its
/// parts stay in an unfinished file on the server.
final class SFTPUpload: ObjectUpload {
  /// A part of 4 MiB keeps enough on the way for a long line, and is sent again quickly.
  private static let bytesOfPart = 4 << 20

  private enum State {
    /// - Parameter isSynchronized: whether all bytes are durable.
    case open(SFTPHandle, isSynchronized: Bool)
    case committed
    /// Nothing can be committed any more.
    case ended(any Error)
  }

  private let root: SFTPRoot
  private let publication: SFTPPublication
  private let key: String
  private let temporary: String
  private let state: Mutex<State>
  private let parts = Mutex(SFTPParts())
  /// Whether the file was opened again: then nobody knows whether the server still has what it confirmed.
  private let isReopened = Atomic(false)

  /// Makes the unfinished file, and the folders on the way to it.
  /// - Parameter temporary: the key of the unfinished file.
  init(_ key: String, temporary: String, in root: SFTPRoot, _ publication: SFTPPublication) throws {
    (self.key, self.temporary, self.root, self.publication) = (key, temporary, root, publication)
    do {
      state = Mutex(.open(try Self.open(temporary, .creating, key, root), isSynchronized: false))
    } catch StoreError.notFound {
      try root.makeFolder(SFTPRoot.folder(of: key))
      state = Mutex(.open(try Self.open(temporary, .creating, key, root), isSynchronized: false))
    }
  }

  deinit { abort() }

  var partBytes: Int? { Self.bytesOfPart }

  private static func open(
    _ temporary: String, _ opening: SFTPRequest.Opening, _ key: String, _ root: SFTPRoot
  ) throws -> SFTPHandle {
    do {
      return try root.ask("create", key) { link in
        SFTPHandle(try link.send(.open(root.path(of: temporary), opening)).wait().handle(), link)
      }
    } catch let error as SFTPError {
      guard case .failed = error, root.isFull(for: 0) else { throw error }
      throw SFTPError.full(location: root.location)
    }
  }

  // MARK: Bytes

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    guard let handle = try handle() else { return }
    try write(bytes, at: offset, handle)
    parts.withLock { $0.note(bytes, at: offset) }
  }

  /// The open file; opened again when its connection was lost. `nil` when nothing can be sent any more.
  private func handle() throws -> SFTPHandle? {
    try state.withLock { state in
      guard case .open(let handle, let isSynchronized) = state else { return nil }
      if handle.isUsable { return handle }
      do {
        let again = try Self.open(temporary, .writing, key, root)
        isReopened.store(true, ordering: .relaxed)
        state = .open(again, isSynchronized: isSynchronized)
        return again
      } catch StoreError.notFound {
        let error = SFTPError.lost(key: key, location: root.location)
        state = .ended(error)
        throw error
      }
    }
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
      case .open(let handle, let isSynchronized):
        do {
          if !isSynchronized {
            state = .open(try synchronized(handle), isSynchronized: true)
          }
          try publication.publish(temporary, as: key, parts.withLock { $0 })
          state = .committed
        } catch  where Self.mayPass(error) {
          throw error
        } catch {
          state = .ended(error)
          removeTemporary()
          throw error
        }
      }
    }
  }

  /// Whether the commit may be tried again.
  private static func mayPass(_ error: any Error) -> Bool {
    if case StoreError.unavailable = error { return true }
    return false
  }

  private func synchronized(_ known: SFTPHandle) throws -> SFTPHandle {
    var handle = known
    if !handle.isUsable {
      do {
        handle = try Self.open(temporary, .writing, key, root)
      } catch StoreError.notFound {
        throw SFTPError.lost(key: key, location: root.location)
      }
      isReopened.store(true, ordering: .relaxed)
    }
    // A server that was restarted may have lost what it confirmed, and a later fsync does not tell.
    if isReopened.load(ordering: .relaxed) {
      guard try publication.hasParts(temporary, parts.withLock { $0 }) else {
        throw SFTPError.lost(key: key, location: root.location)
      }
    }
    try root.ask("synchronize", key, over: handle.link) { link in
      guard link.features.has(.synchronize) else { return }
      try link.send(.synchronize(handle.bytes)).wait().done()
    }
    return handle
  }

  func abort() {
    let isOpen = state.withLock { state in
      guard case .open = state else { return false }
      state = .ended(StoreError.notFound(key: key, location: root.location))
      return true
    }
    if isOpen { removeTemporary() }
  }

  /// If this fails, the file stays; its name does not count.
  private func removeTemporary() {
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
