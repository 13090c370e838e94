import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastReport
import HoldfastRepository
import HoldfastStandby
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// A standby does not follow what may be the loss itself, and says what is wrong with the copy that serves.
@Suite struct StandbyConcernTests {
  private let site: StandbyShop
  private let fullSource = (0..<40).map { "invoice \($0)" }

  init() throws { site = try StandbyShop() }

  private func once() throws -> StandbyReport { try site.standby().once() }

  // MARK: Snapshots that look wrong

  /// Two snapshots of a source that was emptied would otherwise destroy both copies.
  @Test func aSnapshotThatLooksWrongIsFollowedOnlyAfterItIsAccepted() throws {
    for name in fullSource {
      TestFiles.write(String(repeating: name, count: 500), to: site.shop.source.appending(name))
    }
    try site.next(1)
    _ = try once()
    for name in fullSource.dropLast(2) { TestFiles.remove(site.shop.source.appending(name)) }
    try site.next(2)
    let wrong = try site.shop.snapshot()
    #expect(wrong.envelope.comparison?.anomalies.isEmpty == false)
    // The snapshots after it look as usual again, and have lost the same.
    try site.next(3)
    #expect(try site.shop.snapshot().envelope.comparison?.anomalies.isEmpty == true)
    for _ in 1...2 {
      let report = try once()
      #expect(report.step == .nothing && report.serving?.record.sequence == 1 && report.lag.snapshots == 2)
      #expect(report.concerns.map(\.kind) == [.suspicious] && report.exitStatus == .incomplete)
      #expect(site.current == site.acknowledged.first)
    }
    let text = try #require(site.heard.withLock { $0 }.last)
    #expect(
      text.hasPrefix(
        "snapshot \(wrong.id.short), number 2, is not followed, nor what came after it, because of what it looks like: "
      )
        && text.hasSuffix("; if that was meant, run `holdfast accept \(wrong.id.short)`"), "\(text)")
    try site.shop.open().notes.accept(wrong, reason: "as planned")
    #expect(try once().serving?.record.sequence == 3)
    #expect(site.current == site.acknowledged.last)
  }

  @Test func aSnapshotThatIsNotedAsDamagedIsPassedOver() throws {
    try site.next(1)
    try site.next(2)
    let damaged = try site.shop.snapshot()
    try site.shop.open().notes.change(StandbyShop.name) { notes, _ in
      var note = notes[damaged]
      note.damaged = RecordedTime(site.shop.host.clock.now())
      notes[damaged.id, damaged.sequence] = note
      return true
    }
    #expect(try once().serving?.record.sequence == 1)
    #expect(
      site.heard.withLock { $0 } == [
        "snapshot \(damaged.id.short), number 2, of source is damaged, and is passed over: `holdfast scrub` may repair it"
      ])
  }

  // MARK: The copy that serves

  @Test func aCopyThatWasChangedIsSaidWithoutANewerSnapshot() throws {
    try site.next(1)
    _ = try once()
    TestFiles.write("an order", to: site.directory.appending("a/new"))
    let report = try once()
    #expect(report.step == .nothing && report.exitStatus == .incomplete)
    let text = "somebody has changed \(site.directory)/a, which serves, since it was proved"
    #expect(report.concerns.map(\.text) == [text] && site.heard.withLock { $0 } == [text])
    #expect(report.line.contains("number 1 serves; WARNING: \(text); "), "\(report.line)")
    let metrics = report.metrics(at: site.shop.host.clock.now()).text
    #expect(metrics.contains("holdfast_standby_concerns{") && metrics.contains("} 1\n"), "\(metrics)")
  }

  /// Also if only the mode of a directory differs, or a file that only has the name of SQLite's.
  @Test(arguments: ["mode", "index"]) func whatOnlyLooksHarmlessIsAChange(_ kind: String) throws {
    try site.next(2)
    _ = try once()
    if kind == "mode" {
      TestFiles.setMode(site.directory.appending("a/day-2"), 0o700)
    } else {
      TestFiles.write("an order", to: site.directory.appending("a/orders-shm"))
    }
    #expect(try once().concerns.map(\.kind) == [.changed])
  }

  @Test func aCopyThatIsGoneIsMadeAnew() throws {
    for round in 1...2 {
      try site.next(round)
      _ = try once()
    }
    TestFiles.removeTree(site.directory.appending("b"))
    let report = try once()
    #expect(report.step == .make(.b) && report.serving?.record.sequence == 2 && report.concerns == [])
    #expect(site.current == site.acknowledged.last)
  }

  @Test func aSourceThatWasRemovedIsSaid() throws {
    try site.next(1)
    _ = try once()
    var options = Prune.Options(policy: .removingSource)
    options.source = StandbyShop.name
    _ = try Prune(repository: site.shop.open(), options: options).run()
    let removal = try #require(try site.shop.open().catalog.removal(of: StandbyShop.name))
    let error = #expect(throws: EngineError.self) { _ = try once() }
    #expect(
      error?.message
        == "the source source was removed from \(site.shop.repository.location) on \(removal.time): its copy stays")
    #expect(error?.hint == "Stop the standby, or bring the source back with `holdfast source undelete source`.")
    #expect(site.current == site.acknowledged.last)
  }

  /// Somebody has removed the newest snapshot on purpose. Once its copy is removed, too, the one before it serves.
  @Test func aCopyOfASnapshotThatWasRemovedIsSaid() throws {
    for round in 1...2 {
      try site.next(round)
      _ = try once()
    }
    let bad = try site.shop.snapshot()
    try site.shop.open().notes.change(StandbyShop.name) { notes, reading in
      var note = notes[bad]
      note.removed = SourceNotes.Removal(revision: reading.next, time: RecordedTime(site.shop.host.clock.now()))
      notes[bad.id, bad.sequence] = note
      return true
    }
    let report = try once()
    #expect(report.step == .nothing && report.concerns.map(\.kind) == [.removed])
    #expect(
      report.concerns.first?.text
        == "the copy that serves is snapshot \(bad.id.short), number 2, which was removed from the repository, and nothing newer is there; the next snapshot replaces it, or remove \(site.directory)/b, and the newest one that is left serves"
    )
    TestFiles.removeTree(site.directory.appending("b"))
    #expect(try once().serving?.record.sequence == 1)
    #expect(site.current == site.acknowledged.first)
  }

  @Test func aRecordThatIsAheadOfTheRepositoryIsSaid() throws {
    try site.next(1)
    _ = try once()
    let path = site.directory.appending("a.json")
    let record = String(decoding: try #require(TestFiles.read(path)), as: UTF8.self)
    TestFiles.write(
      record.replacing("\"sequence\":1", with: "\"sequence\":900").replacing(
        "\"standsFor\":1", with: "\"standsFor\":900"),
      to: path)
    let report = try once()
    #expect(report.step == .nothing && report.concerns.map(\.kind) == [.ahead])
    #expect(
      report.concerns.first?.text.contains("number 900, and \(site.shop.repository.location) has nothing as new")
        == true)
  }

  // MARK: The directory

  @Test func aDirectoryInWhichAGroupMayWriteIsRefused() throws {
    try site.next(1)
    TestFiles.makeDirectory(site.directory)
    TestFiles.setMode(site.directory, 0o770)
    let error = #expect(throws: OwnDirectoryError.self) { _ = try once() }
    #expect(error?.message == "others may write in \(site.directory) (mode 0770)")
  }

  @Test func aRecordThatAGroupMayHaveWrittenDoesNotCount() throws {
    try site.next(1)
    _ = try once()
    TestFiles.setMode(site.directory.appending("a.json"), 0o660)
    #expect(try once().step == .make(.b))
  }

  /// The real directory of the standby is mounted late, over the one in which it began: nothing is done in the real
  /// one, whose lock another standby may have.
  @Test func aDirectoryThatComesInItsPlaceIsNotTouched() throws {
    try site.next(1)
    _ = try once()
    let real = site.shop.directory.appending("real")
    TestFiles.rename(site.directory, to: real)
    let before = TreeDescription(of: real)
    try site.next(2)
    let (directory, aside) = (site.directory, site.shop.directory.appending("aside"))
    let probe = FirstWrite(below: "a") {
      TestFiles.rename(directory, to: aside)
      TestFiles.rename(real, to: directory)
    }
    let error = #expect(throws: EngineError.self) { _ = try site.standby(probe: probe).once() }
    #expect(probe.hasActed)
    #expect(
      error?.message == "\(site.directory) is not the directory any more in which the standby began to work")
    #expect(error?.hint == "Start the standby again: it works in what is there now.")
    #expect(TreeDescription(of: site.directory) == before)
  }

  // MARK: The proof

  @Test func aDryRunNamesWhatIsMissingOrOfAnotherKindOrMode() throws {
    let source = site.shop.source
    for name in ["empty", "longer", "mode", "file"] { TestFiles.write([], to: source.appending(name)) }
    for name in ["day", "other"] { TestFiles.makeDirectory(source.appending(name)) }
    TestFiles.symbolicLink("file", at: source.appending("link"))
    TestFiles.symbolicLink("file", at: source.appending("same"))
    TestFiles.link(source.appending("file"), as: source.appending("linked"))
    try site.shop.backup()
    try site.shop.restore(to: "copy")
    let copy = site.shop.directory.appending("copy")
    func differing() throws -> [String] {
      try site.shop.restore(to: "copy") { ($0.isDelta, $0.isDryRun) = (true, true) }.differing.map(\.description)
    }
    #expect(try differing() == [])
    TestFiles.remove(copy.appending("empty"))
    TestFiles.setMode(copy.appending("mode"), 0o777)
    TestFiles.write([0], to: copy.appending("longer"))
    TestFiles.setMode(copy.appending("other"), 0o700)
    _ = copy.appending("day").withCString { rmdir($0) }
    for name in ["link", "linked"] { TestFiles.remove(copy.appending(name)) }
    TestFiles.symbolicLink("mode", at: copy.appending("link"))
    TestFiles.write([], to: copy.appending("linked"))
    #expect(try differing() == ["day", "empty", "link", "linked", "longer", "mode", "other"])
  }
}

/// Does something once, before the first write to a file below a directory of this name.
private final class FirstWrite: OperationProbe {
  private let part: String
  private let act: @Sendable () -> Void
  private let isDone = Mutex(false)

  init(below name: String, _ act: @escaping @Sendable () -> Void) { (part, self.act) = ("/\(name)/", act) }

  var hasActed: Bool { isDone.withLock { $0 } }

  func willPerform(_ operation: Operation, _ path: Path) throws(SystemError) {
    try willPerform(operation, path, in: .root)
  }

  func willPerform(_ operation: Operation, _ path: Path, in directory: Path) throws(SystemError) {
    let full = path.isAbsolute ? path : directory.appending(path.bytes)
    guard operation == .write, full.text.contains(part) else { return }
    let isFirst = isDone.withLock { done in
      defer { done = true }
      return !done
    }
    if isFirst { act() }
  }

  func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
}
