import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// Targets in memory over which objects are divided: `a`, which is home, `b`, `c` … All objects whose names begin with
/// `archive-` are.
struct ShardTargets {
  static let marker = "holdfast.json"

  private static func identifier(_ byte: UInt8) -> Identifier {
    guard let id = Identifier(bytes: Array(repeating: byte, count: 16)) else { preconditionFailure("it has 16 bytes") }
    return id
  }

  let scheme: ErasureScheme
  let stores: [MemoryStore]

  init(_ scheme: String, spares: Int = 0, _ traits: (inout MemoryStore.Traits) -> Void = { _ in }) throws {
    self.scheme = try #require(ErasureScheme(scheme))
    var own = MemoryStore.Traits()
    traits(&own)
    stores = (0..<self.scheme.shards + spares).map { [own] _ in MemoryStore(own) }
    for store in stores { store.contents[Self.marker] = [1] }
  }

  static func name(_ index: Int) -> String { String("abcdefghijklmnop".dropFirst(index).prefix(1)) }

  static func key(_ number: Int = 1) -> String { "sources/shop/0000000001/archive-\(number)" }

  static func containerID(_ key: String) -> Identifier? {
    guard key.split(separator: "/").last?.hasPrefix("archive-") == true, !key.hasSuffix("/"), !key.contains(".") else {
      return nil
    }
    return Identifier(bytes: Array((key.utf8.reversed() + Array(repeating: 0, count: 16)).prefix(16)))
  }

  /// - Parameters:
  ///   - home: the index of the target where the repository is opened.
  ///   - others: stores in place of those of the targets.
  ///   - positions: of the targets; as in the list if there are none.
  func shardSet(
    home: Int = 0, _ others: [Int: any Store] = [:], scheme other: ErasureScheme? = nil,
    containerID: @escaping @Sendable (String) -> Identifier? = ShardTargets.containerID,
    onBadAnswer: @escaping ShardSet.OnBadAnswer = { _, _, _ in }
  ) -> ShardSet {
    let scheme = other ?? scheme
    let members = stores.indices.map { index in
      ShardSet.Member(Self.name(index), others[index] ?? stores[index], position: index < scheme.shards ? index : nil)
    }
    return ShardSet(
      scheme, home: members[home], members, of: Self.repository,
      ShardSet.Keys(marker: Self.marker, containerID: containerID), onBadAnswer: onBadAnswer)
  }

  private static let repository = ShardTargets.identifier(7)

  /// The repository as home has it.
  var logical: ShardedStore { logical() }

  func logical(home: Int = 0, _ others: [Int: any Store] = [:]) -> ShardedStore {
    shardSet(home: home, others).logical(over: others[home] ?? stores[home])
  }

  func view(_ index: Int) throws -> ShardView { try #require(shardSet().view(of: Self.name(index))) }

  func shardKey(_ position: Int, of key: String = key()) -> String {
    ShardKey(key, scheme, position).description
  }

  /// The shards of an object, by position, as they are stored.
  func shards(of key: String = key()) -> [[UInt8]?] {
    (0..<scheme.shards).map { stores[$0].contents[shardKey($0, of: key)] }
  }

  func put(_ bytes: [UInt8], at key: String = key()) throws { try logical.put(bytes, at: key) }

  func set(_ shards: [[UInt8]?], of key: String = key()) {
    for (position, bytes) in shards.enumerated() { stores[position].contents[shardKey(position, of: key)] = bytes }
  }

  /// Bytes of which no two units are the same, made quickly.
  static func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = SeededRandom(seed: seed)
    let block = random.bytes(65_521)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + block.count)
    while bytes.count < count { bytes += block }
    bytes.removeLast(bytes.count - count)
    return bytes
  }

  /// All choices of some of the positions.
  func choices(of count: Int) -> [[Int]] {
    (0..<count).reduce([[]]) { sets, _ in
      sets.flatMap { known in ((known.last ?? -1) + 1..<scheme.shards).map { known + [$0] } }
    }
  }
}

/// An object whose bytes have another digest than it should have.
struct WrongBytes: OperatorError {
  var message: String { "wrong bytes" }
  var hint: String? { nil }
  var exitStatus: HoldfastModel.ExitStatus { .dataLoss }
  var scope: ErrorScope { .repository }
}

extension ReadableBytes {
  /// Reads all bytes as a reader does that knows their digest.
  func all(whichAre expected: [UInt8]) throws -> [UInt8] {
    try firstSound { copy in
      let bytes = try copy.all()
      guard bytes == expected else { throw WrongBytes() }
      return bytes
    }
  }
}
