internal import HoldfastModel
package import HoldfastSystem

/// A store whose objects are read no faster than a limit allows.
package struct RateLimitedStore: Store {
  private let store: any Store
  private let limit: RateLimit

  package init(_ store: any Store, _ limit: RateLimit) {
    self.store = store
    self.limit = limit
  }

  package var location: String { store.location }
  package var places: [String] { store.places }

  package func names(below prefix: String) throws -> [String] { try store.names(below: prefix) }

  package func open(_ key: String) throws -> any ReadableBytes {
    RateLimitedObject(object: try store.open(key), limit: limit)
  }

  package func create(_ key: String) throws -> any ObjectWriter { try store.create(key) }

  package func createBriefly(_ key: String, _ bytes: [UInt8]) throws { try store.createBriefly(key, bytes) }

  package func removeBriefly(_ keys: [String]) throws { try store.removeBriefly(keys) }

  package func settle(below prefix: String) throws { try store.settle(below: prefix) }

  package func remove(_ key: String) throws { try store.remove(key) }

  package func removeAll(below prefix: String) throws { try store.removeAll(below: prefix) }

  package func weaknesses() throws -> [String] { try store.weaknesses() }

  package func hold(_ name: String, exclusively: Bool, cancellation: Cancellation) throws -> (any StoreLock)? {
    try store.hold(name, exclusively: exclusively, cancellation: cancellation)
  }

  package func removeUnfinished(below prefix: String) throws { try store.removeUnfinished(below: prefix) }

  package func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)? {
    try store.lock(name, wait: wait, cancellation: cancellation)
  }
}

private struct RateLimitedObject: ReadableBytes {
  let object: any ReadableBytes
  let limit: RateLimit

  var length: UInt64 { object.length }
  var name: String { object.name }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    limit.take(buffer.count)
    try object.read(into: buffer, at: offset)
  }
}
