internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// An object that is read in place. Its file is opened with the first read, and again if the connection was lost.
final class SFTPObject: ReadableBytes {
  /// The most requests for one range, if the server answers with fewer bytes than were asked for.
  private static let piecesMax = 64
  private let root: SFTPRoot
  private let key: String
  private let open: OpenSFTPFiles
  private let file = Mutex<SFTPHandle?>(nil)
  let length: UInt64

  /// - Parameter length: the length in bytes, if it is known; with `nil`, the file is opened now.
  init(_ key: String, length: UInt64?, in root: SFTPRoot, _ open: OpenSFTPFiles) throws {
    (self.key, self.root, self.open) = (key, root, open)
    if let length {
      self.length = length
      return
    }
    let opened = try Self.opened(key, in: root)
    self.length = opened.length
    file.withLock { $0 = opened.handle }
    open.note(self)
  }

  deinit { open.forget(self) }

  var name: String { key }

  /// Closes the file. The next read opens it again.
  func letGo() { file.withLock { $0 = nil } }

  private func handle() throws -> SFTPHandle {
    if let handle = file.withLock({ $0 }), handle.isUsable { return handle }
    let opened = try Self.opened(key, in: root)
    guard opened.length == length else {
      throw StoreError.otherLength(key: key, location: root.location, found: opened.length, expected: length)
    }
    file.withLock { $0 = opened.handle }
    open.note(self)
    return opened.handle
  }

  /// Opens a file, and checks in the same round trip that it is one: opening a fifo would wait for a writer for ever.
  private static func opened(_ key: String, in root: SFTPRoot) throws -> (handle: SFTPHandle, length: UInt64) {
    try root.ask("open", key) { link in
      let status = try link.send(.status(root.path(of: key)))
      let opening = try link.send(.open(root.path(of: key), .reading))
      let found: Result<SFTPAttributes, any Error> = Result { try status.wait().attributes() }
      if case .success(let attributes) = found, attributes.kind == .other {
        // The server may be waiting for a writer now, and answer nothing more.
        link.connection.end()
        throw StoreError.foreign(key: key, location: root.location)
      }
      let answer = try opening.wait()
      let handle = (try? answer.handle()).map { SFTPHandle($0, link) }
      let attributes = try found.get()
      guard attributes.kind != .directory else { throw StoreError.foreign(key: key, location: root.location) }
      guard attributes.kind == .file, let length = attributes.size else {
        throw SFTPViolation("neither kind nor length of a file")
      }
      guard let handle else {
        try answer.done()
        throw SFTPViolation("no handle")
      }
      return (handle, length)
    }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    guard offset <= length, UInt64(buffer.count) <= length - offset else { throw StoreError.endOfObject(name) }
    guard !buffer.isEmpty else { return }
    let handle = try handle()
    try root.ask("read", key, over: handle.link) { _ in
      let step = try handle.link.readBytes
      let count = (buffer.count + step - 1) / step
      func part(_ index: Int) -> Range<Int> { index * step..<min((index + 1) * step, buffer.count) }
      try SFTPPipeline.run(count) { index in
        let part = part(index)
        return try handle.link.send(.read(handle.bytes, at: offset + UInt64(part.lowerBound), count: part.count))
      } take: { index, reply in
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[part(index)])
        try take(reply, into: part, at: offset + UInt64(index * step), handle)
      }
    }
  }

  private func take(
    _ reply: SFTPReply, into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64, _ handle: SFTPHandle
  ) throws {
    var (reply, rest, offset) = (reply, buffer, offset)
    for _ in 0..<Self.piecesMax {
      let count: Int
      do {
        count = try reply.wait().data(into: rest)
      } catch let failure as SFTPAnswer.Failure where failure.code == .end {
        throw StoreError.endOfObject(name)
      }
      rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
      guard !rest.isEmpty else { return }
      offset += UInt64(count)
      reply = try handle.link.send(.read(handle.bytes, at: offset, count: rest.count))
    }
    throw SFTPViolation("a file in tiny pieces")
  }
}

/// The files that are open for reading. Their number is limited, so that no server has to hold too many. The one that
/// was opened first is closed first.
final class OpenSFTPFiles: Sendable {
  private static let filesMax = 64

  private struct Entry {
    weak var object: SFTPObject?
    let identifier: ObjectIdentifier
  }

  private let entries = Mutex<[Entry]>([])

  func note(_ object: SFTPObject) {
    let first = entries.withLock { entries -> SFTPObject? in
      entries.removeAll { $0.identifier == ObjectIdentifier(object) }
      entries.append(Entry(object: object, identifier: ObjectIdentifier(object)))
      return entries.count > Self.filesMax ? entries.removeFirst().object : nil
    }
    first?.letGo()
  }

  func forget(_ object: SFTPObject) {
    entries.withLock { $0.removeAll { $0.identifier == ObjectIdentifier(object) } }
  }
}
