import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A sealed chain is merged where an identity is, and the machine that takes backups, and can open nothing, goes on
/// with increments.
@Suite struct SealedMergeTests {
  private let shop: TestShop
  private let keys: TestKeys

  init() throws {
    shop = try TestShop(isSealed: true)
    keys = try #require(shop.keys)
    var random = SeededRandom(seed: 51)
    TestFiles.write(random.bytes(600_000), to: shop.source.appending("orders.db"))
    TestFiles.write(random.text(400_000), to: shop.source.appending("shop.log"))
    TestFiles.write("a note", to: shop.source.appending("note"))
    try shop.backup(in: shop.open(as: .backupHost))
    change(1)
    try shop.backup(in: shop.open(as: .backupHost))
  }

  private func change(_ day: UInt8) {
    TestFiles.overwrite(shop.source.appending("orders.db"), at: Int(day) * 9000, with: [day, day, day])
  }

  @discardableResult
  private func backup(_ kind: SnapshotKind? = nil) throws -> Backup.Report {
    try shop.backup(kind, in: shop.open(as: .backupHost))
  }

  private func mergeElsewhere(_ text: String = "latest") throws -> Envelope {
    try #require(try shop.merge(text, in: shop.open(), cache: shop.directory.appending("other cache")).envelope)
  }

