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

/// A repository with parity, at one place only: what is lost of an archive or a body is read with it, named, and
/// repaired by a scrub.
@Suite(.timeLimit(.minutes(30))) struct ParityTests {
  /// A full and an incremental.
  private struct Shop {
    let store = MemoryStore()
    let shop: TestShop
    let tree: TreeDescription
    let whole: [String: [UInt8]]

    init(isSealed: Bool = false, parity: String = "5%", bytes: Int = 1 << 20, seed: UInt64 = 31) throws {
      shop = try TestShop(workers: 1, store: store, isSealed: isSealed)
      var random = SeededRandom(seed: seed)
      TestFiles.write(random.bytes(bytes), to: shop.source.appending("orders.db"))
      for number in 0..<200 { TestFiles.write(random.text(300), to: shop.source.appending("note \(number)")) }
      let share = try #require(ParityShare(parity))
      try shop.backup(.full) { $0.parity = share }
      TestFiles.overwrite(shop.source.appending("orders.db"), at: 9000, with: random.bytes(50_000))
      try shop.backup(.incremental) { $0.parity = share }
      tree = TreeDescription(of: shop.source)
      whole = TargetShop.lasting(store)
    }

    /// All archives and bodies.
    var containers: [String] { whole.keys.filter { Keys.isArchive($0) || Keys.isBody($0) }.sorted() }

    func archive(of sequence: UInt64) throws -> String {
      try #require(shop.number(sequence).archiveKeys.first)
    }

    func open(as holder: TestKeys.Holder = .owner) throws -> Repository {
      try shop.open(as: holder, memory: ClientMemory.none)
    }

    /// - Returns: the containers of which the restore has read something with their parity.
    func expectRestored(_ place: String, _ location: SourceLocation = #_sourceLocation) throws -> [String] {
      defer { TestFiles.removeTree(shop.directory.appending("restored")) }
      let repository = try open()
      try shop.restore(to: "restored", in: repository)
      let differences = TreeDescription(of: shop.directory.appending("restored")).differences(from: tree)
      #expect(differences == [], "\(place)", sourceLocation: location)
      return repository.containers.parityUses.takeUntold()
    }

    func scrub(repairs: Bool = false) throws -> ScrubResult {
      var options = Scrub.Options()
      options.repairs = repairs
      var repository = try open(as: .nobody)
      repository.isHome = false
      let place = Scrub.Place("home", at: "memory", isHome: true, .success(store))
      return try #require(try Scrub([place], reference: repository, openedAt: "home", options).run().first)
    }

    func expectHealed(_ place: String, _ location: SourceLocation = #_sourceLocation) {
      let there = TargetShop.lasting(store)
      let differing = Set(whole.keys).union(there.keys).filter { whole[$0] != there[$0] }
      #expect(differing.isEmpty, "\(place): \(differing.sorted())", sourceLocation: location)
    }
  }

  /// A fault that each container must bear.
  private static let faults: [(name: String, apply: @Sendable (inout [UInt8]) -> Void)] = [
    ("its header", { $0[20] ^= 1 }), ("the flag of the parity", { $0[48] = 0 }),
    ("a frame", { $0[400] ^= 1 }), ("its trailer", { $0[$0.count - 20] ^= 1 }),
    ("the end of its parity", { $0[$0.count - 60] ^= 1 }),
    ("its first page", { for index in 0..<4096 { $0[index] = 0 } }),
    ("cut", { $0.removeLast(2000) }), ("longer", { $0 += [1, 2, 3] }),
  ]

  @Test(arguments: [false, true]) func damageIsReadThroughNamedAndRepaired(isSealed: Bool) throws {
    let shop = try Shop(isSealed: isSealed)
    #expect(shop.containers.count == 4)
    for key in shop.containers {
      for (name, apply) in Trials.first(3, of: Self.faults.shuffled()) {
        let place = "\(key): \(name)"
        shop.store.contents = shop.whole
        var bytes = try #require(shop.whole[key])
        apply(&bytes)
        shop.store.contents[key] = bytes
        #expect(try shop.expectRestored(place) == [key], "\(place)")
        let report = try shop.shop.verify(in: shop.open())
        #expect(report.exitStatus == .repairableDamage, "\(place)")
        #expect(report.snapshots.count == 2 && report.snapshots.allSatisfy(\.isSound), "\(place)")
        let findings = report.snapshots.flatMap(\.findings).map(\.message)
        #expect(findings.contains("\(key) is damaged, and its parity gives back what is lost"), "\(place): \(findings)")
        let found = try shop.scrub()
        #expect(found.allFindings.map(\.object) == [key] && found.exitStatus == .repairableDamage, "\(place)")
        let repaired = try shop.scrub(repairs: true)
        #expect(repaired.allFindings.map(\.outcome) == [.repaired] && repaired.exitStatus == .done, "\(place)")
        shop.expectHealed(place)
        let clean = try shop.scrub()
        #expect(clean.allFindings.isEmpty && clean.exitStatus == .done, "\(place)")
      }
    }
  }

  @Test func damageInParityAloneIsFoundAndRepaired() throws {
    let shop = try Shop()
    for key in shop.containers {
      var bytes = try #require(shop.whole[key])
      bytes[bytes.count - 3000] ^= 1
      shop.store.contents[key] = bytes
      #expect(try shop.expectRestored(key) == [], "nothing is lost of the data")
      let report = try shop.shop.verify(in: shop.open())
      let findings = report.snapshots.flatMap(\.findings)
      #expect(findings.map(\.message) == ["\(key) is damaged: its parity does not have its digest"])
      #expect(findings.map(\.costsData) == [false] && report.exitStatus == .repairableDamage)
      #expect(try shop.scrub().allFindings.map(\.outcome) == [.repairable])
      #expect(try shop.scrub(repairs: true).allFindings.map(\.outcome) == [.repaired])
      shop.expectHealed(key)
    }
  }

  @Test func whatIsLostBeyondThePromiseIsDamageAndStays() throws {
    let shop = try Shop()
    let key = try shop.archive(of: 1)
    var bytes = try #require(shop.whole[key])
    bytes.replaceSubrange(100_000..<400_000, with: [UInt8](repeating: 0, count: 300_000))
    shop.store.contents[key] = bytes
    let failed = Result { try shop.shop.restore(to: "restored", in: shop.open()) }
    if case .failure(let error) = failed { #expect(error.isDamage) } else { Issue.record("it was restored") }
    #expect(TestFiles.names(in: shop.shop.directory.appending("restored")) == [])
    #expect(try shop.shop.verify(in: shop.open()).exitStatus == .dataLoss)
    let result = try shop.scrub(repairs: true)
    #expect(result.allFindings.map(\.outcome) == [.lost] && result.exitStatus == .dataLoss)
    #expect(shop.store.contents[key] == bytes, "what is damaged stays: some of it may be needed")
  }

  @Test func withoutParityNothingIsDifferent() throws {
    let shop = try Shop(parity: "none")
    let envelope = try shop.shop.number(1).envelope
    #expect(envelope.features == [] && envelope.parity == nil)
    let key = try shop.archive(of: 1)
    shop.store.contents[key]?[500_000] ^= 1
    #expect(try shop.shop.verify(in: shop.open()).exitStatus == .dataLoss)
    #expect(try shop.scrub().allFindings.map(\.outcome) == [.lost])
  }

  @Test func theManifestSaysHowMuchIsParity() throws {
    let shop = try Shop()
    for sequence in [UInt64(1), 2] {
      let snapshot = try shop.shop.number(sequence)
      let parity = try #require(snapshot.envelope.parity)
      #expect(parity.percent == 5 && snapshot.envelope.features == ["parity"])
      let containers = try shop.open().containers
      let readers = try [
        containers.openBody(of: snapshot),
        containers.openArchive(#require(snapshot.envelope.archives.first), of: snapshot.sourceName),
      ]
      #expect(parity.bytes == readers.map(\.parityBytes).reduce(0, +) && parity.bytes > 0)
    }
  }

  // MARK: Merges

  @Test func aMergeReadsThroughDamageAndKeepsTheShare() throws {
    let shop = try Shop(isSealed: true)
    let key = try shop.archive(of: 1)
    shop.store.contents[key]?[500_000] ^= 1
    let repository = try shop.open(as: .everybody)
    let options = Merge.Options(SnapshotSelector(.latest))
    let cache = StateCache(directory: shop.shop.cachePath)
    let report = try Merge(repository: repository, options: options, cache: cache, progress: QuietProgress()).run()
    let merged = try #require(report.envelope)
    #expect(merged.parity?.percent == 5)
    #expect(repository.containers.parityUses.takeUntold() == [key])
    #expect(try shop.expectRestored("merged") == [], "the full has archives of its own")
  }

  @Test func aMergeMayHaveAnotherShare() throws {
    let shop = try Shop()
    for (text, percent) in [("10%", UInt64(10)), ("none", nil)] {
      var options = Merge.Options(SnapshotSelector(.id(try shop.shop.number(2).id.description)))
      let share = try #require(ParityShare(text))
      options.parity = { _ in share }
      let report = try Merge(
        repository: shop.open(), options: options, cache: StateCache(directory: shop.shop.cachePath),
        progress: QuietProgress()
      ).run()
      #expect(try #require(report.envelope).parity?.percent == percent)
    }
  }

  // MARK: Several targets

  @Test func parityIsAskedBeforeAnotherTarget() throws {
    let shop = try Shop()
    let far = MemoryStore()
    far.contents = shop.store.contents
    let key = try shop.archive(of: 1)
    shop.store.contents[key]?[500_000] ^= 1
    let joined = TargetStore(
      home: Target(name: "here", store: shop.store), others: [Target(name: "far", store: far)], gate: nil,
      folder: { Keys.targetFolder($0) })
    let before = far.fetched.count
    let repository = try Repository.open(joined, host: shop.shop.host)
    try shop.shop.restore(to: "restored", in: repository)
    #expect(repository.containers.parityUses.takeUntold() == [key])
    #expect(far.fetched.count == before, "\(far.fetched)")
    // What parity cannot give back comes from there.
    shop.store.contents[key]?.replaceSubrange(100_000..<400_000, with: [UInt8](repeating: 0, count: 300_000))
    TestFiles.removeTree(shop.shop.directory.appending("restored"))
    let report = try shop.shop.restore(to: "restored", in: Repository.open(joined, host: shop.shop.host))
    #expect(report.problems == [])
    #expect(TreeDescription(of: shop.shop.directory.appending("restored")).differences(from: shop.tree) == [])
    #expect(far.fetched.contains(key))
  }

  // MARK: What another program wrote

  /// `Tests/rescue/parity_writer.py` was written from docs/format.md alone.
  @Test func whatAnotherProgramWroteIsRestoredAndRepaired() throws {
    let fixture = (Path(#filePath).parent?.parent ?? .root).appending("Fixtures/format-1-parity")
    let shop = try TestShop()
    let copy = shop.directory.appending("copy")
    TestFiles.copyTree(fixture, to: copy)
    let expected = (0..<3125).flatMap { Hasher.digest(Array("7 \($0)".utf8)).bytes }
    func restored() throws -> [UInt8]? {
      let repository = try Repository.open(LocalStore(directory: copy, host: shop.host), host: shop.host)
      defer { TestFiles.removeTree(shop.directory.appending("restored")) }
      try shop.restore(to: "restored", in: repository)
      return TestFiles.read(shop.directory.appending("restored/orders"))
    }
    #expect(try restored() == expected)
    for file in TestFiles.allFiles(in: copy) where file.text.contains("-") && !file.text.hasSuffix("json") {
      let bytes = try #require(TestFiles.read(file))
      var damaged = bytes
      for page in [0, 2, 4, 6] where 4096 * page + 100 < bytes.count { damaged[4096 * page + 100] ^= 1 }
      TestFiles.write(damaged, to: file)
      #expect(try restored() == expected, "\(file)")
      let repository = try Repository.open(LocalStore(directory: copy, host: shop.host), host: shop.host)
      var options = Scrub.Options()
      options.repairs = true
      let place = Scrub.Place("home", at: "copy", isHome: true, .success(repository.store))
      _ = try Scrub([place], reference: repository, openedAt: "home", options).run()
      #expect(TestFiles.read(file) == bytes, "parity is the same in both programs: \(file)")
    }
  }

  // MARK: A large archive

  /// The second one has more parity than stays in memory.
  @Test(arguments: [("2%", 62, false), ("20%", 30, true)])
  func aLostMiBOfALargeArchiveIsRepairedWhereverItLies(parity: String, mebibytes: Int, isSealed: Bool) throws {
    let shop = try Shop(isSealed: isSealed, parity: parity, bytes: mebibytes << 20)
    let key = try shop.archive(of: 1)
    let bytes = try #require(shop.whole[key])
    let envelope = try shop.shop.number(1).envelope
    let core = bytes.count - Int(try #require(envelope.parity).bytes)
    #expect(core > mebibytes << 20)
    let lost = 1 << 20
    var random = SeededRandom(seed: 5)
    for start in [0, core / 2 + 1, core - lost / 2, bytes.count - lost, Int.random(in: 0..<core, using: &random)] {
      var damaged = bytes
      damaged.replaceSubrange(start..<start + lost, with: random.bytes(lost))
      shop.store.contents[key] = damaged
      #expect(try shop.expectRestored("from \(start)") == [key], "from \(start)")
      #expect(try shop.scrub(repairs: true).allFindings.map(\.outcome) == [.repaired], "from \(start)")
      shop.expectHealed("from \(start)")
    }
  }
}
