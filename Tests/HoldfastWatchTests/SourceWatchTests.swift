import Glibc
import HoldfastArchive
import HoldfastConfiguration
import HoldfastEngine
import HoldfastModel
import HoldfastOperations
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import HoldfastWatch
import Synchronization
import Testing

/// The watch of a real directory, with the kernel's notices, the real SQLite, and a repository on a disk.
@Suite struct SourceWatchTests {
  private let site: Site

  init() throws { site = try Site() }

  /// A shop goes on while it is watched. Whatever it committed last is in the newest snapshot, and each snapshot is a
  /// state that the shop had.
  @Test func aShopThatWorksIsCapturedUntilItsLastCommit() async throws {
    let database = try TestDatabase(
      site.source.appending("shop.db"), "PRAGMA journal_mode=WAL;" + TestDatabase.orders)
    let end = try site.watch()
    var states: Set<String> = []
    for _ in 1...30 {
      try database.order(1)
      states.insert(try database.summary())
      try? await Task.sleep(for: .milliseconds(20))
    }
    #expect(await site.rests())
    try end()
    let snapshots = try site.snapshots()
    #expect(snapshots.count > 1)
    let newest = try site.restore(try #require(snapshots.last), as: "newest")
    #expect(try TestDatabase(newest.appending("shop.db")).summary() == database.summary())
    for snapshot in snapshots.suffix(3) {
      let target = try site.restore(snapshot, as: "number-\(snapshot.sequence)")
      let restored = try TestDatabase(target.appending("shop.db")).summary()
      #expect(states.contains(restored), "\(restored)")
    }
    #expect(site.heard.withLock { $0 } == [])
  }

  /// Increments become one while the shop goes on, of both levels, and the newest has whatever was committed last.
  @Test func incrementsBecomeOneWhileAShopWorks() async throws {
    let site = try Site(
      watch: "{min-interval: 0, max-interval: 1s, levels: {first: 1s, second: 4s}, heartbeat: 1s, lease: 3s}")
    let database = try TestDatabase(
      site.source.appending("shop.db"), "PRAGMA journal_mode=WAL;" + TestDatabase.orders)
    // A full that is so large that what stands on it does not make it a new one.
    var random = SeededRandom(seed: 4)
    TestFiles.write(random.bytes(4 << 20), to: site.source.appending("pictures"))
    let end = try site.watch()
    func merged() -> [Snapshot] {
      ((try? site.snapshots()) ?? []).filter { $0.envelope.merged != nil && $0.envelope.kind == .incremental }
    }
    #expect(
      await Patience.waits(Site.patience) {
        _ = try? database.order(1)
        return merged().count >= 4
      })
    #expect(await site.rests())
    try end()
    let catalog = try site.opened().catalog
    let newest = try #require(try site.snapshots().max(by: Snapshot.isOlder))
    let chain = try catalog.chain(to: newest)
    #expect(chain.snapshots.count < site.count - 6, "\(chain.snapshots.count) of \(site.count)")
    let restored = try site.restore(newest, as: "newest")
    #expect(try TestDatabase(restored.appending("shop.db")).summary() == database.summary())
    for snapshot in merged().prefix(2) { _ = try site.restore(snapshot, as: "number-\(snapshot.sequence)") }
    #expect(site.heard.withLock { $0 } == [])
  }

