import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// What is written comes to home, and to every other target unless that is reported.
@Suite(.timeLimit(.minutes(10))) struct TargetWritingTests {
  private let home = MemoryStore()
  private let other = MemoryStore()
  private let third = MemoryStore()

  private func lag(_ store: TargetStore, _ target: Int, _ folder: String = "a") -> TargetOutcome.Lag? {
    store.outcomes.all[target].behind[folder]
  }

  @Test func everyTargetGetsEveryObject() throws {
    var random = SeededRandom(seed: 1)
    let objects = Dictionary(
      uniqueKeysWithValues: [0, 1, 300_000, 2_000_000].map { ("a/\($0)", random.bytes($0)) })
    let store = TargetStore(home, [other, third])
    for (key, bytes) in objects { try store.put(bytes, at: key) }
    try store.put([1], at: "stays")
    try store.finish()
    #expect(home.contents == objects.merging(["stays": [1]]) { $1 })
    #expect(other.contents == objects)
    #expect(third.contents == objects)
    #expect(store.outcomes.inStep("a") == ["home", "b", "c"])
    #expect(store.outcomes.all.map(\.bytesSent) == [0, 2_300_001, 2_300_001])
  }

  @Test func aTargetThatFailsIsBehindWithItsCause() throws {
    var faults = FaultyStore.Faults()
    (faults.refused, faults.unanswered) = (100, 0)
    let store = TargetStore(home, [FaultyStore(other, faults, seed: 1), third])
    try store.put([1], at: "a/1")
    try store.finish()
    try store.put([2], at: "a/2")
    try store.finish()
    #expect(lag(store, 1)?.key == "a/1")
    #expect(lag(store, 1)?.cause.message == "memory does not answer: refused")
    #expect(other.contents.isEmpty)
    #expect(third.contents == home.contents)
    #expect(store.outcomes.inStep("a") == ["home", "c"])
  }

  @Test func anErrorOfHomeIsThrownAndNobodyHasTheObject() throws {
    home.contents = ["a/1": [1]]
    let store = TargetStore(home, [other])
    #expect(throws: StoreError.alreadyExists(key: "a/1", location: "memory")) { try store.put([2], at: "a/1") }
    try store.finish()
    #expect(home.contents == ["a/1": [1]])
    #expect(other.contents.isEmpty)
  }

  @Test func anotherObjectUnderTheKeyIsAForkAndStays() throws {
    other.contents = ["a/1": [9]]
    let store = TargetStore(home, [other])
    try store.put([1], at: "a/1")
    try store.put([2], at: "a/2")
    try store.finish()
    #expect(other.contents == ["a/1": [9]])
    let cause = lag(store, 1)?.cause
    #expect(cause?.message == "a/1 in memory is another object than at home: neither is replaced")
    #expect(
      cause?.hint == "Two runs wrote it, each at a home of its own: find out which of them counts before you sync.")
  }

  @Test func whatSomebodyHasCopiedMeanwhileIsNoFork() throws {
    let bytes = SeededRandom(seed: 3).copyOfBytes(1_500_000)
    other.contents = ["a/1": bytes]
    let store = TargetStore(home, [other])
    try store.put(bytes, at: "a/1")
    try store.finish()
    #expect(store.outcomes.inStep("a") == ["home", "b"])
  }

  @Test func aTargetThatWasBehindGetsNothing() throws {
    let store = TargetStore(home, [other, third], behind: ["b"])
    try store.put([1], at: "a/1")
    try store.finish()
    #expect(other.contents.isEmpty)
    #expect(third.contents == ["a/1": [1]])
    #expect(lag(store, 1)?.cause.message == "it was behind when the run began")
    #expect(lag(store, 1)?.cause.hint == "Run `holdfast sync` to bring it up.")
  }

  /// Otherwise the next object under the key would be another one there.
  @Test func whatIsWithdrawnIsWithdrawnEverywhere() throws {
    let store = TargetStore(home, [other])
    try store.put([1], at: "a/1")
    try store.remove("a/1")
    try store.put([2], at: "a/1")
    try store.finish()
    #expect(home.contents == ["a/1": [2]])
    #expect(other.contents == ["a/1": [2]])
    #expect(store.outcomes.inStep("a") == ["home", "b"])
  }

  /// Removal of what was there before is not this store's.
  @Test func whatAnEarlierRunSentIsRemovedAtHomeOnly() throws {
    for memory in [home, other] { memory.contents = ["a/1": [1]] }
    let store = TargetStore(home, [other])
    try store.remove("a/1")
    try store.finish()
    #expect(home.contents.isEmpty)
    #expect(other.contents == ["a/1": [1]])
  }

  @Test func whatIsAnotherObjectThereIsNotWithdrawn() throws {
    other.contents = ["a/1": [9]]
    let store = TargetStore(home, [other])
    try store.put([1], at: "a/1")
    try store.remove("a/1")
    try store.finish()
    store.abandon()
    #expect(home.contents.isEmpty)
    #expect(other.contents == ["a/1": [9]])
  }

  /// Without the lease, another run may have written there meanwhile.
  @Test func nothingIsWithdrawnWhereTheRunMayNoLongerWrite() throws {
    let gate = ClosingGate()
    let store = TargetStore(
      home: Target(name: "home", store: home), others: [Target(name: "b", store: other)], gate: gate,
      folder: { String($0.prefix { $0 != "/" }) })
    try store.put([1], at: "a/1")
    try store.finish()
    gate.isClosed.withLock { $0 = true }
    try store.remove("a/1")
    store.abandon()
    #expect(other.contents == ["a/1": [1]])
    #expect(lag(store, 1)?.cause.message == "the run ended before it had everything")
  }

  @Test func aRunThatFailsWaitsForWhatItWithdraws() throws {
    var faults = FaultyStore.Faults()
    (faults.refused, faults.unanswered, faults.delay) = (0, 0, .milliseconds(100))
    let store = TargetStore(home, [FaultyStore(other, faults, seed: 1)])
    try store.put([1], at: "a/1")
    try store.finish()
    #expect(other.contents == ["a/1": [1]])
    try store.remove("a/1")
    store.abandon()
    #expect(other.contents.isEmpty)
  }

  // MARK: Slow targets

  private func policy(minCopies: Int) -> TargetPolicy {
    var policy = TargetPolicy()
    (policy.minCopies, policy.heldBytesMax) = (minCopies, 4 * (256 << 10))
    (policy.waitMax, policy.linger) = (.zero, .zero)
    return policy
  }

  @Test func aTargetThatHangsHoldsNobodyAndAFixedAmountOfMemory() throws {
    let hanging = HangingStore(other)
    var policy = policy(minCopies: 2)
    // The third may be slow to begin on a busy machine.
    policy.waitMax = .seconds(2)
    let store = TargetStore(home, [hanging, third], policy)
    let bytes = SeededRandom(seed: 4).copyOfBytes(8 << 20)
    try store.put(bytes, at: "a/1")
    try store.put([1], at: "a/2")
    try store.finish()
    #expect(home.contents == ["a/1": bytes, "a/2": [1]])
    #expect(third.contents == home.contents)
    #expect(store.outcomes.inStep("a") == ["home", "c"])
    #expect(store.heldBytesPeak <= policy.heldBytesMax)
    #expect(lag(store, 1)?.key == "a/1")
    #expect(
      lag(store, 1)?.cause.message
        == "it is slower than the other targets, and was waited for as long as it may be (2s)")
    hanging.goOn()
  }

  /// Two copies are wanted, and there are no others: however slow it is, it is waited for.
  @Test func aSlowTargetThatIsNeededIsWaitedFor() throws {
    var faults = FaultyStore.Faults()
    (faults.refused, faults.unanswered, faults.delay) = (0, 0, .milliseconds(2))
    let policy = policy(minCopies: 2)
    let store = TargetStore(home, [FaultyStore(other, faults, seed: 1)], policy)
    let bytes = SeededRandom(seed: 5).copyOfBytes(8 << 20)
    try store.put(bytes, at: "a/1")
    try store.finish()
    #expect(other.contents == ["a/1": bytes])
    #expect(store.outcomes.inStep("a") == ["home", "b"])
    #expect(store.heldBytesPeak <= policy.heldBytesMax)
  }

  @Test func aNeededTargetThatTakesNothingIsGivenUpInTheEnd() throws {
    let hanging = HangingStore(other)
    var policy = policy(minCopies: 2)
    policy.stallMax = .milliseconds(20)
    let store = TargetStore(home, [hanging], policy)
    try store.put([UInt8](repeating: 1, count: 8 << 20), at: "a/1")
    try store.finish()
    #expect(store.outcomes.inStep("a") == ["home"])
    hanging.goOn()
  }

  @Test func moreObjectsAtOnceThanThereIsMemoryForGoToHomeOnly() throws {
    let store = TargetStore(home, [other], policy(minCopies: 2))
    let writers = try (0..<6).map { try store.create("a/\($0)") }
    for writer in writers { try ([1] as [UInt8]).withUnsafeBytes { try writer.append($0) } }
    for writer in writers { try writer.commit() }
    try store.finish()
    #expect(home.contents.count == 6)
    #expect(
      lag(store, 1)?.cause.message == "too many objects were written at once to hold bytes of all of them for it")
  }
}

/// Lets a run write until it is closed.
private final class ClosingGate: TargetGate {
  let isClosed = Mutex(false)

  func obstacle(to key: String, in folder: String, at target: String) -> (any Error)? { nil }

  func checkOpen(_ key: String, in folder: String, at target: String) throws {
    if isClosed.withLock({ $0 }) { throw BehindReason.runEnded }
  }
}

extension SeededRandom {
  fileprivate func copyOfBytes(_ count: Int) -> [UInt8] {
    var copy = self
    return copy.bytes(count)
  }
}
