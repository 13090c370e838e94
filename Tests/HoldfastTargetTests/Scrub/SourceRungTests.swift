import Glibc
import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// The last rung of a repair: frames that no place has sound are made again from the pages that the source still has,
/// byte for byte, and nothing else is ever written.
@Suite(.timeLimit(.minutes(30))) struct SourceRungTests {
  /// A repository in one place, without parity: a full with one long file and 200 short ones, and an incremental.
  private struct Shop {
    let store = MemoryStore()
    let shop: TestShop
    /// False for a place where an object must go before another one gets its key.
    let replaces: Bool
    let whole: [String: [UInt8]]

    init(
      isSealed: Bool = false, _ compression: Compression = .standard, replaces: Bool = true,
      incompressible: Bool = false
    ) throws {
      self.replaces = replaces
      shop = try TestShop(workers: 1, store: store, isSealed: isSealed)
      var random = SeededRandom(seed: 12)
      let long = shop.source.appending("orders.db")
      TestFiles.write(incompressible ? random.bytes(3 << 19) : random.text(3 << 19), to: long)
      for number in 0..<200 { TestFiles.write(random.text(300), to: shop.source.appending("note \(number)")) }
      try shop.backup(.full) { $0.compression = compression }
      TestFiles.write(random.text(5000), to: shop.source.appending("new"))
      try shop.backup(.incremental) { $0.compression = compression }
      whole = TargetShop.lasting(store)
    }

    func archive(of sequence: UInt64 = 1) throws -> String { try #require(shop.number(sequence).archiveKeys.first) }

    /// Flips a byte in each frame of an archive, or in those with these numbers.
    /// - Returns: the number of damaged frames.
    @discardableResult
    func damage(_ key: String, _ chosen: Set<Int>? = nil) throws -> Int {
      let repository = try shop.open(as: .nobody, memory: ClientMemory.none)
      let archive = try #require(
        try repository.catalog.committedSnapshots(of: shop.snapshot().sourceName) { _ in }
          .flatMap(\.envelope.archives).first { key.hasSuffix($0.id.description) })
      let reader = try repository.containers.closed.open(.archive, key, archive.reference)
      var bytes = try #require(store.contents[key])
      let frames = reader.frames.enumerated().filter { chosen?.contains($0.offset) ?? true }
      for (_, frame) in frames { bytes[Int(frame.offset) + Int(frame.storedCount) / 2] ^= 1 }
      store.contents[key] = bytes
      return frames.count
    }

    func scrub(
      repairs: Bool, as holder: TestKeys.Holder = .owner, knowsSource: Bool = true,
      probe: (any OperationProbe)? = nil
    ) throws -> ScrubResult {
      var options = Scrub.Options()
      options.repairs = repairs
      if knowsSource { options.directory = { [source = shop.source] _, _ in source } }
      var repository = try shop.open(as: holder, memory: ClientMemory.none)
      if let probe {
        repository = try Repository.open(
          store, host: TestHost.make(workers: 1, probe: probe), credentials: .none, memory: .none)
      }
      repository.isHome = false
      if !replaces { repository = repository.through { RemovingFirst(base: $0) } }
      let place = Scrub.Place("home", at: "memory", isHome: true, .success(store))
      return try #require(try Scrub([place], reference: repository, openedAt: "home", options).run().first)
    }

    func expectRepaired(
      _ key: String, frames: Int, _ place: String, _ location: SourceLocation = #_sourceLocation
    )
      throws
    {
      let origin = ScrubFinding.Origin.source(frames: frames, directory: shop.source)
      let before = store.contents
      let found = try #require(try scrub(repairs: false).allFindings.first, "\(place)", sourceLocation: location)
      #expect(found.outcome == .repairable && found.origin == origin, "\(place): \(found)", sourceLocation: location)
      #expect(store.contents[key] == before[key], "\(place)", sourceLocation: location)
      let repaired = try scrub(repairs: true)
      let findings = repaired.allFindings
      #expect(
        findings.map(\.outcome) == [.repaired] && findings.map(\.origin) == [origin] && repaired.exitStatus == .done,
        "\(place): \(findings)", sourceLocation: location)
      #expect(store.contents[key] == whole[key], "\(place)", sourceLocation: location)
      #expect(try scrub(repairs: true).allFindings.isEmpty, "\(place)", sourceLocation: location)
    }

    /// The object is lost, nothing is written, and the reason is told.
    func expectLost(
      _ key: String, _ reason: String, as holder: TestKeys.Holder = .owner, knowsSource: Bool = true,
      probe: (any OperationProbe)? = nil, _ location: SourceLocation = #_sourceLocation
    ) throws {
      let before = TargetShop.lasting(store)
      for repairs in [false, true] {
        let found = try scrub(repairs: repairs, as: holder, knowsSource: knowsSource, probe: probe).allFindings
        #expect(found.map(\.object) == [key] && found.map(\.outcome) == [.lost], "\(found)", sourceLocation: location)
        let obstacle = found.first?.obstacle ?? ""
        #expect(obstacle.contains(reason), "\(obstacle)", sourceLocation: location)
        #expect(TargetShop.lasting(store) == before, sourceLocation: location)
      }
    }
  }

  @Test(arguments: [false, true]) func damagedFramesAreMadeAgainByteForByte(isSealed: Bool) throws {
    for text in ["deflate", "deflate:6", "zstd:1", "zstd:9", "none"] {
      let shop = try Shop(isSealed: isSealed, try #require(Compression(text)))
      let key = try shop.archive()
      let frames = try shop.damage(key)
      #expect(frames > 2)
      try shop.expectRepaired(key, frames: frames, text)
      shop.store.contents = shop.whole
      try shop.damage(key, [1])
      try shop.expectRepaired(key, frames: 1, text)
    }
  }

  @Test func framesThatCouldNotBeCompressedAreMadeAgain() throws {
    let shop = try Shop(incompressible: true)
    let key = try shop.archive()
    try shop.expectRepaired(key, frames: try shop.damage(key), "incompressible")
  }

  @Test func whatWasRenamedOrCopiedOverSinceIsFoundByTheNewestState() throws {
    let shop = try Shop()
    let (old, new) = (shop.shop.source.appending("orders.db"), shop.shop.source.appending("shop.db"))
    TestFiles.rename(old, to: new)
    try shop.shop.backup(.incremental)
    #expect(try shop.shop.snapshot().envelope.changes.pages < 10, "the backup has found the pages under the new name")
    let key = try shop.archive()
    let frames = try shop.damage(key)
    try shop.expectRepaired(key, frames: frames, "renamed")
  }

  @Test func aMergedArchiveIsMadeAgain() throws {
    let shop = try Shop()
    try shop.shop.merge()
    let key = try #require(shop.shop.snapshot().archiveKeys.first)
    let sound = shop.store.contents[key]
    let frames = try shop.damage(key)
    let repaired = try shop.scrub(repairs: true).allFindings
    #expect(repaired.map(\.outcome) == [.repaired], "\(repaired)")
    #expect(repaired.first?.origin == .source(frames: frames, directory: shop.shop.source))
    #expect(shop.store.contents[key] == sound)
  }

  @Test func aPageThatHasChangedIsNoReasonToWriteAnything() throws {
    let shop = try Shop()
    let key = try shop.archive()
    let frames = try shop.damage(key)
    let file = shop.shop.source.appending("orders.db")
    TestFiles.overwrite(file, at: 700_000, with: Array("changed".utf8))
    try shop.expectLost(key, "pages of 1 of its \(frames) damaged frames are not in \(shop.shop.source) any more")
    // A file that has become a link leads nowhere, also if what it leads to has the pages.
    let other = shop.shop.directory.appending("elsewhere")
    TestFiles.rename(file, to: other)
    TestFiles.symbolicLink(other.text, at: file)
    try shop.expectLost(key, "are not in \(shop.shop.source) any more")
  }

  /// What cannot be read is still there: the operator can do something about it.
  @Test func aRefusalToReadTheSourceIsTold() throws {
    let shop = try Shop()
    let key = try shop.archive()
    try shop.damage(key)
    let refusals: [(Operation, Int32, String)] = [
      (.open, EACCES, "cannot open orders.db: Permission denied; run the command as a user who may read it"),
      (.read, EIO, "cannot read orders.db: Input/output error; look at the kernel's log"),
    ]
    for (operation, code, reason) in refusals {
      try shop.expectLost(
        key, "its source cannot be read: \(reason)", probe: RefusedFile(operation, "orders.db", code: code))
    }
  }

  /// The work ends with the first frame that no compression gives.
  @Test func whatThisVersionCompressesOtherwiseStaysLost() throws {
    let shop = try Shop()
    let rows = Array((0..<60_000).map { "order \($0);shipped\n" }.joined().utf8)
    TestFiles.write(rows, to: shop.shop.source.appending("orders.db"))
    try shop.shop.backup(.full) { $0.compression = .zstd(level: -20) }
    let key = try shop.archive(of: 3)
    try shop.damage(key)
    try shop.expectLost(key, "its pages are in \(shop.shop.source), but this version does not compress them")
  }

  @Test func whatTheSourceCannotTellStaysLost() throws {
    let shop = try Shop()
    let key = try shop.archive()
    var bytes = try #require(shop.whole[key])
    bytes[bytes.count - 60] ^= 1
    shop.store.contents[key] = bytes
    try shop.expectLost(key, "what its index says is lost")
    shop.store.contents = shop.whole
    let bodies = shop.whole.filter { Keys.isBody($0.key) }
    let (body, stored) = try #require(bodies.max { $0.value.count < $1.value.count })
    shop.store.contents[body]?[min(400, stored.count / 2)] ^= 1
    try shop.expectLost(body, "only archives")
    shop.store.contents = shop.whole
    try shop.damage(key)
    try shop.expectLost(key, "not known here", knowsSource: false)
    TestFiles.removeTree(shop.shop.source)
    try shop.expectLost(key, "its source is not here")
  }

  @Test func aSealedArchiveNeedsAnIdentity() throws {
    let shop = try Shop(isSealed: true)
    let key = try shop.archive()
    try shop.damage(key)
    try shop.expectLost(key, "no identity was named", as: .nobody)
  }

  /// With the damaged object would go all that is left of it.
  @Test func nothingIsRemovedToMakeRoomForIt() throws {
    let shop = try Shop(replaces: false)
    let key = try shop.archive()
    try shop.damage(key)
    let before = shop.store.contents[key]
    let found = try shop.scrub(repairs: true).allFindings
    guard case .unrepaired(let reason)? = found.first?.outcome else {
      Issue.record("\(found)")
      return
    }
    #expect(reason.contains("only what is left of it gives it back"))
    #expect(found.first?.origin == nil, "nothing was repaired from anywhere")
    #expect(shop.store.contents[key] == before)
  }
}

/// A file that the system refuses to open or to read.
private final class RefusedFile: OperationProbe {
  private let operation: Operation
  private let name: String
  private let code: Int32

  init(_ operation: Operation, _ name: String, code: Int32) {
    (self.operation, self.name, self.code) = (operation, name, code)
  }

  func willPerform(_ operation: Operation, _ path: Path) throws(SystemError) {
    guard operation == self.operation, path.text.hasSuffix(name) else { return }
    throw SystemError(operation.rawValue, Path(name), code: code)
  }

  func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
}

/// A store that must remove an object before another one gets its key.
private struct RemovingFirst: StoreLayer {
  let base: any Store

  func openAnew(_ key: String) throws -> any ReadableBytes { try base.openAnew(key) }
  func replacement(of key: String) -> (any ObjectUpload)? { nil }
}
