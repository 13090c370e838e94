internal import HoldfastSystem

/// An object on its way into a store, as the store takes it. Dropped without `commit`, it never was.
package protocol ObjectUpload: AnyObject, Sendable {
  /// How many bytes a part has; the last one may be shorter. Parts are sent in any order, several at once. `nil`: bytes
  /// go as they come, in order, and nothing is held in memory.
  var partBytes: Int? { get }

  /// Sends bytes that lie at an offset of the object. What is sent again for an offset replaces what was sent before,
  /// so that a part can be repeated whose answer was lost.
  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws

  /// Returns when the object is durable and visible under its key. It may be called again after an error of scope
  /// *transient*: where an earlier call had effect, and only its answer was lost, this one returns as that one should
  /// have.
  /// - Throws: `StoreError.alreadyExists` when other bytes have the key: an object is never replaced.
  func commit() throws

  /// Drops what was sent; nothing after `commit`.
  func abort()
}

/// Writes an object from its beginning to its end. Where its store takes parts, they are sent side by side by threads
/// of its own, and each is held in memory until it has arrived: whoever appends never has to give bytes a second time.
package final class ObjectWriter: ByteSink {
  private let upload: any ObjectUpload
  private let parts: PartSender?
  private var offset: UInt64 = 0

  /// How many bytes that were appended are held in memory at most, because they may have to be sent again.
  package var heldBytesMax: Int { parts?.heldBytesMax ?? 0 }

  /// - Parameter connections: how many parts are sent at once.
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
  /// - Throws: `StoreError.alreadyExists` when other bytes have the key: an object is never replaced.
  package func commit() throws {
    try parts?.finish()
    try upload.commit()
  }

  /// Drops what was written.
  package func abort() {
    parts?.stop()
    upload.abort()
  }
}

/// Cuts what is appended into parts, and sends them on several threads. An object that is one part only is sent by who
/// commits it, without a thread.
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
  /// What is being filled.
  private var filling: Buffer
  /// Where that begins.
  private var offset: UInt64 = 0
  /// Made when there is more than one part.
  private var pool: OrderedPool<Part>?
  /// Why a part did not arrive: without it the object is not committed.
  private var failure: (any Error)?

  /// One is filled while the others are on their way.
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

  /// Returns when every part has arrived.
  func finish() throws {
    try noting {
      guard let pool else {
        if filling.count > 0 { try upload.send(filling.used, at: 0) }
        return filling.count = 0
      }
      if filling.count > 0 { try submit() }
      try pool.drain()
    }
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
    let part = try pool.next()
    swap(&part.buffer, &filling)
    part.offset = offset
    offset += UInt64(part.buffer.count)
    filling.count = 0
    try pool.submit()
  }

  private func makePool() -> OrderedPool<Part> {
    let pool = OrderedPool(workers: connections, capacity: connections) { [partBytes] in
      Part(capacity: partBytes)
    } perform: { [upload] (part: Part) in
      do { try upload.send(part.buffer.used, at: part.offset) } catch { part.failure = error }
    }
    pool.consume = { part in
      if let failure = part.failure { throw failure }
    }
    return pool
  }
}
