internal import HoldfastModel
package import HoldfastSystem

/// A store that was opened alone. If a container is not there, it may be because it is in shards over several targets,
/// and then that is the error instead of damage.
package struct ScatteredStore: StoreLayer {
  package let base: any Store
  private let isContainer: @Sendable (_ key: String) -> Bool
  private let explain: @Sendable () -> ShardError?

  /// - Parameter explain: returns the error for a store that has shards; `nil` if it has whole objects.
  package init(
    _ base: any Store, isContainer: @escaping @Sendable (_ key: String) -> Bool,
    explain: @escaping @Sendable () -> ShardError?
  ) {
    (self.base, self.isContainer, self.explain) = (base, isContainer, explain)
  }

  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] {
    let found = try base.find(keys)
    let isMissing = zip(keys, found).contains { $1 == nil && isContainer($0) }
    if isMissing, let error = explain() { throw error }
    return found
  }

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    guard isContainer(key) else { return try base.open(key, length: length) }
    return ScatteredObject(try explaining { try base.open(key, length: length) }, self)
  }

  package func openAnew(_ key: String) throws -> any ReadableBytes {
    guard isContainer(key) else { return try base.openAnew(key) }
    return try explaining { try base.openAnew(key) }
  }

  package func upload(_ key: String) throws -> any ObjectUpload {
    if isContainer(key), let error = explain() { throw error }
    return try base.upload(key)
  }

  package func replacement(of key: String) throws -> (any ObjectUpload)? {
    if isContainer(key), let error = explain() { throw error }
    return try base.replacement(of: key)
  }

  fileprivate func explaining<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as StoreError {
      if case .notFound = error, let explanation = explain() { throw explanation }
      throw error
    }
  }
}

/// An object whose absence shows when it is first read.
private struct ScatteredObject: ReadableBytes {
  private let object: any ReadableBytes
  private let store: ScatteredStore

  init(_ object: any ReadableBytes, _ store: ScatteredStore) { (self.object, self.store) = (object, store) }

  var length: UInt64 { object.length }
  var name: String { object.name }
  var copies: [any ReadableBytes] { object.copies }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try store.explaining { try object.read(into: buffer, at: offset) }
  }

  func read(_ parts: [ReadPart]) throws { try store.explaining { try object.read(parts) } }

  func expect(_ ranges: [Range<UInt64>]) { object.expect(ranges) }

  func noteDamage(_ damage: any Error) { object.noteDamage(damage) }
}
