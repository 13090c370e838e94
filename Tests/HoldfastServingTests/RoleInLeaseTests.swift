import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// The numbers of a lease say which host serves, and go on to say it, whatever is lost on the way.
@Suite struct RoleInLeaseTests {
  private let memory = MemoryStore()
  private let clock = TestClock("2026-05-01T12:00:00Z")
  private let terms = LeaseTerms(duration: .minutes(2))
  private let start = ServingRole.Start(sequence: 4, snapshot: Randomness.system.identifier())

  private var host: Host { TestHost.make(clock: clock.clock) }
  private var numbers: LeaseNumbers { LeaseNumbers(store: memory, name: "orders") }

  private func name(_ text: String) throws -> HostName { try #require(HostName(text)) }

  /// Takes the lease where nobody holds it.
  private func take(
    _ store: (any Store)? = nil, as host: String = "a", admits: (RoleReading) throws -> Void = { _ in }
  ) throws -> Lease {
    let own = try name(host)
    return try #require(
      try Lease.take(
        "orders", in: store ?? memory, host: self.host, terms: terms, waits: false, as: { own }, admits: admits))
  }

  /// The creation of a number gets no answer: it is done, or not.
  private final class SilentStore: StoreLayer {
    enum Silence { case answers, losesAnswer, losesRequest }
    let base: any Store
    private let silence = Mutex(Silence.answers)
    private let before: @Sendable (String) -> Void

    /// - Parameter before: called with each key that is created.
    init(_ store: any Store, before: @escaping @Sendable (String) -> Void = { _ in }) {
      (base, self.before) = (store, before)
    }

    func becomes(_ next: Silence) { silence.withLock { $0 = next } }

    func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)? { NoLock() }

    func createBriefly(_ key: String, _ bytes: [UInt8]) throws {
      before(key)
      let now = silence.withLock { $0 }
      if now != .losesRequest { try base.createBriefly(key, bytes) }
      if now != .answers { throw StoreError.unavailable(location: location, reason: "it timed out") }
    }