  /// The heartbeat of the host is the lease: it is renewed while nothing changes, says what is committed, keeps a
  /// backup by hand out, which is told by whom, and is given back at the end.
  @Test func theLeaseIsHeldAndRenewedAndGivenBack() async throws {
    TestFiles.write("an order", to: site.source.appending("1"))
    let beats = Mutex<[Heartbeat]>([])
    final class Witness: HeartbeatObserver {
      let hear: @Sendable (Heartbeat) -> Void
      init(_ hear: @escaping @Sendable (Heartbeat) -> Void) { self.hear = hear }
      func beat(_ beat: Heartbeat) { hear(beat) }
      func late(_ error: any OperatorError) {}
      func lost(_ error: any OperatorError) {}
    }
    let end = try site.watch([Witness { beat in beats.withLock { $0.append(beat) } }])
    #expect(
      await Patience.waits(Site.patience) { beats.withLock { $0.contains { $0.content?.sequence == 1 } } })
    let repository = try site.opened()
    let lease = LeaseNumbers(store: repository.store, name: "orders")
    let record = try #require(try lease.newest()?.record)
    #expect(record.term == .seconds(3) && record.beat?.interval == .seconds(1))
    let refused = await #expect(throws: EngineError.self) {
      _ = try await onOwnThread { [site] in
        try Backup(
          repository: site.opened(), options: Backup.Options(source: site.source), cache: StateCache(directory: nil),
          progress: Listener { _ in }.makeProgress()
        ).run()
      }
    }
    #expect(
      refused?.message
        == "`holdfast watch` takes the snapshots of orders, on \(Host.name), process \(getpid())")
    #expect(
      refused?.hint
        == "Leave it to that; or stop it there first, with `systemctl stop` and its unit, or `kill \(getpid())`.")
    #expect(refused?.exitStatus == .locked)
    try end()
    #expect(try lease.newest()?.record.isGivenBack == true)
    #expect(site.count == 1, "nothing changed after the first snapshot")
    let numbers = beats.withLock { $0.map(\.number) }
    #expect(numbers == Array(1...UInt64(numbers.count)))
    #expect(try site.snapshots().first?.envelope.lease != nil)
  }

  @Test func whatIsLeftOutLeadsToNoSnapshot() async throws {
    TestFiles.makeDirectory(site.source.appending("drafts.tmp"))
    TestFiles.write("an index", to: site.source.appending("shop.db-shm"))
    TestFiles.write("an order", to: site.directory.appending("2"))
    let end = try site.watch()
    #expect(await site.rests())
    let before = site.count
    TestFiles.write("a draft", to: site.source.appending("drafts.tmp/1"))
    TestFiles.write("an indes", to: site.source.appending("shop.db-shm"))
    // What comes later is seen later: when this is captured, nothing else was.
    rename(site.directory.appending("2").text, site.source.appending("2").text)
    #expect(await site.rests())
    try end()
    #expect(before == 1 && site.count == 2)
  }

  /// A source that is renamed away and back, a repository that is away for a while: both are told once, and nothing
  /// that happens meanwhile is missed.
  @Test func whatIsAwayForAWhileIsToldOnceAndCaughtUpWith() async throws {
    TestFiles.write("an order", to: site.source.appending("1"))
    let end = try site.watch()
    #expect(await site.rests())
    let aside = site.directory.appending("aside")
    rename(site.repository.text, aside.text)
    TestFiles.write("an order", to: site.source.appending("2"))
    #expect(await Patience.waits(Site.patience) { !self.site.heard.withLock { $0.isEmpty } })
    try? await Task.sleep(for: .milliseconds(2500))
    rename(aside.text, site.repository.text)
    #expect(await Patience.waits(Site.patience) { self.site.count == 2 })
    try end()
    let heard = site.heard.withLock { $0 }.filter { !$0.hasPrefix("the heartbeat of orders is late") }
    #expect(heard.count == 2 && heard.last?.hasPrefix("snapshots are taken again, after ") == true, "\(heard)")
    let newest = try site.restore(try #require(try site.snapshots().last), as: "newest")
    #expect(TestFiles.exists(newest.appending("2")))
  }

  /// Who can write to the store can write a lease. What it says is shown, and nobody is told to run it.
  @Test(arguments: [("shop-9\u{1B}[2J", 77), (Host.name, -1), (Host.name, 1)] as [(String, Int32)])
  func aForgedLeaseGivesNoCommandToRun(host: String, process: Int32) throws {
    let repository = try site.opened()
    var record = LeaseRecord(
      holder: Randomness.system.identifier(), term: .minutes(1), locked: false, host: host, process: process,
      time: RecordedTime(text: "2026-05-01T12:00:00.000Z"))
    #expect(Lease.watchError(on: Site.orders, of: repository) == nil)
    record.beat = LeaseBeat(interval: .seconds(10), time: RecordedTime(text: "2026-05-01T12:00:00.000Z"))
    try LeaseNumbers(store: repository.store, name: "orders").create(1, record.serialized())
    let error = try #require(Lease.watchError(on: Site.orders, of: repository))
    #expect(
      error.message
        == "`holdfast watch` takes the snapshots of orders, on \(Path(host)), process \(process)")
    #expect(!error.message.contains("\u{1B}"))
    #expect(error.hint == "Leave it to that; or stop it there first, with `systemctl stop` and its unit.")
  }

  /// Without home there is no lease to hold. The watch says so once, and goes on when it is there.
  @Test func aRepositoryThatIsAwayAtTheStartIsWaitedFor() async throws {
    TestFiles.write("an order", to: site.source.appending("1"))
    let aside = site.directory.appending("aside")
    rename(site.repository.text, aside.text)
    let end = try site.watch()
    #expect(await Patience.waits(Site.patience) { !self.site.heard.withLock { $0.isEmpty } })
    rename(aside.text, site.repository.text)
    let again = "snapshots are taken again, after "
    #expect(
      await Patience.waits(Site.patience) { self.site.heard.withLock { $0.last?.hasPrefix(again) ?? false } })
    #expect(site.count > 0)
    try end()
    let heard = site.heard.withLock { $0 }
    #expect(Set(heard).count == heard.count, "\(heard)")
  }

  /// A machine that starts while home is away takes its snapshots at the next target if the configuration says so, and
  /// tells that once.
  @Test func whileHomeIsAwayTheNextTargetIsCommittedTo() async throws {
    let (here, barn) = (site.directory.appending("here"), site.directory.appending("barn"))
    TestFiles.write(
      """
      repositories:
        shop:
          targets: [{name: here, path: \(here)}, {name: barn, path: \(barn)}]
          when-home-is-away: continue
      sources:
        orders: {path: \(site.source), watch: {min-interval: 0, max-interval: 1s, heartbeat: 1s, lease: 3s}}
      """, to: site.directory.appending("holdfast.yaml"))
    let context = try RepositoryContext(site.request, on: site.machine())
    let home = try Repository.create(
      in: context.store(), host: context.machine.host, sealing: nil, memory: context.machine.memory())
    _ = try RepositoryTargets(context).make(of: home) { _ in }
    func count() -> Int { TestFiles.allFiles(in: barn).count { $0.text.hasSuffix("/manifest.json") } }
    rename(here.text, site.directory.appending("aside").text)
    TestFiles.write("an order", to: site.source.appending("1"))
    let end = try site.watch()
    #expect(await Patience.waits(Site.patience) { count() == 1 })
    TestFiles.write("an order", to: site.source.appending("2"))
    #expect(await Patience.waits(Site.patience) { count() > 1 })
    try end()
    let heard = site.heard.withLock { $0 }
    #expect(heard.count { $0.hasPrefix("HOME IS AWAY: ") } == 1, "\(heard)")
    #expect(!heard.contains { $0.hasPrefix("snapshots are taken again") }, "they never stopped: \(heard)")
  }

  private func refused(_ sources: String) throws -> EngineError? {
    TestFiles.write(
      "repositories:\n  shop: {path: \(site.repository)}\nsources:\n  \(sources)\n",
      to: site.directory.appending("holdfast.yaml"))
    let settings = try site.machine().neededSettings()
    return #expect(throws: EngineError.self) {
      try Watch(settings: settings, machine: site.machine(), site.request).run(
        settings.sources, makeObserver: { Listener { _ in } })
    }
  }

  /// What a hook changes in the source would lead to the next run, and its hook to the next.
  @Test func aSourceWithHooksCannotBeWatched() throws {
    let error = try refused("orders: {path: \(site.source), before: 'pg_dump shop > dump.sql'}")
    #expect(
      error?.message
        == "the source orders has hooks (before, after), and what these change would lead to the next snapshot")
    #expect(error?.exitStatus == .usage)
  }

  @Test func withoutAnySourceThereIsNothingToWatch() throws {
    let settings = try site.machine().neededSettings()
    let error = #expect(throws: EngineError.self) {
      try Watch(settings: settings, machine: site.machine(), site.request).run(
        [], makeObserver: { Listener { _ in } })
    }
    #expect(error?.message == "no source is configured that can be watched")
    #expect(error?.exitStatus == .usage)
  }

  @Test func theOutputOfACommandCannotBeWatched() throws {
    let error = try refused("dump: {from-command: 'true'}")
    #expect(error?.message == "the source dump is the output of a command, which cannot be watched")
    #expect(error?.exitStatus == .usage)
  }
}
