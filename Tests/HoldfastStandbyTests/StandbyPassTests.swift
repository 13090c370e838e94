import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStandby
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// One pass of a standby: what it makes, what it refuses, and what a crash leaves.
@Suite struct StandbyPassTests {
  private let site: StandbyShop

  init() throws { site = try StandbyShop() }

  @Test func theCopiesTakeTurnsAndCurrentIsTheNewestSnapshot() throws {
    for round in 1...4 {
      try site.next(round)
      let planned = try site.standby().look()
      let wanted: CopyName = round.isMultiple(of: 2) ? .b : .a
      #expect(planned.step == .make(wanted) && planned.lag.snapshots == 1)
      let report = try site.standby().once()
      #expect(report.serving?.copy == wanted && report.serving?.record.sequence == UInt64(round))
      #expect(report.lag.snapshots == 0 && report.lag.bytes == 0 && report.lag.seconds == .zero)
      #expect(site.current == site.acknowledged.last)
    }
    let before = TreeDescription(of: site.directory)
    #expect(try site.standby().once().step == .nothing)
    #expect(TreeDescription(of: site.directory) == before, "without a newer snapshot nothing is written")
    #expect(site.heard.withLock { $0 } == [])
  }

  /// A delta restore: what did not change is not written again.
  @Test func onlyWhatDiffersIsWritten() throws {
    try site.next(1, bytes: 1_000_000)
    _ = try site.standby().once()
    try site.next(2, bytes: 1_000_000)
    // All of it is new, which looks as if it had been encrypted.
    try site.shop.open().notes.accept(site.shop.snapshot(), reason: "")
    _ = try site.standby().once()
    TestFiles.overwrite(site.shop.source.appending("orders.db"), at: 5000, with: [1, 2, 3])
    try site.shop.backup()
    _ = try site.standby().once()
    TestFiles.overwrite(site.shop.source.appending("orders.db"), at: 500_000, with: [1, 2, 3])
    try site.shop.backup()
    let report = try site.standby().once()
    #expect((1...20_000).contains(report.writtenBytes), "two pages differ: \(report.writtenBytes)")
  }

