import HoldfastArchive
import HoldfastConfiguration
import HoldfastEngine
import HoldfastModel
import HoldfastOperations
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// How often a command waits for a store that is far away. Requests that are made side by side are one wait.
@Suite(.serialized, .timeLimit(.minutes(30))) struct RoundTripTests {
  private static let location = "sftp:shop@server/orders"
  private let site = Site()
  private let store = DistantStore()

  private var machine: MachineContext {
    let usual = site.machine()
    return MachineContext(
      host: usual.host, environment: usual.environment, schemes: StoreSchemes([.sftp: { [store] _, _, _ in store }]))
  }

  private var source: Path { site.directory.appending("orders") }

  private func context() throws -> RepositoryContext { try RepositoryContext(site.request(Self.location), on: machine) }

  private func settings() throws -> SourceSettings {
    try SourceSettings(
      .directory(source), name: Site.orders, isNameChosen: true, repository: Self.location, flags: FlagValues(),
      environment: { _ in nil }
    ) { _ in true }
  }

  /// The repository, opened as `RepositoryContext` does it.
  private func open(_ keys: TestKeys?, for source: SourceName? = nil, takesLease: Bool = false) throws -> Repository {
    try Repository.open(
      context().store(), host: machine.host, credentials: keys?.credentials() ?? .none, memory: machine.memory(),
      for: source, takesLease: takesLease)
  }

  /// A repository with one chain, and the journal of the runs that took its snapshots.
  /// - Returns: its keys, if it is sealed.
  private func prepare(isSealed: Bool, chain length: Int = 3) throws -> TestKeys? {
    TestFiles.makeDirectory(source)
    for number in 0..<100 {
      TestFiles.write(
        String(repeating: "order \(number)\n", count: 2000), to: source.appending("orders-\(number)"))
    }
    let keys = isSealed ? try TestKeys() : nil
    try store.withoutLatency {
      _ = try Repository.create(
        in: context().store(), host: machine.host, sealing: keys?.sealing, memory: machine.memory())
      for number in 0..<length {
        TestFiles.write("note \(number)", to: source.appending("note"))
        try backup(keys)
      }
    }
    store.forgetRequests()
    return keys
  }

  /// What `holdfast backup SOURCE` does.
  @discardableResult
  private func backup(_ keys: TestKeys?) throws -> Backup.Report {
    let watch = RunWatch(.backup, machine, notices: Listener())
    return try watch.run {
      let repository = try open(keys, for: Site.orders, takesLease: true)
      let opened = try ConfiguredSource(settings(), in: repository, at: context())
      watch.opened(repository, source: Site.orders)
      return try opened.backup(opened.backupOptions(kind: nil), watch, watch.makeProgress()).report
    }
  }

  /// - Parameter command: whose waits are counted. On a busy machine a request may begin late and count as one more
  ///   wait, so the fewest of three tries count.
  private func expect(_ what: Comment, waitsAtMost count: Int, _ command: () throws -> Void) rethrows {
    for attempt in 1...3 {
      store.forgetRequests()
      try command()
      guard store.roundTrips > count, attempt < 3 else { break }
    }
    print("\(what): \(store.roundTrips) round trips, \(store.requests.count) requests\n\(store.transcript)")
    #expect(store.roundTrips <= count, what)
  }

  @Test(arguments: [false, true]) func aBackupWithNothingChangedWaitsEightTimes(isSealed: Bool) throws {
    let keys = try prepare(isSealed: isSealed)
    var reports: [Backup.Report] = []
    // Each leaves everything in order for the next.
    for what: Comment in ["nothing changed", "nothing changed again"] {
      try expect(what, waitsAtMost: 8) { reports.append(try backup(keys)) }
    }
    #expect(reports.allSatisfy { $0.envelope.changes.isEmpty && $0.envelope.kind == .incremental })
    #expect(reports.map(\.envelope.sequence) == (4..<4 + UInt64(reports.count)).map { $0 })
    #expect(try open(keys).journal.read(Site.orders).entries.count == 3 + reports.count)
    #expect(try store.names(below: "leases/orders/").count == 2)
    #expect(try store.names(below: "journal/orders/").count == 2)
  }

  @Test(arguments: [false, true]) func aBackupOfAFewChangesWaitsNineTimes(isSealed: Bool) throws {
    let keys = try prepare(isSealed: isSealed)
    var count = 0
    try expect("one file of a hundred changed", waitsAtMost: 9) {
      count += 1
      TestFiles.write("\(count) orders more", to: source.appending("orders-7"))
      let report = try backup(keys)
      #expect(report.envelope.changes.changed == 1)
    }
  }

  /// The keyring of a sealed one is read behind its listing.
  @Test(arguments: [false, true]) func openingWaitsOnceOrTwice(isSealed: Bool) throws {
    let keys = try prepare(isSealed: isSealed)
    try expect("opened", waitsAtMost: isSealed ? 2 : 1) { _ = try open(keys) }
  }

  @Test(arguments: [false, true]) func aSnapshotIsChosenFarAway(isSealed: Bool) throws {
    let keys = try prepare(isSealed: isSealed)
    try expect("opened for a restore, with the newest chosen", waitsAtMost: 5) {
      let repository = try open(keys, for: Site.orders)
      let snapshot = try SnapshotSelector(.latest, source: Site.orders).choose(in: repository.catalog) { _ in }
      #expect(snapshot.sequence == 3)
    }
  }

  /// On a machine that knows nothing of it, and without the name of its source.
  @Test(arguments: [false, true]) func aFileOutOfAChainOfAHundredWaitsSevenTimes(isSealed: Bool) throws {
    let keys = try prepare(isSealed: isSealed, chain: 100)
    let written = site.directory.appending("written")
    var machines = 0
    try expect("a file out of a chain of 100", waitsAtMost: isSealed ? 8 : 7) {
      machines += 1
      let repository = try Repository.open(
        context().store(), host: machine.host, credentials: keys?.credentials() ?? .none,
        cache: CatalogCache(directory: site.directory.appending("machine-\(machines)")), looksAround: true)
      let snapshot = try SnapshotSelector(.latest).choose(in: repository.catalog) { Issue.record("\($0.message)") }
      #expect(snapshot.sequence == 100)
      TestFiles.remove(written)
      let sink = try machine.host.files.open(written, .create)
      _ = try Cat(repository: repository).write(Path("orders-7"), of: snapshot, to: sink)
      #expect(TestFiles.read(written) == TestFiles.read(source.appending("orders-7")))
    }
  }

  /// A snapshot is opened while the one before it is read, and what belongs to none is looked at meanwhile.
  @Test(arguments: [false, true]) func aVerifyOfAChainOfFourWaitsSeventeenTimes(isSealed: Bool) throws {
    let keys = try prepare(isSealed: isSealed, chain: 4)
    try expect("everything verified", waitsAtMost: isSealed ? 18 : 17) {
      let repository = try Repository.open(
        context().store(), host: machine.host, credentials: keys?.credentials() ?? .none, memory: machine.memory(),
        looksAround: true)
      var options = Verify.Options()
      options.readsData = true
      let report = try Verify(repository: repository, options: options, progress: QuietProgress()).run(nil)
      #expect(report.exitStatus == .done && report.snapshots.count == 4)
    }
  }

  @Test(arguments: [false, true]) func aRestoreOfAChainOfThreeWaitsFiveTimes(isSealed: Bool) throws {
    let keys = try prepare(isSealed: isSealed)
    var count = 0
    try expect("everything restored", waitsAtMost: isSealed ? 7 : 5) {
      count += 1
      let repository = try Repository.open(
        context().store(), host: machine.host, credentials: keys?.credentials() ?? .none, memory: machine.memory(),
        looksAround: true)
      let snapshot = try SnapshotSelector(.latest).choose(in: repository.catalog) { Issue.record("\($0.message)") }
      let options = Restore.Options(target: site.directory.appending("target-\(count)"))
      let report = try Restore(
        repository: repository, snapshot: snapshot, options: options, progress: QuietProgress()
      ).run()
      #expect(report.exitStatus == .done && report.writtenFiles == 101)
    }
  }
}
