import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// How many requests it takes to look into a remote repository. Requests cost time, and money.
@Suite(.timeLimit(.minutes(30))) struct FarCostTests {
  /// Listings and reads, as a store counts them.
  private func requests(_ far: FarShop, _ body: () throws -> Void) rethrows -> (listings: Int, reads: Int) {
    far.memory.forgetRequests()
    try body()
    return (far.memory.counts.listings, far.memory.counts.reads)
  }

  /// Puts so many fulls with an archive each beside the one of the shop.
  private func fill(_ far: FarShop, to count: UInt64) throws {
    let pattern = try far.shop.snapshot().envelope
    var random = SeededRandom(seed: 1)
    var contents = far.memory.contents
    for sequence in pattern.sequence + 1...count {
      let ids = try (0..<3).map { _ in try #require(Identifier(bytes: random.bytes(16))) }
      var envelope = pattern
      (envelope.snapshot, envelope.sequence) = (ids[0], sequence)
      envelope.body = ObjectReference(id: ids[1], length: 100, digest: pattern.body.digest)
      envelope.archives = [
        Envelope.Archive(number: 0, sequence: sequence, id: ids[2], length: 200, digest: pattern.body.digest)
      ]
      let name = pattern.source.name
      contents[Keys.manifest(name, sequence)] = try envelope.serialized()
      contents[Keys.body(name, sequence, ids[1])] = [UInt8](repeating: 0, count: 100)
      contents[Keys.archive(name, sequence, ids[2])] = [UInt8](repeating: 0, count: 200)
    }
    far.memory.contents = contents
  }

  /// Writes into the journal that a snapshot was taken.
  private func note(_ sequence: UInt64, in far: FarShop) throws {
    var entry = JournalEntry(
      command: .backup, host: "shop-1", began: Timestamp(milliseconds: 0), ended: Timestamp(milliseconds: 0),
      took: .milliseconds(1), status: 0)
    entry.sequence = sequence
    _ = try far.open().journal.append(entry, to: far.shop.snapshot().sourceName)
  }

  @Test func aThousandSnapshotsThatAreKnownCostAFewRequests() throws {
    let far = try FarShop()
    try far.backUp(1)
    try fill(far, to: 1000)
    try note(1000, in: far)
    // The first look reads every envelope once.
    var count = 0
    let first = try requests(far) { count = try far.list(on: "elsewhere").count }
    #expect(count == 1000 && first.reads < 1010)
    // The listings of the keyring, of names, of sources and of journals, the descriptor and the newest object of the
    // journal. S3 gives a thousand names with a request, so 3,000 objects cost two more requests, and round trips.
    let line = DistantStore(memory: far.memory)
    let list = try requests(far) {
      let repository = try far.open(on: "elsewhere", over: line)
      #expect(try repository.catalog.allSnapshots(onDamage: { _ in }).count == 1000)
      #expect(try repository.catalog.newerThanPresent().isEmpty)
    }
    #expect(list == (4, 2) && line.roundTrips <= 4, "\(list)\n\(line.transcript)")
    line.forgetRequests()
    let status = try requests(far) {
      let statuses = try SourceStatus.read(
        from: far.open(on: "elsewhere", over: line), of: nil, expected: []
      ) { _ in Objectives() }
      #expect(statuses.map(\.snapshots) == [1000] && statuses.map(\.runs) == [1])
    }
    // With the newest number of the lease, which tells of a watch.
    #expect(status == (5, 3) && line.roundTrips <= 6, "\(status)\n\(line.transcript)")
  }

  /// Others may have a million objects.
  @Test func whoeverAsksForOneSourceListsNoOther() throws {
    let far = try FarShop()
    try far.backUp(2)
    try note(1, in: far)
    far.memory.contents["sources/another/0000000001/begun"] = []
    let name = try far.shop.snapshot().sourceName
    let line = DistantStore(latency: .zero, memory: far.memory)
    let catalog = try far.open(over: line).catalog
    #expect(try catalog.allSnapshots(of: name, onDamage: { _ in }).count == 2)
    #expect(try catalog.newerThanPresent(of: name) == nil)
    let statuses = try SourceStatus.read(from: far.open(over: line), of: name, expected: []) { _ in Objectives() }
    #expect(statuses.map(\.snapshots) == [2] && statuses.map(\.runs) == [1])
    let verify = Verify(
      repository: try far.open(over: line), options: Verify.Options(), progress: QuietProgress())
    #expect(try verify.run(nil, source: name).exitStatus == .done)
    let asked = Set(line.requests.map(\.what))
    #expect(asked.contains("list sources/\(name)/"), "\(asked)")
    #expect(asked.isDisjoint(with: ["list sources/", "list journal/", "list sources/another/"]), "\(asked)")
  }

  /// The journal may tell of a snapshot that was committed after the sources were listed.
  @Test func aBackupMeanwhileIsNotTakenForALoss() throws {
    let far = try FarShop()
    try far.backUp(1)
    let catalog = try far.open(on: "elsewhere").catalog
    #expect(try catalog.allSnapshots(onDamage: { _ in }).count == 1)
    try far.backUp(1)
    try note(2, in: far)
    #expect(try catalog.newerThanPresent().isEmpty)
    let name = try far.shop.snapshot().sourceName
    far.memory.contents[Keys.manifest(name, 2)] = nil
    #expect(try far.open(on: "elsewhere").catalog.newerThanPresent().map(\.object) == [Keys.manifest(name, 2)])
  }

  @Test(arguments: [(false, 100), (true, 20)])
  func aFileOutOfALongChainCostsAFewRequests(isSealed: Bool, length: Int) throws {
    let far = try FarShop(isSealed: isSealed)
    try far.backUp(length)
    func cat(on machine: String) throws {
      let repository = try far.open(on: machine)
      let snapshot = try far.shop.snapshot(in: repository)
      let file = far.shop.directory.appending("written-\(machine)-\(far.memory.counts.reads)")
      let sink = try far.shop.host.files.open(file, .create)
      _ = try Cat(repository: repository).write(Path("15"), of: snapshot, to: sink)
      #expect(TestFiles.read(file) == Array("order 15".utf8))
      TestFiles.remove(file)
    }
    // The machine that has taken the backups.
    let own = try requests(far) { try cat(on: "here") }
    #expect(own.listings + own.reads <= 11, "\(own)")
    // Another one reads each envelope and each body once, and then knows them too.
    let first = try requests(far) { try cat(on: "elsewhere") }
    #expect(first.reads <= 2 * length + 11, "\(first)")
    let second = try requests(far) { try cat(on: "elsewhere") }
    #expect(second.listings + second.reads <= 11, "\(second)")
  }

  /// A backup reads the envelopes of its chain from what it keeps.
  @Test func aBackupOnALongChainReadsNoEnvelope() throws {
    let far = try FarShop()
    try far.backUp(20)
    let fetched = try far.fetched { try far.backUp(1) }
    #expect(fetched.filter { !Keys.isBody($0) } == [])
    // Another machine reads them side by side, and each once.
    let cold = try far.fetched { try far.backUp(1, on: "elsewhere") }.filter { !Keys.isBody($0) }
    #expect(cold.count == 21 && Set(cold).count == 21)
  }
}
