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

/// The journal of a repository: nobody's entry is lost, it stays bounded, and what is damaged is named and left behind.
@Suite struct JournalTests {
  private let source: SourceName

  init() throws { source = try #require(SourceName("orders")) }

  private func entry(_ number: Int, host: String = "shop-1") -> JournalEntry {
    JournalEntry(
      command: .backup, host: host, began: Timestamp(milliseconds: Int64(number)),
      ended: Timestamp(milliseconds: Int64(number)),
      took: .milliseconds(1), status: 0)
  }

  private func names(_ shop: TestShop) throws -> [String] { try shop.repository.store.names(below: "journal/orders/") }

  private func put(_ bytes: [UInt8], at key: String, in shop: TestShop) throws {
    let writer = try shop.repository.store.create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  @Test func whatIsAppendedIsRead() throws {
    let shop = try TestShop()
    let journal = shop.repository.journal
    #expect(try journal.sources() == [])
    #expect(try journal.read(source).entries == [])
    for number in 0..<5 { #expect(try journal.append(entry(number), to: source).isEmpty) }
    let reading = try journal.read(source)
    #expect(reading.entries == (0..<5).map { entry($0) })
    #expect(reading.damage.isEmpty)
    #expect(try journal.sources() == [source])
    #expect(try names(shop) == ["0000000004", "0000000005"], "the one before the last is kept")
  }

  /// One listing serves several readers. What was removed since, they look for anew.
  @Test func aListingOfAllJournalsMayBeOld() throws {
    let shop = try TestShop(store: MemoryStore())
    let journal = shop.repository.journal
    let other = try #require(SourceName("customers"))
    for name in [source, other] { _ = try journal.append(entry(0), to: name) }
    let listing = try journal.list()
    #expect(listing.sources == [other, source])
    #expect(try journal.list(other).sources == [other])
    for number in 1..<4 { _ = try journal.append(entry(number), to: source) }
    #expect(try journal.read(source, in: listing).entries == (0..<4).map { entry($0) })
    #expect(try journal.read(other, in: listing).entries == [entry(0)])
  }

  /// A link in the place of a journal is named, whatever a listing of all of them says.
  @Test func aLinkInThePlaceOfAJournalIsNotAnEmptyOne() throws {
    let shop = try TestShop()
    let journal = shop.repository.journal
    let other = try #require(SourceName("customers"))
    _ = try journal.append(entry(0), to: source)
    TestFiles.symbolicLink("/nowhere", at: shop.repositoryPath.appending("journal/customers"))
    let listing = try journal.list()
    #expect(listing.sources == [source])
    #expect(throws: DamageError.self) { try journal.read(other, in: listing) }
  }

  @Test func sixHundredRunsLeaveTheNewest() throws {
    let shop = try TestShop(store: MemoryStore())
    let journal = shop.repository.journal
    for number in 0..<600 { _ = try journal.append(entry(number), to: source) }
    #expect(try journal.read(source).entries == (88..<600).map { entry($0) })
    #expect(try names(shop).count == 2)
  }

  @Test func appendersAtOnceLoseNoEntry() throws {
    for store in [nil, MemoryStore()] {
      let shop = try TestShop(store: store)
      let journal = shop.repository.journal
      let failures = Mutex<[String]>([])
      let source = source
      let threads = (0..<4).compactMap { thread in
        WorkerThread.start {
          for number in 0..<20 {
            let entry = JournalEntry(
              command: .backup, host: "host-\(thread)", began: Timestamp(milliseconds: Int64(number)),
              ended: Timestamp(milliseconds: 0),
              took: .milliseconds(1), status: 0)
            do { _ = try journal.append(entry, to: source) } catch { failures.withLock { $0.append("\(error)") } }
          }
        }
      }
      #expect(threads.count == 4)
      for thread in threads { thread.join() }
      #expect(failures.withLock { $0 } == [])
      let entries = try journal.read(source).entries
      #expect(entries.count == 80)
      for thread in 0..<4 {
        #expect(entries.filter { $0.host == "host-\(thread)" }.map(\.began.milliseconds) == (0..<20).map { Int64($0) })
      }
    }
  }

  /// Stopped just before it creates its number, while others use that number and remove it again.
  @Test func anAppenderThatWasStoppedForLongLosesNothing() throws {
    let inner = MemoryStore()
    let shop = try TestShop(store: inner)
    for number in 0..<3 { _ = try shop.repository.journal.append(entry(number), to: source) }
    let source = source
    let stopping = StoppingStore(inner) { journal in
      for number in 3..<7 {
        _ = try journal.append(
          JournalEntry(
            command: .backup, host: "other", began: Timestamp(milliseconds: Int64(number)),
            ended: Timestamp(milliseconds: 0),
            took: .milliseconds(1), status: 0), to: source)
      }
    }
    let repository = try Repository.open(stopping, host: shop.host)
    stopping.others = shop.repository.journal
    _ = try repository.journal.append(entry(99), to: source)
    let entries = try shop.repository.journal.read(source).entries
    #expect(entries.map(\.began.milliseconds) == [0, 1, 2, 3, 4, 5, 6, 99])
    #expect(try names(shop).count <= 3)
  }

  /// What was read for an append at the beginning of a run is old at its end.
  @Test(arguments: [0, 1, 4]) func whatOthersAppendMeanwhileStays(others: Int) throws {
    var traits = MemoryStore.Traits()
    traits.isNear = false
    let store = MemoryStore(traits)
    let (own, other) = (Journal(in: store), Journal(in: store))
    for number in 0..<3 { _ = try other.append(entry(number), to: source) }
    store.forgetRequests()
    own.expectAppend(to: source)
    while store.counts.listings == 0 { Pause.briefly() }
    for number in 0..<others { _ = try other.append(entry(3 + number), to: source) }
    #expect(try own.append(entry(99), to: source).isEmpty)
    if others == 0 { #expect(store.counts.listings == 2, "what was read before is not read again") }
    #expect(try own.read(source).entries.map(\.began.milliseconds) == (0..<3 + others).map { Int64($0) } + [99])
  }

  @Test func aDamagedJournalIsNamedAndTheOneBeforeGoesOn() throws {
    let store = MemoryStore()
    let shop = try TestShop(store: store)
    let journal = shop.repository.journal
    for number in 0..<4 { _ = try journal.append(entry(number), to: source) }
    store.contents["journal/orders/0000000004"] = Array("junk".utf8)
    let reading = try journal.read(source)
    #expect(reading.entries == (0..<3).map { entry($0) })
    #expect(reading.damage.map(\.message) == ["journal/orders/0000000004 is damaged: it is not a journal"])
    #expect(try journal.append(entry(9), to: source).map(\.message) == reading.damage.map(\.message))
    #expect(try journal.read(source).entries == [0, 1, 2, 9].map { entry($0) })
    #expect(try journal.append(entry(10), to: source).isEmpty, "the damage is left behind")
    #expect(try names(shop) == ["0000000005", "0000000006"])
  }

  @Test func whereNothingCanBeReadANewJournalIsBegun() throws {
    let store = MemoryStore()
    let shop = try TestShop(store: store)
    let journal = shop.repository.journal
    for number in 0..<4 { _ = try journal.append(entry(number), to: source) }
    for number in [3, 4] { store.contents["journal/orders/000000000\(number)"] = [] }
    #expect(try journal.append(entry(9), to: source).count == 2)
    #expect(try journal.read(source).entries == [entry(9)])
  }

  @Test func aHugeJournalIsNotRead() throws {
    let shop = try TestShop()
    _ = try shop.repository.journal.append(entry(0), to: source)
    let file = shop.repositoryPath.appending("journal/orders/0000000002")
    TestFiles.write([], to: file)
    TestFiles.truncate(file, to: 1 << 40)
    let reading = try shop.repository.journal.read(source)
    #expect(reading.entries == [entry(0)])
    #expect(reading.damage.map(\.message) == ["journal/orders/0000000002 is damaged: it is too long"])
  }

  @Test func aNumberThatCannotBeFollowedDoesNotEndTheJournal() throws {
    let shop = try TestShop()
    let journal = shop.repository.journal
    try put([1], at: "journal/orders/9999999999", in: shop)
    _ = try journal.append(entry(1), to: source)
    #expect(try journal.read(source).entries == [entry(1)])
    #expect(try names(shop) == ["0000000001"])
  }

  @Test func whatIsNoJournalIsLeftAlone() throws {
    let shop = try TestShop()
    let journal = shop.repository.journal
    for name in ["7", "00000000001", "notes", "0000000009/x"] {
      try put([1], at: "journal/orders/" + name, in: shop)
    }
    _ = try journal.append(entry(1), to: source)
    _ = try journal.append(entry(2), to: source)
    #expect(try journal.read(source).entries == [entry(1), entry(2)])
    #expect(
      try names(shop) == ["0000000001", "0000000002", "00000000001", "0000000009/", "7", "notes"].sorted())
  }

  @Test func aJournalThatCannotBeWrittenIsAnErrorOfItsOwn() throws {
    let shop = try TestShop()
    try put([1], at: "journal/orders/0000000001/x", in: shop)
    #expect(
      throws: EngineError(
        .transient, "the journal of orders changes faster than it can be read", hint: "Run the same command again.")
    ) {
      try shop.repository.journal.append(entry(1), to: source)
    }
  }

  /// Whatever lies in the journal, snapshots are taken, verified and restored as if it were not there.
  @Test func nothingElseLooksAtTheJournal() throws {
    let shop = try TestShop()
    TestFiles.write("an order", to: shop.source.appending("orders"))
    try shop.backup()
    for name in ["source", "orders"] {
      let file = "journal/\(name)/0000000001"
      try put([UInt8](repeating: 0xff, count: 100), at: file, in: shop)
    }
    TestFiles.write("another order", to: shop.source.appending("orders"))
    #expect(try shop.backup().exitStatus == .done)
    #expect(try shop.verify().snapshots.allSatisfy(\.isSound))
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.repository.catalog.sourceNames().map(\.text) == ["source"])
    #expect(try RescueScript.run([shop.repositoryPath.text, "verify"]).status == 0)
  }
}

/// A store in which others do something just before the first object of a journal is created.
private final class StoppingStore: StoreLayer {
  let base: any Store
  private let action: @Sendable (Journal) throws -> Void
  private let state = Mutex<Journal?>(nil)

  init(_ store: any Store, _ action: @escaping @Sendable (Journal) throws -> Void) {
    (base, self.action) = (store, action)
  }

  var others: Journal? {
    get { state.withLock { $0 } }
    set { state.withLock { $0 = newValue } }
  }

  func upload(_ key: String) throws -> any ObjectUpload {
    if let journal = others {
      others = nil
      try action(journal)
    }
    return try base.upload(key)
  }
}
