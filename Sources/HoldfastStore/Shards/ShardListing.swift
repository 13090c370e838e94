internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// A listing below one prefix, in which containers have the names of objects instead of those of shards. No other name
/// lies between those of an object and of its shards, because names of containers all have the same length.
struct ShardListing {
  private let shardSet: ShardSet
  private let prefix: String
  private let depth: ListingDepth

  init(_ shardSet: ShardSet, _ prefix: String, _ depth: ListingDepth) {
    (self.shardSet, self.prefix, self.depth) = (shardSet, prefix, depth)
  }

  // MARK: The repository

  /// Returns the names that home has, with the lengths of whole objects as far as the listings of all targets show
  /// them.
  func logicalPage(of home: any Store, after name: String?, max: Int) throws -> ListingPage {
    guard shardSet.home.position != nil else { return try sparePage(of: home, after: name, max: max) }
    var found: [String: [ErasureScheme: [Int: UInt64]]] = [:]
    let page = try page(of: home, after: name, max: max) { entry, form in
      if let shard = form.shard {
        found[form.object, default: [:]][shard.scheme, default: [:]][shard.position] = entry.kind.length
      }
      return .listed(entry.kind.length, isFirst: form.shard == nil)
    }
    guard let first = page.entries.first(where: { found[$0.name] != nil }), let last = page.entries.last else {
      return page
    }
    try addLengths(from: first.name, to: last.name, &found)
    let entries = page.entries.map { entry in
      guard let schemes = found[entry.name] else { return entry }
      let length = schemes.lazy.compactMap { ShardLayout.objectLength($0.key, ofShards: $0.value) }.first
      return ListingEntry(name: entry.name, kind: entry.kind.withLength(length))
    }
    return ListingPage(entries: entries, isLast: page.isLast)
  }

  /// Adds what the other targets list in a range of names. What one does not answer is not known.
  private func addLengths(
    from first: String, to last: String, _ found: inout [String: [ErasureScheme: [Int: UInt64]]]
  ) throws {
    let others = shardSet.members.filter {
      $0.name != shardSet.home.name && $0.position != nil && !shardSet.isResting($0.name)
    }
    let listed = FoundLengths()
    try SideBySide.run(
      others.count, threads: others.contains { $0.store?.capabilities.isNear == false } ? others.count : 1
    ) { index in
      do {
        try others[index].store?.forEachEntry(below: prefix, depth, after: first.justBefore) { entry in
          guard !ShardKey.end(of: last).precedesInListing(entry.name) else { return false }
          if let shard = shardSet.form(of: entry.name, below: prefix)?.shard {
            listed.add(shard, entry.kind.length, isOwn: isOwn(shard, of: others[index]))
          }
          return true
        }
      } catch let signal as Interrupted {
        throw signal
      } catch  where error.isTransient {
        shardSet.rest(others[index].name)
      } catch {
        // What is wrong there is found by a scrub.
      }
    }
    // A target is believed first about its own shards, and home before all others.
    for (shard, length, _) in listed.all.sorted(by: { $0.isOwn && !$1.isOwn }) where found[shard.object] != nil {
      guard found[shard.object]?[shard.scheme]?[shard.position] == nil else { continue }
      found[shard.object]?[shard.scheme, default: [:]][shard.position] = length
    }
  }

  /// True if a shard lies at the target that has its position.
  private func isOwn(_ shard: ShardKey, of member: ShardSet.Member) -> Bool {
    shard.scheme == shardSet.scheme && shard.position == member.position
  }

  // MARK: One target

  /// Returns what a target has of what it must have: of a container, its own shard in the scheme of the set, with the
  /// length of that shard.
  func viewPage(of store: any Store, position: Int, after name: String?, max: Int) throws -> ListingPage {
    var last = name
    while true {
      let page = try page(of: store, after: last, max: max) { entry, form in
        form.shard?.scheme == shardSet.scheme && form.shard?.position == position
          ? .listed(entry.kind.length, isFirst: true) : .hidden
      }
      if page.isLast || !page.entries.isEmpty { return page }
      // Everything in this page was hidden: go on behind it.
      guard let end = try store.list(prefix, depth, after: physical(last), max: max).entries.last else { return page }
      last = shardSet.form(of: end.name, below: prefix)?.object ?? end.name
    }
  }

