import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSource
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// A server whose segments are ready to be archived.
struct ReadyServer {
  let shop: TestShop
  let segments: [(name: WALFileName, bytes: [UInt8])]
  let source = SourceName(from: Path("orders"))
  var log: Path { shop.directory.appending("pg_wal") }
  var status: Path { log.appending("archive_status") }

  /// - Parameter count: number of segments.
  init(_ count: Int, _ shop: TestShop) {
    self.shop = shop
    var log = TestLog()
    for index in 0..<count {
      log.commit(at: WALSample.noon + Int64(index))
      log.switchSegment()
    }
    segments = log.segments
    TestFiles.makeDirectory(self.log)
    TestFiles.makeDirectory(status)
    for segment in segments { add(segment.name.text, segment.bytes) }
  }

  func add(_ name: String, _ bytes: [UInt8]) {
    TestFiles.write(bytes, to: log.appending(name))
    TestFiles.write("", to: status.appending(name + ".ready"))
  }

  func receipts(_ host: Host? = nil, _ memory: ClientMemory? = nil) -> WALReceipts {
    WALReceipts(memory ?? shop.memory, at: shop.repository.location, of: source, on: host ?? shop.host)
  }

  func options(_ index: Int, ahead: Int = 31) -> WALPush.Options {
    var options = WALPush.Options(
      path: log.appending(segments[index].name.text), source: source, clusterDirectory: shop.directory.path)
    (options.ahead, options.workers) = (ahead, 3)
    return options
  }

  /// As the command does it.
  @discardableResult
  func push(
    _ index: Int, ahead: Int = 31, in repository: Repository? = nil, _ receipts: WALReceipts? = nil
  ) throws -> WALPush.Report {
    let (options, receipts) = (options(index, ahead: ahead), receipts ?? self.receipts(repository?.host))
    let repository = repository ?? shop.repository
    return try WALPush.acknowledged(options, by: receipts, on: repository.host)
      ?? WALPush(repository: repository, options: options, receipts: receipts).run()
  }

  /// Whether the next call for it would end at once. It uses the receipt up.
  func isAcknowledged(_ index: Int, _ host: Host? = nil) throws -> Bool {
    try WALPush.acknowledged(options(index), by: receipts(host), on: host ?? shop.host) != nil
  }

  /// The indices of the archived segments.
  func archived() throws -> [Int] {
    let files = Set(try WALArchive(shop.repository, of: source).files(of: TestLog().system))
    return segments.indices.filter { files.contains(segments[$0].name) }
  }

  func expectArchived(_ indices: Range<Int>, sourceLocation: SourceLocation = #_sourceLocation) throws {
    #expect(try archived() == Array(indices), sourceLocation: sourceLocation)
    for index in indices {
      let segment = segments[index]
      #expect(
        try WALSample().fetch(segment.name.text, shop) == segment.bytes, "\(index)", sourceLocation: sourceLocation)
    }
  }
}