    private final class NoLock: StoreLock {}
  }

  /// A failover listens for as long as a lease lasts, also where its last holder has given it back, or nobody has had
  /// it: the next run of a host that serves may be about to begin.
  @Test func whoListensTrustsNoNumberThatWasGivenBack() throws {
    try take().end()
    let newest = try #require(try numbers.newest())
    #expect(newest.record.isGivenBack)
    let cases = [(numbers, newest.number), (LeaseNumbers(store: memory, name: "other"), 0)]
    for (numbers, number) in cases {
      var watch = LeaseWatch(terms: terms, seesWhoIsGone: false, listens: true)
      #expect(try watch.look(at: numbers, clock: clock.clock) == .held(isAlive: false))
      clock.advance(.seconds(119))
      #expect(try watch.look(at: numbers, clock: clock.clock) == .held(isAlive: false))
      clock.advance(.seconds(1))
      #expect(try watch.look(at: numbers, clock: clock.clock) == .free(number + 1))
    }
  }

  // MARK: It stays

  /// Other versions of the program read a number of a lease: without a role, its bytes are those of before.
  @Test func aRoleIsStoredBesideTheRest() throws {
    let lease = try take()
    #expect(lease.serving == .none)
    #expect(try !text(of: 1).contains("role") && !text(of: 1).contains("by"))
    let role = try lease.announce(try name("a"), from: start, highest: 4)
    #expect(role == ServingRole(serving: try name("a"), since: 2, from: start, highest: 4))
    let stored = try text(of: 2)
    #expect(stored.contains(#""by":"a""#), "\(stored)")
    #expect(
      stored.contains(
        #""role":{"from":{"sequence":4,"snapshot":"\#(start.snapshot)"},"highest":4,"serving":"a","since":2}"#),
      "\(stored)")
    lease.end()
  }

  private func text(of number: UInt64) throws -> String {
    String(decoding: try #require(try numbers.bytes(of: number)), as: UTF8.self)
  }

  @Test func itOutlivesRenewalsTheEndOfALeaseAndOtherHolders() throws {
    let first = try take()
    let role = try first.announce(try name("a"), from: nil, highest: 0)
    clock.advance(.seconds(31))
    #expect(first.holder.renewInTime())
    #expect(try numbers.serving().serving == .known(role) && numbers.serving().number == 3)
    first.end()
    #expect(try numbers.serving().serving == .known(role) && numbers.serving().number == 4)
    // Whoever follows, for whatever, repeats it. Older numbers are gone by then.
    for _ in 0..<3 { try take(as: "b").end() }
    #expect(try numbers.serving().serving == .known(role))
    #expect(try numbers.all().count == 2 && numbers.all().allSatisfy { $0 > 4 })
    // A heartbeat does so, too.
    let watch = try #require(
      try Lease.take(
        "orders", in: memory, host: host, terms: terms, waits: false,
        content: { LeaseBeat(interval: .seconds(10), time: RecordedTime(text: "2026-05-01T12:00:00.000Z")) }))
    #expect(try numbers.newest()?.record.beat != nil)
    #expect(watch.serving == .known(role))
    watch.end()
  }

  @Test func itIsReadBeforeANumberIsCreated() throws {
    let lease = try take()
    let role = try lease.announce(try name("b"), from: start, highest: 4)
    lease.end()
    let before = try numbers.all()
    var seen: RoleReading?
    #expect(throws: Refused.self) {
      try take { reading in
        seen = reading
        throw Refused()
      }
    }
    #expect(seen == .known(role))
    #expect(try numbers.all() == before)
  }

  private struct Refused: Error {}

  // MARK: What cannot be read

  @Test func nobodyFollowsARoleThatCannotBeUnderstood() throws {
    let lease = try take()
    _ = try lease.announce(try name("a"), from: nil, highest: 0)
    lease.end()
    let newer = try text(of: 3).replacing(#""serving":"a""#, with: #""serving":["a","b"]"#)
    try numbers.create(4, Array(newer.utf8))
    #expect(try numbers.serving().serving == .unclear)
    let before = try numbers.all()
    #expect(throws: LeaseError.roleUnclear(name: "orders", location: "memory")) { try take() }
    #expect(try numbers.all() == before)
  }

  /// A crash of the machine may leave an empty number. It says nothing, and so the one before it counts.
  @Test func anEmptyNumberDoesNotChangeTheRole() throws {
    let lease = try take()
    let role = try lease.announce(try name("a"), from: start, highest: 4)
    lease.end()
    try numbers.create(4, [])
    #expect(try numbers.serving().serving == .known(role))
    let next = try take()
    #expect(next.serving == .known(role))
    next.end()
  }

  // MARK: Announcing

  /// If it is there nevertheless, the check of the lease settles it, and the next call announces the same anew.
  @Test(arguments: [true, false]) func afterAnAnnouncementWithoutAnAnswerAnotherCallTells(arrives: Bool) throws {
    let store = SilentStore(memory)
    let lease = try take(store)
    store.becomes(arrives ? .losesAnswer : .losesRequest)
    #expect(throws: (any Error).self) { try lease.announce(try name("b"), from: start, highest: 4) }
    #expect(lease.serving == .none, "it is not known to be there")
    #expect(try numbers.all() == (arrives ? [1, 2] : [1]))
    store.becomes(.answers)
    let role = try lease.announce(try name("b"), from: start, highest: 4)
    #expect(role.since == (arrives ? 3 : 2))
    #expect(try numbers.serving().serving == .known(role) && numbers.serving().number == role.since)
    lease.end()
  }

  /// A renewal that got no answer may be there, and says what was said before. The role then begins one number later.
  @Test(arguments: [true, false]) func aRenewalWithoutAnAnswerIsSettledFirst(arrives: Bool) throws {
    let store = SilentStore(memory)
    let lease = try take(store)
    clock.advance(.seconds(31))
    store.becomes(arrives ? .losesAnswer : .losesRequest)
    #expect(lease.holder.renewInTime())
    store.becomes(.answers)
    let role = try lease.announce(try name("b"), from: start, highest: 4)
    #expect(role.since == 3)
    #expect(try numbers.serving().number == 3 && numbers.serving().serving == .known(role))
    lease.end()
  }

  @Test func whoWasOvertakenAnnouncesNothing() throws {
    let store = SilentStore(memory)
    let late = try take(store)
    clock.advance(.minutes(3))
    // Its record says that it was given back, so that nobody has to wait.
    let other = try #require(
      try Lease.take(
        "orders", in: store, host: host, terms: terms, waits: false,
        after: LeaseLook(watch: LeaseWatch(terms: terms, seesWhoIsGone: false), finding: .free(2)), following: 1))
    _ = try other.announce(try name("b"), from: start, highest: 4)
    #expect(throws: LeaseError.taken(name: "orders", location: "memory")) {
      try late.announce(try name("a"), from: start, highest: 4)
    }
    #expect(try numbers.serving().serving.role?.serving == name("b"))
    late.end()
    #expect(try numbers.serving().serving.role?.serving == name("b"))
    other.end()
  }

  /// A fence belongs to the number that was read before it.
  @Test func aTakeOverFollowsTheNumberThatWasReadOrNothing() throws {
    let store = SilentStore(memory)
    let first = try take(store)
    let look = LeaseLook(watch: LeaseWatch(terms: terms, seesWhoIsGone: false), finding: .free(2))
    clock.advance(.seconds(31))
    #expect(first.holder.renewInTime())
    let found = try Lease.take("orders", in: store, host: host, terms: terms, waits: false, after: look, following: 1)
    #expect(found == nil)
    #expect(try numbers.all() == [1, 2])
    first.end()
  }

  /// What leases/ had is lost: numbers begin anew, and the role comes back above the number in which it began.
  @Test func aRoleComesBackAboveItsNumber() throws {
    let role = ServingRole(serving: try name("a"), since: 57, from: start, highest: 4)
    let lease = try take()
    #expect(lease.number == 1)
    try lease.restore(role)
    #expect(lease.number == 58 && lease.serving == .known(role))
    try lease.checkHeld()
    let next = try lease.announce(try name("b"), from: nil, highest: 0, above: role.since)
    #expect(next.since == 59)
    lease.end()
  }

  /// If numbers are left out, only time keeps others from those between. A holder that was late has lost the lease.
  @Test func whoIsLateWithANumberFurtherOnHasLostTheLease() throws {
    let store = SilentStore(memory) { [clock] key in
      if key.hasSuffix("0000000058") { clock.advance(.minutes(3)) }
    }
    let lease = try take(store)
    let role = ServingRole(serving: try name("a"), since: 57, from: nil, highest: 0)
    #expect(throws: LeaseError.taken(name: "orders", location: "memory")) { try lease.restore(role) }
    #expect(throws: LeaseError.taken(name: "orders", location: "memory")) { try lease.checkHeld() }
    lease.end()
  }
}
