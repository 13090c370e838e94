import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// What a merged full is in the history of its source: it stands for the snapshot of which it was made, and nothing
/// else changes.
@Suite struct MergeChainTests {
  private let shop: TestShop
  private let snapshots: [Snapshot]

  /// Four snapshots, a day apart by the clock of the run.
  init() throws {
    shop = try TestShop()
    var taken: [Snapshot] = []
    for day in 0..<4 {
      TestFiles.write("order \(day)", to: shop.source.appending("order \(day)"))
      let host = TestHost.make(clock: TestHost.clock(ahead: Int64(day - 10) * 86_400))
      let repository = try Repository.open(shop.repository.store, host: host)
      let report = try shop.backup(in: repository)
      taken.append(try shop.snapshot(report.envelope.snapshot.description))
    }
    snapshots = taken
  }

  private func merged(_ index: Int) throws -> Snapshot {
    let envelope = try #require(try shop.merge(snapshots[index].id.description).envelope)
    return try shop.snapshot(envelope.snapshot.description)
  }

  @Test func theNextSnapshotBuildsOnAMergedTip() throws {
    let full = try merged(3)
    #expect(try shop.snapshot() == full)
    TestFiles.write("more", to: shop.source.appending("more"))
    let next = try shop.backup()
    #expect(next.envelope.kind == .incremental && next.envelope.parent == full.asParent)
    #expect(next.reason == "builds on \(full.id.short)")
    #expect(next.envelope.changes.added == 1 && next.envelope.changes.pages == 1)
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.backup(.differential).envelope.parent == full.asParent)
  }

  /// An older state must neither be taken for the latest nor be built upon.
  @Test func aMergeOfAnOlderSnapshotChangesNothingForTheNewest() throws {
    let full = try merged(1)
    #expect(full.sequence == 5 && full.standsFor == 2)
    #expect(try shop.snapshot() == snapshots[3])
    var options = Verify.Options()
    options.expectedHead = snapshots[3].id.description
    #expect(
      try Verify(repository: shop.repository, options: options, progress: QuietProgress()).run(nil).exitStatus == .done)
    let next = try shop.backup()
    #expect(next.envelope.parent == snapshots[3].asParent)
    #expect(next.envelope.sequence == 6)
    // The cache of the newest was not given up for it.
    #expect(TestFiles.allFiles(in: shop.cachePath).contains { $0.description.hasSuffix("\(snapshots[3].id).state") })
    #expect(try shop.differencesAfterRestore() == [])
  }

  @Test func aMergedFullIsFoundAtTheInstantForWhichItStands() throws {
    let full = try merged(1)
    let at = { (day: Int) in
      try SnapshotSelector(.latest, at: snapshots[day].envelope.started).choose(in: shop.repository.catalog) { _ in }
    }
    #expect(try at(0) == snapshots[0])
    #expect(try at(1) == full)
    #expect(try at(2) == snapshots[2])
    #expect(try at(3) == snapshots[3])
  }

  @Test func mergingAgainStandsForTheSame() throws {
    let first = try merged(2)
    let nothing = try shop.merge(first.id.description)
    #expect(nothing.envelope == nil && nothing.plan == nil)
    let second = try merged(2)
    #expect(second.standsFor == 3 && second.envelope.merged?.snapshot == snapshots[2].id)
    #expect(try shop.snapshot() == snapshots[3])
    // Of two that stand for the same, the one that was made last.
    let at = SnapshotSelector(.latest, at: snapshots[2].envelope.started)
    #expect(try at.choose(in: shop.repository.catalog) { _ in } == second)
  }

  @Test func aChainOnAMergedFullIsMergedInTurn() throws {
    _ = try merged(3)
    TestFiles.write("more", to: shop.source.appending("more"))
    let next = try shop.backup().envelope
    let again = try #require(try shop.merge().envelope)
    #expect(again.merged?.snapshot == next.snapshot && again.merged?.sequence == 6)
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.verify().exitStatus == .done)
  }

  /// A snapshot in which nothing changed has a state of its own time.
  @Test func aSnapshotWithoutChangesIsMerged() throws {
    let unchanged = try shop.backup().envelope
    let full = try #require(try shop.merge().envelope)
    #expect(full.merged?.snapshot == unchanged.snapshot && full.time == unchanged.time)
    #expect(try shop.backup().envelope.parent?.snapshot == full.snapshot)
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// What was incomplete stays so, and is read again by the next backup as it would have been.
  @Test func theMarksOfAnIncompleteSnapshotStay() throws {
    let probe = MeddlingProbe(before: .read, of: "order 1") { _ throws(SystemError) in
      throw SystemError("read", Path("order 1"), code: 5)
    }
    TestFiles.write("order 1 again", to: shop.source.appending("order 1"))
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(report.envelope.consistency == .unreadable && report.envelope.incomplete == 1)
    let full = try #require(try shop.merge().envelope)
    #expect(full.consistency == .unreadable && full.incomplete == 1)
    let restored = try shop.restore(to: "restored")
    #expect(
      restored.problems == [Problem(path: Path("order 1"), reason: "unreadable when the snapshot was taken")])
    #expect(try shop.backup().exitStatus == .done)
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// Files that were written about when the original was scanned are read again: by its beginning, not by that of the
  /// merge, the next scan tells what may have changed unseen.
  @Test func theNextScanIsMeasuredByTheOriginal() throws {
    let later = try Repository.open(
      shop.repository.store, host: TestHost.make(clock: TestHost.clock(ahead: 1000)))
    try shop.merge(in: later)
    let report = try shop.backup()
    #expect(report.envelope.changes.readBytes == 4 * 7)
    #expect(report.envelope.changes.isEmpty)
  }

  // MARK: Beside other runs

  @Test func aMergeKeepsOffOtherRunsAndIsKeptOff() throws {
    let lock = try #require(
      try shop.repository.store.lock("source", wait: false, cancellation: shop.host.cancellation))
    let error = #expect(throws: EngineError.self) { try shop.merge() }
    #expect(error?.description == "another run is backing up source\nHINT: Wait for it, or say --wait.")
    #expect(error?.exitStatus == .locked)
    #expect(try shop.merge { $0.isDryRun = true }.plan != nil)
    withExtendedLifetime(lock) {}
  }

  /// Whenever the signal comes.
  @Test(arguments: [1, 2]) func aCancelledMergeLeavesNothing(objects: Int) throws {
    let probe = CancellingProbe(after: objects)
    let host = Host(
      files: FileSystem(probe: probe), cancellation: probe.cancellation, workers: 1,
      scratchDirectories: [Path("/tmp")])
    let repository = try Repository.open(LocalStore(directory: shop.repositoryPath, host: host), host: host)
    #expect(throws: Interrupted.self) { try shop.merge(in: repository) }
    #expect(try shop.repository.catalog.allSnapshots { _ in } == snapshots)
    #expect(try shop.merge().envelope?.sequence == 5)
    #expect(TestFiles.names(in: shop.repositoryPath.appending("sources/source")).count == 5)
  }
}

/// Raises a cancellation when so many objects were begun.
private final class CancellingProbe: OperationProbe {
  let cancellation = Cancellation()
  private let left: Mutex<Int>

  init(after objects: Int) { left = Mutex(objects) }

  func willPerform(_ operation: Operation, _ path: Path) {
    guard operation == .create, path.lastComponent.starts(with: ".unfinished".utf8) else { return }
    let count = left.withLock { left in
      left -= 1
      return left
    }
    if count == 0 { cancellation.raise() }
  }

  func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
}
