import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A machine that can open nothing takes every kind of snapshot, and says why where it takes a full.
@Suite struct SealedBackupTests {
  private let shop: TestShop
  private let keys: TestKeys

  init() throws {
    shop = try TestShop(isSealed: true)
    keys = try #require(shop.keys)
    var random = SeededRandom(seed: 31)
    TestFiles.write(random.bytes(200_000), to: shop.source.appending("orders.db"))
    TestFiles.write("a note", to: shop.source.appending("note"))
  }

  private func change(_ day: UInt8) {
    TestFiles.overwrite(shop.source.appending("orders.db"), at: Int(day) * 9000, with: [day, day, day])
  }

  private func backup(
    _ kind: SnapshotKind? = nil, as holder: TestKeys.Holder = .backupHost, progress: QuietProgress = QuietProgress()
  ) throws -> Backup.Report {
    try shop.backup(kind, in: shop.open(as: holder), progress: progress)
  }

  private func expectLostCache(_ tip: Backup.Report, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let report = try backup()
    #expect(report.envelope.kind == .full, sourceLocation: sourceLocation)
    #expect(
      report.reason
        == "the local cache of \(tip.envelope.snapshot.short) is lost, and this machine cannot open what is sealed",
      sourceLocation: sourceLocation)
    #expect(try shop.differencesAfterRestore() == [], sourceLocation: sourceLocation)
  }

  @Test func itTakesEveryKindWithItsCache() throws {
    var reports: [Backup.Report] = []
    var trees: [TreeDescription] = []
    for (day, kind) in [SnapshotKind?.none, .incremental, nil, .differential, .incremental].enumerated() {
      change(UInt8(day))
      reports.append(try backup(kind))
      trees.append(TreeDescription(of: shop.source))
    }
    #expect(reports.map(\.envelope.kind) == [.full, .incremental, .incremental, .differential, .incremental])
    #expect(reports.map(\.envelope.parent?.sequence) == [nil, 1, 2, 1, 4])
    // Of a differential what changed since the full, of an incremental what changed since its parent: the cache tells.
    #expect(reports.map(\.envelope.changes.pages) == [50, 1, 1, 3, 1])
    for (report, tree) in zip(reports, trees) {
      let name = "day \(report.envelope.sequence)"
      try shop.restore(report.envelope.snapshot.description, to: name, in: shop.open(as: .owner))
      #expect(TreeDescription(of: shop.directory.appending(name)).differences(from: tree) == [])
    }
  }

  @Test func theEnvelopeSaysWhoWroteItAndNotWhere() throws {
    try _ = backup()
    let envelope = try shop.snapshot().envelope
    #expect(envelope.isSealed)
    #expect(envelope.source.path == "")
    #expect(envelope.signature?.key == keys.writer.signing.publicKey)
    #expect(envelope.keyring == shop.repository.keyring.reference)
    #expect(try shop.repository.containers.sourceOrigin(of: shop.snapshot())?.text == shop.source.description)
    #expect(try shop.open(as: .backupHost).containers.sourceOrigin(of: shop.snapshot())?.text == nil)
  }

  /// Of snapshots that changed nothing there is no cache: the one before them is theirs.
  @Test func aSnapshotWithoutChangesKeepsTheCache() throws {
    try _ = (backup(), backup(), backup())
    change(1)
    let report = try backup()
    #expect(report.envelope.kind == .incremental)
    #expect(report.envelope.changes.pages == 1)
    #expect(try shop.differencesAfterRestore() == [])
  }

  // MARK: Without a cache

  @Test func aLostCacheCostsAFull() throws {
    let tip = try backup()
    TestFiles.removeTree(shop.cachePath)
    change(1)
    try expectLostCache(tip)
    change(2)
    #expect(try backup().envelope.kind == .incremental)
  }

  @Test func aDamagedCacheCostsAFull() throws {
    let tip = try backup()
    let file = try #require(TestFiles.allFiles(in: shop.cachePath).first)
    let size = try #require(TestFiles.status(file)?.size)
    let bytes = try #require(TestFiles.read(file))
    for place in [0, 8, 39, 40, 100, size - 1] {
      TestFiles.overwrite(file, at: place, with: [bytes[place] ^ 1])
      let report = try shop.backup(in: shop.open(as: .backupHost)) { $0.isDryRun = true }
      #expect(report.envelope.kind == .full, "byte \(place)")
      TestFiles.overwrite(file, at: place, with: [bytes[place]])
    }
    TestFiles.truncate(file, to: size - 1)
    try expectLostCache(tip)
  }

  /// A cache that was made in the clear, as an attacker could make one, is not taken; nor is that of another snapshot.
  @Test func aCacheThatIsNotItsOwnCostsAFull() throws {
    let other = try TestShop()
    TestFiles.write("a note", to: other.source.appending("note"))
    try other.backup()
    let plain = try #require(TestFiles.allFiles(in: other.cachePath).first.flatMap { TestFiles.read($0) })
    let first = try backup()
    let file = try #require(TestFiles.allFiles(in: shop.cachePath).first)
    let own = try #require(TestFiles.read(file))
    TestFiles.write(plain, to: file)
    try expectLostCache(first)
    let second = try #require(try shop.repository.catalog.allSnapshots { _ in }.last)
    let name = "\(second.id).state"
    let present = try #require(TestFiles.allFiles(in: shop.cachePath).first { $0.description.hasSuffix(name) })
    TestFiles.write(own, to: present)
    let report = try backup()
    #expect(report.reason?.hasPrefix("the local cache of \(second.id.short) is lost") == true)
  }

  @Test func whoAsksForAnIncrementalIsWarned() throws {
    let tip = try backup()
    TestFiles.removeTree(shop.cachePath)
    let progress = QuietProgress()
    let report = try backup(.incremental, progress: progress)
    #expect(report.envelope.kind == .full)
    #expect(
      progress.warnings == [
        "the local cache of \(tip.envelope.snapshot.short) is lost, and this machine cannot open what is sealed: taking a full"
      ])
  }

  /// With an identity at hand the chain is replayed, as in a repository that is not sealed.
  @Test func whoCanOpenTheChainNeedsNoCache() throws {
    try _ = (backup(), backup())
    TestFiles.removeTree(shop.cachePath)
    change(1)
    let report = try backup(as: .everybody)
    #expect(report.envelope.kind == .incremental)
    #expect(report.envelope.changes.pages == 1)
    #expect(try shop.differencesAfterRestore() == [])
  }

  // MARK: Keys

  @Test func newRecipientsBeginANewChain() throws {
    try _ = backup()
    var change = try KeyringChange(shop.repository)
    let newcomer = try RecoveryIdentity()
    try change.add(Keyring.Member(newcomer.recipient, name: "newcomer"))
    try _ = change.publish()
    let report = try backup()
    #expect(report.envelope.kind == .full)
    #expect(report.reason == "the recipients have changed since the last full")
    #expect(report.envelope.keyring?.revision == 2)
    #expect(try backup().envelope.kind == .incremental)
    let asked = try backup(.differential)
    #expect(asked.envelope.kind == .differential)
    #expect(asked.envelope.parent?.sequence == 2)
  }

  /// A revision that changes no recipient costs nothing.
  @Test func aNewWriterBeginsNoNewChain() throws {
    try _ = backup()
    var change = try KeyringChange(shop.repository)
    try change.enrol(Keyring.Writer(name: "shop-2", key: try WriterKey().signing.publicKey))
    try _ = change.publish()
    #expect(try backup().envelope.kind == .incremental)
  }

  @Test func aMachineWithoutAWriterKey() throws {
    #expect(
      shown { _ = try backup(as: .owner) }
        == "there is no writer key on this machine\nHINT: Run `holdfast key generate --writer FILE`.")
  }

  @Test func aWriterThatIsNotEnrolled() throws {
    var strange = keys
    strange.writer = try WriterKey()
    let key = strange.writer.signing.publicKey
    let repository = try Repository.open(
      shop.repository.store, host: shop.host, credentials: strange.credentials(of: .backupHost))
    #expect(
      shown { try shop.backup(in: repository) }
        == "this machine's writer key (\(key.short)) is not in the keyring of the repository"
        + "\nHINT: Where the recovery identity is, run `holdfast key add --writer \(key.writerText) --identity FILE`.")
    #expect(throws: KeyError.self) { try shop.backup(in: repository) { $0.isDryRun = true } }
    #expect(try shop.repository.catalog.allSnapshots { _ in } == [])
  }

  @Test func aWriterThatWasRevoked() throws {
    try _ = backup()
    var change = try KeyringChange(shop.repository)
    try _ = change.revokeWriter(TestKeys.writerName)
    try _ = change.publish()
    let key = keys.writer.signing.publicKey
    #expect(
      shown { _ = try backup() }
        == "this machine's writer key (\(key.short)) was revoked"
        + "\nHINT: Run `holdfast key generate --writer FILE` for a new one, and enrol it with `holdfast key add`.")
    #expect(try shop.verify().exitStatus == .done)
  }
}