  @Test func aLookMakesNothing() throws {
    try site.next(1)
    let report = try site.standby().look()
    #expect(report.step == .make(.a) && report.serving == nil)
    #expect(!TestFiles.exists(site.directory))
    #expect(
      site.shop.directory.path.text.isEmpty == false
        && report.lines.first
          == "would make \(site.directory)/a snapshot \(report.newest.id.short), number 1, of source, and let \(site.directory)/current lead to it"
    )
  }

  /// Whichever operation of a pass is the last one before a crash: `current` leads to a snapshot, a copy with a record
  /// is whole, and the next pass ends at the newest snapshot.
  @Test func whereverItIsCutOffCurrentIsASnapshotAndTheNextPassGoesOn() throws {
    for round in 1...2 {
      try site.next(round)
      _ = try site.standby().once()
    }
    try site.next(3)
    let counting = FaultProbe()
    _ = try site.standby(probe: counting).once()
    let places = Trials.places(counting.count + 6, oneIn: 3)
    print("standby: \(places.count) of \(counting.count) operations cut off")
    for (index, place) in places.enumerated() {
      try site.next(4 + index)
      let probe = FaultProbe(.cut, at: place)
      _ = try? site.standby(probe: probe).once()
      if index.isMultiple(of: 2) { probe.dropUnsynced() }
      try expectWhole("cut at \(place)")
      _ = try site.standby(probe: FaultProbe(after: probe)).once()
      #expect(site.current == site.acknowledged.last, "after a cut at \(place)")
    }
  }

  /// - Parameter when: what happened before, for messages.
  private func expectWhole(_ when: String) throws {
    let names = TestFiles.names(in: site.directory)
    // A probe that drops a rename does not bring back the link that it replaced.
    if names.contains("current") {
      let current = try #require(site.current)
      #expect(site.acknowledged.contains(current), "\(when): current is no snapshot")
    } else {
      #expect(names.contains("current.unfinished"), "\(when): the link is gone")
    }
    for copy in ["a", "b"] where names.contains(copy + ".json") {
      let tree = TreeDescription(of: site.directory.appending(copy), ignoringRoot: true)
      #expect(site.acknowledged.contains(tree), "\(when): the record of \(copy) is wrong")
    }
  }

  /// A crash between the record of a copy and its link costs nothing: the next pass only sets the link.
  @Test func aWholeCopyGetsItsLinkWithoutARestore() throws {
    for round in 1...2 {
      try site.next(round)
      _ = try site.standby().once()
    }
    let link = site.directory.appending("current")
    TestFiles.remove(link)
    TestFiles.symbolicLink("a", at: link)
    #expect(try site.standby().look().step == .serve(.b))
    let report = try site.standby().once()
    #expect(report.step == .serve(.b) && report.writtenBytes == 0 && report.serving?.copy == .b)
    #expect(site.current == site.acknowledged.last)
  }

  // MARK: What somebody else does

  /// Somebody has started the shop on the copy: nothing of that may be lost, and the link stays.
  @Test func aChangedCopyStaysUntilItsChangesMayBeLost() throws {
    try site.next(1)
    _ = try site.standby().once()
    TestFiles.write("an order", to: site.directory.appending("a/new"))
    try site.next(2)
    let error = #expect(throws: EngineError.self) { _ = try site.standby().once() }
    #expect(
      error?.message == "somebody has changed \(site.directory)/a since it was proved: it stays, and so does the link")
    #expect(
      error?.hint
        == "If it serves now, stop the standby. If the changes may be lost, run it with --once --discard-changes.")
    #expect(TestFiles.exists(site.directory.appending("current/new")))
    #expect(!TestFiles.exists(site.directory.appending("b")))
    _ = try site.standby { $0.discardsChanges = true }.once()
    #expect(site.current == site.acknowledged.last)
    try site.next(3)
    _ = try site.standby().once()
    #expect(site.current == site.acknowledged.last)
  }

  /// What a program makes that only reads an SQLite database is no change.
  @Test func aReaderOfADatabaseChangesNothing() throws {
    _ = try TestDatabase(site.shop.source.appending("shop.db"), "PRAGMA journal_mode=WAL;" + TestDatabase.orders)
    try site.next(1)
    _ = try site.standby().once()
    let copy = site.directory.appending("a/shop.db")
    TestFiles.write([], to: Path(bytes: copy.bytes + Array("-wal".utf8)))
    TestFiles.write([1, 2], to: Path(bytes: copy.bytes + Array("-shm".utf8)))
    try site.next(2)
    #expect(try site.standby().once().serving?.record.sequence == 2)
  }

  /// Another target that is read while home is away may have less. The copy never goes back.
  @Test func itNeverGoesBack() throws {
    try site.next(1)
    _ = try site.standby().once()
    try site.next(2)
    _ = try site.standby().once()
    let manifest = try #require(
      TestFiles.allFiles(in: site.shop.repositoryPath).first { $0.text.contains("0000000002/manifest.json") })
    TestFiles.rename(manifest, to: site.shop.directory.appending("aside"))
    let report = try site.standby().once()
    #expect(report.step == .nothing && report.serving?.record.sequence == 2)
    #expect(site.current == site.acknowledged.last)
  }

  /// A snapshot that could not read all of its source cannot be restored over a copy: the copy stays at the one before.
  @Test func anIncompleteSnapshotIsPassedOver() throws {
    try site.next(1)
    _ = try site.standby().once()
    TestFiles.write("an order", to: site.shop.source.appending("order-1"))
    let probe = UnreadableFile(site.shop.source.appending("order-1"))
    try site.shop.backup(in: site.shop.repository(probe: probe))
    let report = try site.standby().once()
    #expect(report.step == .nothing && report.newest.sequence == 1 && report.lag.snapshots == 0)
    #expect(site.current == site.acknowledged.last)
    #expect(
      site.heard.withLock { $0 } == [
        "newer snapshots of source could not read all of their source, and are passed over: `holdfast list --name source` shows them"
      ])
  }

  // MARK: Refusals

  private func refusal(
    in directory: Path? = nil, of name: SourceName? = nil
  ) -> EngineError? {
    #expect(throws: EngineError.self) { _ = try site.standby(in: directory, of: name).once() }
  }

  @Test func aDirectoryThatHoldsSomethingElseIsRefused() throws {
    try site.next(1)
    TestFiles.makeDirectory(site.directory)
    TestFiles.write("mine", to: site.directory.appending("notes"))
    let error = refusal()
    #expect(error?.message == "\(site.directory) is not empty and no directory of a standby: it holds notes")
    #expect(error?.hint == "Name a directory with --in that is empty or does not exist.")
    #expect(error?.exitStatus == .usage)
    #expect(TestFiles.names(in: site.directory) == ["notes"])
  }

  @Test func aDirectoryInTheSourceOrInTheRepositoryIsRefused() throws {
    try site.next(1)
    let (source, repository) = (site.shop.source, site.shop.repositoryPath)
    let inSource = refusal(in: source.appending("copy"))
    #expect(inSource?.message == "\(source)/copy and the source source, \(source), lie in one another")
    #expect(inSource?.hint == "Name a directory elsewhere with --in.")
    let inRepository = refusal(in: repository.appending("copy"))
    #expect(inRepository?.message == "\(repository)/copy and the repository, \(repository), lie in one another")
    let above = refusal(in: site.shop.directory.path)
    #expect(above?.message.hasSuffix("lie in one another") == true, "\(above?.message ?? "")")
    #expect(refusal(in: Path("/"))?.message == "a standby cannot be in the root of the file system")
    let cluster = site.shop.directory.appending("cluster")
    TestFiles.makeDirectory(cluster)
    TestFiles.write("15\n", to: cluster.appending("PG_VERSION"))
    #expect(
      refusal(in: cluster.appending("copy"))?.message
        == "\(cluster)/copy lies in the data directory of a PostgreSQL server, \(cluster)")
    let other = site.shop.directory.appending("other")
    TestFiles.makeDirectory(other)
    TestFiles.write("{}", to: other.appending("holdfast.json"))
    #expect(refusal(in: other.appending("copy"))?.message == "\(other)/copy lies in a repository, \(other)")
  }

  @Test func aWrongSourceIsRefused() throws {
    try site.next(1)
    let wrong = SourceName(from: Path("ordres"))
    let unknown = refusal(of: wrong)
    #expect(unknown?.message == "there is no source ordres in \(site.shop.repository.location)")
    #expect(unknown?.exitStatus == .usage)
    _ = try site.standby().once()
    let other = SourceName(from: Path("other"))
    try site.shop.backup { $0.name = other }
    #expect(
      refusal(of: other)?.message == "\(site.directory) is the standby of the source source, not of other")
  }

  @Test func aDirectoryOfAnotherRepositoryIsRefused() throws {
    try site.next(1)
    _ = try site.standby().once()
    let second = try StandbyShop()
    try second.next(1)
    let error = #expect(throws: EngineError.self) { _ = try second.standby(in: site.directory).once() }
    #expect(
      error?.message
        == "\(site.directory) is the standby of source in another repository, \(site.shop.repository.id.short)")
    TestFiles.write("{}", to: site.directory.appending("standby.json"))
    #expect(
      refusal()?.message == "\(site.directory)/standby.json cannot be read as that of a standby")
  }

  @Test func aLinkThatIsNotItsOwnIsRefused() throws {
    try site.next(1)
    _ = try site.standby().once()
    TestFiles.remove(site.directory.appending("current"))
    TestFiles.symbolicLink("/etc", at: site.directory.appending("current"))
    try site.next(2)
    #expect(
      refusal()?.message == "\(site.directory)/current is not the link of a standby, which leads to a or b")
  }

  @Test func withoutACompleteSnapshotThereIsNothingToFollow() throws {
    try site.next(1)
    let manifest = try #require(
      TestFiles.allFiles(in: site.shop.repositoryPath).first { $0.text.hasSuffix("/manifest.json") })
    TestFiles.remove(manifest)
    let error = refusal()
    #expect(
      error?.message == "there is no complete snapshot of source in \(site.shop.repository.location) yet")
    #expect(error?.scope == .transient)
  }
}

/// A file that cannot be read.
private final class UnreadableFile: OperationProbe {
  private let path: Path

  init(_ path: Path) { self.path = path }

  func willPerform(_ operation: Operation, _ path: Path) throws(SystemError) {
    try willPerform(operation, path, in: .root)
  }

  func willPerform(_ operation: Operation, _ path: Path, in directory: Path) throws(SystemError) {
    let full = path.isAbsolute ? path : directory.appending(path.bytes)
    if operation == .read, full == self.path { throw SystemError("read", full, code: EIO) }
  }

  func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
}
