import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// What the holder of a lease says with each number, and what its observers hear.
@Suite struct HeartbeatTests {
  private static let terms = LeaseTerms(duration: .minutes(2))
  private let memory = MemoryStore()

  private static func record() -> LeaseRecord {
    LeaseRecord(
      holder: Randomness.system.identifier(), term: terms.duration, locked: false, host: "shop", process: 7,
      time: RecordedTime(text: "2026-05-01T12:00:00.000Z"))
  }

  private static func beat(_ sequence: UInt64) -> LeaseBeat {
    LeaseBeat(
      interval: .seconds(10), time: RecordedTime(text: "2026-05-01T12:00:10.000Z"), sequence: sequence,
      lag: .seconds(1.5))
  }

  /// Runs that end by themselves write no beat, and what a newer version adds is read over.
  @Test func aBeatMayBeLeftOut() throws {
    var record = Self.record()
    #expect(try LeaseRecord(parsing: record.serialized()) == record)
    record.beat = Self.beat(4)
    let text = String(decoding: try record.serialized(), as: UTF8.self)
    #expect(
      text.contains(
        #""beat":{"interval":10,"lagSeconds":1.5,"sequence":4,"time":"2026-05-01T12:00:10.000Z"},"format""#))
    let newer = text.replacing(#""sequence":4"#, with: #""sequence":4,"mood":"good""#)
    #expect(LeaseRecord(parsing: Array(newer.utf8)) == record)
    let strange = text.replacing(#""interval":10"#, with: #""interval":"often""#)
    let read = try #require(LeaseRecord(parsing: Array(strange.utf8)), "the lease counts whatever its beat says")
    #expect(read.beat == nil && read.term == record.term)
  }

  /// Notes what a lease tells its observers.
  private final class Witness: HeartbeatObserver {
    let notes = Mutex<[String]>([])

    func beat(_ beat: Heartbeat) {
      let text = "\(beat.number) at \(beat.asked) for \(beat.duration): \(beat.content?.sequence ?? 0)"
      notes.withLock { $0.append(text) }
    }
    func late(_ error: any OperatorError) { notes.withLock { $0.append("late") } }
    func lost(_ error: any OperatorError) { notes.withLock { $0.append("lost: \(error.message)") } }
  }

  /// Does what it is asked to, and loses the answers.
  private final class AnswerlessStore: StoreLayer {
    let base: any Store
    let isAnswerless = Mutex(false)

    init(_ store: any Store) { base = store }

    func createBriefly(_ key: String, _ bytes: [UInt8]) throws {
      try base.createBriefly(key, bytes)
      if isAnswerless.withLock({ $0 }) { throw StoreError.unavailable(location: location, reason: "it timed out") }
    }
    func removeBriefly(_ keys: [String]) throws { try base.removeBriefly(keys) }
  }

  /// Lets everybody add, and nobody remove.
  private final class AddOnlyStore: StoreLayer {
    let base: any Store
    let asked = Mutex<[Int]>([])

    init(_ store: any Store) { base = store }

    func createBriefly(_ key: String, _ bytes: [UInt8]) throws { try base.createBriefly(key, bytes) }
    func removeBriefly(_ keys: [String]) throws {
      asked.withLock { $0.append(keys.count) }
      throw StoreError.removalRefused(key: keys[0], location: location)
    }
  }

  /// A holder sees that its old numbers stay, and does not ask for all of them at each heartbeat.
  @Test func whereNothingMayBeRemovedThatIsSeen() throws {
    let (clock, store) = (TestClock("2026-05-01T12:00:00Z"), AddOnlyStore(memory))
    let holder = LeaseHolder(
      LeaseNumbers(store: store, name: "orders"), Self.record(), clock: clock.clock, terms: Self.terms)
    #expect(try holder.ask(for: 1))
    #expect(!holder.isRemovalRefused)
    for _ in 2...6 {
      clock.advance(.seconds(30))
      #expect(holder.renewInTime())
    }
    #expect(holder.isRemovalRefused)
    #expect(store.asked.withLock { $0 } == [1, 1, 1, 1])
  }

  /// A fence counts from what an observer hears: from before a number was first asked for, also if the answer was
  /// lost. A number that is asked for again says what it said first: otherwise its holder would not know it as its own.
  @Test func observersHearOfEachNumberFromBeforeItWasAskedFor() throws {
    let (clock, store, witness) = (TestClock("2026-05-01T12:00:00Z"), AnswerlessStore(memory), Witness())
    let sequence = Mutex<UInt64>(0)
    let holder = LeaseHolder(
      LeaseNumbers(store: store, name: "orders"), Self.record(), clock: clock.clock, terms: Self.terms,
      content: {
        sequence.withLock { sequence in
          sequence += 1
          return Self.beat(sequence)
        }
      }, observers: [witness])
    let begun = clock.clock.uptime()
    #expect(try holder.ask(for: 1))
    clock.advance(.seconds(30))
    store.isAnswerless.withLock { $0 = true }
    #expect(holder.renewInTime())
    clock.advance(.seconds(10))
    store.isAnswerless.withLock { $0 = false }
    #expect(holder.renewInTime())
    try LeaseNumbers(store: memory, name: "orders").create(3, Self.record().serialized())
    clock.advance(.seconds(30))
    #expect(!holder.renewInTime())
    #expect(
      witness.notes.withLock { $0 } == [
        "1 at \(begun) for 2min: 1", "late", "2 at \(begun + .seconds(30)) for 2min: 2",
        "lost: \(LeaseError.taken(name: "orders", location: "memory").message)",
      ])
  }

  /// A run under the lease of a watch ends without giving it back, and cannot commit once the watch has ended.
  @Test func aLeaseThatIsLentIsNotGivenBackByTheRun() throws {
    let watch = try #require(try Lease.take("orders", in: memory, host: TestHost.make(), waits: false))
    let run = watch.lent()
    run.end()
    try watch.checkHeld()
    let other = watch.lent()
    watch.end()
    #expect(throws: LeaseError.taken(name: "orders", location: "memory")) { try other.checkHeld() }
  }

  /// The heartbeat may be faster than a quarter of the duration, and never slower.
  @Test func aHeartbeatIsNeverSlowerThanTheLeaseNeeds() {
    #expect(LeaseTerms(duration: .seconds(60), renewal: .seconds(10)).renewal == .seconds(10))
    #expect(LeaseTerms(duration: .seconds(60), renewal: .seconds(50)).renewal == .seconds(15))
  }
}
