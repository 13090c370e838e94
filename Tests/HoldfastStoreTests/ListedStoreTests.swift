import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// A folder is listed once. What this run does is seen at once, what others do after `refresh`.
@Suite struct ListedStoreTests {
  private let memory = MemoryStore()

  private var store: ListedStore {
    ListedStore(memory) { $0.hasPrefix("sources/shop/") ? ["sources/shop/"] : [] }
  }

  private func put(_ key: String, in store: any Store) throws {
    let writer = try store.create(key)
    try [UInt8](key.utf8).withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  @Test(arguments: StoreConformance.allCases) func keeps(_ promise: StoreConformance) throws {
    try promise.check(ListedStore(memory) { $0.hasPrefix("sources/shop/") ? ["sources/shop/"] : [] })
    try promise.check(ListedStore(MemoryStore()) { $0.hasPrefix("sources/") ? ["sources/"] : [] })
  }

  @Test func questionsAboutAFolderCostOneListing() throws {
    for key in ["sources/shop/1/a", "sources/shop/1/b", "sources/shop/2/a", "sources/shop-2/1/a"] {
      try put(key, in: memory)
    }
    let store = store
    memory.forgetRequests()
    #expect(try store.names(below: "sources/shop/") == ["1/", "2/"])
    #expect(try store.names(below: "sources/shop/1/") == ["a", "b"])
    #expect(try store.names(below: "sources/shop/notes/") == [])
    #expect(
      try store.find(["sources/shop/2/a", "sources/shop/2/b"])
        == [.object(length: UInt64("sources/shop/2/a".utf8.count)), nil])
    #expect(memory.counts.listings == 1)
    #expect(try store.names(below: "sources/shop-2/") == ["1/"])
    #expect(memory.counts.listings == 2)
  }

  private var nested: ListedStore {
    ListedStore(memory) { key in ["sources/", "sources/shop/"].filter { key.hasPrefix($0) } }
  }

  @Test func anOuterFolderAnswersForThoseInIt() throws {
    for key in ["sources/shop/1/a", "sources/shop-2/1/a"] { try put(key, in: memory) }
    let store = nested
    memory.forgetRequests()
    #expect(try store.names(below: "sources/") == ["shop-2/", "shop/"])
    #expect(try store.names(below: "sources/shop/") == ["1/"])
    #expect(try store.names(below: "sources/shop-2/1/") == ["a"])
    #expect(store.listed("sources/shop/1/a") != nil && store.listed("sources/shop/1/b") == nil)
    #expect(try store.find(["sources/shop/1/b"]) == [nil])
    #expect(memory.counts.listings == 1)
    // A question about the inner one lists only that.
    store.refresh()
    try put("sources/shop/2/a", in: memory)
    #expect(try store.names(below: "sources/shop/") == ["1/", "2/"])
    #expect(store.listed("sources/shop-2/1/a") == nil)
  }

  /// The same, where a folder and the one around it were both listed.
  @Test(arguments: [false, true]) func whatThisRunDoesIsSeenInBothFolders(innerFirst: Bool) throws {
    try put("sources/shop/1/a", in: memory)
    let store = nested
    for prefix in innerFirst ? ["sources/shop/", "sources/"] : ["sources/"] { _ = try store.names(below: prefix) }
    try put("sources/shop/2/a", in: store)
    #expect(try store.names(below: "sources/shop/") == ["1/", "2/"])
    try store.remove("sources/shop/1/a")
    #expect(try store.names(below: "sources/shop/") == ["2/"])
    try store.removeBriefly(["sources/shop/2/a"])
    #expect(try store.names(below: "sources/") == [])
  }

  /// A link in the place of a folder is no empty folder.
  @Test func whatTakesThePlaceOfAFolderIsNamed() throws {
    let directory = TemporaryDirectory()
    TestFiles.makeDirectory(directory.appending("sources"))
    TestFiles.symbolicLink("/nowhere", at: directory.appending("sources/shop"))
    let store = ListedStore(LocalStore(directory: directory.path, host: TestHost.make())) { key in
      ["sources/", "sources/shop/"].filter { key.hasPrefix($0) }
    }
    #expect(try store.names(below: "sources/") == ["shop"])
    #expect(throws: StoreError.self) { try store.names(below: "sources/shop/") }
  }