  @Test func aMergeIsRefusedWhereNothingCanBeOpened() throws {
    let owner = "\(TestKeys.ownerName) (\(keys.identity.recipient.id.short))"
    let name = "Name the identity of one of them with --identity FILE or HOLDFAST_IDENTITY_FILE."
    #expect(
      shown { try shop.merge(in: shop.open(as: .backupHost)) }
        == "the repository is sealed, and no identity was named; it is sealed to \(owner)"
        + "\nHINT: A merge opens and proves every page, so it runs where such a key is. \(name)")
    var strange = keys
    strange.identity = try RecoveryIdentity()
    let repository = try Repository.open(
      shop.repository.store, host: shop.host, credentials: strange.credentials())
    #expect(
      shown { try shop.merge(in: repository) { $0.isDryRun = true } }
        == "none of the identities at hand opens this snapshot; it is sealed to \(owner)"
        + "\nHINT: A merge opens and proves every page, so it runs where such a key is. \(name)")
    #expect(
      shown { try shop.merge(in: shop.open(as: .owner)) }
        == "there is no writer key on this machine\nHINT: Run `holdfast key generate --writer FILE`.")
    #expect(try shop.repository.catalog.allSnapshots { _ in }.count == 2)
  }

  @Test func theMachineWithTheCacheGoesOnWithIncrements() throws {
    let merged = try #require(try shop.merge().envelope)
    change(2)
    let report = try backup()
    #expect(report.envelope.kind == .incremental && report.envelope.parent?.snapshot == merged.snapshot)
    #expect(report.envelope.changes.pages == 1)
    #expect(try shop.differencesAfterRestore() == [])
    // A renamed log is found where it lies now.
    TestFiles.rename(shop.source.appending("shop.log"), to: shop.source.appending("shop.log.1"))
    let renamed = try backup()
    #expect(renamed.envelope.changes.pages == 0)
    #expect(try backup(.differential).envelope.kind == .differential)
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.verify().exitStatus == .done)
  }

  /// Another machine has merged increments that undo each other: the merged one has no changes, and stands for the
  /// state that the machine that takes backups has kept.
  @Test func incrementsGoOnBehindAMergeOfWhatCameAndWent() throws {
    try shop.backup(in: shop.open(as: .backupHost)) { $0.exclusions = ["note"] }
    try backup()
    let merged = try #require(
      try shop.merge(in: shop.open(), cache: shop.directory.appending("other cache")) { $0.base = .beforeNewest(2) }
        .envelope)
    #expect(merged.changes.isEmpty && merged.kind == .incremental)
    change(2)
    let report = try backup()
    #expect(report.envelope.kind == .incremental && report.envelope.parent?.snapshot == merged.snapshot)
    #expect(report.envelope.changes.pages == 1)
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.verify().exitStatus == .done)
  }

  /// Another machine has merged: the one that takes backups knows the state, and not where its pages lie.
  @Test func incrementsGoOnBehindAMergeElsewhere() throws {
    let merged = try mergeElsewhere()
    change(2)
    let first = try backup()
    #expect(first.envelope.kind == .incremental && first.envelope.parent?.snapshot == merged.snapshot)
    #expect(first.reason == "builds on \(merged.snapshot.short)")
    #expect(first.envelope.changes.pages == 1)
    #expect(try shop.differencesAfterRestore() == [])
    // What is renamed cannot be referred to, and is stored once more: 98 pages.
    TestFiles.rename(shop.source.appending("shop.log"), to: shop.source.appending("shop.log.1"))
    #expect(try backup().envelope.changes.pages == 98)
    #expect(try shop.differencesAfterRestore() == [])
    // From then on it is known.
    TestFiles.rename(shop.source.appending("shop.log.1"), to: shop.source.appending("shop.log.2"))
    #expect(try backup().envelope.changes.pages == 0)
    #expect(try shop.differencesAfterRestore() == [])
    let differential = try backup(.differential)
    #expect(differential.envelope.kind == .differential && differential.envelope.changes.pages == 99)
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.verify().exitStatus == .done)
  }

  @Test func snapshotsWithoutChangesAndDryRunsTakeNothingAway() throws {
    _ = try backup()
    let merged = try mergeElsewhere()
    let dry = try shop.backup(in: shop.open(as: .backupHost)) { $0.isDryRun = true }
    #expect(dry.envelope.kind == .incremental)
    for _ in 0..<2 { #expect(try backup().envelope.kind == .incremental) }
    change(3)
    let report = try backup()
    #expect(report.envelope.kind == .incremental && report.envelope.changes.pages == 1)
    #expect(try shop.repository.catalog.chain(to: shop.snapshot()).full.id == merged.snapshot)
    #expect(try shop.differencesAfterRestore() == [])
  }

  private func prune(_ sequences: ClosedRange<Int>) {
    for sequence in sequences {
      TestFiles.removeTree(shop.repositoryPath.appending("sources/source/000000000\(sequence)"))
    }
  }

  /// The old chain was pruned before the machine took its next backup.
  @Test func incrementsGoOnWhenWhatWasMergedIsGone() throws {
    let merged = try mergeElsewhere()
    prune(1...2)
    change(3)
    let report = try backup()
    #expect(report.envelope.kind == .incremental && report.envelope.parent?.snapshot == merged.snapshot)
    #expect(report.envelope.changes.pages == 1)
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// Of a snapshot without changes nobody can tell then which state it had.
  @Test func aCacheThatCannotBeToldCostsAFull() throws {
    _ = try backup()
    let merged = try mergeElsewhere()
    prune(1...3)
    let report = try backup()
    #expect(report.envelope.kind == .full)
    #expect(
      report.reason
        == "the local cache of \(merged.snapshot.short) is lost, and this machine cannot open what is sealed")
  }

  /// Someone with a writer key says that a full stands for another snapshot than it does: sizes that differ give it
  /// away.
  @Test func aCacheOfAnotherStateIsNotTaken() throws {
    let sealed = try SealedShop()
    try sealed.backup()
    let second = try sealed.backup()
    let third = try sealed.backup()
    let merged = try #require(
      try sealed.shop.merge(second.id.description, cache: sealed.shop.directory.appending("other cache")).envelope)
    try sealed.replace(sealed.shop.snapshot(merged.snapshot.description)) {
      $0.merged = Envelope.Merge(
        snapshot: third.id, sequence: third.sequence, digest: third.digest, time: $0.merged?.time ?? $0.time.finished)
    }
    // The memory of this machine holds the manifest that was there before.
    TestFiles.removeTree(sealed.shop.memoryPath)
    let next = try sealed.backup()
    #expect(next.envelope.kind == .full && next.sequence == 5)
  }

  /// After a change of recipients a full can be made of what the old identity opens, for the new ones.
  @Test func aFullIsSealedAnewToOtherRecipients() throws {
    let newcomer = try RecoveryIdentity()
    var change = try KeyringChange(shop.repository)
    try change.add(Keyring.Member(newcomer.recipient, name: "newcomer"))
    try _ = change.publish()
    let merged = try mergeElsewhere()
    var others = keys
    others.identity = newcomer
    let repository = try Repository.open(
      shop.repository.store, host: shop.host, credentials: others.credentials(of: .owner))
    try shop.restore(merged.snapshot.description, to: "restored", in: repository)
    let restored = TreeDescription(of: shop.directory.appending("restored"))
    #expect(restored.differences(from: TreeDescription(of: shop.source)) == [])
    #expect(try shop.merge(in: shop.open()).envelope == nil, "it is sealed to all of them now")
    #expect(try backup().envelope.kind == .incremental)
    // The full of the chain itself, sealed to one of two: it is worth a merge too.
    let full = try #require(try shop.repository.catalog.allSnapshots { _ in }.first)
    let again = try #require(try shop.merge(full.id.description, in: shop.open()).envelope)
    #expect(again.merged?.sequence == 1)
    #expect(try shop.verify(in: shop.open()).exitStatus == .done)
  }

  @Test func theSourceIsNamedInsideAndNotOutside() throws {
    let merged = try mergeElsewhere()
    #expect(merged.source.path == "" && merged.isSealed)
    #expect(try shop.repository.containers.sourceOrigin(of: shop.snapshot())?.text == shop.source.description)
    #expect(merged.state.root != (try shop.repository.catalog.allSnapshots { _ in }[1].envelope.state.root))
  }

  @Test func aMergedFullIsProvedWithoutAKey() throws {
    _ = try mergeElsewhere()
    let report = try shop.verify(in: shop.open(as: .nobody))
    #expect(report.exitStatus == .done && report.isClosed)
  }
}
