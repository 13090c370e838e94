import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What holdfast says and does about a repository that is damaged, mixed up or from a newer version.
@Suite struct DamageReactionTests {
  private let store = MemoryStore()

  /// A full and two incrementals.
  private func makeShop() throws -> (TestShop, [Snapshot]) {
    let shop = try TestShop(workers: 1, store: store)
    var random = SeededRandom(seed: 29)
    for day in 0..<3 {
      TestFiles.write(random.text(20_000), to: shop.source.appending("day \(day)"))
      try shop.backup()
    }
    return (shop, try shop.repository.catalog.allSnapshots { _ in })
  }

  private func key(of snapshot: Snapshot) -> String { Keys.manifest(snapshot.sourceName, snapshot.sequence) }

  private func bodyKey(of snapshot: Snapshot) -> String {
    Keys.body(snapshot.sourceName, snapshot.sequence, snapshot.envelope.body.id)
  }

  private func archiveKey(of snapshot: Snapshot) throws -> String {
    Keys.archive(snapshot.sourceName, snapshot.sequence, try #require(snapshot.envelope.archives.first).id)
  }

  /// The next backup after damage of what it would build on is a full, says why, and is sound.
  private func expectFull(_ shop: TestShop, because tip: Snapshot, warning: String) throws {
    let progress = QuietProgress()
    let report = try shop.backup(progress: progress)
    #expect(report.envelope.kind == .full)
    #expect(report.reason == "the chain of \(tip.id.short) is damaged")
    #expect(progress.warnings == [warning])
    #expect(try shop.differencesAfterRestore(report.envelope.snapshot.description) == [])
    let next = try shop.backup()
    #expect(next.envelope.kind == .incremental)
    #expect(next.envelope.parent?.snapshot == report.envelope.snapshot)
  }

  @Test func aBackupOverAMissingManifest() throws {
    let (shop, snapshots) = try makeShop()
    store.contents[key(of: snapshots[1])] = nil
    try expectFull(
      shop, because: snapshots[2],
      warning: "\(key(of: snapshots[1])) is damaged: it is missing, and snapshot \(snapshots[2].id.short) builds on it")
  }

  /// What a killed run leaves has no manifest either; but of this one somebody has said something.
  @Test(arguments: [false, true]) func aBackupBesideTheNewestWithoutItsManifest(isMarked: Bool) throws {
    let (shop, snapshots) = try makeShop()
    let newest = snapshots[2]
    if isMarked { try shop.open().notes.pin(newest, reason: "") }
    let archive = try archiveKey(of: newest)
    let manifest = store.contents[key(of: newest)]
    store.contents[key(of: newest)] = nil
    let progress = QuietProgress()
    #expect(try shop.backup(progress: progress).envelope.sequence == (isMarked ? 4 : 3))
    #expect((store.contents[archive] != nil) == isMarked)
    #expect(
      progress.warnings.contains("\(key(of: newest)) is missing: bring it back, or remove what is beside it")
        == isMarked)
    guard isMarked else { return }
    store.contents[key(of: newest)] = manifest
    #expect(try shop.verify(in: shop.open()).exitStatus == .done)
  }

  @Test func aBackupOverAMissingArchive() throws {
    let (shop, snapshots) = try makeShop()
    let archive = try archiveKey(of: snapshots[0])
    store.contents[archive] = nil
    try expectFull(shop, because: snapshots[2], warning: "\(archive) is damaged: it is missing")
  }

  @Test func aBackupOverADamagedBodyWithoutItsCache() throws {
    let (shop, snapshots) = try makeShop()
    TestFiles.removeTree(shop.cachePath)
    store.contents[bodyKey(of: snapshots[1])]?[70] ^= 1
    let body = bodyKey(of: snapshots[1])
    try expectFull(shop, because: snapshots[2], warning: "\(body) is damaged: frame 0 does not have its digest")
  }