/// What is archived before the server asks for it is archived like everything else, and no answer is given for
/// anything that is not.
@Suite struct WALAheadTests {
  @Test(arguments: [false, true]) func whatIsReadyIsArchivedWithTheSegmentThatIsAskedFor(isSealed: Bool) throws {
    let server = try ReadyServer(6, TestShop(isSealed: isSealed))
    #expect(try server.push(0, ahead: 3).ahead == 3)
    try server.expectArchived(0..<4)
    // The next calls need no repository, and use the answers up.
    for index in 1...3 { #expect(try server.isAcknowledged(index)) }
    for index in 0..<6 { #expect(try !server.isAcknowledged(index)) }
    #expect(try server.push(2, ahead: 0).isRepeated)
    #expect(try server.push(4).ahead == 1)
    try server.expectArchived(0..<6)
    #expect(TestFiles.names(in: server.shop.memoryPath).filter { $0.contains("-wal-") }.count == 1)
  }

  @Test func anAnswerIsForTheSameBytesOnly() throws {
    let server = try ReadyServer(4, TestShop())
    try server.push(0)
    // Another file with the same bytes, as after a copy.
    let path = server.log.appending(server.segments[1].name.text)
    TestFiles.remove(path)
    TestFiles.write(server.segments[1].bytes, to: path)
    #expect(try server.isAcknowledged(1))
    // Other bytes: in the same file, and in another.
    TestFiles.overwrite(
      server.log.appending(server.segments[2].name.text), at: TestLog.segmentBytes - 1, with: [0xff])
    let other = server.log.appending(server.segments[3].name.text)
    TestFiles.remove(other)
    var bytes = server.segments[3].bytes
    bytes[bytes.count - 1] ^= 1
    TestFiles.write(bytes, to: other)
    for index in 2...3 {
      let error = #expect(throws: EngineError.self) { try server.push(index) }
      #expect(
        error?.message == "\(server.segments[index].name) is archived already for orders, with other contents")
    }
  }

  /// A file that was written just before it was read may have been written since, without a sign of it.
  @Test func theMetadataOfAFileThatWasJustWrittenProvesNothing() throws {
    func identity(_ clock: Clock) throws -> WALReceipt.FileIdentity? {
      let server = try ReadyServer(2, TestShop(clock: clock))
      try server.push(0)
      return server.receipts().take(server.segments[1].name)?.identity
    }
    #expect(try identity(TestHost.clock(ahead: -1)) == nil)
    #expect(try identity(TestHost.clock(ahead: 5)) != nil)
  }

  @Test func anAnswerCountsForMinutesAndForOneRepository() throws {
    let clock = TestClock("2026-11-22T14:00:00Z")
    let server = try ReadyServer(4, TestShop(clock: clock.clock))
    try server.push(0)
    clock.advance(.minutes(9))
    #expect(try server.isAcknowledged(1))
    let elsewhere = WALReceipts(server.shop.memory, at: "/elsewhere", of: server.source, on: server.shop.host)
    #expect(elsewhere.take(server.segments[2].name) == nil)
    let another = WALReceipts(
      server.shop.memory, at: server.shop.repository.location, of: SourceName(from: Path("other")), on: server.shop.host
    )
    #expect(another.take(server.segments[2].name) == nil)
    clock.advance(.minutes(2))
    #expect(try !server.isAcknowledged(2))
    // What nobody has asked for in time goes with the next push.
    try server.push(0)
    #expect(try server.push(3).isRepeated)
    // A repository that is made in the place of another one has archived nothing.
    let store = LocalStore(directory: server.shop.repositoryPath, host: server.shop.host)
    server.shop.emptyRepository()
    try server.push(
      0, in: Repository.create(in: store, host: server.shop.host, sealing: nil, memory: server.shop.memory))
    server.shop.emptyRepository()
    _ = try Repository.create(in: store, host: server.shop.host, sealing: nil, memory: server.shop.memory)
    #expect(try !server.isAcknowledged(1))
  }

  @Test func onlyTheCallOfTheServerItselfTakesMore() throws {
    let server = try ReadyServer(4, TestShop())
    // A segment that nobody marks as ready is pushed by hand.
    TestFiles.remove(server.status.appending(server.segments[0].name.text + ".ready"))
    #expect(try server.push(0).ahead == 0)
    // Of what is ready, only whole segments that follow on the same timeline.
    for name in [
      "00000002.history", "000000010000000000000003.partial", "000000010000000000000003.00000028.backup", "nonsense",
      "000000020000000000000003",
    ] { server.add(name, server.segments[2].bytes) }
    TestFiles.remove(server.status.appending(server.segments[3].name.text + ".ready"))
    #expect(try server.push(1).ahead == 1)
    try server.expectArchived(0..<3)
    // Without a memory nothing could answer for them.
    #expect(try server.push(2, server.receipts(nil, ClientMemory.none)).ahead == 0)
    // Where others could write, or the server is another user's, its marks do not count.
    TestFiles.write("", to: server.status.appending(server.segments[3].name.text + ".ready"))
    TestFiles.setMode(server.status, 0o777)
    #expect(try server.push(2).ahead == 0)
    TestFiles.setMode(server.status, 0o755)
    #expect(try server.push(2).ahead == 1)
  }

  @Test func onlyTheFailureOfTheSegmentThatIsAskedForIsOne() throws {
    let server = try ReadyServer(5, TestShop())
    TestFiles.write("nonsense", to: server.log.appending(server.segments[2].name.text))
    #expect(try server.push(0).ahead == 1)
    try server.expectArchived(0..<2)
    #expect(throws: WALFileError.self) { try server.push(2) }
    #expect(try server.archived() == [0, 1], "nothing behind it either")
  }

  /// A segment that looks unfinished, as one that was damaged may, is not pushed again with each one before it.
  @Test func whatIsNotWholeIsLeftUntilItIsAskedFor() throws {
    let server = ReadyServer(5, try TestShop())
    var bytes = server.segments[2].bytes
    // Behind its header and one record there are zeros.
    bytes.replaceSubrange(80..., with: [UInt8](repeating: 0, count: bytes.count - 80))
    TestFiles.write(bytes, to: server.log.appending(server.segments[2].name.text))
    #expect(try server.push(0).ahead == 1)
    let files = Set(try WALArchive(server.shop.repository, of: server.source).files(of: TestLog().system))
    #expect(files == Set(server.segments[..<2].map(\.name)), "not as unfinished either")
    #expect(try server.push(2, ahead: 0).file.kind == .unfinishedSegment)
  }

  // MARK: The order of the log

  @Test func whateverFailsTheArchiveHasNoGap() throws {
    for failing in 0..<6 {
      let store = CommitLog(MemoryStore(), failing: failing)
      let server = try ReadyServer(6, TestShop(store: store))
      let isDone = (try? server.push(0)) != nil
      #expect(isDone == (failing > 0))
      #expect(try server.archived() == Array(0..<failing))
      let manifests = store.committed.filter { $0.hasPrefix("wal/") && $0.hasSuffix(".json") }
      #expect(manifests == manifests.sorted())
      // Objects without a manifest are taken back.
      let folder = Keys.wal(server.source, TestLog().system, "0000000100000000")
      #expect(try server.shop.repository.store.names(below: folder).count == 2 * failing)
    }
  }

  /// A collector on another machine that saw no lock has taken the object just before its manifest came. So nothing
  /// behind it may be archived before somebody has looked; here it cannot be made again.
  @Test func nothingIsArchivedBehindASegmentWhoseObjectIsGone() throws {
    for taken in 0..<3 {
      let base = MemoryStore()
      let server = try ReadyServer(5, TestShop(store: base))
      let next = Keys.walManifest(server.source, TestLog().system, server.segments[taken + 1].name, copy: 1)
      let store = TakingStore(base, from: server.segments[taken].name, behindIt: next)
      let isDone = (try? server.push(0, in: Repository.open(store, host: server.shop.host))) != nil
      #expect(isDone == (taken > 0))
      #expect(try server.archived() == Array(0..<taken))
      // The server still has the others, and asks for them.
      for index in taken..<5 { try server.push(index) }
      try server.expectArchived(0..<5)
    }
  }

  /// At every change to the disk, by day at one in four, of the repository and of what the machine remembers.
  @Test func aPushThatIsKilledLosesNothingAndLeavesNoGap() throws {
    var count = 0
    while true {
      let server = try ReadyServer(3, TestShop())
      let probe = FaultProbe(.cut, at: count)
      let cut = try server.shop.repository(probe: probe)
      let isDone = (try? server.push(0, in: cut)) != nil
      let archived = try server.archived()
      #expect(archived == Array(0..<archived.count), "cut at \(count)")
      probe.dropUnsynced()
      // The server asks for one after the other, and removes what it gets an answer for.
      for index in 0..<3 {
        try server.push(index)
        TestFiles.remove(server.log.appending(server.segments[index].name.text))
      }
      try server.expectArchived(0..<3)
      if isDone && !probe.isCut { break }
      count += Trials.areAll ? 1 : Int.random(in: 1...7)
    }
    #expect(count > 20)
  }

  // MARK: Requests

  @Test(arguments: [(false, 0), (false, 15), (true, 15)]) func aSegmentCostsFewRequests(
    isSealed: Bool, ahead: Int
  ) throws {
    var traits = MemoryStore.Traits()
    (traits.isNear, traits.connections) = (false, 4)
    let store = MemoryStore(traits)
    let server = try ReadyServer(32, TestShop(store: store, isSealed: isSealed))
    try server.push(0, ahead: 0)
    store.forgetRequests()
    let segments = 1 + UInt64(ahead)
    #expect(try server.push(1, ahead: ahead).ahead == ahead)
    let counts = store.counts
    // An object and its manifest; one look at what is archived, and whether each object is there.
    #expect(counts.commits == Int(2 * segments))
    #expect(counts.listings <= 1 + Int(segments), "\(counts)")
    #expect(counts.reads == 0 && counts.removals == 0, "\(counts)")
  }
}

/// Notes what is committed, and refuses a manifest.
private final class CommitLog: StoreLayer {
  let base: any Store
  private let keys = Mutex<[String]>([])
  private let failing: Int

