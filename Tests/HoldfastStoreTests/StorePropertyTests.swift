import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Whatever is done with an unreliable store under a layer that tries again, and in whatever order: it gives what a
/// store gives that never fails.
@Suite(.timeLimit(.minutes(30))) struct StorePropertyTests {
  private static let keys = ["a", "b/1", "b/2", "b/c/1", "b/c/2", "c", "d/long/er/key"]

  /// What one operation gave, as text.
  private func outcome(_ body: () throws -> String) -> String {
    do {
      return try body()
    } catch {
      return "\(error)"
    }
  }

  @Test(arguments: UInt64(0)..<40) func anUnreliableStoreGivesWhatAPerfectOneGives(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var traits = MemoryStore.Traits()
    traits.partBytes = Bool.random(using: &random) ? 100 : nil
    (traits.pageMax, traits.connections) = (Int.random(in: 1...5, using: &random), 3)
    let perfect = MemoryStore()
    let memory = MemoryStore(traits)
    let retrying = RetryingStore(FaultyStore(memory, seed: seed), TimelessRetry().retrier())
    let layered = CachingStore(ReadAheadStore(retrying, bytesMax: 1000), bytesMax: 500) { $0.hasPrefix("b/") }
    for step in 0..<150 {
      let operation = operation(&random)
      let (expected, found) = (outcome { try operation(perfect) }, outcome { try operation(layered) })
      #expect(found == expected, "seed \(seed), step \(step)")
      #expect(memory.contents == perfect.contents, "seed \(seed), step \(step)")
    }
  }

  /// One of those that the contract has, drawn at random.
  private func operation(_ random: inout SeededRandom) -> (any Store) throws -> String {
    let key = Self.keys.randomElement(using: &random) ?? ""
    let prefix = ["", "b/", "b/c/", "nothing/"].randomElement(using: &random) ?? ""
    let bytes = random.bytes(Int.random(in: 0...450, using: &random))
    let length = UInt64(Int.random(in: 0...450, using: &random))
    let isKnown = Int.random(in: 0..<4, using: &random) == 0
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<4:
      return { store in
        let writer = try store.create(key)
        try bytes.withUnsafeBytes { try writer.append($0) }
        try writer.commit()
        return "committed"
      }
    case 4..<6:
      return { store in
        let object = try store.open(key, length: isKnown ? length : nil)
        var read = [UInt8](repeating: 0, count: Int(object.length))
        try read.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
        // Of nothing nothing is read.
        return "\(read)"
      }
    case 6:
      return { store in "\(try store.names(below: prefix))" }
    case 7:
      return { store in "\(try store.find(Self.keys))" }
    case 8:
      return { store in
        try store.remove(key)
        return "removed"
      }
    default:
      return { store in
        if !prefix.isEmpty { try store.removeAll(below: prefix) }
        return "removed all"
      }
    }
  }
}
