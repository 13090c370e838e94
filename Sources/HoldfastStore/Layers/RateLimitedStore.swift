package import HoldfastSystem

/// A store that limits the rate at which objects are read and written.
package struct RateLimitedStore: StoreLayer {
  package let base: any Store
  private let reading: RateLimit?
  private let writing: RateLimit?

  /// - Parameters:
  ///   - reading: the limit for reading; `nil` for none.
  ///   - writing: the limit for writing; `nil` for none. It may be the same object as `reading`.
  package init(_ base: any Store, reading: RateLimit? = nil, writing: RateLimit? = nil) {
    self.base = base
    self.reading = reading
    self.writing = writing
  }

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    let object = try base.open(key, length: length)
    return reading.map { RateLimitedObject(object: object, limit: $0) } ?? object
  }

  package func upload(_ key: String) throws -> any ObjectUpload {
    limited(try base.upload(key))
  }

  package func replacement(of key: String) throws -> (any ObjectUpload)? {
    try base.replacement(of: key).map(limited)
  }

  private func limited(_ upload: any ObjectUpload) -> any ObjectUpload {
    writing.map { RateLimitedUpload(upload, limit: $0) } ?? upload
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

private final class RateLimitedUpload: ObjectUpload {
  private let base: any ObjectUpload
  private let limit: RateLimit

  init(_ base: any ObjectUpload, limit: RateLimit) { (self.base, self.limit) = (base, limit) }

  var partBytes: Int? { base.partBytes }

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    limit.take(bytes.count)
    try base.send(bytes, at: offset)
  }

  func commit() throws { try base.commit() }

  func commit(with bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    limit.take(bytes.count)
    try base.commit(with: bytes, at: offset)
  }

  func abort() { base.abort() }
}
