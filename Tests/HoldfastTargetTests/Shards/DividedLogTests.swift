import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Archived log is in shards as archives are: pushed to all targets, fetched from any that are enough, synced, scrubbed
/// and placed.
@Suite(.timeLimit(.minutes(20))) struct DividedLogTests {
  private let pushes = WALSample()
  private let divided: DividedShop
  private let segments: [(name: String, bytes: [UInt8])]

  init() throws {
    divided = try DividedShop("2+1", spares: 2)
    segments = WALSample.log().segments.map { ($0.name.text, $0.bytes) }
  }

  private func pushAll(away: Set<String> = []) throws {
    for segment in segments {
      _ = try pushes.push(segment.name, segment.bytes, divided.shop, in: divided.open(away: away))
    }
  }

  private func expectFetched(away: Set<String>, _ location: Testing.SourceLocation = #_sourceLocation) throws {
    for segment in segments {
      let fetched = try pushes.fetch(segment.name, divided.shop, in: divided.open(away: away))
      #expect(fetched == segment.bytes, "\(segment.name) without \(away)", sourceLocation: location)
    }
  }

  @Test func aPushWritesToAllAndAFetchReadsFromAnyTwo() throws {
    try pushAll()
    for name in ["a", "b", "c"] { #expect(try divided.shardKeys(name).count == segments.count, "\(name)") }
    for away in ["b", "c"] { try expectFetched(away: [away]) }
    for name in divided.names.dropFirst() { #expect(try divided.sync(name).isInStep, "\(name)") }
    try divided.store("a").contents = [:]
    for segment in segments {
      #expect(try pushes.fetch(segment.name, divided.shop, in: divided.open("b")) == segment.bytes)
    }
  }

  @Test func withOneAwayItIsPushedAndPlacedLater() throws {
    try pushAll(away: ["c"])
    #expect(try divided.shardKeys("c") == [])
    #expect(try divided.sync("c").isInStep)
    #expect(try divided.shardKeys("c").count == segments.count)
    try expectFetched(away: ["b"])
    // What is lost with its manifest there comes with a sync; without it, with a placement or a scrub.
    try divided.store("c").contents = divided.store("c").contents.filter { ShardKey($0.key) == nil }
    #expect(try divided.placeShards().first { $0.target == "c" }?.placed == segments.count)
    try expectFetched(away: ["b"])
    #expect(throws: StoreError.self) {
      try pushes.fetch(segments[0].name, divided.shop, in: divided.open(away: ["b", "c"]))
    }
  }

  @Test func withFewerThanNeededNothingIsPushed() throws {
    let error = #expect(throws: ShardError.self) { try pushAll(away: ["b", "c"]) }
    #expect(error?.message == "only 1 target of the 2 that 2+1 needs can take shards: b is not there; c is not there")
    #expect(error?.scope == .transient)
    #expect(try divided.store("a").contents.keys.filter { $0.hasPrefix("wal/") } == [])
  }

  @Test func damageIsFoundAndHealedAndAnotherSchemePlaced() throws {
    try pushAll()
    for name in divided.names.dropFirst() { #expect(try divided.sync(name).isInStep, "\(name)") }
    let whole = divided.contents
    for name in ["a", "b", "c"] {
      let key = try divided.shardKeys(name)[0]
      try divided.store(name).contents[key]?[40] ^= 1
      let found = try divided.scrub(repairs: true)
      #expect(found.flatMap { ScrubTextOfTest($0).lines } == ["\(name): \(key.dropLast(6)): repaired"])
      #expect(try TargetShop.lasting(divided.store(name)) == whole[name], "\(name)")
    }
    let home = try divided.open()
    var change = try TargetListChange(home, home: ListedShop.member("a"))
    try change.divide(ErasureScheme("3+2"))
    try change.publish()
    try expectFetched(away: [])
    let placed = try divided.placeShards().filter { !$0.isWithoutFault }
    #expect(placed.isEmpty, "\(placed)")
    for name in divided.names { #expect(try divided.shardKeys(name).count == segments.count, "\(name)") }
    try expectFetched(away: ["b", "d"])
  }
}
