import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Whatever fails at the targets, by seed: home loses nothing that it acknowledged, a target that is not reported has
/// all of it, and one that is reported has nothing that came after what it lacks.
@Suite(.timeLimit(.minutes(30))) struct TargetFaultTests {
  @Test(arguments: UInt64(0)..<60) func aTargetIsWholeOrIsReported(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let memories = (0..<3).map { _ in
      var traits = MemoryStore.Traits()
      (traits.partBytes, traits.connections) = (Bool.random(using: &random) ? 50_000 : nil, 2)
      return MemoryStore(traits)
    }
    func faulty(_ memory: MemoryStore, _ share: Int) -> any Store {
      var faults = FaultyStore.Faults()
      (faults.refused, faults.unanswered) = (share, share)
      return FaultyStore(memory, faults, seed: random.next())
    }
    let home = RetryingStore(faulty(memories[0], 10), TimelessRetry().retrier())
    let other = seed.isMultiple(of: 2) ? faulty(memories[1], 1) : memories[1]
    var policy = TargetPolicy()
    (policy.heldBytesMax, policy.minCopies) = (8 * (256 << 10), Int.random(in: 1...3, using: &random))
    let store = TargetStore(home, [other, faulty(memories[2], 2)], policy)
    var acknowledged: [(key: String, bytes: [UInt8])] = []
    for number in 0..<20 {
      let key = "\(["a", "b"].randomElement(using: &random) ?? "a")/\(number)"
      let bytes = random.bytes(Int.random(in: 0...400_000, using: &random))
      try store.put(bytes, at: key)
      acknowledged.append((key, bytes))
    }
    try store.finish()
    for (key, bytes) in acknowledged { #expect(memories[0].contents[key] == bytes, "seed \(seed), \(key)") }
    for target in 1...2 {
      let there = memories[target].contents
      for folder in ["a", "b"] {
        let wanted = acknowledged.filter { $0.key.hasPrefix(folder) }
        let kept = wanted.prefix { there[$0.key] == $0.bytes }
        let isBehind = store.outcomes.all[target].behind[folder] != nil
        #expect(kept.count == wanted.count || isBehind, "seed \(seed), target \(target), \(folder)")
        let rest = wanted.dropFirst(kept.count)
        #expect(rest.allSatisfy { there[$0.key] == nil }, "seed \(seed), target \(target), \(folder)")
      }
    }
    #expect(store.heldBytesPeak <= policy.heldBytesMax, "seed \(seed)")
  }
}
