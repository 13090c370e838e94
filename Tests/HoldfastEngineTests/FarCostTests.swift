import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
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

  @Test func aThousandSnapshotsThatAreKnownCostAFewRequests() throws {
    let far = try FarShop()
    try far.backUp(1)
    try fill(far, to: 1000)
    // The first look reads every envelope once.
    var count = 0
    let first = try requests(far) { count = try far.list(on: "elsewhere").count }
    #expect(count == 1000 && first.reads < 1010)
    // The descriptor, and the names of the keyring, of sources (twice), of the source and of journals (twice). S3 gives
    // a thousand names with a request, so 3,000 objects cost two more.
    let list = try requests(far) {
      let repository = try far.open(on: "elsewhere")
      #expect(try repository.catalog.allSnapshots(onDamage: { _ in }).count == 1000)
      #expect(try repository.catalog.newerThanPresent().isEmpty)
    }
    #expect(list.listings <= 6 && list.listings + list.reads + 3 <= 16, "\(list)")
    let status = try requests(far) {
      let statuses = try SourceStatus.read(from: far.open(on: "elsewhere"), of: nil, expected: []) { _ in Objectives() }
      #expect(statuses.map(\.snapshots) == [1000])
    }
    #expect(status.listings <= 6 && status.listings + status.reads + 3 <= 16, "\(status)")
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
