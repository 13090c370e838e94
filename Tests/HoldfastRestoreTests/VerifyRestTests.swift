import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// `verify` reads everything that is in a repository, and says what is damaged, missing or foreign, also on a machine
/// that remembers nothing.
@Suite struct VerifyRestTests {
  private let store = MemoryStore()
  private let shop: TestShop
  private let source: SourceName

  /// Two snapshots, three revisions of notes, and a journal of five runs.
  init() throws {
    shop = try TestShop(workers: 1, store: store)
    TestFiles.write("an order", to: shop.source.appending("orders"))
    let report = try shop.backup()
    source = report.envelope.source.name
    TestFiles.write("another order", to: shop.source.appending("orders"))
    try shop.backup()
    let latest = try shop.snapshot()
    for reason in ["a", "b", "c"] {
      try shop.repository.notes.change(source) { notes, _ in
        notes[latest.id, latest.sequence].pinned = SourceNotes.DatedReason(
          reason: reason, time: RecordedTime(text: "2026-01-01T00:00:00.000Z"))
        return true
      }
    }
    for number in 1...5 { try write(run: number, sequence: UInt64(min(number, 2))) }
  }

  private func write(run: Int, sequence: UInt64?) throws {
    let time = Timestamp(milliseconds: 1_700_000_000_000 + Int64(run))
    var entry = JournalEntry(
      command: .backup, host: "here", began: time, ended: time, took: .milliseconds(1), status: 0)
    entry.sequence = sequence
    #expect(try shop.repository.journal.append(entry, to: source).isEmpty)
  }

  private func verify() throws -> Verify.Report { try shop.verify(in: shop.open(memory: ClientMemory.none)) }

  private func messages(_ report: Verify.Report, _ level: Verify.OtherFinding.Level) -> [String] {
    report.others.filter { $0.level == level }.map(\.message)
  }

  @Test func allIsWell() throws {
    let report = try verify()
    #expect(report.exitStatus == .done)
    #expect(report.others == [])
  }

  /// Every object but leases, which nobody reads once their run has ended, flipped at every tenth byte, cut, emptied,
  /// made longer, and removed. Only two removals do not show: of the newest notes, and of the only object of a young
  /// journal; what they said is not told elsewhere.
  @Test func nothingIsChangedUnnoticed() throws {
    let whole = store.contents
    for (key, bytes) in whole.sorted(by: { $0.key < $1.key }) where !key.hasPrefix("leases/") {
      var changes: [(String, [UInt8]?)] = [
        ("removed", nil), ("emptied", []), ("cut", Array(bytes.dropLast())), ("longer", bytes + [0]),
      ]
      for place in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 10)) {
        var flipped = bytes
        flipped[place] ^= 1
        changes.append(("flipped at \(place)", flipped))
      }
      for (what, changed) in changes {
        store.contents = whole
        store.contents[key] = changed
        if what == "removed", key == Keys.notes(source, 3) { continue }
        let status = (try? verify().exitStatus) ?? .failed
        #expect(status != .done, "\(key), \(what)")
      }
    }
  }

  @Test func aDamagedJournalCostsNoData() throws {
    let newest = Keys.journal(source, 5)
    store.contents[newest]?[60] ^= 1
    var report = try verify()
    #expect(report.exitStatus == .repairableDamage)
    #expect(messages(report, .repairable).count == 1)
    #expect(messages(report, .repairable).first?.hasPrefix("\(newest) is damaged: ") == true)
    store.contents[newest] = nil
    report = try verify()
    #expect(report.exitStatus == .repairableDamage)
    #expect(
      messages(report, .repairable) == [
        "journal/source/ is damaged: of the two objects that are kept only number 4 is there"
      ])
  }

  @Test func anOldRevisionOfTheNotesThatIsMissingOrDamagedIsNamed() throws {
    store.contents[Keys.notes(source, 2)] = nil
    #expect(
      messages(try verify(), .repairable) == [
        "sources/source/notes/0000000002/notes.json is damaged: it is missing, and newer ones are there"
      ])
    store.contents[Keys.notes(source, 1)]?[5] ^= 1
    #expect(messages(try verify(), .repairable).count == 2)
  }

  @Test func whatIsForeignOrLeftOverIsNotedAndIsNoDamage() throws {
    store.contents["holiday.jpg"] = [1]
    store.contents["sources/source/0000000001/extra"] = [1]
    store.contents["sources/source/0000000009/body-00000000000000000000000000000000"] = [1]
    let report = try verify()
    #expect(report.exitStatus == .done)
    #expect(
      messages(report, .note) == [
        "holiday.jpg: it is no part of a repository",
        "sources/source/0000000001/extra: no snapshot refers to it: a run that was killed left it, or somebody put it there",
        "sources/source/0000000009/body-00000000000000000000000000000000: no snapshot refers to it: a run that was killed left it, or somebody put it there",
      ])
  }

  // MARK: Newer than what is there

  private let lost =
    "sources/source/0000000002/manifest.json is damaged: it is missing, and the notes tell of it: the repository was put back, or has lost its newest snapshots"

  @Test func aNewestSnapshotThatIsGoneIsMissed() throws {
    try store.removeAll(below: Keys.snapshot(source, 2))
    var report = try verify()
    #expect(report.exitStatus == .dataLoss)
    #expect(messages(report, .dataLoss) == [lost])
    try store.removeAll(below: Keys.notes(source))
    report = try verify()
    #expect(report.exitStatus == .dataLoss)
    #expect(messages(report, .dataLoss) == [lost.replacing("the notes tell", with: "the journal tells")])
  }

  /// Nobody signs the journal: who can write to the storage makes somebody look, and keeps nobody from a restore.
  @Test func aForgedJournalBlocksNoRestore() throws {
    try write(run: 6, sequence: 77)
    #expect(try verify().exitStatus == .dataLoss)
    var warnings: [String] = []
    let chosen = try SnapshotSelector(.latest).choose(in: shop.repository.catalog) { warnings.append($0.message) }
    #expect(chosen.sequence == 2)
    #expect(
      warnings == [
        "sources/source/0000000077/manifest.json is damaged: it is missing, and the journal tells of it: the repository was put back, or has lost its newest snapshots"
      ])
    try shop.restore(to: "restored")
    #expect(TestFiles.read(shop.directory.appending("restored/orders")) == Array("another order".utf8))
  }

  @Test func aSourceOfWhichOnlyTheJournalIsLeftIsMissed() throws {
    try store.removeAll(below: Keys.source(source))
    #expect(try verify().exitStatus == .dataLoss)
    #expect(try shop.repository.catalog.newerThanPresent().map(\.object) == [Keys.manifest(source, 2)])
  }
}
