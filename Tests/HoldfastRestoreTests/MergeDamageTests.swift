import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A merge of what is damaged, or hostile, ends with what is wrong, and commits nothing.
@Suite struct MergeDamageTests {
  private let store = MemoryStore()

  /// Uncompressed, so that it is known which byte is which: a full of 64 pages in one frame, and an increment with one
  /// of them.
  private func makeShop() throws -> (TestShop, [Snapshot]) {
    let shop = try TestShop(workers: 1, store: store)
    var random = SeededRandom(seed: 41)
    let database = shop.source.appending("orders.db")
    TestFiles.write(random.bytes(64 * 4096), to: database)
    try shop.backup { $0.compression = .none }
    TestFiles.overwrite(database, at: 63 * 4096, with: random.bytes(4096))
    try shop.backup { $0.compression = .none }
    return (shop, try shop.repository.catalog.allSnapshots { _ in })
  }

  private func archiveKey(of snapshot: Snapshot) throws -> String {
    Keys.archive(snapshot.sourceName, snapshot.sequence, try #require(snapshot.envelope.archives.first).id)
  }

  private func expectRefusal(_ shop: TestShop, _ message: String) throws {
    let keys = Set(store.contents.keys)
    let error = #expect(throws: DamageError.self) { try shop.merge() }
    #expect(error?.message == message)
    #expect(error?.exitStatus == .dataLoss)
    let left = Set(store.contents.keys).subtracting(keys)
    #expect(!left.contains { $0.hasSuffix(Keys.manifestName) })
  }

  @Test func aPageThatIsDamaged() throws {
    let (shop, snapshots) = try makeShop()
    let key = try archiveKey(of: snapshots[0])
    store.contents[key]?[64 + 5 * 4096] ^= 1
    try expectRefusal(shop, "\(key) is damaged: a page in frame 0 does not have its digest")
    #expect(try shop.repository.catalog.allSnapshots { _ in } == snapshots)
  }

  /// What is carried over as it is must be right to the last byte.
  @Test func aFrameThatIsDamagedAndWouldBeCarriedOver() throws {
    let (shop, snapshots) = try makeShop()
    let key = try archiveKey(of: snapshots[1])
    store.contents[key]?[64 + 5] ^= 1
    try expectRefusal(shop, "\(key) is damaged: frame 0 does not have its digest")
  }

  /// As for a restore: what nobody needs may be damaged.
  @Test func aDeadPageThatIsDamagedIsLeftBehind() throws {
    let (shop, snapshots) = try makeShop()
    store.contents[try archiveKey(of: snapshots[0])]?[64 + 63 * 4096] ^= 1
    try shop.merge()
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.verify().snapshots.map(\.isSound).last == true)
  }

  @Test func anArchiveThatIsMissing() throws {
    let (shop, snapshots) = try makeShop()
    let key = try archiveKey(of: snapshots[0])
    store.contents[key] = nil
    try expectRefusal(shop, "\(key) is damaged: it is missing")
  }

  @Test func aParentThatIsMissing() throws {
    let (shop, snapshots) = try makeShop()
    let key = Keys.manifest(snapshots[0].sourceName, 1)
    store.contents[key] = nil
    try expectRefusal(
      shop, "\(key) is damaged: it is missing, and snapshot \(snapshots[1].id.short) builds on it")
  }

  @Test func aBodyThatIsDamaged() throws {
    let (shop, snapshots) = try makeShop()
    let key = Keys.body(snapshots[1].sourceName, 2, snapshots[1].envelope.body.id)
    store.contents[key]?[70] ^= 1
    try expectRefusal(shop, "\(key) is damaged: frame 0 does not have its digest")
  }

  /// The next run removes what a failed merge has left, whichever run that is.
  @Test(arguments: [false, true]) func whatIsLeftIsRemoved(byBackup: Bool) throws {
    let (shop, snapshots) = try makeShop()
    let key = Keys.body(snapshots[0].sourceName, 3, shop.host.random.identifier())
    store.contents[key] = [1, 2, 3]
    if byBackup { try shop.backup() } else { try shop.merge() }
    #expect(store.contents[key] == nil)
    #expect(try shop.repository.catalog.allSnapshots { _ in }.count == 3)
  }

  // MARK: Hostile manifests

