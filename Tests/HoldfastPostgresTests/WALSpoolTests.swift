import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A server in recovery, which asks for one segment after the other.
struct RecoveringServer {
  let shop: TestShop
  let source = SourceName(from: Path("orders"))
  var target: Path { shop.directory.appending("RECOVERYXLOG") }
  var spool: Path { shop.directory.appending(".holdfast-ahead") }
  /// The segments in the spool.
  var spooled: [String] {
    TestFiles.names(in: spool).filter { $0 != "origin.json" }.map { String($0.prefix(24)) }.sorted()
  }

  /// - Parameter count: number of archived segments.
  init(_ count: Int, _ shop: TestShop) throws {
    self.shop = shop
    for segment in Self.log(count).segments { try archive(segment) }
  }

  static func log(_ count: Int) -> TestLog {
    var log = TestLog()
    for index in 0..<count {
      log.commit(at: WALSample.noon + Int64(index))
      log.switchSegment()
    }
    return log
  }

  func archive(_ segment: (name: WALFileName, bytes: [UInt8]), in repository: Repository? = nil) throws {
    _ = try WALSample().push(segment.name.text, segment.bytes, shop, in: repository)
  }

  func options(_ name: String, ahead: Int = 3) throws -> WALFetch.Options {
    var options = WALFetch.Options(
      file: try #require(WALFileName(name)), target: target, source: source, clusterDirectory: shop.directory.path)
    (options.ahead, options.location) = (ahead, shop.repository.location)
    options.system = TestLog().system
    return options
  }

  /// Whether the call ends without a look at the repository.
  func takes(
    _ name: String, _ host: Host? = nil, configure: (inout WALFetch.Options) -> Void = { _ in }
  ) throws -> [UInt8]? {
    TestFiles.remove(target)
    var options = try options(name)
    configure(&options)
    return WALFetch.takeSpooled(options, on: host ?? shop.host) ? TestFiles.read(target) : nil
  }

  /// As the command does it.
  func fetch(_ name: String, ahead: Int = 3, in repository: Repository? = nil) throws -> [UInt8]? {
    let repository = repository ?? shop.repository
    if let bytes = try takes(name, repository.host, configure: { $0.ahead = ahead }) { return bytes }
    try WALFetch(repository: repository, options: options(name, ahead: ahead)).run()
    return TestFiles.read(target)
  }
}

/// What is fetched before the server asks for it is what the archive has, or does not count.
@Suite struct WALSpoolTests {
  private let segments = RecoveringServer.log(6).segments

  private func name(_ index: Int) -> String { segments[index].name.text }

