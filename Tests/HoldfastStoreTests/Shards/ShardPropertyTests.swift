import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Whatever happens to as many shards as the scheme allows, an object is read as it was written.
@Suite(.timeLimit(.minutes(20))) struct ShardPropertyTests {
  private static let unit = Int(ShardLayout.unitBytes)

  /// Lengths at the edges of units and stripes, and some between them.
  static func lengths(_ scheme: ErasureScheme, seed: UInt64) -> [Int] {
    var random = SeededRandom(seed: seed)
    let (data, stripe) = (scheme.data, scheme.data * unit)
    let edges = [
      0, 1, data - 1, data, data + 1, 4097, stripe - 1, stripe, stripe + 1, stripe + unit, 2 * stripe - data,
    ]
    return Set(
      edges + [Int.random(in: 0...stripe, using: &random), Int.random(in: stripe...2 * stripe, using: &random)]
    )
    .sorted()
  }

  @Test(arguments: ["1+1", "2+1", "3+2", "1+3"]) func everyChoiceOfLostShardsLeavesTheObject(_ text: String) throws {
    let seed = UInt64.random(in: 0 ... .max)
    let targets = try ShardTargets(text)
    for (number, length) in Self.lengths(targets.scheme, seed: seed).enumerated() {
      let (key, bytes) = (ShardTargets.key(number), ShardTargets.bytes(length, seed: seed))
      try targets.put(bytes, at: key)
      let shards = targets.shards(of: key)
      for lost in (0...targets.scheme.parity).flatMap(targets.choices) {
        targets.set(shards.enumerated().map { lost.contains($0) ? nil : $1 }, of: key)
        let read = try targets.logical.open(key, length: UInt64(length)).all()
        #expect(read == bytes, "\(text), \(length) bytes, without \(lost), seed \(seed)")
      }
      targets.set(shards, of: key)
    }
  }

  @Test(arguments: ["2+1", "4+2"]) func withOneMoreLostItIsNamedAndNothingIsMadeUp(_ text: String) throws {
    let targets = try ShardTargets(text)
    try targets.put(ShardTargets.bytes(100_000, seed: 1))
    let shards = targets.shards()
    for lost in targets.choices(of: targets.scheme.parity + 1) {
      targets.set(shards.enumerated().map { lost.contains($0) ? nil : $1 })
      // A range that only shards need that are left is still read: damage costs no more than it must.
      #expect(throws: StoreError.self, "without \(lost)") {
        try targets.logical.open(ShardTargets.key(), length: 100_000).all()
      }
    }
  }

  /// How a shard is damaged.
  enum Harm: CaseIterable { case flip, cut, grow, empty, remove, otherPosition, otherObject, noise }

  private static func apply(
    _ harm: Harm, to position: Int, _ shards: inout [[UInt8]?], others: [[UInt8]?], _ random: inout SeededRandom
  ) {
    guard var bytes = shards[position], !bytes.isEmpty else { return }
    switch harm {
    case .flip: bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case .cut: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
    case .grow: bytes.append(0)
    case .empty: bytes = []
    case .remove: return shards[position] = nil
    case .otherPosition: bytes = shards[(position + 1) % shards.count] ?? []
    case .otherObject: bytes = others[position] ?? []
    case .noise: bytes = random.bytes(bytes.count)
    }
    shards[position] = bytes
  }

  /// The reader knows the digest of what it reads, and nothing else tells it what is right.
  @Test(arguments: ["2+1", "3+2"]) func anyDamageToAsManyShardsIsReadThrough(_ text: String) throws {
    for seed in Trials.seeds(byDay: 12, atNight: 200) {
      var random = SeededRandom(seed: seed)
      let targets = try ShardTargets(text)
      let length = Int.random(in: 1...3 * targets.scheme.data << 20, using: &random)
      let bytes = ShardTargets.bytes(length, seed: seed)
      try targets.put(bytes)
      try targets.put(ShardTargets.bytes(length, seed: seed &+ 1), at: ShardTargets.key(2))
      var shards = targets.shards()
      let hit = (0..<targets.scheme.shards).shuffled(using: &random).prefix(targets.scheme.parity)
      let harms = hit.map { _ in Harm.allCases.randomElement(using: &random) ?? .flip }
      for (position, harm) in zip(hit, harms) {
        Self.apply(harm, to: position, &shards, others: targets.shards(of: ShardTargets.key(2)), &random)
      }
      targets.set(shards)
      let read = try targets.logical.open(ShardTargets.key(), length: UInt64(length)).all(whichAre: bytes)
      #expect(read == bytes, "\(text), \(length) bytes, \(harms) at \(hit), seed \(seed)")
    }
  }

  /// Nobody signs a shard: whoever holds a target may write shards of other bytes that are right in themselves.
  @Test(arguments: ["2+1", "2+2", "4+2"]) func shardsThatAreWrongAndHaveRightChecksumsAreFound(_ text: String) throws {
    let (targets, forger) = (try ShardTargets(text), try ShardTargets(text))
    let (bytes, forged) = (ShardTargets.bytes(300_000, seed: 1), ShardTargets.bytes(300_000, seed: 2))
    try targets.put(bytes)
    try forger.put(forged)
    let (shards, wrong) = (targets.shards(), forger.shards())
    for liars in (1...targets.scheme.parity).flatMap(targets.choices) {
      targets.set(shards.indices.map { liars.contains($0) ? wrong[$0] : shards[$0] })
      let read = try targets.logical.open(ShardTargets.key(), length: 300_000).all(whichAre: bytes)
      #expect(read == bytes, "\(text): \(liars) lie")
    }
  }

  @Test func anyRangeIsThatOfTheObject() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    let targets = try ShardTargets("3+2")
    let bytes = ShardTargets.bytes(7_654_321, seed: seed)
    try targets.put(bytes)
    var shards = targets.shards()
    for lost in [[], [0], [1, 4], [2, 3]] {
      targets.set(shards.enumerated().map { lost.contains($0) ? nil : $1 })
      let object = try targets.logical.open(ShardTargets.key(), length: UInt64(bytes.count))
      for _ in 0..<20 {
        let start = Int.random(in: 0...bytes.count, using: &random)
        let count = Int.random(in: 0...min(2 << 20, bytes.count - start), using: &random)
        var read = [UInt8](repeating: 0, count: count)
        try read.withUnsafeMutableBytes { try object.read(into: $0, at: UInt64(start)) }
        #expect(read.elementsEqual(bytes[start..<start + count]), "\(start)+\(count) without \(lost), seed \(seed)")
      }
    }
    shards = []
  }
}
