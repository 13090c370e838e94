import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// In a sealed repository nobody but an enrolled writer makes a snapshot disappear; and what the store can still do is
/// noticed.
@Suite struct HostileNotesTests {
  private let sealed: SealedShop
  private var shop: TestShop { sealed.shop }
  private let snapshots: [Snapshot]
  private let name: SourceName

  init() throws {
    sealed = try SealedShop()
    snapshots = [try sealed.backup(.full), try sealed.backup(.full), try sealed.backup(.full)]
    name = snapshots[0].sourceName
  }

  /// A revision that says of the first snapshot that it is removed.
  private func hostile(_ revision: UInt64, _ change: (inout SourceNotes) -> Void = { _ in }) -> SourceNotes {
    var notes = SourceNotes(repository: shop.repository.id, source: name, isSealed: true)
    notes.revision = revision
    notes[snapshots[0].id, 1].removed = SourceNotes.Removal(
      revision: revision, time: RecordedTime(text: "2026-01-01T00:00:00Z"))
    change(&notes)
    return notes
  }

  private func plant(_ notes: SourceNotes, by key: SigningKey?, at revision: UInt64? = nil) throws {
    sealed.store.contents[Keys.notes(name, revision ?? notes.revision)] = try notes.serialized(signedBy: key)
  }

  /// What is said, and which snapshots there are in spite of it.
  private func findings() throws -> [String] {
    var found: [String] = []
    let listed = try shop.open(as: .nobody, memory: ClientMemory.none).catalog.allSnapshots { found.append($0.message) }
    #expect(listed.map(\.sequence) == [1, 2, 3])
    return found
  }

