import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Pruning is a right of its own: who only has a writer key takes away nothing, and what one machine has removed
/// another one keeps by its own rules.
@Suite struct PruningRightTests {
  private let sealed: SealedShop
  private var shop: TestShop { sealed.shop }
  private let snapshots: [Snapshot]
  private let name: SourceName
  /// Of a machine that may add snapshots and not prune.
  private let second: WriterKey

  init() throws {
    sealed = try SealedShop()
    second = try WriterKey()
    snapshots = [try sealed.backup(.full), try sealed.backup(.full), try sealed.backup(.full)]
    name = snapshots[0].sourceName
    var change = try KeyringChange(sealed.shop.open())
    try change.enrol(Keyring.Writer(name: "shop-2", key: second.signing.publicKey))
    _ = try change.publish()
  }

  /// The repository as the second machine sees it, which has a memory of its own.
  private func openAsSecond() throws -> Repository {
    let second = second
    return try Repository.open(
      sealed.store, host: shop.host, credentials: Credentials(identities: { _ in [] }, writer: { second }),
      memory: ClientMemory(directory: shop.directory.appending("memory of the second")))
  }

  /// The next revision of the notes, by the second writer.
  private func plant(_ change: (inout SourceNotes) throws -> Void) throws {
    var notes = try shop.open().notes.read(name).notes
    notes.revision += 1
    try change(&notes)
    sealed.store.contents[Keys.notes(name, notes.revision)] = try notes.serialized(signedBy: second.signing)
  }

  private func removal(_ revision: UInt64, isCollected: Bool = false) -> SourceNotes.Removal {
    SourceNotes.Removal(revision: revision, time: RecordedTime(text: "2026-01-01T00:00:00Z"), isCollected: isCollected)
  }

  // MARK: Who may

