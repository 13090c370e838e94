import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A snapshot whose manifest arrives when another host has taken over is kept, and is the newest for nothing.
@Suite struct DivergedTests {
  private static let late = TimeSpan.seconds(150)
  private let clock = TestClock("2026-03-01T12:00:00Z")
  private let memory = MemoryStore()
  private let source: SourceName

  init() throws { source = try #require(SourceName("source")) }

  private func name(_ text: String) throws -> HostName { try #require(HostName(text)) }

  private func shop(_ store: HookedStore) throws -> TestShop {
    let shop = try TestShop(workers: 1, store: store, clock: clock.clock)
    for number in 1...2 {
      clock.advance(.hours(1))
      TestFiles.write("file \(number)", to: shop.source.appending("file \(number)"))
      try shop.backup(number == 1 ? .full : .incremental)
    }
    return shop
  }

  /// Opens the repository as a host.
  private func open(_ shop: TestShop, as host: String) throws -> Repository {
    let own = try name(host)
    var repository = try shop.open()
    repository.hostName = { _ in own }
    return repository
  }

  /// What a standby does after its fence: takes the lease, looks, and announces.
  private func takeOver(_ repository: Repository, as host: HostName) throws -> ServingRole {
    let numbers = LeaseNumbers(store: repository.store, name: source.text)
    let newest = try numbers.all().last ?? 0
    let look = LeaseLook(watch: LeaseWatch(terms: LeaseTerms(), seesWhoIsGone: false), finding: .free(newest + 1))
    let lease = try #require(try Lease.takeOver(source, of: repository, after: look, following: newest))
    defer { lease.end() }
    let snapshot = try repository.catalog.newestSnapshot(
      of: source, removingLeftoversUnder: nil, progress: QuietProgress())
    return try lease.announce(host, from: snapshot, highest: 0, of: source, in: repository)
  }

  /// What arrives after the snapshot was chosen with which a host begins is diverged, also if it is there before the
  /// number that announces the host.
  @Test func whatArrivesBetweenTheChoiceAndTheAnnouncementIsDiverged() throws {
    let shop = try shop(HookedStore(memory, hasLeases: true))
    let standby = try open(shop, as: "b")
    let chosen = try standby.catalog.newestSnapshot(
      of: source, removingLeftoversUnder: nil, progress: QuietProgress())
    let highest = try standby.catalog.highestPresent(of: source)
    TestFiles.write("late", to: shop.source.appending("late"))
    try shop.backup(in: open(shop, as: "a"))
    let lease = try #require(
      try Lease.take(source.text, in: standby.store, host: standby.host, waits: false, as: { nil }))
    try lease.announce(name("b"), from: chosen, highest: highest, isAwaited: true, of: source, in: standby)
    lease.end()
    #expect(try shop.open().catalog.allSnapshots(of: source) { _ in }.map(\.sequence) == [1, 2])
  }

  /// A host that is announced may not have the data yet: its gate stays shut, and it adds nothing, until it begins.
  @Test func aHostThatIsAwaitedDoesNotServe() throws {
    let shop = try shop(HookedStore(memory, hasLeases: true))
    let b = try open(shop, as: "b")
    let lease = try #require(try Lease.take(source.text, in: b.store, host: b.host, waits: false, as: { nil }))
    let newest = try b.catalog.newestSnapshot(of: source, removingLeftoversUnder: nil, progress: QuietProgress())
    let role = try lease.announce(name("b"), from: newest, highest: 2, isAwaited: true, of: source, in: b)
    lease.end()
    #expect(try ServingStanding(of: source, in: b).role == role && role.isAwaited)
    func expectShut() throws {
      let gate = #expect(throws: EngineError.self) { try ServingGate(.init(source), in: open(shop, as: "b")).enter() }
      #expect(gate?.exitStatus == .notServing && gate?.message.contains("does not serve yet") == true)
      let backup = #expect(throws: EngineError.self) { try shop.backup(in: open(shop, as: "b")) }
      #expect(backup?.exitStatus == .notServing)
    }
    try expectShut()
    // Killed between the number that says that it begins, and the notes.
    let (own, admission) = (try name("b"), Lease.admission(to: source, of: b, begins: true))
    let taken = try Lease.take(
      source.text, in: b.store, host: b.host, waits: false, as: { own }, admits: admission)
    let again = try #require(taken)
    try again.restore(role.begun)
    again.end()
    try expectShut()
    let last = try Lease.take(source.text, in: b.store, host: b.host, waits: false, as: { own }, admits: admission)
    let holding = try #require(last)
    try holding.begin(role, of: source, in: b)
    holding.end()
    #expect(try ServingStanding(of: source, in: b).role == role.begun)
    #expect(try ServingGate(.init(source), in: open(shop, as: "b")).enter().mayServe)
    try shop.backup(in: open(shop, as: "b"))
  }

  /// Returns a shop of which a late snapshot, number 3, is diverged: host `b` has taken over from number 2.
  private func overtaken(_ store: HookedStore) throws -> TestShop {
    let shop = try shop(store)
    let before = memory.contents.keys.filter { $0.hasPrefix("leases/") }
    #expect(before.allSatisfy { !String(decoding: memory.contents[$0] ?? [], as: UTF8.self).contains("role") })
    _ = try ServingGate(.init(source), in: open(shop, as: "a")).enterFirst()
    let standby = try open(shop, as: "b")
    let (clock, b) = (clock, try name("b"))
    store.beforeNext("sources/source/0000000003/manifest.json") {
      clock.advance(Self.late)
      let role = try takeOver(standby, as: b)
      #expect(role.from?.sequence == 2)
    }
    TestFiles.write("late", to: shop.source.appending("late"))
    #expect(throws: LeaseError.self) { try shop.backup(in: open(shop, as: "a")) }
    #expect(memory.contents["sources/source/0000000003/manifest.json"] != nil, "it has arrived")
    return shop
  }

  @Test func aLateSnapshotIsTheNewestForNothing() throws {
    let store = HookedStore(memory, hasLeases: true)
    let shop = try overtaken(store)
    let repository = try shop.open()
    let catalog = repository.catalog
    #expect(try shop.snapshot().sequence == 2)
    #expect(try catalog.allSnapshots(of: source) { _ in }.map(\.sequence) == [1, 2])
    let all = try catalog.allSnapshots(of: source, includingDiverged: true) { _ in }
    #expect(all.map(\.isDiverged) == [false, false, true])
    let late = all[2]
    // It is found by its ID, and restores.
    #expect(try shop.snapshot(late.id.description).sequence == 3)
    try shop.restore(late.id.description, to: "late")
    #expect(TestFiles.exists(shop.directory.appending("late/late")))
    #expect(
      try catalog.newestSnapshot(of: source, removingLeftoversUnder: nil, progress: QuietProgress())?.sequence == 2)
    let status = try #require(
      try SourceStatus.read(from: repository, of: source) { _ in Objectives() }.first)
    #expect(status.newest?.sequence == 2 && status.snapshots == 2 && status.diverged == [late.id])
    #expect(try status.serving?.serving == name("b"))
    try shop.expectSound()
    // The next snapshot builds on number 2, and has the number after the late one.
    let next = try shop.backup(in: open(shop, as: "b"))
    #expect(next.envelope.sequence == 4 && next.envelope.parent?.sequence == 2)
    #expect(try shop.snapshot().sequence == 4)
    #expect(next.envelope.lease ?? 0 >= (status.serving?.since ?? .max))
  }

  @Test func theOldHostIsRefusedAndSoIsOneWithoutAName() throws {
    let store = HookedStore(memory, hasLeases: true)
    let shop = try overtaken(store)
    let before = memory.contents.count
    for repository in [try open(shop, as: "a"), try shop.open()] {
      let error = #expect(throws: EngineError.self) { try shop.backup(in: repository) }
      #expect(error?.exitStatus == .notServing && error?.message.contains("b serves source") == true)
    }
    #expect(throws: EngineError.self) { try ServingGate(.init(source), in: open(shop, as: "a")).enter() }
    #expect(throws: EngineError.self) { try ServingGate(.init(source), in: open(shop, as: "a")).enterFirst() }
    #expect(memory.contents.count == before, "nothing was written")
    #expect(try ServingGate(.init(source), in: open(shop, as: "b")).enter().mayServe)
  }

  /// Numbers of a lease are not durable, and may be lost as a whole. The notes keep what was announced.
  @Test func theRoleOutlivesItsNumbers() throws {
    let store = HookedStore(memory, hasLeases: true)
    let shop = try overtaken(store)
    let since = try #require(try shop.open().notes.read(source).notes.lastEra?.since)
    for key in memory.contents.keys where key.hasPrefix("leases/") { memory.contents[key] = nil }
    let refused = #expect(throws: EngineError.self) { try shop.backup(in: open(shop, as: "a")) }
    #expect(refused?.exitStatus == .notServing)
    for key in memory.contents.keys where key.hasPrefix("leases/") { memory.contents[key] = nil }
    let next = try shop.backup(in: open(shop, as: "b"))
    #expect(next.envelope.lease ?? 0 > since)
    #expect(try shop.snapshot().sequence == 4)
    #expect(try ServingStanding(of: source, in: shop.open()).reading.role?.since == since)
  }

  /// Killed between the number and the notes: whoever goes on under the role notes it.
  @Test func aRoleThatIsNotNotedYetIsNotedByTheNextRun() throws {
    let shop = try shop(HookedStore(memory, hasLeases: true))
    let repository = try open(shop, as: "a")
    let lease = try #require(
      try Lease.take(source.text, in: repository.store, host: repository.host, waits: false, as: { nil }))
    let role = try lease.announce(try name("a"), from: nil, highest: 2)
    lease.end()
    #expect(try shop.open().notes.read(source).notes.lastEra == nil)
    #expect(try ServingStanding(of: source, in: shop.open()).role == role)
    TestFiles.write("more", to: shop.source.appending("more"))
    let error = #expect(throws: EngineError.self) { try shop.backup(in: open(shop, as: "b")) }
    #expect(error?.exitStatus == .notServing)
    try shop.backup(in: repository)
    #expect(try shop.open().notes.read(source).notes.lastEra?.role == role)
  }

  @Test func aPruneKeepsItAndCountsItNot() throws {
    let shop = try overtaken(HookedStore(memory, hasLeases: true))
    clock.advance(.hours(1))
    TestFiles.write("more", to: shop.source.appending("more"))
    try shop.backup(.full, in: open(shop, as: "b"))
    var policy = RetentionPolicy()
    policy.last = 1
    let repository = try shop.open()
    let notes = try repository.notes.read(source)
    let all = try repository.catalog.committedSnapshots(of: source) { _ in }
    let lines = KeptSnapshots(all, notes, policy: policy, in: repository).lines
    let reasons = Dictionary(uniqueKeysWithValues: lines.map { ($0.snapshot.sequence, $0.reasons) })
    #expect(reasons[3] == [.diverged])
    #expect(reasons[4]?.contains(.newest) == true && reasons[4]?.contains(.last(1)) == true)
    // It builds on number 2, which therefore stays, too.
    #expect(reasons[2] == [.neededBy(all[2].id)])
  }

  /// A source that was never announced is as before: nothing says so, in numbers and notes.
  @Test func withoutARoleNothingIsWritten() throws {
    let shop = try shop(HookedStore(memory, hasLeases: true))
    try shop.backup(in: open(shop, as: "a"))
    for (key, bytes) in memory.contents where key.hasPrefix("leases/") || key.hasSuffix("notes.json") {
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(!text.contains("role") && !text.contains("eras") && !text.contains(#""by""#), "\(key)")
    }
    let error = #expect(throws: EngineError.self) { try ServingGate(.init(source), in: open(shop, as: "a")).enter() }
    #expect(error?.message == "no host was ever announced to serve source")
  }
}