  @Test(arguments: [false, true]) func whatFollowsIsThereWhenItIsAskedFor(isSealed: Bool) throws {
    let server = try RecoveringServer(6, TestShop(isSealed: isSealed))
    #expect(try server.fetch(name(0)) == segments[0].bytes)
    #expect(server.spooled == [1, 2, 3].map(name))
    #expect(TestFiles.permissions(server.spool) == 0o700)
    for index in 1...3 { #expect(try server.takes(name(index)) == segments[index].bytes) }
    #expect(server.spooled == [])
    #expect(try server.takes(name(4)) == nil)
    #expect(try server.fetch(name(4)) == segments[4].bytes)
    #expect(server.spooled == [name(5)])
    // By hand, one file is fetched alone.
    #expect(try server.fetch(name(0), ahead: 0) == segments[0].bytes)
    #expect(server.spooled == [name(5)])
    #expect(TestFiles.names(in: server.shop.directory.path).allSatisfy { !$0.contains("unfinished") })
  }

  @Test func theEndOfTheLogIsTheEndAndNothingIsLeft() throws {
    let server = try RecoveringServer(3, TestShop())
    #expect(try server.fetch(name(1)) == segments[1].bytes)
    #expect(server.spooled == [name(2)])
    #expect(throws: NoSuchWAL.self) { try server.fetch("00000002.history") }
    #expect(server.spooled == [] && TestFiles.names(in: server.spool) == [])
    #expect(try server.fetch(name(2)) == segments[2].bytes)
    for _ in 0..<3 { #expect(throws: NoSuchWAL.self) { try server.fetch(name(3)) } }
    // What comes later is found.
    try server.archive(segments[3])
    try server.archive(segments[4])
    #expect(try server.fetch(name(3)) == segments[3].bytes)
    #expect(server.spooled == [name(4)])
  }

  /// The gap must end the recovery where it is asked for, and not before.
  @Test func nothingBehindAGapIsFetched() throws {
    let server = try RecoveringServer(2, TestShop())
    try server.archive(segments[3])
    #expect(try server.fetch(name(0)) == segments[0].bytes)
    #expect(server.spooled == [name(1)])
    #expect(try server.fetch(name(1)) == segments[1].bytes)
    let error = #expect(throws: EngineError.self) { try server.fetch(name(2)) }
    #expect(error?.exitStatus == .dataLoss)
  }

  @Test func aRecoveryGoesOverToAnotherTimeline() throws {
    let server = try RecoveringServer(4, TestShop())
    var branch = TestLog()
    for index in 0..<2 {
      branch.commit(at: WALSample.noon + Int64(index))
      branch.switchSegment()
    }
    branch = branch.branch(timeline: 2)
    for index in 2..<5 {
      branch.commit(at: WALSample.noon + Int64(100 + index))
      branch.switchSegment()
    }
    let others = Array(branch.segments[2...])
    for segment in others { try server.archive(segment) }
    #expect(try server.fetch(name(1)) == segments[1].bytes)
    #expect(server.spooled == [name(2), name(3)])
    #expect(try server.fetch(others[0].name.text) == others[0].bytes)
    // What follows on the timeline that was left is gone.
    #expect(server.spooled == others[1...].map(\.name.text))
    #expect(try server.fetch(others[1].name.text) == others[1].bytes)
    #expect(try server.fetch(name(2)) == segments[2].bytes)
  }

  // MARK: Where it is from

  @Test func nothingFromElsewhereIsGiven() throws {
    let clock = TestClock("2026-11-22T14:00:00Z")
    let server = try RecoveringServer(4, TestShop(clock: clock.clock))
    _ = try server.fetch(name(0))
    #expect(try server.takes(name(1), configure: { $0.location = "/elsewhere" }) == nil)
    func asksForAnother(_ options: inout WALFetch.Options) {
      var other = WALFetch.Options(
        file: options.file, target: options.target, source: SourceName(from: Path("others")),
        clusterDirectory: options.clusterDirectory)
      (other.location, other.system) = (options.location, options.system)
      options = other
    }
    #expect(try server.takes(name(1), configure: asksForAnother) == nil)
    #expect(try server.takes(name(1), configure: { $0.system = SystemIdentifier(42) }) == nil)
    #expect(try server.takes(name(1), configure: { $0.system = nil }) == nil, "a cluster that nobody knows")
    // After minutes it is compared with the archive, and not fetched again.
    clock.advance(.minutes(11))
    #expect(try server.takes(name(1)) == nil)
    let store = LocalStore(directory: server.shop.repositoryPath, host: server.shop.host)
    for path in TestFiles.allFiles(in: server.shop.repositoryPath) where path.text.contains(name(1) + "-") {
      TestFiles.overwrite(path, at: 100, with: [0, 1, 2, 3])
    }
    #expect(try server.fetch(name(1)) == segments[1].bytes)
    #expect(try server.takes(name(2)) == segments[2].bytes)
    // Another repository at the same place has another segment of that name.
    _ = try server.fetch(name(0))
    clock.advance(.minutes(11))
    server.shop.emptyRepository()
    let other = try Repository.create(in: store, host: server.shop.host, sealing: nil, memory: .none)
    var log = TestLog()
    for index in 0..<3 {
      log.commit(at: WALSample.noon + Int64(50 + index))
      log.switchSegment()
    }
    for segment in log.segments { try server.archive(segment, in: other) }
    #expect(try server.fetch(name(1), in: other) == log.segments[1].bytes)
    #expect(try server.fetch(name(2), in: other) == log.segments[2].bytes)
  }

  // MARK: Hostile and broken spools

  private static let damages: [(String, @Sendable (Path) -> Void)] = [
    ("a flipped byte", { TestFiles.overwrite($0, at: 5000, with: [0x55]) }),
    ("another digest", { TestFiles.overwrite($0, at: TestLog.segmentBytes, with: [0x55]) }),
    ("cut", { TestFiles.truncate($0, to: TestLog.segmentBytes) }),
    ("cut to nothing", { TestFiles.truncate($0, to: 0) }),
    ("too long", { TestFiles.truncate($0, to: TestLog.segmentBytes + 33) }),
    (
      "a link",
      { path in
        TestFiles.rename(path, to: Path(path.text + "x"))
        TestFiles.symbolicLink(path.text + "x", at: path)
      }
    ),
    (
      "a pipe",
      { path in
        TestFiles.remove(path)
        TestFiles.makeFifo(path)
      }
    ),
  ]

  @Test(arguments: Self.damages.indices) func whatIsNotWholeDoesNotCount(index: Int) throws {
    let (what, damage) = Self.damages[index]
    let server = try RecoveringServer(4, TestShop())
    _ = try server.fetch(name(0))
    let file = try #require(TestFiles.names(in: server.spool).first { $0.hasPrefix(name(1)) })
    damage(server.spool.appending(file))
    #expect(try server.takes(name(1)) == nil, "\(what)")
    #expect(TestFiles.read(server.target) == nil, "\(what)")
    #expect(try server.fetch(name(1)) == segments[1].bytes, "\(what)")
    #expect(try server.fetch(name(2)) == segments[2].bytes, "\(what)")
  }

  @Test func aDirectoryThatOthersCanEnterIsNotUsed() throws {
    let server = try RecoveringServer(4, TestShop())
    _ = try server.fetch(name(0))
    TestFiles.setMode(server.spool, 0o750)
    #expect(try server.takes(name(1)) == nil)
    #expect(try server.fetch(name(1)) == segments[1].bytes)
    #expect(server.spooled == [1, 2, 3].map(name), "nothing is removed from it either")
    // A link is not followed: what it leads to may be anything.
    let other = server.shop.directory.appending("other")
    TestFiles.rename(server.spool, to: other)
    TestFiles.setMode(other, 0o700)
    TestFiles.symbolicLink(other.text, at: server.spool)
    #expect(try server.takes(name(1)) == nil)
    #expect(try server.fetch(name(3)) == segments[3].bytes)
    #expect(throws: NoSuchWAL.self) { try server.fetch("00000002.history") }
    #expect(TestFiles.names(in: other).count == 4)
  }

  @Test func whatElseLiesThereGoes() throws {
    let server = try RecoveringServer(4, TestShop())
    TestFiles.makeDirectory(server.spool, mode: 0o700)
    for name in [
      "nonsense", name(1), name(1) + "-00", name(2) + "-" + String(repeating: "0", count: 64) + ".unfinished",
    ] {
      TestFiles.write("x", to: server.spool.appending(name))
    }
    TestFiles.write("{}", to: server.spool.appending("origin.json"))
    #expect(try server.takes(name(1)) == nil)
    #expect(try server.fetch(name(0)) == segments[0].bytes)
    #expect(server.spooled == [1, 2, 3].map(name))
  }

  @Test func aFetchThatIsKilledLeavesNothingThatCountsHalf() throws {
    var count = 0
    while true {
      let server = try RecoveringServer(3, TestShop())
      let probe = FaultProbe(.cut, at: count)
      let isDone = (try? server.fetch(name(0), in: server.shop.repository(probe: probe))) != nil
      probe.dropUnsynced()
      for index in 0..<3 { #expect(try server.fetch(name(index)) == segments[index].bytes, "cut at \(count)") }
      if isDone && !probe.isCut { break }
      count += 1
    }
    #expect(count > 10)
  }

  /// A disk that is full where the following segments go does not stand in the way.
  @Test func onlyTheFailureOfTheSegmentThatIsAskedForIsOne() throws {
    let server = try RecoveringServer(4, TestShop())
    let object = TestFiles.allFiles(in: server.shop.repositoryPath).first { $0.text.contains(name(1) + "-") }
    TestFiles.overwrite(try #require(object), at: 100, with: [0, 1, 2, 3])
    #expect(try server.fetch(name(0)) == segments[0].bytes)
    #expect(!server.spooled.contains(name(1)))
    #expect(throws: DamageError.self) { try server.fetch(name(1)) }
  }

  // MARK: Requests

  @Test(arguments: [false, true]) func aSegmentCostsFewRequests(isSealed: Bool) throws {
    var traits = MemoryStore.Traits()
    (traits.isNear, traits.connections) = (false, 4)
    let store = MemoryStore(traits)
    let server = try RecoveringServer(6, TestShop(store: store, isSealed: isSealed))
    store.forgetRequests()
    _ = try server.fetch(name(0), ahead: 4)
    // A manifest and an object each, and one look at what follows; a manifest is asked for its length as well, which S3
    // tells with it.
    #expect(store.counts.listings == 1, "\(store.counts)")
    #expect(store.counts.reads == 10, "\(store.counts)")
    #expect(store.opened.count == 5)
    store.forgetRequests()
    for index in 1...4 { _ = try server.fetch(name(index), ahead: 4) }
    #expect(store.counts == MemoryStore.Counts(), "\(store.counts)")
    // What is not there is not looked for again and again with what was.
    for _ in 0..<2 { #expect(throws: (any Error).self) { try server.fetch("000000010000000000000099", ahead: 4) } }
    #expect(store.counts.reads == 0, "\(store.counts)")
  }
}
