internal import HoldfastModel
package import HoldfastSystem

/// One target of a repository whose containers are in shards, as sync and scrub use it: a store that has a container if
/// it has its own shard of it. Everything else is that of the target.
///
/// What is read from it are whole objects in which that shard takes part, so that what is proved of the object is
/// proved of the shard. What is written to it are whole objects, of which only that shard is stored. A spare, which has
/// no shards, has all containers that the repository has.
package struct ShardView: StoreLayer {
  package let shardSet: ShardSet
  package let member: ShardSet.Member
  package let base: any Store

  init(_ shardSet: ShardSet, _ member: ShardSet.Member, _ store: any Store) {
    (self.shardSet, self.member, base) = (shardSet, member, store)
  }

  /// Near if all shards are: what is read comes from all targets.
  package var capabilities: StoreCapabilities {
    var capabilities = base.capabilities
    capabilities.isNear = shardSet.members.allSatisfy { $0.store?.capabilities.isNear ?? true }
    return capabilities
  }

  private func key(_ key: String, _ position: Int) -> ShardKey { ShardKey(key, shardSet.scheme, position) }

  // MARK: Listing

  package func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    let listing = ShardListing(shardSet, prefix, depth)
    guard let position = member.position else { return try listing.sparePage(of: base, after: name, max: max) }
    return try listing.viewPage(of: base, position: position, after: name, max: max)
  }

  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] {
    keys.contains(where: shardSet.isContainer) ? try findInListing(keys) : try base.find(keys)
  }

  package func listed(_ key: String) -> ListingEntry.Kind? { shardSet.isContainer(key) ? nil : base.listed(key) }

  /// Returns the length of the shard, for a container.
  package func listedLength(of key: String, length: UInt64) -> UInt64 {
    guard shardSet.isContainer(key), let position = member.position else { return length }
    return ShardLayout(shardSet.scheme, length: length).shardLength(position)
  }

  package func frozen(_ keys: [String]) throws -> [FrozenObject] {
    guard let position = member.position else { return try base.frozen(keys.filter { !shardSet.isContainer($0) }) }
    return try base.frozen(keys.map { shardSet.isContainer($0) ? key($0, position).description : $0 })
  }

  // MARK: Reading

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    guard shardSet.isContainer(key) else { return try base.open(key, length: length) }
    guard let position = member.position else { return try shardSet.logical(over: base).open(key, length: length) }
    guard let length else { return try openAnew(key) }
    return try ProvenShard(
      shardSet.object(key, length: length, ShardObject.Choice(forced: position)),
      StoredShard(
        self.key(key, position), ShardLayout(shardSet.scheme, length: length), at: member.name, base, shardSet))
  }

  package func openAnew(_ key: String) throws -> any ReadableBytes {
    guard shardSet.isContainer(key) else { return try base.openAnew(key) }
    guard let position = member.position else { return try shardSet.logical(over: base).openAnew(key) }
    let shard = self.key(key, position)
    do {
      let end = try ShardEnd(of: base.openAnew(shard.description), shard, shardSet.name(of: key))
      return try shardSet.object(key, length: end.layout.length, ShardObject.Choice(forced: position))
    } catch StoreError.notFound {
      throw StoreError.notFound(key: key, location: location)
    }
  }

  package func prefetch(_ objects: [(key: String, length: UInt64?)]) {
    base.prefetch(objects.filter { !shardSet.isContainer($0.key) })
  }

  // MARK: Writing

  package func upload(_ key: String) throws -> any ObjectUpload {
    guard shardSet.isContainer(key) else { return try base.upload(key) }
    guard let position = member.position else { return NothingToStore() }
    let shard = self.key(key, position).description
    return try ShardUpload(key, position, of: shardSet, in: base, as: base.upload(shard))
  }

  package func replacement(of key: String) throws -> (any ObjectUpload)? {
    guard shardSet.isContainer(key) else { return try base.replacement(of: key) }
    guard let position = member.position,
      let replacement = try base.replacement(of: self.key(key, position).description)
    else { return nil }
    return try ShardUpload(key, position, of: shardSet, in: base, as: replacement)
  }

  package func createBriefly(_ key: String, _ bytes: [UInt8]) throws {
    guard shardSet.isContainer(key) else { return try base.createBriefly(key, bytes) }
    let writer = try create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  /// Removes everything of an object that the target has, in whatever scheme.
  package func remove(_ key: String) throws {
    guard shardSet.isContainer(key) else { return try base.remove(key) }
    for form in try ShardSearch(key, in: shardSet).forms(in: base) { try base.remove(form.key) }
  }

  package func removeBriefly(_ keys: [String]) throws {
    try base.removeBriefly(keys.filter { !shardSet.isContainer($0) })
    for key in keys where shardSet.isContainer(key) { try remove(key) }
  }
}

/// An object in which one shard takes part. Before it is first read, the end of that shard is checked too.
private struct ProvenShard: ReadableBytes {
  private let object: any ReadableBytes
  private let shard: StoredShard

  init(_ object: any ReadableBytes, _ shard: StoredShard) { (self.object, self.shard) = (object, shard) }

  var length: UInt64 { object.length }
  var name: String { object.name }
  /// Other choices of shards. The same one takes part in each, and its end is checked in each.
  var copies: [any ReadableBytes] { object.copies.map { ProvenShard($0, shard) } }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try read([ReadPart(at: offset, into: buffer)])
  }

  func read(_ parts: [ReadPart]) throws {
    do {
      try shard.checkEnd()
      try object.read(parts)
    } catch StoreError.otherLength(_, let location, let found, _) {
      // The length is that of the shard.
      throw StoreError.unreadable(
        key: name, reason: "its shard in \(location) has \(found) bytes, which is another length")
    }
  }

  func expect(_ ranges: [Range<UInt64>]) { object.expect(ranges) }

  func isProof(of range: Range<UInt64>) -> Bool { object.isProof(of: range) }
}

/// An object that a spare gets, of which it stores nothing.
private final class NothingToStore: ObjectUpload {
  var partBytes: Int? { nil }

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) {}
  func commit() {}
  func abort() {}
}