  @Test func whatNobodySignedRemovesNothing() throws {
    var unsealed = hostile(1)
    unsealed.features = []
    try plant(unsealed, by: nil)
    #expect(
      try findings() == ["\(Keys.notes(name, 1)) is damaged: it is not signed in a sealed repository"])
  }

  @Test func whatAStrangerSignedRemovesNothing() throws {
    let stranger = try WriterKey().signing
    try plant(hostile(1), by: stranger)
    #expect(
      try findings() == [
        "\(Keys.notes(name, 1)) is damaged: it is signed by a writer that the keyring does not have (\(stranger.publicKey.short))"
      ])
  }

  @Test func notesFromElsewhereRemoveNothing() throws {
    let writer = sealed.keys.writer.signing
    for change: (inout SourceNotes) -> Void in [
      { $0.repository = snapshots[0].id }, { $0.source = SourceName("other") ?? $0.source }, { $0.revision = 2 },
    ] {
      try plant(hostile(1, change), by: writer, at: 1)
      #expect(try findings() == ["\(Keys.notes(name, 1)) is damaged: it belongs to another place"])
    }
  }

  @Test func aRevokedWriterRemovesNothingMore() throws {
    try shop.open().notes.pin(snapshots[0], reason: "")
    var change = try KeyringChange(shop.open())
    try change.enrol(Keyring.Writer(name: "shop-2", key: WriterKey().signing.publicKey))
    _ = try #require(try change.revokeWriter(TestKeys.writerName))
    _ = try change.publish()
    // What it noted before counts still.
    #expect(try findings() == [])
    #expect(try shop.open().notes.read(name).notes[snapshots[0]].pinned != nil)
    try plant(hostile(2), by: sealed.keys.writer.signing)
    #expect(
      try findings() == [
        "\(Keys.notes(name, 2)) is damaged: it is signed by shop-1, whose key was revoked (\(sealed.keys.writer.signing.publicKey.short))"
      ])
  }

  /// It would be damage in the way of every prune.
  @Test func nothingIsNotedUnderAKeyringThatWasChanged() throws {
    let late = try shop.open()
    var change = try KeyringChange(shop.open())
    try change.enrol(Keyring.Writer(name: "shop-2", key: WriterKey().signing.publicKey))
    _ = try change.publish()
    #expect(
      throws: EngineError(
        .transient, "the keyring was changed while something was noted; nothing was committed",
        hint: "Run the same command again.")
    ) { try late.notes.pin(snapshots[0], reason: "") }
    #expect(try shop.open().notes.read(name).notes.revision == 0)
  }

  // MARK: What the store can do

  @Test func notesThatAreTakenAwayAreMissed() throws {
    try shop.open().notes.pin(snapshots[0], reason: "")
    let before = sealed.store.contents
    try shop.open().notes.pin(snapshots[1], reason: "")
    sealed.store.contents = before
    let finding =
      "\(Keys.notes(name, 2)) is damaged: it is missing, and this machine has seen it: the repository was put back"
    var found: [String] = []
    _ = try shop.open().catalog.allSnapshots { found.append($0.message) }
    #expect(found == [finding])
    // Nothing is removed then.
    let report = try shop.prune(graceDays: 0)
    #expect(report.exitStatus == .dataLoss)
    #expect(
      report.sources.map(\.refusal?.message) == [
        "nothing of source is removed while something of it is damaged or missing: \(finding)"
      ])
    // What is noted next gets a number that was never seen, and ends it.
    try shop.open().notes.pin(snapshots[1], reason: "")
    #expect(try shop.open().notes.read(name).notes.revision == 3)
    #expect(try shop.prune(graceDays: 0).actions == ["1 keep", "2 keep", "3 keep"])
  }

  @Test func notesThatAreExchangedAreNoticed() throws {
    try shop.open().notes.pin(snapshots[0], reason: "")
    try plant(hostile(1), by: sealed.keys.writer.signing)
    var found: [String] = []
    _ = try shop.open().catalog.allSnapshots { found.append($0.message) }
    #expect(
      found == [
        "\(Keys.notes(name, 1)) is damaged: it is another revision of the notes than this machine has seen under this number"
      ])
  }

  /// Junk above the newest is named, what is below counts, and the next revision goes above the junk.
  @Test func junkAboveTheNewestIsPassedOver() throws {
    try shop.open().notes.pin(snapshots[0], reason: "")
    sealed.store.contents[Keys.notes(name, 9)] = Array("junk".utf8)
    #expect(try findings() == ["\(Keys.notes(name, 9)) is damaged: it is cut short"])
    #expect(try shop.open().notes.read(name).notes[snapshots[0]].pinned != nil)
    try shop.open().notes.pin(snapshots[1], reason: "")
    #expect(try shop.open().notes.read(name).notes.revision == 10)
    #expect(try findings() == [])
  }

  // MARK: What a writer can do

  /// A writer that may prune can hide; but what is collected waits on every machine for itself, whatever the note says,
  /// and a rule of that machine keeps it.
  @Test func nothingIsCollectedBecauseANoteSaysSo() throws {
    let notes = hostile(1) { notes in
      notes[snapshots[0].id, 1].removed?.isCollected = true
    }
    try plant(notes, by: sealed.keys.writer.signing)
    #expect(try shop.prune(last: 2).actions == ["1 waits 7 d", "2 keep", "3 keep"])
    #expect(try shop.numbers() == [2, 3])
    let kept = try shop.prune(last: 3, graceDays: 0)
    #expect(kept.sources[0].lines[0].action == .kept([.last(3), .heldBack]))
    #expect("\(RetentionReason.heldBack)" == "noted as beyond recall, but not removed here")
    #expect(sealed.store.contents[SealedShop.key(snapshots[0])] != nil)
    try shop.restore(snapshots[0].id.description, to: "restored", in: shop.open())
  }

  @Test func whoHasNoWriterKeyNotesNothing() throws {
    let error = #expect(throws: KeyError.self) { try shop.open(as: .owner).notes.pin(snapshots[0], reason: "") }
    #expect(error?.message == "there is no writer key on this machine")
    #expect(throws: KeyError.self) { try shop.prune(in: shop.open(as: .owner)) }
    // A dry run signs nothing; a verify goes on without.
    #expect(try shop.prune(in: shop.open(as: .nobody), isDryRun: true).actions == ["1 removed", "2 removed", "3 keep"])
    let repository = try shop.open(as: .nobody)
    try repository.notes.notePassed(shop.verify(in: repository), share: 1)
    #expect(try repository.notes.read(name).notes.revision == 0)
  }

  // MARK: Shared archives

  /// A merged snapshot may have archives in the directory of an older one: they stay when that one goes.
  @Test func archivesThatOthersConsistOfStay() throws {
    try sealed.replace(snapshots[2]) { $0.archives = snapshots[0].envelope.archives }
    let other = ClientMemory(directory: shop.directory.appending("another machine"))
    for _ in 0..<2 {
      try shop.prune(graceDays: 0, in: shop.open(memory: other))
      let left = sealed.store.contents.keys.filter { $0.hasPrefix("sources/source/000000000") }.sorted()
      #expect(left.filter { $0.contains("/0000000001/") } == [SealedShop.archiveKey(snapshots[0])])
      #expect(!left.contains { $0.contains("/0000000002/") })
    }
  }
}