  private func plan(_ items: [HandmadeRepository.Item], frames: [[UInt8]]) throws -> (HandmadeRepository, MergePlan?) {
    let hostile = try HandmadeRepository()
    try hostile.add([HandmadeRepository.root] + items, frames: frames)
    let full = try hostile.shop.snapshot()
    try hostile.add([], parent: full, state: [HandmadeRepository.root] + items)
    return (hostile, try hostile.shop.merge { $0.listBytes = 64 }.plan)
  }

  private func page(_ number: UInt8) -> [UInt8] { [UInt8](repeating: number, count: 4096) }

  /// Runs that share bytes, whole pages and parts of them, cost each byte once.
  @Test func runsThatOverlap() throws {
    let frame = Array((0..<5).map { page($0 + 1) }.joined())
    var items: [HandmadeRepository.Item] = []
    for number in 0..<40 {
      let start = number % 5 * 512
      let bytes = Array(frame[start..<start + 4096])
      items.append(
        HandmadeRepository.file(
          "file \(number + 10)", size: 4096, extents: [HandmadeRepository.extent(bytes, offset: UInt32(start))]))
    }
    let (hostile, plan) = try plan(items, frames: [frame])
    #expect(plan?.pageBytes == 4096 + 4 * 512)
    #expect(plan?.frames == 1 && plan?.carriedFrames == 0)
    #expect(try hostile.shop.verify().exitStatus == .done)
    try hostile.shop.restore(to: "restored")
    for item in items {
      let name = item.entry.path
      let number = (Int(name.description.dropFirst(5)) ?? 0) - 10
      let start = number % 5 * 512
      #expect(
        TestFiles.read(hostile.shop.directory.appending("restored").appending(name.bytes))
          == Array(frame[start..<start + 4096]))
    }
  }

  /// More extents of one frame than are proved at a time.
  @Test func aFrameThatVeryManyFilesShare() throws {
    let items = (0..<9000).map {
      HandmadeRepository.file("file \($0 + 10_000)", size: 4096, extents: [HandmadeRepository.extent(page(7))])
    }
    let (hostile, plan) = try plan(items, frames: [page(7) + page(8)])
    #expect(plan?.pages == 1 && plan?.pageBytes == 4096)
    let merged = try hostile.shop.snapshot()
    #expect(try hostile.shop.frames(of: merged).map(\.plainCount) == [4096])
    #expect(try hostile.shop.verify().exitStatus == .done)
  }

  @Test func runsThatLeadNowhere() throws {
    let hostile = HandmadeRepository.self
    for (extent, finding) in [
      (
        hostile.extent(page(1), archive: 3),
        "the chain of source is damaged: it refers to archive 3, which it does not have"
      ),
      (hostile.extent(page(1), frame: 9), " is damaged: it has no frame 9"),
      (hostile.extent(page(1), offset: 1), " is damaged: frame 0 is shorter than its manifest says"),
      (hostile.extent(page(1), archive: Limits.sizeMax), "which it does not have"),
    ] {
      let error = #expect(throws: DamageError.self) {
        try plan([hostile.file("file", size: 4096, extents: [extent])], frames: [page(1)])
      }
      #expect(error?.message.hasSuffix(finding) == true, "\(error?.message ?? "")")
    }
  }

  /// What a manifest says of a merge is checked like everything else in it.
  @Test func anUnsoundMerge() throws {
    let (shop, snapshots) = try makeShop()
    let key = Keys.manifest(snapshots[1].sourceName, 2)
    let sound = Envelope.Merge(
      snapshot: snapshots[0].id, sequence: 1, digest: snapshots[0].digest,
      time: RecordedTime(text: "2026-11-22T14:05:03.123Z"))
    for change in [
      { (envelope: inout Envelope) in envelope.merged?.sequence = 2 },
      { $0.merged?.sequence = 0 },
      { $0.merged?.time = RecordedTime(text: "yesterday") },
      { $0.kind = .incremental },
    ] {
      var envelope = snapshots[1].envelope
      (envelope.merged, envelope.kind, envelope.parent) = (sound, .full, nil)
      store.contents[key] = try envelope.serialized()
      #expect(try shop.repository.catalog.snapshotIfCommitted(snapshots[1].sourceName, 2) != nil)
      change(&envelope)
      if envelope.kind == .incremental { envelope.parent = snapshots[0].asParent }
      store.contents[key] = try envelope.serialized()
      let error = #expect(throws: DamageError.self) {
        try shop.repository.catalog.snapshotIfCommitted(snapshots[1].sourceName, 2)
      }
      #expect(error?.finding == "what it says of its merge is not sound")
    }
  }
}
