import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A scrub finds every shard that is not as it was written, at the target that has it, and makes it again of others.
@Suite(.timeLimit(.minutes(20))) struct DividedScrubTests {
  private let divided: DividedShop
  private let whole: [String: [String: [UInt8]]]

  init() throws {
    divided = try DividedShop("2+2", spares: 1)
    divided.write(1, bytes: 2_500_000)
    try divided.backup()
    divided.write(2, bytes: 300_000)
    try divided.backup()
    whole = divided.contents
  }

  @Test func whatIsSoundIsFoundSound() throws {
    let results = try divided.scrub()
    #expect(results.flatMap { ScrubTextOfTest($0).lines } == [])
    #expect(results.count == 5)
    #expect(results.prefix(4).allSatisfy { $0.sources.allSatisfy { $0.provenBytes > 0 } })
  }

  @Test func anyDamagedShardIsFoundWhereItIsAndHealed() throws {
    for seed in Trials.seeds(byDay: 12, atNight: 150) {
      var random = SeededRandom(seed: seed)
      for (name, contents) in whole { try divided.store(name).contents = contents }
      // As many targets as the scheme allows are hit, each at one shard or more.
      let hit = divided.names.prefix(4).shuffled(using: &random).prefix(2)
      var hurt: [String: String] = [:]
      for name in hit {
        let key = try divided.shardKeys(name).randomElement(using: &random) ?? ""
        let harm = Harm.allCases.randomElement(using: &random) ?? .flip
        if Harm.apply(harm, to: key, at: try divided.store(name), &random) { hurt[name] = "\(harm) \(key)" }
      }
      let results = try divided.scrub(repairs: true)
      let found = Set(results.filter { !$0.allFindings.isEmpty }.map(\.target))
      #expect(found == Set(hurt.keys), "\(hurt), seed \(seed)")
      let outcomes = results.flatMap(\.allFindings)
      #expect(outcomes.filter { $0.outcome != .repaired }.isEmpty, "\(hurt), \(outcomes), seed \(seed)")
      for name in divided.names {
        let there = TargetShop.lasting(try divided.store(name))
        let differing = Set(there.keys).union(whole[name]?.keys.map(\.self) ?? []).filter {
          there[$0] != whole[name]?[$0]
        }
        #expect(differing == [], "\(name): \(hurt), seed \(seed)")
      }
      let second = try divided.scrub(repairs: true).flatMap { ScrubTextOfTest($0).lines }
      #expect(second == [], "\(hurt), seed \(seed)")
    }
  }

  /// Wherever a byte of a shard is another one: in its payload, its checksums or its trailer, which are the last 100.
  @Test func anyByteOfAShardIsProved() throws {
    let snapshots = try divided.open().catalog.committedSnapshots(of: SourceName(from: Path("source"))) { _ in }
    let objects = try #require(snapshots.last?.objects)
    for (object, shard) in objects.flatMap({ object in divided.names.prefix(4).enumerated().map { (object, $0) } }) {
      let key = ShardKey(object.key, divided.scheme, shard.offset).description
      let sound = try #require(whole[shard.element]?[key])
      let end = Trials.places(100).map { sound.count - 100 + $0 }
      for index in Trials.places(min(sound.count - 100, 4096), oneIn: 512) + end {
        var bytes = sound
        bytes[index] ^= 1
        try divided.store(shard.element).contents[key] = bytes
        let found = try divided.scrub().filter { !$0.allFindings.isEmpty }.map(\.target)
        #expect(found == [shard.element], "byte \(index) of \(sound.count) of \(key)")
      }
      try divided.store(shard.element).contents[key] = sound
    }
  }

  /// With more shards of one object wrong than the scheme allows, the snapshot that loses by it is named.
  @Test func moreDamageThanTheSchemeAllowsIsLostAndNamed() throws {
    let snapshots = try divided.open().catalog.committedSnapshots(of: SourceName(from: Path("source"))) { _ in }
    let body = try #require(snapshots.last?.objects.first)
    for (position, name) in divided.names.prefix(3).enumerated() {
      try divided.store(name).contents[ShardKey(body.key, divided.scheme, position).description] = [1, 2, 3]
    }
    let results = try divided.scrub(repairs: true)
    let findings = results.flatMap(\.allFindings)
    // Nothing proves the shard that is left, either.
    let texts = findings.map { "\($0.object): \($0.outcome)" }
    #expect(findings.count == 4 && Set(texts) == ["\(body.key): lost"], "\(texts)")
    #expect(findings.allSatisfy { $0.snapshots.count == 1 })
  }

  /// A target that is away is no damage, and what it has is not made up elsewhere.
  @Test func withATargetAwayTheOthersAreProved() throws {
    let results = try divided.scrub(away: ["c"])
    #expect(results.first { $0.target == "c" }?.failure != nil)
    let others = results.filter { $0.target != "c" }.flatMap { ScrubTextOfTest($0).lines }
    #expect(others == [])
  }
}