  /// Then each folder in it is listed by itself.
  @Test func aFolderWithTooManyNamesIsNotRemembered() throws {
    try put("sources/shop/1/a", in: memory)
    memory.contents.merge(
      (0..<1000).map { ("sources/other/\($0)", []) }, uniquingKeysWith: { first, _ in first })
    let store = nested
    memory.forgetRequests()
    for _ in 0..<2 {
      #expect(try store.names(below: "sources/") == ["other/", "shop/"])
      #expect(try store.names(below: "sources/shop/") == ["1/"])
    }
    #expect(memory.counts.listings == 4)
  }

  @Test func whatThisRunDoesIsSeenAtOnce() throws {
    let store = store
    #expect(try store.names(below: "sources/shop/") == [])
    try put("sources/shop/1/a", in: store)
    #expect(try store.names(below: "sources/shop/1/") == ["a"])
    try store.createBriefly("sources/shop/1/b", [1])
    #expect(try store.names(below: "sources/shop/1/") == ["a", "b"])
    try store.remove("sources/shop/1/a")
    #expect(try store.names(below: "sources/shop/1/") == ["b"])
    try store.removeAll(below: "sources/shop/1/")
    #expect(try store.names(below: "sources/shop/") == [])
  }

  @Test func whatOthersDoIsSeenAfterARefresh() throws {
    let store = store
    #expect(try store.names(below: "sources/shop/") == [])
    try put("sources/shop/1/a", in: memory)
    #expect(try store.names(below: "sources/shop/") == [])
    store.refresh()
    #expect(try store.names(below: "sources/shop/") == ["1/"])
  }

  /// Whoever asks while a folder is being listed waits for that listing; but not after a change, or `refresh`.
  @Test func aListingUnderWayIsShared() throws {
    try put("sources/shop/1/a", in: memory)
    let slow = SlowStore(memory)
    let store = ListedStore(slow) { $0.hasPrefix("sources/shop/") ? ["sources/shop/"] : [] }
    let first = Future(beginsNow: true) { try store.names(below: "sources/shop/") }
    slow.isListing.wait()
    let answer = WorkerThread.start {
      Pause.time(.milliseconds(50))
      slow.answers.open()
    }
    #expect(try store.names(below: "sources/shop/") == ["1/"])
    #expect(try first.value() == ["1/"])
    answer?.join()
    #expect(memory.counts.listings == 1)
  }

  @Test(arguments: [true, false]) func anOldAnswerThatComesLateIsNotRemembered(refreshes: Bool) throws {
    try put("sources/shop/1/a", in: memory)
    let slow = SlowStore(memory)
    let store = ListedStore(slow) { $0.hasPrefix("sources/shop/") ? ["sources/shop/"] : [] }
    let late = Future(beginsNow: true) { try store.names(below: "sources/shop/") }
    slow.isListing.wait()
    if refreshes { store.refresh() }
    try put("sources/shop/2/a", in: refreshes ? memory : store)
    #expect(try store.names(below: "sources/shop/") == ["1/", "2/"])
    slow.answers.open()
    #expect(try late.value() == ["1/"])
    #expect(try store.names(below: "sources/shop/") == ["1/", "2/"])
  }

  /// Its first listing is made at once, and its answer comes late.
  private final class SlowStore: StoreLayer {
    let base: any Store
    let isListing = Latch()
    let answers = Latch()
    private let isFirst = Atomic(true)

    init(_ store: any Store) { base = store }

    func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
      let page = try base.list(prefix, depth, after: name, max: max)
      guard isFirst.exchange(false, ordering: .relaxed) else { return page }
      isListing.open()
      answers.wait()
      return page
    }
  }

  /// What earlier holders did counts for the next one.
  @Test func aLeaseThatIsTakenRefreshes() throws {
    let store = store
    #expect(try store.names(below: "sources/shop/") == [])
    try put("sources/shop/1/a", in: memory)
    let lease = try Lease.take("shop", in: store, host: TestHost.make(), waits: false)
    #expect(lease != nil)
    #expect(try store.names(below: "sources/shop/") == ["1/"])
  }
}