  /// - Parameter failing: the index of the segment whose manifest is refused.
  init(_ base: any Store, failing: Int) { (self.base, self.failing) = (base, failing) }

  var committed: [String] { keys.withLock { $0 } }

  func upload(_ key: String) throws -> any ObjectUpload { Upload(try base.upload(key), key, self) }

  private final class Upload: ObjectUpload {
    private let base: any ObjectUpload
    private let key: String
    private let log: CommitLog

    init(_ base: any ObjectUpload, _ key: String, _ log: CommitLog) {
      (self.base, self.key, self.log) = (base, key, log)
    }

    var partBytes: Int? { base.partBytes }

    func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws { try base.send(bytes, at: offset) }

    func commit() throws {
      if key.hasSuffix("\(log.failing + 1).json"), key.hasPrefix("wal/") {
        throw SystemError("write", Path(key), code: 5)
      }
      try base.commit()
      log.keys.withLock { $0.append(key) }
    }

    func abort() { base.abort() }
  }
}

/// Takes the object of one segment away when its manifest is there, and takes no other one in its place.
private final class TakingStore: StoreLayer {
  /// Looks of a millisecond each.
  private static let looksMax = 100
  let base: any Store
  private let name: WALFileName
  /// The key of the manifest of the segment behind it.
  private let next: String
  private let isTaken = Mutex(false)

  init(_ base: any Store, from name: WALFileName, behindIt next: String) {
    (self.base, self.name, self.next) = (base, name, next)
  }

  /// The presence of an object is looked for.
  func find(_ keys: [String]) throws -> [ListingEntry.Kind?] {
    if let key = keys.first(where: isTheObject), !isTaken.withLock({ $0 }) {
      isTaken.withLock { $0 = true }
      try base.remove(key)
      // What would wrongly be archived behind it gets the time for it.
      var looks = 0
      while looks < Self.looksMax, try base.find([next])[0] == nil {
        usleep(1000)
        looks += 1
      }
    }
    return try base.find(keys)
  }

  private func isTheObject(_ key: String) -> Bool { key.contains("/\(name)-") }

  func upload(_ key: String) throws -> any ObjectUpload {
    if isTheObject(key), isTaken.withLock({ $0 }) { throw SystemError("write", Path(key), code: 5) }
    return try base.upload(key)
  }
}

extension TestShop {
  /// Removes everything in the repository. Its directory stays, as a disk does that is used for another one.
  func emptyRepository() {
    for name in TestFiles.names(in: repositoryPath) { TestFiles.removeTree(repositoryPath.appending(name)) }
  }
}
