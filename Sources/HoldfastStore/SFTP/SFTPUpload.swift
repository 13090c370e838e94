internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// An object that is being written, in the directory of its final name. It goes on after a lost connection: its parts
/// stay in an unfinished file on the server.
final class SFTPUpload: ObjectUpload {
  /// The length of a part. 4 MiB keep enough on the way for a long line, and are sent again quickly.
  private static let bytesOfPart = 4 << 20

  private enum State {
    case open(SFTPUnfinished)
    case committed
    /// Nothing can be committed any more.
    case ended(any Error)
  }

  private let root: SFTPRoot
  private let publication: SFTPPublication
  private let key: String
  private let replaces: Bool
  private let state: Mutex<State>
  private let parts = Mutex(SFTPParts())
  private let makeName: @Sendable () -> String

  /// Makes the unfinished file, and the folders on the way to it.
  /// - Parameters:
  ///   - replaces: true if the object takes the place of the one with its key.
  ///   - makeName: returns keys for unfinished files.
  init(
    _ key: String, replaces: Bool, in root: SFTPRoot, _ publication: SFTPPublication,
    _ makeName: @escaping @Sendable () -> String
  ) throws {
    (self.key, self.replaces) = (key, replaces)
    (self.root, self.publication, self.makeName) = (root, publication, makeName)
    state = Mutex(.open(try SFTPUnfinished.create(makeName(), in: root)))
  }

  deinit { abort() }

  var partBytes: Int? { Self.bytesOfPart }

  // MARK: Bytes

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    guard let used = try usable() else { return }
    try write(bytes, at: offset, used)
    try state.withLock { state in
      // A copy that was made meanwhile may lack these bytes. The error makes the caller send them again.
      guard case .open(let file) = state, file.handle === used.handle else {
        throw StoreError.unavailable(location: root.location, reason: "the connection is lost")
      }
      parts.withLock { $0.note(bytes, at: offset) }
    }
  }

  /// Returns the open file, and opens it again if its connection was lost; `nil` if nothing can be sent any more.
  private func usable() throws -> SFTPUnfinished? {
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

  private func usable(_ file: SFTPUnfinished) throws -> SFTPUnfinished {
    if file.handle.isUsable { return file }
    do {
      return try file.reopened(in: root)
    } catch StoreError.notFound {
      throw SFTPError.lost(key: key, location: root.location)
    } catch SFTPError.forbidden {
      // The file is read-only for users other than root.
      return try copied(file)
    }
  }

  /// Makes a new unfinished file with the bytes that the server has confirmed.
  private func copied(_ file: SFTPUnfinished) throws -> SFTPUnfinished {
    let copy = try SFTPUnfinished.create(makeName(), in: root)
    do {
      try publication.forEachPart(of: file.key, parts.withLock { $0 }) { bytes, offset in
        try write(bytes, at: offset, copy)
      }
    } catch {
      remove(copy.key)
      throw error
    }
    remove(file.key)
    return copy
  }

  /// Writes bytes, and with `isLast` makes the file durable in the same round trip. A server must carry out requests on
  /// one file as if the client had waited between them (draft-ietf-secsh-filexfer-02, 6.1), and every answer is
  /// awaited.
  private func write(
    _ bytes: UnsafeRawBufferPointer, at offset: UInt64, _ file: SFTPUnfinished, isLast: Bool = false
  ) throws {
    do {
      try root.ask("write", key, over: file.handle.link) { link in
        let step = try link.writeBytes
        let count = (bytes.count + step - 1) / step
        let ends = isLast && link.features.has(.synchronize)
        let synchronized = ends ? [file.handle, file.parent].compactMap(\.self) : []
        try SFTPPipeline.run(count + synchronized.count) { index in
          guard index < count else { return try link.send(.synchronize(synchronized[index - count].bytes)) }
          let part = UnsafeRawBufferPointer(rebasing: bytes[index * step..<min((index + 1) * step, bytes.count)])
          return try link.send(.write(file.handle.bytes, at: offset + UInt64(index * step), count: part.count), part)
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

  func commit() throws { try commit(UnsafeRawBufferPointer(start: nil, count: 0), at: 0) }

  func commit(with bytes: UnsafeRawBufferPointer, at offset: UInt64) throws { try commit(bytes, at: offset) }

  /// Commits in four round trips, counted from the opening: the file is opened, written and made durable, linked, and
  /// its name made durable. The link is requested only after the bytes are known to be durable, because nobody may see
  /// the object before.
  private func commit(_ last: UnsafeRawBufferPointer, at offset: UInt64) throws {
    try state.withLock { state in
      switch state {
      case .committed: return
      case .ended(let reason): throw reason
      case .open(var file):
        do {
          if !file.isSynchronized {
            // The state remembers the file that was opened again, whatever fails after this.
            file = try usable(file)
            state = .open(file)
            file = try synchronized(file, last, at: offset)
            state = .open(file)
          }
          let parts = parts.withLock { $0 }
          try replaces ? publication.replace(file, key, parts) : publication.publish(file, as: key, parts)
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

  private func synchronized(
    _ file: SFTPUnfinished, _ last: UnsafeRawBufferPointer, at offset: UInt64
  ) throws -> SFTPUnfinished {
    // A server that was restarted may have lost bytes that it confirmed, and a later fsync does not report that.
    if file.isReopened {
      try publication.forEachPart(of: file.key, parts.withLock { $0 }) { _, _ in }
    }
    try write(last, at: offset, file, isLast: true)
    if !last.isEmpty { parts.withLock { $0.note(last, at: offset) } }
    if file.parent != nil { root.noteDurable(SFTPRoot.folder(of: key)) }
    var file = file
    file.isSynchronized = true
    return file
  }

  /// Returns true if the same may be tried again.
  private static func mayPass(_ error: any Error) -> Bool {
    if case StoreError.unavailable = error { return true }
    return false
  }

  func abort() {
    let file: SFTPUnfinished? = state.withLock { state in
      guard case .open(let file) = state else { return nil }
      state = .ended(StoreError.notFound(key: key, location: root.location))
      return file
    }
    if let file { remove(file.key) }
  }

  /// Removes an unfinished file. If this fails, the file stays, and is ignored.
  private func remove(_ temporary: String) {
    try? root.ask("remove", temporary) { try $0.send(.remove(root.path(of: temporary))).wait().done() }
  }
}

/// The parts of an object that were sent, by which it is recognised.
struct SFTPParts: Sendable {
  struct Part: Sendable, Equatable {
    let count: Int
    /// A hash that differs in every process, so that nobody can make other bytes with the same one.
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
