import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// A lease is held by one at a time, whatever is lost on the way; with clocks that the test moves.
@Suite struct LeaseTests {
  private static let terms = LeaseTerms(duration: .minutes(2))
  private let memory = MemoryStore()

  /// Other versions of the program read a number of a lease: its bytes stay.
  @Test func theTextOfATimeIsStoredAsItIs() throws {
    let holder = try #require(Identifier(bytes: 1...16 as ClosedRange<UInt8>))
    let record = LeaseRecord(
      holder: holder, term: .minutes(2), locked: true,
      host: "shop", process: 7, time: RecordedTime(Timestamp(seconds: 1_790_000_000, nanoseconds: 1_999_999)))
    #expect(
      String(decoding: try record.serialized(), as: UTF8.self)
        == #"{"format":1,"holder":"HOLDER","host":"shop","locked":true,"process":7,"seconds":120,"time":"2026-09-21T14:13:20.001Z"}"#
        .replacing("HOLDER", with: holder.description) + "\n")
  }

  /// A machine with a clock of its own.
  private struct Machine {
    let clock = TestClock("2026-05-01T12:00:00Z")
    let holder: LeaseHolder
    let numbers: LeaseNumbers
    var watch: LeaseWatch

    init(_ store: any Store, hasLock: Bool = false) {
      numbers = LeaseNumbers(store: store, name: "orders")
      holder = LeaseHolder(numbers, LeaseTests.record(locked: hasLock), clock: clock.clock, terms: LeaseTests.terms)
      watch = LeaseWatch(terms: LeaseTests.terms, seesWhoIsGone: hasLock)
    }

    mutating func look() throws -> LeaseWatch.Finding { try watch.look(at: numbers, clock: clock.clock) }

    /// Watches until the lease is free, and takes it.
    mutating func takeOver() throws -> Bool {
      guard case .free(let number) = try look() else {
        clock.advance(LeaseTests.terms.duration)
        guard case .free(let number) = try look() else { return false }
        return try holder.ask(for: number)
      }
      return try holder.ask(for: number)
    }
  }

  private static func record(locked: Bool) -> LeaseRecord {
    LeaseRecord(
      holder: Randomness.system.identifier(), term: terms.duration, locked: locked, host: "shop", process: 7,
      time: RecordedTime(text: "2026-05-01T12:00:00.000Z"))
  }

  /// Calls of a store get no answer, or are done and their answer is lost.
  private final class SilentStore: StoreLayer {
    enum Silence { case answers, isSilent, losesAnswers }
    let base: any Store
    private let silence = Mutex(Silence.answers)

    init(_ store: any Store) { base = store }

    func becomes(_ next: Silence) { silence.withLock { $0 = next } }

    private func call<Value>(_ body: () throws -> Value) throws -> Value {
      let now = silence.withLock { $0 }
      let value = try now == .isSilent ? nil : body()
      guard now == .answers, let value else { throw StoreError.unavailable(location: location, reason: "it timed out") }
      return value
    }

    func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
      try call { try base.list(prefix, depth, after: name, max: max) }
    }
    func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
      try call { try base.open(key, length: length) }
    }
    func createBriefly(_ key: String, _ bytes: [UInt8]) throws { try call { try base.createBriefly(key, bytes) } }
    func removeBriefly(_ keys: [String]) throws { for key in keys { try remove(key) } }
    func remove(_ key: String) throws { throw StoreError.removalRefused(key: key, location: location) }
    func removeAll(below prefix: String) throws {}
  }

  // MARK: One holder

  @Test func theFirstNumberIsFreeAndTheNextIsNot() throws {
    var first = Machine(memory)
    #expect(try first.look() == .free(1))
    #expect(try first.holder.ask(for: 1))
    try first.holder.checkHeld()
    var second = Machine(memory)
    #expect(try second.look() == .held(isAlive: false))
    second.clock.advance(.seconds(119))
    #expect(try second.look() == .held(isAlive: false))
    second.clock.advance(.seconds(1))
    #expect(try second.look() == .free(2))
  }

  @Test func whoGoesOnIsSeenToBeAlive() throws {
    let first = Machine(memory)
    #expect(try first.holder.ask(for: 1))
    var second = Machine(memory)
    #expect(try second.look() == .held(isAlive: false))
    first.clock.advance(.seconds(31))
    #expect(first.holder.renewInTime())
    second.clock.advance(.seconds(119))
    #expect(try second.look() == .held(isAlive: true))
    // It is watched anew, for all of its time.
    second.clock.advance(.seconds(119))
    #expect(try second.look() == .held(isAlive: false))
  }

  @Test func whatIsGivenBackIsFreeAtOnce() throws {
    let first = Machine(memory)
    #expect(try first.holder.ask(for: 1))
    first.holder.giveBack()
    #expect(throws: LeaseError.taken(name: "orders", location: "memory")) { try first.holder.checkHeld() }
    var second = Machine(memory)
    #expect(try second.look() == .free(3))
  }

  @Test func theLastTwoNumbersStay() throws {
    let machine = Machine(memory)
    for number in UInt64(1)...5 { #expect(try machine.holder.ask(for: number)) }
    #expect(try machine.numbers.all() == [1, 2, 3, 4, 5], "whoever waits for the lease does not wait for that")
    #expect(machine.holder.renewInTime())
    #expect(try machine.numbers.all() == [4, 5])
    machine.holder.giveBack()
    #expect(try machine.numbers.all() == [5, 6])
  }

  @Test func whatADeadRunHasLeftGoesWithTheNextOne() throws {
    for number in 1...4 { memory.contents["leases/orders/000000000\(number)"] = [] }
    let machine = Machine(memory)
    #expect(try machine.holder.ask(for: 5))
    machine.holder.giveBack()
    #expect(try machine.numbers.all() == [5, 6])
  }

  @Test func whereNothingMayBeRemovedTheyAllStay() throws {
    let machine = Machine(SilentStore(memory))
    for number in UInt64(1)...5 { #expect(try machine.holder.ask(for: number)) }
    try machine.holder.checkHeld()
    #expect(try machine.numbers.all() == [1, 2, 3, 4, 5])
  }

  // MARK: Lost leases

  @Test func whoCouldNotRenewInTimeStops() throws {
    let store = SilentStore(memory)
    let machine = Machine(store)
    #expect(try machine.holder.ask(for: 1))
    store.becomes(.isSilent)
    machine.clock.advance(.seconds(31))
    #expect(machine.holder.renewInTime(), "it is tried again")
    machine.clock.advance(.seconds(60))
    let error = #expect(throws: LeaseError.self) { try machine.holder.checkHeld() }
    #expect(error?.scope == .transient && error?.exitStatus == .failed)
    #expect(error?.message.hasPrefix("the lease on orders in memory could not be renewed in time") == true)
    // Nobody was faster meanwhile.
    store.becomes(.answers)
    try machine.holder.checkHeld()
  }

  @Test func whoWakesLateFindsItselfOvertaken() throws {
    let late = Machine(memory)
    #expect(try late.holder.ask(for: 1))
    var next = Machine(memory)
    #expect(try next.takeOver())
    #expect(next.holder.number == 2)
    late.clock.advance(.seconds(1000))
    #expect(throws: LeaseError.taken(name: "orders", location: "memory")) { try late.holder.checkHeld() }
    #expect(!late.holder.renewInTime())
    try next.holder.checkHeld()
  }

  /// As where a virtual machine is halted: its clock tells nothing of the time that passed.
  @Test func whoseClockStoodStillSeesItByTheNumbers() throws {
    let late = Machine(memory)
    #expect(try late.holder.ask(for: 1))
    var next = Machine(memory)
    #expect(try next.takeOver())
    #expect(throws: LeaseError.taken(name: "orders", location: "memory")) { try late.holder.checkHeld() }
  }

  /// A number that others have used and removed is free again, for whoever slept.
  @Test func aNumberThatWasUsedIsNobodys() throws {
    var late = Machine(memory)
    let first = Machine(memory)
    #expect(try first.holder.ask(for: 1))
    #expect(try late.look() == .held(isAlive: false))
    for number in UInt64(2)...6 { #expect(try first.holder.ask(for: number)) }
    #expect(first.holder.renewInTime())
    #expect(try first.numbers.all().first == 5)
    #expect(try !late.holder.ask(for: 2))
    try first.holder.checkHeld()
    #expect(try first.numbers.all().last == 6)
  }

  // MARK: Confirming

  /// Between two checks of one commit nothing is asked.
  @Test func whoHasJustCheckedAsksForNothing() throws {
    let machine = Machine(memory)
    #expect(try machine.holder.ask(for: 1))
    machine.clock.advance(.seconds(20))
    try machine.holder.checkHeld()
    memory.forgetRequests()
    machine.clock.advance(.seconds(5))
    try machine.holder.confirmHeld()
    #expect(memory.counts.listings == 0)
    machine.clock.advance(.seconds(5))
    try machine.holder.confirmHeld()
    #expect(memory.counts.listings == 1)
  }

  /// The clock of a machine that was suspended tells nothing, but the time of day does.
  @Test(arguments: [1.0, -1]) func whoseTimeOfDayHasJumpedAsksAgain(days: Double) throws {
    let late = Machine(memory)
    #expect(try late.holder.ask(for: 1))
    try late.holder.checkHeld()
    var next = Machine(memory)
    #expect(try next.takeOver())
    late.clock.set(days: days)
    #expect(throws: LeaseError.taken(name: "orders", location: "memory")) { try late.holder.confirmHeld() }
  }

  @Test func whoHasLostItIsNotConfirmed() throws {
    let late = Machine(memory)
    #expect(try late.holder.ask(for: 1))
    var next = Machine(memory)
    #expect(try next.takeOver())
    #expect(throws: LeaseError.self) { try late.holder.checkHeld() }
    #expect(throws: LeaseError.taken(name: "orders", location: "memory")) { try late.holder.confirmHeld() }
  }

  @Test func whoseTermIsOverIsNotConfirmed() throws {
    let store = SilentStore(memory)
    let machine = Machine(store)
    #expect(try machine.holder.ask(for: 1))
    machine.clock.advance(.seconds(89))
    try machine.holder.checkHeld()
    store.becomes(.isSilent)
    machine.clock.advance(.seconds(2))
    #expect(throws: LeaseError.self) { try machine.holder.confirmHeld() }
  }

  // MARK: Looking ahead

  /// A store without locks, as far away.
  private func withoutLocks() -> any Store { DistantStore(latency: .zero, memory: memory) }

  private func take(_ look: LeaseLook?, errands: Errands? = nil, in store: any Store) throws -> Lease? {
    try Lease.take(
      "orders", in: store, host: TestHost.make(), terms: LeaseTerms(duration: .minutes(2), look: .milliseconds(2)),
      waits: false, after: look, givenBackBy: errands)
  }

  @Test func whatWasFreeIsTakenWithoutLookingAgain() throws {
    let store = withoutLocks()
    let look = try Lease.look(at: "orders", in: store, host: TestHost.make())
    memory.forgetRequests()
    let lease = try take(look, in: store)
    #expect(lease?.number == 1)
    #expect(memory.counts.listings == 1, "it looks whether it is the highest")
  }

  /// The look is as old as the run is slow; what decides is that a number is created once.
  @Test func anOldLookGivesNobodyALeaseThatIsHeld() throws {
    let store = withoutLocks()
    let look = try Lease.look(at: "orders", in: store, host: TestHost.make())
    let holder = Machine(memory)
    #expect(try holder.holder.ask(for: 1))
    let renewing = RepeatingThread.start(every: .milliseconds(5)) { [holder = holder.holder] in
      (try? holder.ask(for: holder.number + 1)) ?? false
    }
    #expect(try take(look, in: store) == nil)
    renewing?.stop()
    try holder.holder.checkHeld()
  }

  @Test func theNextLeaseOfARunWaitsForTheOneBefore() throws {
    let store = withoutLocks()
    let errands = Errands()
    var lease = try take(nil, errands: errands, in: store)
    #expect(lease?.number == 1)
    lease = nil
    lease = try take(nil, errands: errands, in: store)
    #expect(lease?.number == 3)
  }

  // MARK: Lost answers

  @Test func aRepeatedCreateMeetsItself() throws {
    let store = SilentStore(memory)
    let machine = Machine(store)
    store.becomes(.losesAnswers)
    #expect(throws: StoreError.self) { try machine.holder.ask(for: 1) }
    store.becomes(.answers)
    #expect(try machine.holder.ask(for: 1))
    #expect(machine.holder.number == 1)
  }

  @Test func whatAnotherHasCreatedIsNotOnesOwn() throws {
    let (first, second) = (Machine(memory), Machine(memory))
    #expect(try first.holder.ask(for: 1))
    #expect(try !second.holder.ask(for: 1))
  }

  /// Whoever waits counts from when it saw the number: a holder that counted from its second question would overlap.
  @Test func itCountsFromTheFirstQuestion() throws {
    let store = SilentStore(memory)
    let machine = Machine(store)
    #expect(try machine.holder.ask(for: 1))
    machine.clock.advance(.seconds(31))
    store.becomes(.losesAnswers)
    _ = machine.holder.renewInTime()
    store.becomes(.answers)
    machine.clock.advance(.seconds(80))
    #expect(try machine.holder.ask(for: 2))
    #expect(machine.holder.number == 2)
    // 90 seconds after the first question it counts no more, and must be renewed.
    machine.clock.advance(.seconds(11))
    try machine.holder.checkHeld()
    #expect(machine.holder.number == 3)
  }

  // MARK: Beside a lock

  @Test func whoHasTheLockNeedNotWaitForTheDead() throws {
    let dead = Machine(memory, hasLock: true)
    #expect(try dead.holder.ask(for: 1))
    var next = Machine(memory, hasLock: true)
    #expect(try next.look() == .free(2))
    // Whoever has none cannot tell.
    var other = Machine(memory)
    #expect(try other.look() == .held(isAlive: false))
  }

  @Test func aHolderWithoutTheLockIsWaitedForBesideIt() throws {
    let holder = Machine(memory)
    #expect(try holder.holder.ask(for: 1))
    var next = Machine(memory, hasLock: true)
    #expect(try next.look() == .held(isAlive: false))
  }

  @Test(arguments: [[], Array("{}\n".utf8), Array(#"{"seconds":1e9}"#.utf8)])
  func whatIsNoLeaseKeepsNobodyOutForEver(bytes: [UInt8]) throws {
    memory.contents["leases/orders/0000000001"] = bytes
    var locked = Machine(memory, hasLock: true)
    #expect(try locked.look() == .free(2), "a crash of the machine may leave such a one")
    var machine = Machine(memory)
    #expect(try machine.look() == .held(isAlive: false))
    machine.clock.advance(.seconds(120))
    #expect(try machine.look() == .free(2))
  }

  @Test func theHighestNumberIsTheLast() throws {
    memory.contents["leases/orders/9999999999"] = []
    let machine = Machine(memory)
    #expect(throws: LeaseError.noNumberLeft(name: "orders", location: "memory")) {
      try machine.holder.ask(for: LeaseNumbers.numberMax + 1)
    }
  }

  // MARK: All of it

  /// Threads that take it again and again: where it is held nobody else adds, and numbers only grow.
  @Test(arguments: [true, false]) func ofSeveralOneHoldsIt(hasLocks: Bool) throws {
    let host = Host(workers: 1, scratchDirectories: [Path("/tmp")])
    let store: any Store = hasLocks ? memory : SilentStore(memory)
    let held = Mutex((isHeld: false, numbers: [UInt64](), faults: 0))
    let threads = (0..<3).compactMap { _ in
      WorkerThread.start {
        for _ in 0..<5 {
          let lease = try? Lease.take(
            "orders", in: store, host: host, terms: LeaseTerms(duration: .minutes(2), look: .milliseconds(2)),
            waits: true)
          guard let lease else { continue }
          held.withLock { held in
            if held.isHeld { held.faults += 1 }
            held.isHeld = true
            held.numbers.append(lease.number)
          }
          if (try? lease.checkHeld()) == nil { held.withLock { $0.faults += 1 } }
          held.withLock { $0.isHeld = false }
        }
      }
    }
    for thread in threads { thread.join() }
    let (numbers, faults) = held.withLock { ($0.numbers, $0.faults) }
    #expect(faults == 0)
    #expect(numbers.count == 15 && numbers == numbers.sorted() && Set(numbers).count == 15)
  }
}
