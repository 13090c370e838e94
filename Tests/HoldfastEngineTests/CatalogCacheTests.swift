import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What this machine keeps of a remote repository is taken only where a listing shows the same; otherwise the store is
/// read.
@Suite(.timeLimit(.minutes(30))) struct CatalogCacheTests {
  // MARK: Nothing is read twice

  @Test(arguments: [false, true]) func whatAMachineHasReadItDoesNotReadAgain(isSealed: Bool) throws {
    let far = try FarShop(isSealed: isSealed)
    try far.backUp(3)
    let shown = try far.list(on: "elsewhere")
    #expect(shown.count == 3)
    #expect(try far.fetchedToList(shown, on: "elsewhere") == [])
    try far.backUp(1)
    let latest = try #require(far.envelopes.last)
    #expect(try far.fetched { _ = try far.list(on: "elsewhere") } == [latest], "only what is new")
  }

  /// Envelopes, notes and bodies: it can show and restore without one small object of the store.
  @Test(arguments: [false, true], [false, true])
  func whatAMachineHasWrittenItDoesNotRead(isSealed: Bool, listsTags: Bool) throws {
    let far = try FarShop(isSealed: isSealed) { $0.listsTags = listsTags }
    try far.backUp(4)
    let fetched = try far.fetched {
      let repository = try far.open()
      let snapshot = try far.shop.snapshot(in: repository)
      var paths: [String] = []
      try snapshot.forEachEntry(in: repository) { paths.append($0.path.description) }
      #expect(paths.suffix(4) == ["0", "1", "2", "3"])
    }
    #expect(fetched == [])
  }

  /// A run proves that the store has what it wrote, so it reads that there.
  @Test func aBackupReadsItsOwnBodyFromTheStore() throws {
    let far = try FarShop { $0.listsTags = false }
    let fetched = try far.fetched { try far.backUp(1) }
    #expect(fetched.contains { Keys.isBody($0) })
  }

  @Test func aNearStoreHasNoCache() throws {
    let far = try FarShop { $0.isNear = true }
    try far.backUp(2)
    _ = try far.list()
    #expect(!TestFiles.exists(far.catalog("here")))
  }

  /// Nothing is written into the source, not even a cache.
  @Test func aCacheInTheSourceIsNotUsedByABackup() throws {
    let far = try FarShop()
    let place = far.shop.source.appending("cache")
    let repository = try Repository.open(
      ListedStore(far.memory) { Keys.listedFolders($0) }, host: far.shop.host, cache: CatalogCache(directory: place))
    TestFiles.write("an order", to: far.shop.source.appending("order"))
    var options = Backup.Options(source: far.shop.source)
    options.kind = .full
    _ = try Backup(
      repository: repository, options: options, cache: StateCache(directory: place), progress: QuietProgress()
    ).run()
    #expect(!TestFiles.exists(place))
  }

  // MARK: The store decides

  @Test func whatHasVanishedFromTheStoreIsNotListed() throws {
    let far = try FarShop()
    try far.backUp(3)
    let shown = try far.list()
    let gone = try #require(far.envelopes.last)
    far.memory.contents[gone] = nil
    #expect(try far.list() == Array(shown.dropLast()))
    #expect(
      !String(decoding: try #require(TestFiles.read(far.catalog("here"))), as: UTF8.self).contains(gone),
      "and it is dropped")
  }

  @Test func whatWasReplacedByAnotherOfTheSameLengthIsReadAnew() throws {
    let far = try FarShop()
    try far.backUp(2)
    _ = try far.list()
    let key = try #require(far.envelopes.first)
    far.memory.contents[key]?[100] ^= 1
    var damage: [String] = []
    _ = try far.list { damage.append($0.object) }
    #expect(damage == [key])
  }

  /// Where a store tells nothing of the content, only its length shows a change; a verify reads what is there.
  @Test func verifyReadsTheStoreItself() throws {
    let far = try FarShop { $0.listsTags = false }
    try far.backUp(2)
    _ = try far.list()
    #expect(try far.shop.verify(data: false, in: far.open()).exitStatus == .done)
    let key = try #require(far.envelopes.last)
    far.memory.contents[key]?[100] ^= 1
    #expect(try far.list().count == 2)
    let report = try far.shop.verify(data: false, in: far.open())
    #expect(report.unreadable.map(\.object) == [key])
    #expect(report.exitStatus == .dataLoss)
  }

  @Test func verifyReadsTheBodiesOfTheStoreItself() throws {
    let far = try FarShop { $0.listsTags = false }
    try far.backUp(2)
    let body = try #require(far.memory.contents.keys.filter(Keys.isBody).max())
    far.memory.contents[body]?[20] ^= 1
    #expect(try far.shop.verify(data: false, in: far.open()).exitStatus == .dataLoss)
  }

  @Test func aRepositoryMadeAnewAtTheSamePlaceMeetsNothingOld() throws {
    let old = try FarShop { $0.listsTags = false }
    try old.backUp(2)
    let new = try FarShop { $0.listsTags = false }
    try new.backUp(2, on: "another")
    // On the machine that knows the old one, whose keys and lengths are the same.
    #expect(old.envelopes == new.envelopes)
    old.memory.contents = new.memory.contents
    #expect(try old.list() == new.list(on: "another"))
    // Even if somebody renames what was kept of the old one.
    TestFiles.rename(old.catalog("here"), to: old.caches("here").appending("catalog-\(new.shop.repository.id)"))
    #expect(try old.list() == new.list(on: "another"))
  }

  // MARK: A file in any state

  /// What can become of the file of the cache.
  enum Harm: CaseIterable {
    case empty, shortHeader, cutInARecord, foreign, zeros, oneByteInEach, exchangedKeys, aHole
    case writableByOthers, ofAnotherUser, aLink, aFifo
  }

  @Test(.requires(.root), arguments: Harm.allCases) func aFileInAnyStateDoesNoHarm(_ harm: Harm) throws {
    // Without tags, less tells what is wrong.
    let far = try FarShop { $0.listsTags = false }
    try far.backUp(6)
    let shown = try far.list()
    let file = far.catalog("here")
    let whole = try #require(TestFiles.read(file))
    spoil(file, by: harm, whole, far)
    let fetched = try far.fetchedToList(shown)
    #expect(harm == .cutInARecord || !fetched.isEmpty, "what may be wrong is read from the store")
    #expect(try far.fetchedToList(shown) == [], "the cache works again")
    #expect(TestFiles.owner(file) == TestFiles.owner(far.shop.source))
    #expect(TestFiles.permissions(file) == 0o600)
  }

  private func places(of text: [UInt8], in bytes: [UInt8]) -> [Int] {
    (0..<bytes.count - text.count).filter { bytes[$0] == text[0] && bytes[$0...].starts(with: text) }
  }

  private func spoil(_ file: Path, by harm: Harm, _ whole: [UInt8], _ far: FarShop) {
    func put(_ bytes: [UInt8]) {
      TestFiles.truncate(file, to: 0)
      TestFiles.overwrite(file, at: 0, with: bytes)
    }
    switch harm {
    case .empty: put([])
    case .shortHeader: put(Array(whole.prefix(20)))
    case .cutInARecord: put(Array(whole.dropLast(10)))
    case .foreign: put(Array("#!/bin/sh\n".utf8) + whole)
    case .zeros: put([UInt8](repeating: 0, count: whole.count))
    case .oneByteInEach:
      var bytes = whole
      for start in places(of: Array(Keys.manifestName.utf8), in: whole) { bytes[start + 300] ^= 1 }
      put(bytes)
    case .exchangedKeys:
      let lengths = far.memory.contents.mapValues(\.count)
      let alike = Dictionary(grouping: far.envelopes) { lengths[$0] }.values.first { $0.count > 1 } ?? []
      #expect(alike.count > 1, "two envelopes have the same length")
      let names = alike.prefix(2).map { Array($0.utf8) }
      var bytes = whole
      for (name, other) in zip(names, names.reversed()) {
        for start in places(of: name, in: whole) { bytes.replaceSubrange(start..<start + name.count, with: other) }
      }
      put(bytes)
    case .aHole: TestFiles.punchHole(file, at: 0, count: whole.count)
    case .writableByOthers: TestFiles.setMode(file, 0o622)
    case .ofAnotherUser: TestFiles.setOwner(file, userID: 12_345, groupID: 12_345)
    case .aLink:
      TestFiles.rename(file, to: far.shop.directory.appending("elsewhere"))
      TestFiles.symbolicLink("../elsewhere", at: file)
    case .aFifo:
      TestFiles.remove(file)
      TestFiles.makeFifo(file)
    }
  }

  /// Cut off anywhere, as by a kill or a full disk, the rest is of use.
  @Test func aFileCutOffAnywhereIsContinued() throws {
    let far = try FarShop()
    try far.backUp(2)
    let shown = try far.list()
    let file = far.catalog("here")
    let whole = try #require(TestFiles.read(file))
    for length in stride(from: 0, through: whole.count, by: 97) {
      TestFiles.truncate(file, to: 0)
      TestFiles.overwrite(file, at: 0, with: Array(whole.prefix(length)))
      #expect(try far.list() == shown)
      #expect(try far.fetchedToList(shown) == [], "cut off at \(length)")
    }
  }

  @Test func withoutADirectoryEverythingIsReadFromTheStore() throws {
    let far = try FarShop()
    try far.backUp(2)
    let shown = try far.list(on: "elsewhere")
    // Something else has its name, and no directory can be made.
    TestFiles.write("no directory", to: far.caches("nowhere"))
    for _ in 0..<2 {
      #expect(try far.fetchedToList(shown, on: "nowhere") == far.envelopes)
    }
    // Others may write in it.
    TestFiles.makeDirectory(far.caches("open"))
    TestFiles.setMode(far.caches("open"), 0o777)
    for _ in 0..<2 { #expect(try far.fetchedToList(shown, on: "open") == far.envelopes) }
    #expect(TestFiles.names(in: far.caches("open")) == [])
  }

  // MARK: Two runs at once, and a limit

  @Test func twoRunsKeepWhatBothHaveRead() throws {
    let far = try FarShop()
    try far.backUp(4)
    let one = try far.open(on: "shared")
    let other = try far.open(on: "shared")
    let name = try #require(one.catalog.sourceNames().first)
    // Both know the file as it was before either of them wrote.
    _ = try one.catalog.sequences(of: name)
    _ = try other.catalog.sequences(of: name)
    _ = try one.catalog.snapshotIfCommitted(name, 1)
    _ = try other.catalog.snapshotIfCommitted(name, 2)
    _ = try one.catalog.snapshotIfCommitted(name, 3)
    let fetched = try far.fetched { _ = try far.list(on: "shared") }
    #expect(fetched == [Keys.manifest(name, 4)])
  }

  /// A run that is stopped while it writes holds up no other.
  @Test func aRunThatHoldsTheFileHoldsUpNobody() throws {
    let far = try FarShop()
    try far.backUp(2)
    let shown = try far.list(on: "elsewhere")
    let holder = try far.shop.host.files.open(far.catalog("elsewhere"), .readWrite)
    #expect(try holder.lock(exclusively: true, wait: false))
    try far.backUp(1)
    #expect(try far.list(on: "elsewhere").count == shown.count + 1)
    withExtendedLifetime(holder) {}
  }

  @Test func manyThreadsReadAndKeepAtOnce() throws {
    let far = try FarShop()
    try far.backUp(30)
    let repository = try far.open(on: "shared")
    let name = try #require(repository.catalog.sourceNames().first)
    let sequences = try repository.catalog.sequences(of: name)
    let found = try sequences.mapInParallel(workers: 8, batch: 1) {
      try repository.catalog.snapshotIfCommitted(name, $0)?.id
    }
    #expect(Set(found.compactMap { $0 }).count == 30)
    #expect(try far.fetched { _ = try far.list(on: "shared") } == [])
  }

  @Test func theFileDoesNotGrowBeyondItsLimit() throws {
    let far = try FarShop()
    try far.backUp(12)
    let limit: UInt64 = 12_000
    let place = far.caches("small")
    for _ in 0..<3 {
      let repository = try Repository.open(
        ListedStore(far.memory) { Keys.listedFolders($0) }, host: far.shop.host,
        cache: CatalogCache(directory: place, bytesMax: limit))
      #expect(try repository.catalog.allSnapshots(onDamage: { _ in }).count == 12)
      let size = try #require(TestFiles.status(far.catalog("small"))).size
      #expect(size <= limit && size > 0)
    }
  }
}