  /// The newest manifest is damaged: the one before it is a sound parent still.
  @Test func aBackupOverADamagedTip() throws {
    let (shop, snapshots) = try makeShop()
    store.contents[key(of: snapshots[2])]?[9] ^= 1
    let progress = QuietProgress()
    let report = try shop.backup(progress: progress)
    #expect(
      progress.warnings == [
        "\(key(of: snapshots[2])) is damaged: its first line does not have the digest on its second"
      ])
    #expect(report.envelope.sequence == 4)
    #expect(report.envelope.parent?.snapshot == snapshots[1].id)
    #expect(try shop.differencesAfterRestore(report.envelope.snapshot.description) == [])
  }

  @Test func twoManifestsThatChangedPlaces() throws {
    let (shop, snapshots) = try makeShop()
    let contents = store.contents
    store.contents[key(of: snapshots[1])] = contents[key(of: snapshots[2])]
    store.contents[key(of: snapshots[2])] = contents[key(of: snapshots[1])]
    let report = try shop.verify()
    #expect(report.exitStatus == .dataLoss)
    #expect(
      report.unreadable.map(\.message) == [
        "\(key(of: snapshots[1])) is damaged: it belongs to source/3",
        "\(key(of: snapshots[2])) is damaged: it belongs to source/2",
      ])
    #expect(report.snapshots.map(\.isSound) == [true])
  }

  @Test func anArchiveThatIsAnotherSnapshots() throws {
    let (shop, snapshots) = try makeShop()
    let (mine, other) = (try archiveKey(of: snapshots[1]), try archiveKey(of: snapshots[2]))
    store.contents[mine] = store.contents[other]
    let report = try shop.verify()
    #expect(report.exitStatus == .dataLoss)
    #expect(report.snapshots.map(\.isSound) == [true, false, false])
    #expect(throws: DamageError.self) { try shop.restore(snapshots[1].id.description, to: "restored") }
  }

  /// A manifest of another repository, right in itself, is not taken for one of this.
  @Test func aManifestOfAnotherRepository() throws {
    let (shop, snapshots) = try makeShop()
    var envelope = snapshots[1].envelope
    envelope.repository = shop.host.random.identifier()
    store.contents[key(of: snapshots[1])] = try envelope.serialized()
    let report = try shop.verify()
    #expect(report.unreadable.map(\.finding) == ["it belongs to another repository"])
  }

  /// A manifest that was written anew is not the one that its child recorded.
  @Test func aParentThatWasWrittenAnew() throws {
    let (shop, snapshots) = try makeShop()
    var envelope = snapshots[1].envelope
    envelope.time.finished = RecordedTime(text: "2001-01-01T00:00:00.000Z")
    store.contents[key(of: snapshots[1])] = try envelope.serialized()
    let error = #expect(throws: DamageError.self) { try shop.restore(snapshots[2].id.description, to: "restored") }
    #expect(error?.finding == "it is not the manifest that snapshot \(snapshots[2].id.short) builds on")
    #expect(try shop.verify().snapshots.map(\.isSound) == [true, true, false])
  }

  @Test func aNewerManifest() throws {
    let (shop, snapshots) = try makeShop()
    for feature in [false, true] {
      var envelope = snapshots[2].envelope
      if feature { envelope.features = ["merged\u{1b}"] } else { envelope.format = 2 }
      store.contents[key(of: snapshots[2])] = try envelope.serialized()
      let finding =
        feature
        ? "it needs the feature \"merged\\x1b\"" : "it has format 2, and this version reads format 1"
      let error = #expect(throws: FormatError.self) { try shop.backup() }
      #expect(
        error?.description
          == "\(key(of: snapshots[2])) cannot be read by this version of holdfast: \(finding)"
          + "\nHINT: Install a newer holdfast.")
      #expect(error?.exitStatus == .failed)
    }
  }

  @Test func aNewerRepository() throws {
    let (shop, _) = try makeShop()
    var descriptor = shop.repository.descriptor
    descriptor.format = 7
    store.contents[Keys.descriptor] = try descriptor.serialized()
    let error = #expect(throws: FormatError.self) { try Repository.open(store, host: shop.host) }
    #expect(
      error?.message
        == "holdfast.json cannot be read by this version of holdfast: it has format 7, and this version reads format 1")
  }

  @Test func aMissingDescriptor() throws {
    let (shop, _) = try makeShop()
    store.contents[Keys.descriptor] = nil
    let damage = #expect(throws: DamageError.self) { try Repository.open(store, host: shop.host) }
    #expect(damage?.finding == "it is missing, though there are snapshots in memory")
    store.contents = [:]
    let error = #expect(throws: EngineError.self) { try Repository.open(store, host: shop.host) }
    #expect(error?.exitStatus == .noRepository)
    #expect(
      error?.description == "there is no repository in memory"
        + "\nHINT: Is its disk mounted? If it is new, run `holdfast init --repository memory`; else name another place with --repository."
    )
  }

  @Test func aRepositoryWhereOneIsAlready() throws {
    let (shop, _) = try makeShop()
    let error = #expect(throws: EngineError.self) { try Repository.create(in: store, host: shop.host) }
    #expect(
      error?.description == "memory is a repository already\nHINT: Run `holdfast list` to see what is in it.")
    let foreign = MemoryStore()
    foreign.contents["notes"] = [1]
    let other = #expect(throws: EngineError.self) { try Repository.create(in: foreign, host: shop.host) }
    #expect(
      other?.description == "memory is not empty\nHINT: Name a directory that is empty or does not exist.")
  }
}