  /// Returns what a spare has, and the containers that the repository has: what it must have of those is nothing.
  func sparePage(of store: any Store, after name: String?, max: Int) throws -> ListingPage {
    let own = try store.list(prefix, depth, after: physical(name), max: max)
    var entries = own.entries.filter { shardSet.form(of: $0.name, below: prefix) == nil }
    // Nothing is known behind the last name of a listing that goes on.
    var end = own.isLast ? nil : own.entries.last.map { shardSet.form(of: $0.name, below: prefix)?.object ?? $0.name }
    var found: [String: [ErasureScheme: [Int: UInt64]]] = [:]
    for member in shardSet.members where member.position != nil && !shardSet.isResting(member.name) {
      end = try addShards(at: member, after: name, to: end, max: max, &found)
    }
    for (name, schemes) in found where schemes.contains(where: { $1.count >= $0.data }) {
      let length = schemes.lazy.compactMap { ShardLayout.objectLength($0.key, ofShards: $0.value) }.first
      entries.append(ListingEntry(name: name, kind: .object(length: length)))
    }
    let known = entries.filter { entry in end.map { !$0.precedesInListing(entry.name) } ?? true }
      .sorted { $0.name.precedesInListing($1.name) }
    guard !known.isEmpty || end == nil else { return try sparePage(of: store, after: end, max: max) }
    return ListingPage(entries: Array(known.prefix(max)), isLast: end == nil && known.count <= max)
  }

  /// Adds the shards that a target lists in a range of names.
  /// - Returns: the last name of which everything is known; `nil` if that is the last of all.
  private func addShards(
    at member: ShardSet.Member, after name: String?, to end: String?, max: Int,
    _ found: inout [String: [ErasureScheme: [Int: UInt64]]]
  ) throws -> String? {
    var (known, objects, last) = (end, 0, String?.none)
    do {
      try member.store?.forEachEntry(below: prefix, depth, after: physical(name)) { entry in
        if let end, ShardKey.end(of: end).precedesInListing(entry.name) { return false }
        guard let shard = shardSet.form(of: entry.name, below: prefix)?.shard else { return true }
        if shard.object != last {
          guard objects < max else {
            known = last
            return false
          }
          (last, objects) = (shard.object, objects + 1)
        }
        if isOwn(shard, of: member) || found[shard.object]?[shard.scheme]?[shard.position] == nil {
          found[shard.object, default: [:]][shard.scheme, default: [:]][shard.position] = entry.kind.length
        }
        return true
      }
    } catch let signal as Interrupted {
      throw signal
    } catch  where error.isTransient {
      shardSet.rest(member.name)
    } catch {
      // What is wrong there is found by a scrub.
    }
    return known
  }

  // MARK: Pages

  /// The way in which a container is shown.
  private enum Shown {
    case hidden
    /// - Parameter isFirst: true if this form of it counts before others.
    case listed(UInt64?, isFirst: Bool)
  }

  /// Returns a page of a store, in which the forms of each container become one entry.
  private func page(
    of store: any Store, after name: String?, max: Int, _ show: (ListingEntry, StoredForm) -> Shown
  ) throws -> ListingPage {
    let page = try store.list(prefix, depth, after: physical(name), max: max)
    var entries: [ListingEntry] = []
    for entry in page.entries {
      guard entry.kind != .folder, entry.kind != .foreign, let form = shardSet.form(of: entry.name, below: prefix)
      else {
        entries.append(entry)
        continue
      }
      guard case .listed(let length, let isFirst) = show(entry, form) else { continue }
      let shown = ListingEntry(name: form.object, kind: entry.kind.withLength(length))
      guard let last = entries.last, last.name == shown.name else {
        entries.append(shown)
        continue
      }
      if isFirst { entries[entries.count - 1] = shown }
    }
    return ListingPage(entries: entries, isLast: page.isLast)
  }

  /// Returns the name after which a page of a store begins: behind all shards of an object.
  private func physical(_ name: String?) -> String? {
    name.map { shardSet.isContainer(prefix + $0) ? ShardKey.end(of: $0) : $0 }
  }
}

extension ListingEntry.Kind {
  fileprivate func withLength(_ length: UInt64?) -> ListingEntry.Kind {
    if case .cold(let shown) = self { return .cold(length: length ?? shown) }
    return .object(length: length)
  }
}

/// The shards that several threads have listed, with their lengths.
private final class FoundLengths: Sendable {
  private let found = Mutex<[(shard: ShardKey, length: UInt64?, isOwn: Bool)]>([])

  var all: [(shard: ShardKey, length: UInt64?, isOwn: Bool)] { found.withLock { $0 } }

  func add(_ shard: ShardKey, _ length: UInt64?, isOwn: Bool) { found.withLock { $0.append((shard, length, isOwn)) } }
}