  @Test func whoMayNotPruneIsToldSo() throws {
    let short = second.signing.publicKey.short
    let error = #expect(throws: KeyError.self) { try shop.prune(in: openAsSecond()) }
    #expect(error?.message == "the writer shop-2 (\(short)) of this machine may not prune")
    #expect(
      error?.hint
        == "Prune on a machine that may; or, where the recovery identity is, run `holdfast key permit shop-2 --prune --identity FILE`."
    )
    #expect(error?.exitStatus == .wrongKey)
    #expect(try !openAsSecond().keyring.mayPrune())
    #expect(try shop.open().keyring.mayPrune())
    // What would go may be looked at by everybody.
    #expect(try shop.prune(in: openAsSecond(), isDryRun: true).actions == ["1 removed", "2 removed", "3 keep"])
  }

  @Test func theRightIsGivenAndTaken() throws {
    var change = try KeyringChange(shop.open())
    try change.permit("shop-2", toPrune: true)
    _ = try change.publish()
    #expect(try shop.prune(in: openAsSecond()).actions == ["1 removed", "2 removed", "3 keep"])
    #expect(try shop.numbers() == [3])
    change = try KeyringChange(shop.open())
    try change.permit(String(second.signing.publicKey.description.prefix(12)), toPrune: false)
    _ = try change.publish()
    // What it has removed counts no more.
    #expect(try shop.numbers() == [1, 2, 3])
    #expect(throws: EngineError.self) { try change.permit("nobody", toPrune: true) }
  }

  // MARK: What counts

  @Test(arguments: [false, true]) func aRemovalByWhoMayNotPruneDoesNotCount(isCollected: Bool) throws {
    try plant { notes in
      for snapshot in snapshots.dropLast() {
        notes[snapshot.id, snapshot.sequence].removed = removal(notes.revision, isCollected: isCollected)
      }
      // His own signature helps as little as none.
      try notes.signRemovals(by: second.signing)
    }
    #expect(try shop.numbers() == [1, 2, 3])
    let report = try shop.prune(last: 3, graceDays: 0)
    #expect(report.actions == ["1 keep", "2 keep", "3 keep"])
    #expect(
      report.sources[0].warnings == [
        "2 snapshots of source, \(snapshots[0].id.short) first, are noted as removed by nobody who may prune: that does not count"
      ])
  }

  /// A revision says everything anew: what was removed before stays so when a machine that may not prune writes the
  /// next one.
  @Test func aRemovalIsHandedOnByWhoMayNotPrune() throws {
    #expect(try shop.prune().actions == ["1 removed", "2 removed", "3 keep"])
    try openAsSecond().notes.pin(snapshots[2], reason: "")
    #expect(try shop.open().notes.read(name).notes.revision == 2)
    #expect(try shop.numbers() == [3])
    // And is another one's when any part of it is altered.
    try plant { notes in
      let old = try #require(notes[snapshots[0]].removed)
      var altered = old.collected(at: old.time)
      altered.signature = old.signature
      notes[snapshots[0].id, 1].removed = altered
      var moved = try #require(notes[snapshots[1]].removed)
      moved.time = RecordedTime(text: "2026-01-01T00:00:00Z")
      notes[snapshots[1].id, 2].removed = moved
    }
    #expect(try shop.numbers() == [1, 2, 3])
  }

  // MARK: Whose rules

  /// Nor does a machine that may prune decide for another one: its rules keep what they keep.
  @Test func aRuleKeepsWhatAnotherMachineRemoved() throws {
    #expect(try shop.prune().actions == ["1 removed", "2 removed", "3 keep"])
    let report = try shop.prune(last: 3)
    #expect(report.actions == ["1 keep", "2 keep", "3 keep"])
    #expect(report.sources[0].lines[0].action == .kept([.last(3), .cameBack]))
    #expect("\(RetentionReason.cameBack)" == "it was removed before, and comes back")
    #expect(try shop.numbers() == [1, 2, 3])
  }

  /// A full that says that it stands for another one takes its place only where its writer could have removed that, and
  /// no place of another one either.
  @Test func aMergedFullOfWhoMayNotPruneReplacesNothing() throws {
    try sealed.replace(snapshots[2], by: second.signing) {
      $0.merged = Envelope.Merge(
        snapshot: snapshots[1].id, sequence: 2, digest: snapshots[1].digest,
        time: RecordedTime(text: "2026-01-01T00:00:00Z"))
    }
    let other = ClientMemory(directory: shop.directory.appending("another machine"))
    let report = try shop.prune(last: 2, graceDays: 0, in: shop.open(memory: other))
    #expect(report.actions == ["1 keep", "2 keep", "3 keep"])
  }

  /// Else whoever may only add could stop all backups of a source, and hide what it has.
  @Test func nobodyWhoMayNotPruneRemovesASource() throws {
    #expect(throws: KeyError.self) {
      try shop.prune(in: openAsSecond()) { $0.rules.policy = .removingSource }
    }
    try plant { notes in
      notes.highest = 3
      for snapshot in snapshots {
        notes[snapshot.id, snapshot.sequence].removed = removal(notes.revision, isCollected: true)
      }
    }
    #expect(try shop.open().catalog.removal(of: name) == nil)
    #expect(try shop.numbers() == [1, 2, 3])
    try shop.open().catalog.checkIsNotRemoved(name)
  }

  /// A machine that may not prune hands on the removal of a source, and so cannot undo it by accident.
  @Test func theRemovalOfASourceIsHandedOn() throws {
    try shop.prune { $0.rules.policy = .removingSource }
    let second = try openAsSecond()
    try second.notes.change(name) { notes, _ in
      notes.time = RecordedTime(text: "2026-01-01T00:00:00Z")
      return true
    }
    #expect(try shop.open().catalog.removal(of: name) != nil)
    #expect(try shop.numbers() == [])
  }

  @Test func timesOutOfOrderAreTold() throws {
    try sealed.replace(snapshots[1]) {
      $0.time.started = RecordedTime(text: "2001-01-01T00:00:00.000Z")
      $0.time.finished = RecordedTime(text: "2001-01-01T00:00:01.000Z")
    }
    let other = ClientMemory(directory: shop.directory.appending("another machine"))
    let report = try shop.prune(last: 1, in: shop.open(memory: other), isDryRun: true)
    #expect(
      report.sources[0].warnings == [
        "the times of 2 snapshots of source contradict their numbers, number 1 first: a clock was wrong, or somebody writes wrong times; none of them displaces another"
      ])
  }
}
