internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// Looks for an object at all targets, in whatever scheme it is stored.
struct ShardSearch {
  /// A shard, or the whole object, at one target.
  struct Found: Sendable {
    let target: ShardSet.Member
    let key: String
    /// `nil` if it is the whole object.
    let shard: ShardKey?
    /// `nil` if the listing does not show it.
    let length: UInt64?
  }

  private let key: String
  private let shardSet: ShardSet
  /// The folder in which the object lies, ending with `/`, or empty.
  private let folder: String

  init(_ key: String, in shardSet: ShardSet) {
    (self.key, self.shardSet) = (key, shardSet)
    folder = key.lastIndex(of: "/").map { String(key[...$0]) } ?? ""
  }

  // MARK: What is stored

  /// Returns what a store has of the object.
  func forms(in store: any Store) throws -> [(key: String, shard: ShardKey?, length: UInt64?)] {
    guard Path(key).isSoundEntryPath, !key.isEmpty else { throw StoreError.invalidKey(key) }
    let name = String(key.dropFirst(folder.count))
    var forms: [(key: String, shard: ShardKey?, length: UInt64?)] = []
    try store.forEachEntry(below: folder, .children, after: name.justBefore) { entry in
      guard !ShardKey.end(of: name).precedesInListing(entry.name) else { return false }
      if entry.name == name {
        if case .folder = entry.kind { return true }
        forms.append((key, nil, entry.kind.length))
      } else if let shard = ShardKey(folder + entry.name), shard.object == key {
        forms.append((folder + entry.name, shard, entry.kind.length))
      }
      return true
    }
    return forms
  }

  /// Asks all targets; those that did not answer a short time ago only if the others do not have enough. One that does
  /// not answer has nothing.
  private func everything() throws -> [Found] {
    let resting = Set(shardSet.members.map(\.name).filter(shardSet.isResting))
    let found = try everything(at: shardSet.members.filter { !resting.contains($0.name) })
    guard !resting.isEmpty, !isEnough(found) else { return found }
    return try found + everything(at: shardSet.members.filter { resting.contains($0.name) })
  }

  /// True if the object can be read from what was found.
  private func isEnough(_ found: [Found]) -> Bool {
    found.contains { $0.shard == nil } || bySchemes(found).contains { $0.shards.count >= $0.scheme.data }
  }

  /// Asks targets side by side.
  private func everything(at members: [ShardSet.Member]) throws -> [Found] {
    let found = Mutex<[Found]>([])
    try SideBySide.run(members.count, threads: members.count) { index in
      guard let store = members[index].store else { return }
      do {
        let forms = try self.forms(in: store)
        found.withLock {
          $0 += forms.map { Found(target: members[index], key: $0.key, shard: $0.shard, length: $0.length) }
        }
      } catch let signal as Interrupted {
        throw signal
      } catch let error as StoreError {
        if case .invalidKey = error { throw error }
        if error.isTransient { self.shardSet.rest(members[index].name) }
      } catch {
        if error.isTransient { self.shardSet.rest(members[index].name) }
      }
    }
    return found.withLock { $0 }
  }

  // MARK: Objects

  /// Returns the object, if home has a shard of it, or all of it.
  /// - Throws: `StoreError.notFound` if home has nothing of it.
  func objectAtHome() throws -> any ReadableBytes {
    guard let home = shardSet.home.store else { throw missing }
    if shardSet.home.position != nil, try forms(in: home).isEmpty {
      // A listing may lag.
      guard let position = shardSet.home.position else { throw missing }
      do {
        _ = try home.openAnew(ShardKey(key, shardSet.scheme, position).description)
      } catch StoreError.notFound {
        throw missing
      }
    }
    let found = try everything()
    guard let length = try length(found) else { throw unreadable(found) }
    return try object(length: length, found, after: unreadable(found))
  }

  /// Returns an object that is not in shards of the scheme of the set.
  /// - Throws: `cause`, if it is nowhere else; `StoreError.otherLength` if what is there has another length.
  func object(length: UInt64, after cause: any Error) throws -> any ReadableBytes {
    let found = try everything()
    if let there = try self.length(found, expected: length), there != length {
      throw StoreError.otherLength(key: key, location: location, found: there, expected: length)
    }
    return try object(length: length, found, after: cause)
  }

