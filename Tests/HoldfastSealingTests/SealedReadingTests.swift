import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Whoever has an identity reads everything that was sealed to it, and whoever has another one is told whose is needed.
@Suite struct SealedReadingTests {
  private let sealed: SealedShop
  private var shop: TestShop { sealed.shop }
  private let snapshots: [Snapshot]

  init() throws {
    sealed = try SealedShop()
    snapshots = [try sealed.backup(), try sealed.backup(), try sealed.backup(.differential)]
  }

  /// The repository, opened with these identities.
  private func open(_ identities: [RecoveryIdentity]) throws -> Repository {
    var credentials = Credentials.none
    credentials.identities = { _ in identities }
    return try Repository.open(sealed.store, host: shop.host, credentials: credentials)
  }

  /// Everything that reads what is sealed.
  private func readings(_ repository: Repository) -> [(name: String, run: () throws -> Void)] {
    let (first, last) = (snapshots[0], snapshots[2])
    return [
      (
        "dry run",
        { try shop.restore(last.id.description, to: "restored", in: repository) { $0.isDryRun = true } }
      ),
      ("restore", { try shop.restore(last.id.description, to: "restored", in: repository) }),
      ("cat", { try cat("order 1", last, repository, to: "read") }),
      ("diff", { try Difference.forEach(from: first, to: last, in: repository) { _ in } }),
      ("entries", { try last.forEachEntry(in: repository) { _ in } }),
    ]
  }

  private func cat(_ path: String, _ snapshot: Snapshot, _ repository: Repository, to name: String) throws {
    let target = shop.directory.appending(name)
    TestFiles.remove(target)
    let file = try FileSystem().open(target, .create)
    _ = try Cat(repository: repository).write(Path(path), of: snapshot, to: file)
  }

  @Test func anIdentityReadsEverything() throws {
    let repository = try shop.open(as: .owner)
    for reading in readings(repository) { try reading.run() }
    let restored = TreeDescription(of: shop.directory.appending("restored"))
    #expect(restored.differences(from: TreeDescription(of: shop.source)) == [])
    #expect(TestFiles.read(shop.directory.appending("read")) == Array("order number 1".utf8))
    var differences: [String] = []
    try Difference.forEach(from: snapshots[0], to: snapshots[2], in: repository) {
      differences.append("\($0.kind) \($0.path)")
    }
    #expect(differences == ["attributes .", "added order 2", "added order 3"])
    #expect(try repository.containers.sourceOrigin(of: snapshots[0])?.text == shop.source.description)
  }

  @Test func withoutAnIdentityNothingIsRead() throws {
    for holder in [TestKeys.Holder.backupHost, .nobody] {
      let repository = try shop.open(as: holder)
      for reading in readings(repository) {
        let error = #expect(throws: KeyError.self, "\(reading.name)") { try reading.run() }
        #expect(
          error?.description
            == "the repository is sealed, and no identity was named; it is sealed to \(sealed.owner)"
            + "\nHINT: Name the identity of one of them with --identity FILE or HOLDFAST_IDENTITY_FILE.",
          "\(reading.name)")
        #expect(error?.exitStatus == .wrongKey, "\(reading.name)")
      }
      #expect(try repository.containers.sourceOrigin(of: snapshots[0])?.text == nil)
    }
    #expect(!TestFiles.exists(shop.directory.appending("restored")))
  }

  @Test func aWrongIdentityIsToldWhoseIsNeeded() throws {
    let repository = try open([RecoveryIdentity()])
    for reading in readings(repository) {
      let error = #expect(throws: KeyError.self, "\(reading.name)") { try reading.run() }
      #expect(
        error?.description
          == "none of the identities at hand opens this snapshot; it is sealed to \(sealed.owner)"
          + "\nHINT: Name the identity of one of them with --identity FILE or HOLDFAST_IDENTITY_FILE.",
        "\(reading.name)")
      #expect(error?.exitStatus == .wrongKey, "\(reading.name)")
    }
    #expect(!TestFiles.exists(shop.directory.appending("restored")))
  }

  @Test func oneOfSeveralIdentitiesIsEnough() throws {
    let repository = try open([RecoveryIdentity(), sealed.keys.identity])
    for reading in readings(repository) { try reading.run() }
  }

  /// Neither can somebody open what was sealed before he came, nor does who was removed lose what was sealed to him.
  @Test func aRecipientOpensWhatWasSealedToHim() throws {
    let newcomer = try RecoveryIdentity()
    var change = try KeyringChange(shop.repository)
    try _ = change.replaceRecipient(TestKeys.ownerName, by: newcomer.recipient, name: "newcomer")
    try _ = change.publish()
    let later = try sealed.backup()
    #expect(later.envelope.kind == .full)
    let (before, after) = (sealed.keys.identity, newcomer)
    try snapshots[2].forEachEntry(in: open([before])) { _ in }
    try later.forEachEntry(in: open([after])) { _ in }
    #expect(
      shown { try snapshots[2].forEachEntry(in: open([after])) { _ in } }.hasPrefix(
        "none of the identities at hand opens this snapshot; it is sealed to \(TestKeys.ownerName) (\(before.recipient.id.short))\n"
      ))
    #expect(
      shown { try later.forEachEntry(in: open([before])) { _ in } }.hasPrefix(
        "none of the identities at hand opens this snapshot; it is sealed to newcomer (\(after.recipient.id.short))\n"))
  }

  /// Identities are asked for when something is to be opened, and once: a passphrase is not typed to see a list.
  @Test func identitiesAreFetchedWhenTheyAreNeeded() throws {
    let counter = Counter()
    let identity = sealed.keys.identity
    var credentials = Credentials.none
    credentials.identities = { _ in
      counter.count += 1
      return [identity]
    }
    let repository = try Repository.open(sealed.store, host: shop.host, credentials: credentials)
    #expect(try repository.catalog.allSnapshots { _ in }.count == 3)
    #expect(counter.count == 0)
    for reading in readings(repository) { try reading.run() }
    #expect(counter.count == 1)
  }

  private final class Counter: @unchecked Sendable {
    // Used on one thread.
    var count = 0
  }
}
