import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Files of a target that wait in the staging directory of a restore that did not end are the target's: another restore
/// brings them back, counts them as removed, or refuses.
@Suite struct RestoreLeftoversTests {
  private let shop: TestShop
  private let first: String
  private var target: Path { shop.target }
  private var stage: Path { target.appending(".holdfast-restore") }

  /// Two snapshots, of which the second has no `note` any more, and a target with a note of its own and other orders.
  init() throws {
    shop = try TestShop(workers: 1, clock: TestHost.clock(ahead: 10))
    let (source, target) = (shop.source, shop.directory.appending("target"))
    TestFiles.makeDirectory(source.appending("sub"))
    for (name, text) in [("note", "a note"), ("orders", "the orders"), ("sub/part", "a part")] {
      TestFiles.write(text, to: source.appending(name))
    }
    first = try shop.backup().envelope.snapshot.description
    TestFiles.copyTree(source, to: target)
    TestFiles.write("x note", to: target.appending("note"))
    TestFiles.write("xhe orders", to: target.appending("orders"))
    TestFiles.remove(source.appending("note"))
    try shop.backup()
  }

  private func text(_ place: Path) -> String? { TestFiles.read(place).map { String(decoding: $0, as: UTF8.self) } }

  @discardableResult
  private func restore(
    _ snapshot: String = "latest", keeps: Restore.Keep? = .nothing, paths: [String] = [], isDryRun: Bool = false,
    in repository: Repository? = nil
  ) throws -> Restore.Report {
    try shop.restore(snapshot, to: "target", in: repository) {
      $0.isDelta = keeps != nil
      $0.keeps = keeps ?? .nothing
      $0.paths = paths.map { Path($0) }
      $0.isDryRun = isDryRun
    }
  }

  /// Stops a restore of the first snapshot when it has taken `note` away, and is to take `orders`.
  private func interrupt(keeps: Restore.Keep, paths: [String] = []) throws {
    let probe = FaultProbe(.fail(EIO), at: 0, of: [.truncate])
    #expect(throws: SystemError.self) {
      try restore(first, keeps: keeps, paths: paths, in: shop.repository(probe: probe))
    }
    #expect(!TestFiles.exists(target.appending("note")) && TestFiles.exists(stage.appending("note")))
  }

  private func expected(_ files: String, _ command: String) -> String {
    """
    an earlier restore into \(target) did not end: \(stage) holds \(files) that this one would not bring back
    HINT: End that restore first: `holdfast restore \(first.prefix(8)) --target \(target) \(command)`.
    """
  }

  // MARK: Refused

  @Test func whatWaitsAndIsNotInANewerSnapshotIsKept() throws {
    try interrupt(keeps: .others)
    for isDryRun in [true, false] {
      #expect(
        refusal { try restore(keeps: .others, isDryRun: isDryRun) }
          == expected("1 file of it (such as note)", "--no-remove"))
    }
    #expect(TestFiles.exists(stage.appending("note")))
    try restore(first, keeps: .others)
    #expect(text(target.appending("note")) == "a note" && text(target.appending("orders")) == "the orders")
    #expect(!TestFiles.exists(stage))
  }

  /// The target counts as empty then: nothing else is in it.
  @Test func aRestoreIntoAnEmptyTargetErasesNothingThatWaits() throws {
    for name in ["orders", "sub/part"] { TestFiles.remove(target.appending(name)) }
    TestFiles.removeTree(target.appending("sub"))
    try interrupt(keeps: .nothing, paths: ["note", "orders"])
    #expect(TestFiles.names(in: target) == [".holdfast-restore"])
    #expect(
      refusal { try restore(first, keeps: nil, paths: ["sub"]) }
        == expected("1 file of it (such as note)", "--delta --path note --path orders"))
    try restore(first, paths: ["orders", "note"])
    #expect(text(target.appending("note")) == "a note")
  }

  /// Another file has its name by now, and is to stay: the one that waits would have to go.
  @Test func whatIsMissingIsNotBroughtBackBesideWhatWaits() throws {
    try interrupt(keeps: .nothing)
    shop.write("made since", "note", in: target)
    #expect(refusal { try restore(first, keeps: .everything) } == expected("1 file of it (such as note)", "--delta"))
    #expect(text(target.appending("note")) == "made since")
    #expect(TestFiles.exists(stage.appending("note")))
  }

  // MARK: Counted

  @Test func whatWaitsAndGoesIsCounted() throws {
    try interrupt(keeps: .others)
    for isDryRun in [true, false] {
      let report = try restore(isDryRun: isDryRun)
      #expect(report.removed == [Path("note")])
      #expect(report.removedEntries == 1 && report.removedBytes == 6)
    }
    #expect(TreeDescription(of: target).differences(from: TreeDescription(of: shop.source)) == [])
  }

  // MARK: The record

  /// A power cut may leave an empty one of a restore that had taken nothing away yet; one that nobody understands may
  /// be of any.
  @Test func onlyARecordThatIsThereSpeaksOfTheTarget() throws {
    try interrupt(keeps: .nothing)
    let record = stage.appending(".holdfast-restore/restore")
    #expect(
      text(record) == "snapshot \(first)\ninto delta\ntarget \(target)\n", "what the same command is recognized by")
    TestFiles.write("garbage", to: record)
    #expect(
      refusal { try restore(first, keeps: .everything) } == """
        an earlier restore into \(target) did not end: \(stage) holds 1 file of it (such as note) that this one would not bring back
        HINT: Look at what is in it, move what you need back by hand, and remove it.
        """)
    TestFiles.write("", to: record)
    try restore(first, keeps: .everything)
    #expect(text(target.appending("note")) == "a note")
  }

  /// A file of the target is moved only when it is known for good what takes it.
  @Test func theRecordIsDurableBeforeAnythingIsTaken() throws {
    let probe = FaultProbe()
    try restore(first, in: shop.repository(probe: probe))
    let operations = probe.log.map { "\($0.operation) \(Path(bytes: Array($0.path.lastComponent)))" }
    let synchronized = try #require(operations.firstIndex(of: "synchronizeDirectory target"))
    let written = try #require(operations.firstIndex(of: "rename new-restore"))
    let taken = try #require(operations.firstIndex(of: "rename note"))
    #expect(written < synchronized && synchronized < taken)
  }

  // MARK: Only what is whole

  /// What an interrupted restore left of a file that this one leaves alone does not get its name: here a log beside a
  /// database that is in use.
  @Test func onlyWhatThisRunHasCompletedGetsItsName() throws {
    shop.write("an older database", "shop.db")
    shop.write("its log", "shop.db-wal")
    try shop.backup()
    _ = try TestDatabase(target.appending("shop.db"), "CREATE TABLE t(a)")
    TestFiles.makeDirectory(stage, mode: 0o700)
    shop.write("half of it", "shop.db-wal", in: stage)
    let report = try restore(keeps: .everything)
    #expect(report.problems == [])
    #expect(TestFiles.names(in: target).sorted() == ["note", "orders", "shop.db", "sub"])
  }
}