  /// Returns the object in each form that is not of the scheme of the set; none if that cannot be found out.
  func otherForms(length: UInt64) -> [any ReadableBytes] {
    guard let found = try? everything(),
      let forms = try? forms(length: length, found.filter({ $0.shard?.scheme != shardSet.scheme }))
    else { return [] }
    return forms.flatMap { [$0] + $0.copies }
  }

  private func object(length: UInt64, _ found: [Found], after cause: any Error) throws -> any ReadableBytes {
    guard let object = ObjectInForms(try forms(length: length, found)) else { throw cause }
    return object
  }

  /// Returns the object in each form in which it can be read: in its schemes, and whole.
  private func forms(length: UInt64, _ found: [Found]) throws -> [any ReadableBytes] {
    var forms: [any ReadableBytes] = []
    for (scheme, shards) in bySchemes(found) where shards.count >= scheme.data {
      let layout = ShardLayout(scheme, length: length)
      var stored = [StoredShard?](repeating: nil, count: scheme.shards)
      for (position, found) in shards {
        guard let store = found.target.store else { continue }
        stored[position] = try StoredShard(
          ShardKey(key, scheme, position), layout, at: found.target.name, store, shardSet)
      }
      forms.append(ShardObject(key, layout, stored, shardSet))
    }
    for found in found where found.shard == nil {
      if let whole = try? found.target.store?.open(found.key, length: length) { forms.append(whole) }
    }
    return forms
  }

  /// Returns the shards of each scheme, by position. The scheme of which most are there comes first. In the set's
  /// scheme, the target that has a position counts before any other.
  private func bySchemes(_ found: [Found]) -> [(scheme: ErasureScheme, shards: [Int: Found])] {
    Dictionary(grouping: found.filter { $0.shard != nil }) { $0.shard?.scheme ?? shardSet.scheme }.map {
      scheme, found in
      let own = found.filter { scheme == shardSet.scheme && $0.shard?.position == $0.target.position }
      return (scheme, Dictionary((own + found).map { ($0.shard?.position ?? 0, $0) }) { first, _ in first })
    }.sorted {
      ($0.shards.count, $0.scheme == shardSet.scheme ? 1 : 0) > ($1.shards.count, $1.scheme == shardSet.scheme ? 1 : 0)
    }
  }

  // MARK: Lengths

  /// Returns the length of the object, as most shards tell it; `nil` if none does.
  /// - Parameter expected: the length that a manifest records: it counts if as many shards tell it as are needed.
  private func length(_ found: [Found], expected: UInt64? = nil) throws -> UInt64? {
    for (scheme, shards) in bySchemes(found) {
      if shards.count == scheme.shards,
        let length = ShardLayout.objectLength(scheme, ofShards: shards.compactMapValues(\.length))
      {
        return length
      }
    }
    let name = try shardSet.name(of: key)
    var counts: [UInt64: Int] = [:]
    for found in found {
      guard let store = found.target.store else { continue }
      let length =
        try? found.shard.map { try ShardEnd(of: store.openAnew(found.key), $0, name).layout.length }
        ?? found.length ?? store.openAnew(found.key).length
      if let length { counts[length, default: 0] += 1 }
    }
    if let expected, counts[expected, default: 0] >= shardSet.scheme.data { return expected }
    return counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key
  }

  private var location: String { shardSet.home.store?.location ?? shardSet.home.name }

  private var missing: StoreError { .notFound(key: key, location: location) }

  private func unreadable(_ found: [Found]) -> any Error {
    if let absence = shardSet.absence() { return absence }
    return found.isEmpty
      ? missing : StoreError.unreadable(key: key, reason: "fewer shards of it are left than it needs")
  }
}

/// An object that is there in several forms: in shards of several schemes, or whole.
private struct ObjectInForms: ReadableBytes {
  private let forms: [any ReadableBytes]
  private let first: any ReadableBytes

  /// `nil` if there is none.
  init?(_ forms: [any ReadableBytes]) {
    guard let first = forms.first else { return nil }
    (self.forms, self.first) = (forms, first)
  }

  var copies: [any ReadableBytes] { forms.flatMap { [$0] + $0.copies } }

  var length: UInt64 { first.length }
  var name: String { first.name }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try read([ReadPart(at: offset, into: buffer)])
  }

  /// Reads from the first form that can be read.
  func read(_ parts: [ReadPart]) throws {
    do {
      try first.read(parts)
    } catch  where !(error is Interrupted) {
      for form in forms.dropFirst() where (try? form.read(parts)) != nil { return }
      throw error
    }
  }
}
