internal import HoldfastModel
internal import HoldfastSystem

/// A whole object that is sent to one target, which stores its shard of it.
final class ShardUpload: ObjectUpload, @unchecked Sendable {
  // Sendable without a lock: an upload without parts gets its bytes in order, from one thread at a time.
  private let key: String
  private let position: Int
  private let location: String
  private let encoder: ShardEncoder
  private let writer: ObjectWriter
  private var count: UInt64 = 0
  private var isEnded = false

  /// - Parameter upload: the shard at the target.
  init(_ key: String, _ position: Int, of shardSet: ShardSet, in store: any Store, as upload: any ObjectUpload) throws {
    (self.key, self.position, location) = (key, position, store.location)
    encoder = try shardSet.makeEncoder(of: key)
    writer = ObjectWriter(upload, connections: store.connections)
  }

  var partBytes: Int? { nil }

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    guard offset <= count else { throw StoreError.endOfObject(key) }
    let known = Int(clamping: count - offset)
    guard known < bytes.count else { return }
    try encoder.append(UnsafeRawBufferPointer(rebasing: bytes[known...]), pass)
    count += UInt64(bytes.count - known)
  }

  private func pass(_ position: Int, _ bytes: UnsafeRawBufferPointer) throws {
    if position == self.position { try writer.append(bytes) }
  }

  func commit() throws {
    if !isEnded { _ = try encoder.finish(pass) }
    isEnded = true
    do {
      try writer.commit()
    } catch StoreError.alreadyExists {
      throw StoreError.alreadyExists(key: key, location: location)
    }
  }

  func abort() { writer.abort() }
}
