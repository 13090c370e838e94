internal import HoldfastModel
package import HoldfastSystem

/// A repository whose containers are in shards, as one store of whole objects (decision 32). Everything else is that of
/// the store below.
///
/// Home decides what is there: a container is listed if home has its shard, and removed when home's shard is removed; a
/// sync removes the others. One whose length a manifest records is read from any shards.
package struct ShardedStore: StoreLayer {
  package let shardSet: ShardSet
  package let base: any Store
  private let avoided: Set<Int>

  init(_ shardSet: ShardSet, _ base: any Store, avoiding avoided: Set<Int>) {
    (self.shardSet, self.base, self.avoided) = (shardSet, base, avoided)
  }

  /// Shards are read at all targets, so what one of them lacks the whole lacks.
  package var capabilities: StoreCapabilities {
    var capabilities = base.capabilities
    for store in shardSet.members.compactMap(\.store) {
      let own = store.capabilities
      capabilities.isNear = capabilities.isNear && own.isNear
      capabilities.listsLengths = capabilities.listsLengths && own.listsLengths
      capabilities.readsRanges = capabilities.readsRanges && own.readsRanges
    }
    return capabilities
  }

  package var connections: Int { shardSet.members.compactMap { $0.store?.connections }.max() ?? base.connections }

  package func refresh() {
    base.refresh()
    for member in shardSet.members { member.store?.refresh() }
  }

  // MARK: Listing

  package func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    try ShardListing(shardSet, prefix, depth).logicalPage(of: base, after: name, max: max)
  }

  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] {
    keys.contains(where: shardSet.isContainer) ? try findInListing(keys) : try base.find(keys)
  }

  package func listed(_ key: String) -> ListingEntry.Kind? { shardSet.isContainer(key) ? nil : base.listed(key) }

  package func frozen(_ keys: [String]) throws -> [FrozenObject] {
    let containers = keys.filter(shardSet.isContainer)
    var frozen = try base.frozen(keys.filter { !shardSet.isContainer($0) })
    for member in shardSet.members {
      guard let store = member.store, let position = member.position, !containers.isEmpty else { continue }
      frozen += try store.frozen(containers.map { ShardKey($0, shardSet.scheme, position).description })
    }
    return frozen
  }

  // MARK: Reading

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    guard shardSet.isContainer(key) else { return try base.open(key, length: length) }
    guard let length else { return try openAnew(key) }
    return try shardSet.object(key, length: length, ShardObject.Choice(avoided: avoided))
  }

  package func openAnew(_ key: String) throws -> any ReadableBytes {
    guard shardSet.isContainer(key) else { return try base.openAnew(key) }
    return try ShardSearch(key, in: shardSet).objectAtHome()
  }

  package func prefetch(_ objects: [(key: String, length: UInt64?)]) {
    base.prefetch(objects.filter { !shardSet.isContainer($0.key) })
    let containers = objects.compactMap { key, length in
      length.flatMap { shardSet.isContainer(key) ? (key, ShardLayout(shardSet.scheme, length: $0)) : nil }
    }
    guard !containers.isEmpty else { return }
    for member in shardSet.members {
      guard let position = member.position, position < shardSet.scheme.data else { continue }
      member.store?.prefetch(
        containers.map { (ShardKey($0, shardSet.scheme, position).description, $1.shardLength(position)) })
    }
  }

  // MARK: Writing

  package func upload(_ key: String) throws -> any ObjectUpload {
    guard shardSet.isContainer(key) else { return try base.upload(key) }
    return try DividedUpload(key, shardSet)
  }

  /// Shards at several targets cannot take the place of others in one step.
  package func replacement(of key: String) throws -> (any ObjectUpload)? {
    shardSet.isContainer(key) ? nil : try base.replacement(of: key)
  }

  package func createBriefly(_ key: String, _ bytes: [UInt8]) throws {
    guard shardSet.isContainer(key) else { return try base.createBriefly(key, bytes) }
    let writer = try create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  package func remove(_ key: String) throws {
    guard shardSet.isContainer(key) else { return try base.remove(key) }
    for form in try ShardSearch(key, in: shardSet).forms(in: base) { try base.remove(form.key) }
  }

  package func removeBriefly(_ keys: [String]) throws {
    try base.removeBriefly(keys.filter { !shardSet.isContainer($0) })
    for key in keys where shardSet.isContainer(key) { try remove(key) }
  }
}

extension ShardSet {
  /// Returns an object of a known length. Nothing is requested before it is read.
  func object(_ key: String, length: UInt64, _ choice: ShardObject.Choice) throws -> any ReadableBytes {
    let search = ShardSearch(key, in: self)
    let elsewhere = ShardFallback {
      try search.object(length: length, after: $0)
    } others: {
      search.otherForms(length: length)
    }
    let layout = ShardLayout(scheme, length: length)
    return ShardObject(
      key, layout, try placedShards(key, layout), self, choice, elsewhere: choice.forced == nil ? elsewhere : nil)
  }

  /// Returns the shards of an object, by position, at the members that have these positions now.
  private func placedShards(_ key: String, _ layout: ShardLayout) throws -> [StoredShard?] {
    var shards = [StoredShard?](repeating: nil, count: scheme.shards)
    for member in members {
      guard let position = member.position, shards.indices.contains(position), let store = member.store else {
        continue
      }
      shards[position] = try StoredShard(ShardKey(key, scheme, position), layout, at: member.name, store, self)
    }
    return shards
  }
}
