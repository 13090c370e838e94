import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What any target has is read, whatever the others do, and who failed is noted.
@Suite(.timeLimit(.minutes(10))) struct TargetReadingTests {
  private static let bytes: [UInt8] = Array(0..<200)
  private let home = MemoryStore()
  private let other = MemoryStore()
  private let far: MemoryStore
  private let clock = TestClock("2026-11-22T14:00:00Z")

  init() {
    var traits = MemoryStore.Traits()
    (traits.isNear, traits.connections) = (false, 4)
    far = MemoryStore(traits)
    for memory in [home, other, far] { memory.contents = ["a/1": Self.bytes, "a/2": Self.bytes] }
  }

  private func refusing(_ store: any Store) -> FaultyStore {
    var faults = FaultyStore.Faults()
    (faults.refused, faults.unanswered) = (100, 0)
    return FaultyStore(store, faults, seed: 1)
  }

  private func isRead(_ store: TargetStore, _ key: String = "a/1") throws {
    let bytes = try store.bytes(key, length: 200)
    #expect(bytes == Self.bytes)
  }

  @Test func homeIsReadWhereItAnswers() throws {
    let store = TargetStore(home, [other])
    try isRead(store)
    #expect(home.fetched == ["a/1"])
    #expect(other.fetched.isEmpty)
  }

  @Test func aTargetThatDoesNotAnswerCostsNothingButTheNextRequest() throws {
    let refusing = refusing(home)
    let store = TargetStore(refusing, [other], clock: clock.clock)
    try isRead(store)
    #expect(store.outcomes.all[0].badAnswers.map(\.key) == ["a/1"])
    #expect(store.outcomes.all[0].badAnswers.map(\.cause.message) == ["memory does not answer: refused"])
    // It is asked after the others, for a while.
    try isRead(store, "a/2")
    #expect(refusing.failures == 1)
    clock.advance(.seconds(31))
    try isRead(store, "a/2")
    #expect(refusing.failures == 2)
  }

  @Test(arguments: [true, false]) func whatIsMissingOrCutAtHomeComesFromAnother(isHomeNear: Bool) throws {
    let first = isHomeNear ? home : far
    first.contents = ["a/2": Array(Self.bytes.dropLast())]
    let store = TargetStore(first, [other])
    try isRead(store, "a/1")
    try isRead(store, "a/2")
    #expect(store.outcomes.all[0].badAnswers.map(\.key) == ["a/1", "a/2"])
    #expect(
      store.outcomes.all[0].badAnswers.map(\.cause.message) == [
        "a/1 is missing in memory", "a/2 in memory has 199 bytes instead of 200",
      ])
  }

  /// Whether there is a manifest is home's to say: what it has removed is not called back by a target that is behind.
  @Test func anObjectOfUnknownLengthIsThereIfHomeHasIt() throws {
    home.contents["a/1"] = nil
    let store = TargetStore(home, [other])
    #expect(throws: StoreError.notFound(key: "a/1", location: "memory")) { try store.bytes("a/1") }
    let found = try store.bytes("a/2")
    #expect(found == Self.bytes)
  }

  @Test func theErrorOfHomeIsThrownWhereNobodyHasIt() throws {
    for memory in [home, other] { memory.contents["a/1"] = nil }
    let store = TargetStore(home, [other])
    #expect(throws: StoreError.notFound(key: "a/1", location: "memory")) { try store.bytes("a/1", length: 200) }
  }

  @Test func whatIsBeyondTheEndIsNobodysFault() throws {
    let store = TargetStore(home, [other])
    let object = try store.open("a/1", length: 200)
    let buffer = Buffer(capacity: 10)
    #expect(throws: StoreError.unreadable(key: "a/1", reason: "it ends before that")) {
      try object.read(into: buffer.bytes, at: 195)
    }
    #expect(store.outcomes.all.allSatisfy { $0.badAnswers.isEmpty })
  }

  // MARK: Late answers

  @Test func aTargetThatHangsIsOvertaken() throws {
    var policy = TargetPolicy()
    policy.hedgeFirst = .milliseconds(5)
    let hanging = HangingStore(far)
    let store = TargetStore(hanging, [other], policy)
    try isRead(store)
    #expect(store.outcomes.all[0].lateAnswerCount == 1)
    // The next is asked first now.
    try isRead(store, "a/2")
    #expect(store.outcomes.all[0].lateAnswerCount == 1)
    hanging.goOn()
  }

  @Test func severalThatHangAreOvertakenByOneThatDoesNot() throws {
    var policy = TargetPolicy()
    policy.hedgeFirst = .milliseconds(5)
    let hanging = [HangingStore(far), HangingStore(far)]
    let store = TargetStore(hanging[0], [hanging[1], far], policy)
    try isRead(store)
    #expect(store.outcomes.all.map(\.lateAnswerCount) == [1, 1, 0])
    for store in hanging { store.goOn() }
  }

  @Test func whereAllHangItIsGivenUpInTheEnd() throws {
    var policy = TargetPolicy()
    (policy.hedgeFirst, policy.stallMax) = (.milliseconds(1), .milliseconds(5))
    let hanging = [HangingStore(far), HangingStore(far)]
    let store = TargetStore(hanging[0], [hanging[1]], policy)
    #expect(throws: StoreError.unavailable(location: "memory", reason: "no answer within 0")) {
      try store.bytes("a/1", length: 200)
    }
    for store in hanging { store.goOn() }
  }

  @Test func theFirstAnswerCountsThoughALateOneWasAskedFor() throws {
    var policy = TargetPolicy()
    policy.hedgeFirst = .milliseconds(5)
    let hanging = HangingStore(far)
    // The second fails, so the first is waited for.
    let store = TargetStore(hanging, [refusing(far)], policy)
    let reader = Future(beginsNow: true) { try store.bytes("a/1", length: 200) }
    hanging.goOn()
    let bytes = try reader.value()
    #expect(bytes == Self.bytes)
  }

  // MARK: Lying bytes

  /// Bytes without a digest, which the reader of the test knows.
  private struct Damage: OperatorError {
    let message = "wrong"
    let hint: String? = nil
    let exitStatus = ExitStatus.dataLoss
    let scope = ErrorScope.repository
  }

  private func sound(_ bytes: any ReadableBytes) throws -> [UInt8] {
    let all = try bytes.all()
    guard all == Self.bytes else { throw Damage() }
    return all
  }

  @Test func bytesThatAreWrongAreReadFromTheNext() throws {
    home.contents["a/1"]?[7] ^= 1
    far.contents["a/1"] = nil
    let store = TargetStore(home, [far, other])
    let object = try store.open("a/1", length: 200)
    let found = try object.firstSound(sound)
    #expect(found == Self.bytes)
    #expect(store.outcomes.all.map(\.badAnswerCount) == [1, 1, 0])
    // From then on, the one that was right is asked first.
    other.forgetRequests()
    _ = try object.firstSound(sound)
    #expect(other.fetched == ["a/1"])
  }

  @Test func whereAllAreWrongTheFirstFindingIsThrown() throws {
    for memory in [home, other] { memory.contents["a/1"]?[7] ^= 1 }
    let store = TargetStore(home, [other])
    let object = try store.open("a/1", length: 200)
    #expect(throws: Damage.self) { try object.firstSound(sound) }
    #expect(store.outcomes.all.allSatisfy { $0.badAnswers.isEmpty })
  }

  /// Different bytes of one object are wrong in two targets: each range comes from where it is right.
  @Test func rangesOfOneObjectComeFromSeveralTargets() throws {
    home.contents["a/1"]?[7] ^= 1
    other.contents["a/1"]?[150] ^= 1
    let object = try TargetStore(home, [other]).open("a/1", length: 200)
    for start in [0, 100] {
      let part = try object.firstSound { bytes in
        var part = [UInt8](repeating: 0, count: 100)
        try part.withUnsafeMutableBytes { try bytes.read(into: $0, at: UInt64(start)) }
        guard part == Array(Self.bytes[start..<start + 100]) else { throw Damage() }
        return part
      }
      #expect(part.count == 100)
    }
  }
}
