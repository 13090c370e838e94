internal import HoldfastSystem

/// An object that is being sent to a store. Without `commit` it never exists.
package protocol ObjectUpload: AnyObject, Sendable {
  /// The length of a part in bytes; the last part may be shorter. Parts may be sent in any order, several at once.
  /// `nil` if the store takes no parts: then bytes are sent in order as they come, and none are held in memory.
  var partBytes: Int? { get }

  /// Sends bytes that belong at an offset of the object. Bytes sent again for an offset replace the earlier ones, so
  /// that a part whose answer was lost can be repeated.
  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws

  /// Returns when the object is durable and visible under its key. After an error of scope *transient* it may be called
  /// again: if the earlier call succeeded and only its answer was lost, the call returns normally.
  /// - Throws: `StoreError.alreadyExists` if other bytes have the key: an object is never replaced.
  func commit() throws

  /// Sends the last bytes and commits, in fewer round trips than `send` and `commit` if the store can do that. After an
  /// error of scope *transient* it may be called again with the same bytes.
  func commit(with bytes: UnsafeRawBufferPointer, at offset: UInt64) throws

  /// Drops what was sent. Does nothing after `commit`.
  func abort()
}

extension ObjectUpload {
  package func commit(with bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    try send(bytes, at: offset)
    try commit()
  }
}

/// Writes an object from beginning to end. If its store takes parts, several threads send them at once, and each part
/// stays in memory until it has arrived. So callers never have to give bytes a second time.
package final class ObjectWriter: ByteSink, @unchecked Sendable {
  // Sendable without a lock: one thread at a time uses it. A thread that lets another one commit does not use it any
  // more.
  private let upload: any ObjectUpload
  private let parts: PartSender?
  private var offset: UInt64 = 0

  /// The most appended bytes that are held in memory because they may have to be sent again.
  package var heldBytesMax: Int { parts?.heldBytesMax ?? 0 }

  /// - Parameter connections: the number of parts that are sent at once.
  package init(_ upload: any ObjectUpload, connections: Int) {
    self.upload = upload
    parts = upload.partBytes.map { PartSender(upload, partBytes: $0, connections: connections) }
  }

  package func append(_ bytes: UnsafeRawBufferPointer) throws {
    if let parts { return try parts.append(bytes) }
    try upload.send(bytes, at: offset)
    offset += UInt64(bytes.count)
  }

  /// Returns when the object is durable and visible under its key.
  /// - Throws: `StoreError.alreadyExists` if other bytes have the key: an object is never replaced.
  package func commit() throws {
    guard let parts else { return try upload.commit() }
    try parts.commit()
  }

  /// Drops what was written.
  package func abort() {
    parts?.stop()
    upload.abort()
  }
}

/// Divides appended bytes into parts, and sends them on several threads. An object of a single part is sent by the
/// thread that commits it.
private final class PartSender {
  private final class Part {
    var buffer: Buffer
    var offset: UInt64 = 0
    var failure: (any Error)?
    init(capacity: Int) { buffer = Buffer(capacity: capacity) }
  }

  private let upload: any ObjectUpload
  private let partBytes: Int
  private let connections: Int
  /// The part that is being filled.
  private var filling: Buffer
  /// The offset at which that part begins.
  private var offset: UInt64 = 0
  /// The threads that send parts. They are made when a second part begins.
  private var pool: OrderedPool<Part>?
  /// The reason why a part did not arrive. The object is not committed then.
  private var failure: (any Error)?

  /// One part is filled while the others are being sent.
  var heldBytesMax: Int { partBytes * (connections + 1) }

  init(_ upload: any ObjectUpload, partBytes: Int, connections: Int) {
    self.upload = upload
    self.partBytes = partBytes
    self.connections = connections
    filling = Buffer(capacity: partBytes)
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws {
    try noting {
      var rest = bytes
      while !rest.isEmpty {
        if filling.count == partBytes { try submit() }
        let count = min(rest.count, partBytes - filling.count)
        filling.append(UnsafeRawBufferPointer(rebasing: rest[..<count]))
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    }
  }

  /// Commits when every part has arrived; a single part is sent with the commit.
  func commit() throws {
    guard let pool else {
      if let failure { throw failure }
      return filling.count == 0 ? try upload.commit() : try upload.commit(with: filling.used, at: 0)
    }
    try noting {
      if filling.count > 0 { try submit() }
      try pool.drain(Self.check)
    }
    try upload.commit()
  }

  func stop() { pool?.stop() }

  private func noting(_ body: () throws -> Void) throws {
    if let failure { throw failure }
    do {
      try body()
    } catch {
      failure = error
      throw error
    }
  }

  private func submit() throws {
    let pool = pool ?? makePool()
    self.pool = pool
    let part = try pool.next(Self.check)
    swap(&part.buffer, &filling)
    part.offset = offset
    offset += UInt64(part.buffer.count)
    filling.count = 0
    try pool.submit(Self.check)
  }

  private func makePool() -> OrderedPool<Part> {
    // In any order: over a new connection one part may take several times as long as the others.
    OrderedPool(workers: connections, capacity: connections, keepsOrder: false) { [partBytes] in
      Part(capacity: partBytes)
    } perform: { [upload] (part: Part) in
      do { try upload.send(part.buffer.used, at: part.offset) } catch { part.failure = error }
    }
  }

  private static func check(_ part: Part) throws {
    if let failure = part.failure { throw failure }
  }
}
