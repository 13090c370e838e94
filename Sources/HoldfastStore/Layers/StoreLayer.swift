package import HoldfastModel
package import HoldfastSystem

/// A store that adds something to another store. Calls that a layer does not implement go to the store below.
package protocol StoreLayer: Store {
  var base: any Store { get }
}

extension StoreLayer {
  package var location: String { base.location }
  package var scheme: StoreScheme { base.scheme }
  package var places: [String] { base.places }
  package var directory: Path? { base.directory }
  package var capabilities: StoreCapabilities { base.capabilities }
  package var connections: Int { base.connections }

  package func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    try base.list(prefix, depth, after: name, max: max)
  }

  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] { try base.find(keys) }

  package func frozen(_ keys: [String]) throws -> [FrozenObject] { try base.frozen(keys) }

  package func listed(_ key: String) -> ListingEntry.Kind? { base.listed(key) }

  package func listedLength(of key: String, length: UInt64) -> UInt64 { base.listedLength(of: key, length: length) }

  package func tag(of bytes: [UInt8]) -> String? { base.tag(of: bytes) }

  package func refresh() { base.refresh() }

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes { try base.open(key, length: length) }

  package func prefetch(_ objects: [(key: String, length: UInt64?)]) { base.prefetch(objects) }

  package func upload(_ key: String) throws -> any ObjectUpload { try base.upload(key) }

  package func replacement(of key: String) throws -> (any ObjectUpload)? { try base.replacement(of: key) }

  package func settle(below prefix: String) throws { try base.settle(below: prefix) }

  package func remove(_ key: String) throws { try base.remove(key) }

  package func removeAll(below prefix: String) throws { try base.removeAll(below: prefix) }

  package func probe(_ random: Randomness) throws -> StoreProbe { try base.probe(random) }

  package func availableBytes() throws -> UInt64? { try base.availableBytes() }

  package func serverTime() throws -> Timestamp? { try base.serverTime() }

  package func extendLocks(of keys: [String], until end: Timestamp) throws -> [String] {
    try base.extendLocks(of: keys, until: end)
  }

  package func hasEarlierVersion(of key: String) throws -> Bool { try base.hasEarlierVersion(of: key) }

  package func hold(_ name: String, exclusively: Bool, cancellation: Cancellation) throws -> (any StoreLock)? {
    try base.hold(name, exclusively: exclusively, cancellation: cancellation)
  }

  package func unfinished(below prefix: String, _ depth: ListingDepth) throws -> [UnfinishedObject] {
    try base.unfinished(below: prefix, depth)
  }

  package func removeUnfinished(_ objects: [UnfinishedObject]) throws { try base.removeUnfinished(objects) }

  package func createBriefly(_ key: String, _ bytes: [UInt8]) throws { try base.createBriefly(key, bytes) }

  package func removeBriefly(_ keys: [String]) throws { try base.removeBriefly(keys) }

  package func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)? {
    try base.lock(name, wait: wait, cancellation: cancellation)
  }
}
