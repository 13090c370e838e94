import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// A target that lies, or falls silent, costs little, and is believed about nothing but its own shards.
@Suite(.timeLimit(.minutes(10))) struct ShardFaultTests {
  /// A table of checksums of 4 TiB is not read into memory.
  @Test func aShardThatClaimsAnImpossibleLengthIsUnreadable() throws {
    let targets = try ShardTargets("2+1")
    try targets.put(ShardTargets.bytes(3_000_000, seed: 1))
    let claimed: UInt64 = 1 << 60
    var trailer = Array(try #require(targets.stores[1].contents[targets.shardKey(1)]).suffix(96))
    trailer.replaceSubrange(48..<56, with: withUnsafeBytes(of: claimed.littleEndian) { Array($0) })
    let length = ShardLayout(targets.scheme, length: claimed).shardLength(1)
    let forged = Forged(base: targets.stores[1], key: targets.shardKey(1), bytes: Forgery(length, end: trailer))
    let view = try #require(targets.shardSet([1: forged]).view(of: "b"))
    let error = #expect(throws: StoreError.self) { try view.openAnew(ShardTargets.key()) }
    let finding = "its table has 2199023255552 bytes, more than any shard's"
    #expect(error?.message.contains(finding) == true, "\(error as Any)")
  }

  /// Each question waits for a silent target, so it is asked once in a while only.
  @Test func aSilentTargetIsNotAskedForEveryObject() throws {
    let targets = try ShardTargets("2+1")
    for number in 100..<200 { try targets.put([1, 2, 3], at: ShardTargets.key(number)) }
    let silent = Silent(targets.stores[1])
    let logical = targets.logical([1: silent])
    for number in 100..<200 { #expect(try logical.openAnew(ShardTargets.key(number)).length == 3) }
    #expect((1...3).contains(silent.asked), "\(silent.asked)")
  }

  @Test func aTargetIsNotBelievedAboutTheShardsOfOthers() throws {
    let targets = try ShardTargets("2+1")
    let bytes = ShardTargets.bytes(100_000, seed: 1)
    try targets.put(bytes)
    for position in [0, 1] { targets.stores[2].contents[targets.shardKey(position)] = [1, 2, 3] }
    var lengths: [UInt64?] = []
    try targets.logical.forEachEntry(below: "sources/shop/0000000001/", .children) { entry in
      lengths.append(entry.kind.length)
      return true
    }
    #expect(lengths == [100_000])
    #expect(try targets.logical.openAnew(ShardTargets.key()).length == 100_000)
    #expect(try targets.logical.openAnew(ShardTargets.key()).all(whichAre: bytes) == bytes)
  }

  /// What a spare lists is merged page by page.
  @Test func theListingOfASpareIsMadeOnce() throws {
    let targets = try ShardTargets("2+1", spares: 1)
    let keys = (1000..<3000).map { ShardTargets.key($0) }
    for position in 0..<3 {
      var contents = targets.stores[position].contents
      for key in keys { contents[targets.shardKey(position, of: key)] = [1] }
      targets.stores[position].contents = contents
    }
    for number in 2000..<2500 { targets.stores[3].contents["sources/shop/0000000001/note-\(number)"] = [1] }
    let counted = targets.stores.map { Counted($0) }
    let view = try #require(
      targets.shardSet(Dictionary(uniqueKeysWithValues: counted.enumerated().map { ($0, $1) })).view(of: "d"))
    var (names, last) = ([String](), String?.none)
    while true {
      let page = try view.list("sources/shop/0000000001/", .children, after: last, max: 50)
      names += page.entries.map(\.name)
      last = page.entries.last?.name
      if page.isLast { break }
    }
    #expect(names == (1000..<3000).map { "archive-\($0)" } + (2000..<2500).map { "note-\($0)" })
    #expect(counted.reduce(0) { $0 + $1.entries } < 100_000 * 3, "\(counted.map(\.entries))")
    #expect(counted.reduce(0) { $0 + $1.listings } < 300, "\(counted.map(\.listings))")
  }
}

/// A target that has other bytes under one key.
private struct Forged: StoreLayer {
  let base: any Store
  let key: String
  let bytes: Forgery

  func openAnew(_ key: String) throws -> any ReadableBytes { key == self.key ? bytes : try base.openAnew(key) }
}

/// An object of any length, of which only the end is there.
private struct Forgery: ReadableBytes {
  let length: UInt64
  private let end: [UInt8]

  init(_ length: UInt64, end: [UInt8]) { (self.length, self.end) = (length, end) }

  var name: String { "forged" }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    guard offset == length - UInt64(end.count), buffer.count == end.count else {
      throw StoreError.unreadable(key: name, reason: "more than its end was read")
    }
    buffer.copyBytes(from: end)
  }

  func read(_ parts: [ReadPart]) throws { for part in parts { try read(into: part.buffer, at: part.offset) } }
}

/// A target that answers nothing.
private final class Silent: StoreLayer {
  let base: any Store
  private let count = Atomic(0)

  init(_ base: any Store) { self.base = base }

  var asked: Int { count.load(ordering: .relaxed) }

  private func fail() -> StoreError {
    count.add(1, ordering: .relaxed)
    return .unavailable(location: location, reason: "it is silent")
  }

  func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    throw fail()
  }

  func openAnew(_ key: String) throws -> any ReadableBytes { throw fail() }
}

/// A target that counts listings, and the entries in them.
private final class Counted: StoreLayer {
  let base: any Store
  private let counts = Mutex((listings: 0, entries: 0))

  init(_ base: any Store) { self.base = base }

  var listings: Int { counts.withLock { $0.listings } }
  var entries: Int { counts.withLock { $0.entries } }

  func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    let page = try base.list(prefix, depth, after: name, max: max)
    counts.withLock { $0 = ($0.listings + 1, $0.entries + page.entries.count) }
    return page
  }
}
