import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A machine that has seen a snapshot notices when the storage shows less, and goes on saying so until a newer one was
/// taken on purpose.
@Suite struct RollbackTests {
  private let sealed: SealedShop
  private var shop: TestShop { sealed.shop }
  private let snapshots: [Snapshot]

  init() throws {
    sealed = try SealedShop()
    snapshots = [try sealed.backup(), try sealed.backup(), try sealed.backup()]
  }

  private func hide(_ prefix: String) {
    sealed.store.contents = sealed.store.contents.filter { !$0.key.hasPrefix(prefix) }
  }

  private let missing =
    "it is missing, and this machine has seen it: the repository was put back, or has lost its newest snapshots"

  private func findings(as holder: TestKeys.Holder = .nobody) throws -> [String] {
    let report = try shop.verify(in: shop.open(as: holder))
    #expect((report.exitStatus == .dataLoss) == !report.unreadable.isEmpty)
    return report.unreadable.map(\.message)
  }

  // MARK: Less than there was

  @Test func theNewestSnapshotIsMissed() throws {
    hide("sources/source/0000000003/")
    for holder in TestKeys.Holder.allCases {
      #expect(try findings(as: holder) == ["\(SealedShop.key(snapshots[2])) is damaged: \(missing)"], "\(holder)")
    }
    // It is not what was seen last that counts, but what was seen at all.
    #expect(try sealed.verify(as: .nobody).exitStatus == .done)
    #expect(try findings().count == 1)
  }

  @Test func anOlderSnapshotIsNotTakenForTheLatest() throws {
    hide("sources/source/0000000003/")
    let error = #expect(throws: EngineError.self) { try shop.snapshot("latest", in: shop.open(as: .owner)) }
    #expect(
      error?.message
        == "the latest snapshot cannot be read: \(SealedShop.key(snapshots[2])) is damaged: \(missing)")
    #expect(error?.exitStatus == .dataLoss)
    #expect(try shop.snapshot(snapshots[1].id.description, in: shop.open()) == snapshots[1])
  }

  @Test func aBackupWarnsAndGoesOn() throws {
    hide("sources/source/0000000003/")
    let progress = QuietProgress()
    let report = try shop.backup(in: shop.open(as: .backupHost), progress: progress)
    #expect(
      progress.warnings == [
        "snapshot number 3 of source, which this machine has seen, is not there: the repository was put back, or has lost its newest snapshots"
      ])
    // A number that was seen is not used again.
    #expect(report.envelope.sequence == 4)
    #expect(report.envelope.kind == .full)
    // The cache was that of the snapshot that is lost.
    #expect(report.reason?.hasPrefix("the local cache of \(snapshots[1].id.short) is lost") == true)
    #expect(try findings() == [])
    let quiet = QuietProgress()
    #expect(try shop.backup(in: shop.open(as: .backupHost), progress: quiet).envelope.kind == .incremental)
    #expect(quiet.warnings == [])
  }

  @Test func aSourceOfWhichNothingIsLeftIsMissed() throws {
    hide("sources/source/")
    let finding = "\(SealedShop.key(snapshots[2])) is damaged: \(missing)"
    #expect(try findings() == [finding])
    var found: [String] = []
    #expect(try shop.open().catalog.allSnapshots(of: SourceName("source")) { found.append($0.message) } == [])
    #expect(found == [finding])
    #expect(shown { _ = try shop.snapshot("latest", in: shop.open()) }.hasPrefix(finding))
    #expect(throws: EngineError.self) { try shop.open().catalog.allSnapshots(of: SourceName("sourcf")) { _ in } }
    let progress = QuietProgress()
    let report = try shop.backup(in: shop.open(as: .backupHost), progress: progress)
    #expect(report.envelope.sequence == 4)
    #expect(progress.warnings.count == 1)
  }

  @Test func oneOfTwoSourcesIsMissed() throws {
    try shop.backup(in: shop.open(as: .backupHost)) { $0.name = SourceName("other") }
    hide("sources/other/")
    #expect(try findings() == ["sources/other/0000000001/manifest.json is damaged: \(missing)"])
    #expect(try shop.snapshot("latest", in: shop.open()) == snapshots[2])
  }

  /// What cannot be read is there: it is damage, and said once.
  @Test func aNewestManifestThatIsJunkIsNotMissing() throws {
    let key = SealedShop.key(snapshots[2])
    sealed.store.contents[key]?[7] ^= 1
    #expect(try findings() == ["\(key) is damaged: its first line does not have the digest on its second"])
  }

  // MARK: Something else than there was

  /// By a stolen writer key, or by a machine that did not know that the number was taken.
  @Test func anotherSnapshotUnderANumberThatWasSeen() throws {
    try sealed.replace(snapshots[2]) { $0.time.finished = RecordedTime(text: "2036-01-01T00:00:00.000Z") }
    let finding =
      "\(SealedShop.key(snapshots[2])) is damaged: it is another snapshot than the one that this machine has seen under this number"
    for _ in 0..<2 { #expect(try findings() == [finding]) }
    #expect(
      shown { _ = try shop.snapshot("latest", in: shop.open()) }.hasPrefix(
        "the latest snapshot cannot be read: \(finding)\n"))
    let progress = QuietProgress()
    try shop.backup(in: shop.open(as: .backupHost), progress: progress)
    #expect(
      progress.warnings == [
        "snapshot number 3 of source is another one than this machine has seen: the repository was put back"
      ])
  }

  // MARK: Who remembers

  /// Whoever only lists remembers what he saw.
  @Test func aMachineThatOnlyLooksRemembers() throws {
    let machine = ClientMemory(directory: shop.directory.appending("another machine"))
    #expect(try shop.open(as: .nobody, memory: machine).catalog.allSnapshots { _ in }.count == 3)
    hide("sources/source/0000000003/")
    var found: [String] = []
    _ = try shop.open(as: .nobody, memory: machine).catalog.allSnapshots { found.append($0.finding) }
    #expect(found == [missing])
    // A third machine has nothing to compare with.
    let stranger = ClientMemory(directory: shop.directory.appending("a new machine"))
    _ = try shop.open(as: .nobody, memory: stranger).catalog.allSnapshots { Issue.record("\($0)") }
  }

  /// Two runs at once: what one has seen is not taken back by the other, which began earlier and ends later.
  @Test func aRunThatEndsLateTakesNothingBack() throws {
    let late = try shop.open(as: .backupHost)
    var change = try KeyringChange(shop.open())
    try change.enrol(Keyring.Writer(name: "shop-2", key: WriterKey().signing.publicKey))
    try _ = change.publish()
    try sealed.backup()
    #expect(throws: EngineError.self) { try shop.backup(in: late) { $0.name = SourceName("other") } }
    let whole = sealed.store.contents
    hide("sources/source/0000000004/")
    #expect(try findings() == ["sources/source/0000000004/manifest.json is damaged: \(missing)"])
    sealed.store.contents = whole
    sealed.store.contents[Keys.keyring(2)] = nil
    #expect(throws: EngineError.self) { try shop.open() }
  }
}
