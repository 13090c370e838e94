package import HoldfastSystem

/// A layer that does the same with every request to the store below. For example, it tries again; in tests it counts
/// requests, or makes them fail.
package protocol RequestLayer: StoreLayer {
  /// Makes a request.
  /// - Parameter body: asks the store below. It may be called several times.
  func request<Answer>(_ body: () throws -> Answer) throws -> Answer
}

extension RequestLayer {
  package func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    try request { try base.list(prefix, depth, after: name, max: max) }
  }

  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] { try request { try base.find(keys) } }

  package func frozen(_ keys: [String]) throws -> [FrozenObject] { try request { try base.frozen(keys) } }

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    RequestedObject(try request { try base.open(key, length: length) }, self)
  }

  package func upload(_ key: String) throws -> any ObjectUpload {
    RequestedUpload(try request { try base.upload(key) }, self)
  }

  package func replacement(of key: String) throws -> (any ObjectUpload)? {
    try request { try base.replacement(of: key) }.map { RequestedUpload($0, self) }
  }

  package func settle(below prefix: String) throws { try request { try base.settle(below: prefix) } }

  package func remove(_ key: String) throws { try request { try base.remove(key) } }

  package func removeAll(below prefix: String) throws { try request { try base.removeAll(below: prefix) } }

  package func createBriefly(_ key: String, _ bytes: [UInt8]) throws {
    try request { try base.createBriefly(key, bytes) }
  }

  package func removeBriefly(_ keys: [String]) throws { try request { try base.removeBriefly(keys) } }

  package func unfinished(below prefix: String, _ depth: ListingDepth) throws -> [UnfinishedObject] {
    try request { try base.unfinished(below: prefix, depth) }
  }

  package func removeUnfinished(_ objects: [UnfinishedObject]) throws {
    try request { try base.removeUnfinished(objects) }
  }
}

/// An object that makes each read a request.
package struct RequestedObject: ReadableBytes {
  private let base: any ReadableBytes
  private let layer: any RequestLayer

  package init(_ base: any ReadableBytes, _ layer: any RequestLayer) { (self.base, self.layer) = (base, layer) }

  package var length: UInt64 { base.length }
  package var name: String { base.name }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try layer.request { try base.read(into: buffer, at: offset) }
  }

  package func expect(_ ranges: [Range<UInt64>]) { base.expect(ranges) }
}

/// An upload that makes each part a request. A part may be sent again, because the caller still holds the bytes.
private final class RequestedUpload: ObjectUpload {
  private let base: any ObjectUpload
  private let layer: any RequestLayer

  init(_ base: any ObjectUpload, _ layer: any RequestLayer) { (self.base, self.layer) = (base, layer) }

  var partBytes: Int? { base.partBytes }

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    try layer.request { try base.send(bytes, at: offset) }
  }

  func commit() throws { try layer.request { try base.commit() } }

  func commit(with bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    try layer.request { try base.commit(with: bytes, at: offset) }
  }

  func abort() { base.abort() }
}
