package import HoldfastSystem

/// A store that repeats calls that fail temporarily. The contract allows every call to be repeated.
package struct RetryingStore: StoreLayer {
  package let base: any Store
  private let retrier: Retrier

  package init(_ base: any Store, _ retrier: Retrier) {
    self.base = base
    self.retrier = retrier
  }

  package func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    try retrier.run { try base.list(prefix, depth, after: name, max: max) }
  }

  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] { try retrier.run { try base.find(keys) } }

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    RetriedObject(base: try retrier.run { try base.open(key, length: length) }, retrier: retrier)
  }

  package func upload(_ key: String) throws -> any ObjectUpload {
    RetriedUpload(try retrier.run { try base.upload(key) }, retrier)
  }

  package func settle(below prefix: String) throws { try retrier.run { try base.settle(below: prefix) } }

  package func remove(_ key: String) throws { try retrier.run { try base.remove(key) } }

  package func removeAll(below prefix: String) throws { try retrier.run { try base.removeAll(below: prefix) } }

  /// Sent as an upload, which recognises its own object when a try meets it again.
  package func createBriefly(_ key: String, _ bytes: [UInt8]) throws {
    let writer = try create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  package func removeBriefly(_ keys: [String]) throws { try retrier.run { try base.removeBriefly(keys) } }

  package func probe(_ random: Randomness) throws -> StoreProbe { try retrier.run { try base.probe(random) } }

  package func removeUnfinished(below prefix: String) throws {
    try retrier.run { try base.removeUnfinished(below: prefix) }
  }
}

private struct RetriedObject: ReadableBytes {
  let base: any ReadableBytes
  let retrier: Retrier

  var length: UInt64 { base.length }
  var name: String { base.name }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try retrier.run { try base.read(into: buffer, at: offset) }
  }

  func expect(_ ranges: [Range<UInt64>]) { base.expect(ranges) }
}

/// An upload that sends a part again when it failed. The caller still holds the bytes.
private final class RetriedUpload: ObjectUpload {
  private let base: any ObjectUpload
  private let retrier: Retrier

  init(_ base: any ObjectUpload, _ retrier: Retrier) { (self.base, self.retrier) = (base, retrier) }

  var partBytes: Int? { base.partBytes }

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    try retrier.run { try base.send(bytes, at: offset) }
  }

  func commit() throws { try retrier.run { try base.commit() } }

  func abort() { base.abort() }
}
